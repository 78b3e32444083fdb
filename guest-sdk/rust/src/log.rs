//! Log lines of workflows and activities.
//!
//! In a workflow, the host drops lines that it has logged before, so that a replay does not log twice.
//!
//! ```no_run
//! use longhaul_sdk::log;
//!
//! # let (id, total) = (1, 2);
//! log::info!("order {id}: {total}");
//! ```

use std::cell::Cell;
use std::fmt;

pub use crate::bindings::workflow::longhaul::workflow::types::LogLevel;
use crate::runtime::Runtime;

#[doc(inline)]
pub use crate::{
    __longhaul_debug as debug, __longhaul_error as error, __longhaul_info as info, __longhaul_trace as trace,
    __longhaul_warn as warn,
};

type Write = fn(LogLevel, &str);

thread_local! {
    static ACTIVITY: Cell<Option<Write>> = const { Cell::new(None) };
}

/// Lines of this instance are an activity's.
pub(crate) fn use_activity(write: Write) {
    ACTIVITY.set(Some(write));
}

/// Write a line. Outside a workflow and an activity it goes to standard error.
pub fn write(level: LogLevel, message: fmt::Arguments<'_>) {
    if let Some(runtime) = Runtime::current() {
        runtime.host.log(level, &message.to_string(), &[]);
    } else if let Some(write) = ACTIVITY.get() {
        write(level, &message.to_string());
    } else {
        eprintln!("{message}");
    }
}
