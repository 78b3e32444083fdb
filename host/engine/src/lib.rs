//! The execution state machine.
//!
//! Pure and synchronous: no clock, no input or output, no threads. The same inputs always give the same events, so the crate can
//! be tested with canned histories, and whatever runs live is what runs in replay.
//!
//! Two halves meet at the event history:
//!
//! - [`Execution`] is the *server's* half: a fold of events plus what Temporal keeps beside history (attempts of activities).
//!   Inputs become events and [`Effect`]s in a [`Turn`]; every event is applied to the state that made it.
//! - [`Session`] is the *guest's* half: it knows by which `seq` the code names each operation, turns events into [`Job`]s for the
//!   guest, and the guest's [`Command`]s into [`Intent`]s, which stand one to one for events. Live, intents become events; in
//!   replay they are compared with the events that history holds ([`compare`]), and a difference is a [`Nondeterminism`] error.
//!
//! A [`WorkflowTask`](replay::TaskSlice) joins the two: [`replay::tasks`] cuts a history into the tasks that wrote it.

pub mod activity;
pub mod child;
mod command;
pub mod compare;
pub mod cron;
mod error;
pub mod execution;
pub mod local;
pub mod outgoing;
mod patch;
pub mod replay;
pub mod retry;
mod seqs;
mod session;
mod timeouts;
mod timer;
mod turn;
pub mod update;
pub mod workflow_task;

pub use command::{
    ActivityOptions, Call, CancellationType, ChildCancellationType, ChildOptions, Command, ContinueOptions,
    LocalActivityOptions, SignalOptions, Target,
};
pub use error::{BadReset, BadStart, IllegalTransition, InFlight, Nondeterminism, Refused, Violation};
pub use execution::{Execution, Identity, Status};
pub use longhaul_history::proto;
pub use outgoing::{Answer, Failed, Outgoing};
pub use session::{Intent, Job, LocalCalls, Outcome, Session};
pub use timeouts::TASK_TIMEOUT_MAX_NS;
pub use turn::{Effect, Turn};
