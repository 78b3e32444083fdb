//! Write Longhaul workflows and activities in Rust.
//!
//! The names are those of Temporal's Rust SDK (`temporalio-sdk` 1.1): a workflow that is written for it compiles here when
//! its `use` lines name this crate.
//!
//! ```
//! use std::time::Duration;
//! use longhaul_sdk::{
//!     SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
//! };
//!
//! /// Waits for a decision, but not longer than a week.
//! #[workflow]
//! pub struct Approval {
//!     decision: Option<bool>,
//!     limit: u64,
//! }
//!
//! #[workflow_methods]
//! impl Approval {
//!     #[init]
//!     fn new(_: &WorkflowContextView, limit: u64) -> Self {
//!         Self { decision: None, limit }
//!     }
//!
//!     #[run]
//!     async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
//!         let week = Duration::from_secs(7 * 86_400);
//!         if !ctx.wait_condition_timeout(|s| s.decision.is_some(), week).await? {
//!             return Ok("timed out".to_owned());
//!         }
//!         Ok(format!("decided: {:?}", ctx.state(|s| s.decision)))
//!     }
//!
//!     /// Decide.
//!     #[signal]
//!     fn decide(&mut self, _: &mut SyncWorkflowContext<Self>, yes: bool) {
//!         self.decision = Some(yes);
//!     }
//!
//!     #[query]
//!     fn limit(&self, _: &WorkflowContextView) -> u64 {
//!         self.limit
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! `longhaul_sdk::export!(Approval);` makes a component of it, built by `cargo build --target wasm32-wasip2 --release`
//! from a crate of type `cdylib`.

extern crate self as longhaul_sdk;

pub mod activities;
#[doc(hidden)]
pub mod bindings;
mod cancellation;
mod context;
pub mod data_converters;
mod definition;
mod definitions;
pub mod error;
mod exports;
pub mod failure;
mod host;
#[cfg(feature = "http")]
pub mod http;
mod instance;
pub mod log;
mod markers;
mod memo;
mod options;
mod retry_policy;
mod runtime;
pub mod search_attributes;
mod sync;
#[cfg(test)]
mod tests;
mod workflow_result;
pub mod workflows;

pub use cancellation::{WorkflowCancellationError, WorkflowCancellationToken};
pub use context::{
    ActivityFuture, BaseWorkflowContext, CancelExternalFuture, CancellableFuture,
    CancellableFutureWithReason, ChildWorkflowFuture, ChildWorkflowStartFuture, ExternalWorkflowHandle,
    FamilySignal, FamilySignalError, FamilySignalFuture, LocalActivityFuture, MessageInfo, MessageSender,
    NamespacedWorkflowInfo, SignalDelivery, SignalFuture, StartedChildWorkflow, SyncWorkflowContext,
    TimerFuture, UpdateInfo, WaitSignal, WaitSignalError, WorkflowContext, WorkflowContextView,
    WorkflowExecution, WorkflowRandomStream, WorkflowRandomValue,
};
pub use definition::{
    ActivityDefinition, HasWorkflowDefinition, QueryDefinition, SignalDefinition, UntypedActivity,
    UntypedSignal, UntypedWorkflow, UpdateDefinition, WorkflowDefinition,
};
pub use definitions::HandlerUnfinishedPolicy;
pub use error::{
    ActivityExecutionError, ApplicationErrorCategory, ApplicationFailure, CancelExternalWorkflowError,
    ChildWorkflowExecutionError, ChildWorkflowStartError, IncomingError, OutgoingWorkflowError, RetryState,
    StartChildWorkflowExecutionFailedCause, TimeoutType, WorkflowSignalError,
};
pub use longhaul_sdk_macros::{
    activities, activity, activity_definitions, init, query, run, signal, update, update_validator, workflow,
    workflow_methods,
};
pub use memo::{Memo, MemoValue, MemoValues};
pub use options::{
    ActivityCancellationType, ActivityCloseTimeouts, ActivityOptions, ChildWorkflowCancellationType,
    ChildWorkflowOptions, ContinueAsNewOptions, FamilySignalOptions, LocalActivityOptions, ParentClosePolicy,
    SideEffectOptions, SignalWorkflowOptions, TimerOptions, WaitConditionOptions, WorkflowIdReusePolicy,
};
pub use retry_policy::RetryPolicy;
pub use search_attributes::{
    SearchAttributeError, SearchAttributeKey, SearchAttributeUpdate, SearchAttributeValue, SearchAttributes,
    Timestamp,
};
pub use workflow_result::{
    CancellationDetails, ContinueAsNewRequest, TimerResult, WorkflowResult, WorkflowTermination,
};
#[doc(inline)]
pub use workflows::{join, join_all, select};

/// What the macros use. Not for other code.
#[doc(hidden)]
pub mod __private {
    pub use futures_util::{join, select_biased};

    pub use crate::activities::{ActivityCall, ActivityDefinitions, ActivityImplementer, encode_result};
    pub use crate::bindings;
    pub use crate::definitions::{
        ArgumentError, Arguments, HandlerDescriptor, HandlerError, InitialState, RunFuture, SignalCall,
        UpdateCall, UpdateDescriptor, WorkflowDescriptor, WorkflowImplementation, WorkflowType,
        encode_output,
    };
    pub use crate::error::BoxedError;
    pub use crate::exports::activities::{ActivityModule, ExportedActivities};
    pub use crate::exports::workflows::{ExportedWorkflows, WorkflowModule};
    pub use crate::instance::WorkflowEntry;
    pub use crate::markers::{
        Activity, ActivitySpec, Query, QuerySpec, Run, Signal, SignalSpec, Update, UpdateSpec,
    };
}

/// Make a component of the world `workflow`: the workflow types that this crate exports.
///
/// Once per crate: `longhaul_sdk::export!(Order, Refund);`
#[macro_export]
macro_rules! export {
    ($($workflow:ty),+ $(,)?) => {
        const _: () = {
            struct Module;

            impl $crate::__private::WorkflowModule for Module {
                fn workflows() -> ::std::vec::Vec<$crate::__private::WorkflowEntry> {
                    ::std::vec![$($crate::__private::WorkflowEntry::of::<$workflow>()),+]
                }
            }

            type Exported = $crate::__private::ExportedWorkflows<Module>;

            $crate::__private::bindings::workflow::export_workflow_world!(
                Exported with_types_in $crate::__private::bindings::workflow
            );
        };
    };
}

/// Make a component of the world `activities`: the activities that this crate exports.
///
/// Once per crate: `longhaul_sdk::export_activities!(Mail, Payments);`
#[macro_export]
macro_rules! export_activities {
    ($($activities:ty),+ $(,)?) => {
        const _: () = {
            struct Module;

            impl $crate::__private::ActivityModule for Module {
                fn activities() -> $crate::__private::ActivityDefinitions {
                    $crate::__private::ActivityDefinitions::default()$(.with::<$activities>())+
                }
            }

            type Exported = $crate::__private::ExportedActivities<Module>;

            $crate::__private::bindings::activities::export_activities_world!(
                Exported with_types_in $crate::__private::bindings::activities
            );
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __longhaul_select {
    ($($tokens:tt)*) => { $crate::__private::select_biased! { $($tokens)* } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __longhaul_join {
    ($($tokens:tt)*) => { $crate::__private::join! { $($tokens)* } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __longhaul_trace {
    ($($format:tt)*) => { $crate::log::write($crate::log::LogLevel::Trace, ::std::format_args!($($format)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __longhaul_debug {
    ($($format:tt)*) => { $crate::log::write($crate::log::LogLevel::Debug, ::std::format_args!($($format)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __longhaul_info {
    ($($format:tt)*) => { $crate::log::write($crate::log::LogLevel::Info, ::std::format_args!($($format)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __longhaul_warn {
    ($($format:tt)*) => { $crate::log::write($crate::log::LogLevel::Warn, ::std::format_args!($($format)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __longhaul_error {
    ($($format:tt)*) => { $crate::log::write($crate::log::LogLevel::Error, ::std::format_args!($($format)*)) };
}
