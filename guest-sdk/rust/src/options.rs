//! Options of the operations that a workflow starts.

use std::collections::HashMap;
use std::time::Duration;

use crate::bindings::workflow::longhaul::workflow::{commands, types};
use crate::cancellation::WorkflowCancellationToken;
use crate::data_converters::Payload;
use crate::memo::MemoValues;
use crate::retry_policy::RetryPolicy;
use crate::search_attributes::SearchAttributes;

/// A duration as the contract has it. Spans over 584 years are cut to that.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What the workflow sees when it cancels an activity.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ActivityCancellationType {
    /// Ask the activity to stop, and go on at once.
    #[default]
    TryCancel,
    /// Ask the activity to stop, and wait until it has ended.
    WaitCancellationCompleted,
    /// Do not ask, and go on at once.
    Abandon,
}

impl From<ActivityCancellationType> for commands::ActivityCancellationType {
    fn from(value: ActivityCancellationType) -> Self {
        match value {
            ActivityCancellationType::TryCancel => Self::TryCancel,
            ActivityCancellationType::WaitCancellationCompleted => Self::WaitCancellationCompleted,
            ActivityCancellationType::Abandon => Self::Abandon,
        }
    }
}

/// What the workflow sees when it cancels a child.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ChildWorkflowCancellationType {
    /// Do not ask, and go on at once.
    Abandon,
    /// Ask, and go on at once.
    TryCancel,
    /// Ask, and wait until the child has closed.
    #[default]
    WaitCancellationCompleted,
    /// Ask, and wait until the child has got the request.
    WaitCancellationRequested,
}

impl From<ChildWorkflowCancellationType> for commands::ChildCancellationType {
    fn from(value: ChildWorkflowCancellationType) -> Self {
        match value {
            ChildWorkflowCancellationType::Abandon => Self::Abandon,
            ChildWorkflowCancellationType::TryCancel => Self::TryCancel,
            ChildWorkflowCancellationType::WaitCancellationCompleted => Self::WaitCancellationCompleted,
            ChildWorkflowCancellationType::WaitCancellationRequested => Self::WaitCancellationRequested,
        }
    }
}

/// What becomes of a child when its parent closes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ParentClosePolicy {
    /// The default: the child is terminated.
    #[default]
    Unspecified,
    /// The child is terminated.
    Terminate,
    /// The child goes on.
    Abandon,
    /// The child's cancellation is requested.
    RequestCancel,
}

impl From<ParentClosePolicy> for commands::ParentClosePolicy {
    fn from(value: ParentClosePolicy) -> Self {
        match value {
            ParentClosePolicy::Unspecified | ParentClosePolicy::Terminate => Self::Terminate,
            ParentClosePolicy::Abandon => Self::Abandon,
            ParentClosePolicy::RequestCancel => Self::RequestCancel,
        }
    }
}

/// Whether a workflow id may be used again once its execution has closed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WorkflowIdReusePolicy {
    /// The default: it may.
    #[default]
    Unspecified,
    /// It may.
    AllowDuplicate,
    /// Only if the last execution did not complete.
    AllowDuplicateFailedOnly,
    /// It may not.
    RejectDuplicate,
}

impl From<WorkflowIdReusePolicy> for commands::IdReusePolicy {
    fn from(value: WorkflowIdReusePolicy) -> Self {
        match value {
            WorkflowIdReusePolicy::Unspecified | WorkflowIdReusePolicy::AllowDuplicate => {
                Self::AllowDuplicate
            }
            WorkflowIdReusePolicy::AllowDuplicateFailedOnly => Self::AllowDuplicateFailedOnly,
            WorkflowIdReusePolicy::RejectDuplicate => Self::RejectDuplicate,
        }
    }
}

/// The two limits of which an activity needs at least one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ActivityCloseTimeouts {
    /// Limit over all attempts.
    ScheduleToClose(Duration),
    /// Limit of one attempt.
    StartToClose(Duration),
    /// Both.
    ScheduleAndStartToClose {
        /// Limit over all attempts.
        schedule_to_close: Duration,
        /// Limit of one attempt.
        start_to_close: Duration,
    },
}

impl ActivityCloseTimeouts {
    /// The limit over all attempts.
    pub fn schedule_to_close(&self) -> Option<Duration> {
        match self {
            Self::ScheduleToClose(schedule_to_close)
            | Self::ScheduleAndStartToClose {
                schedule_to_close, ..
            } => Some(*schedule_to_close),
            Self::StartToClose(_) => None,
        }
    }

    /// The limit of one attempt.
    pub fn start_to_close(&self) -> Option<Duration> {
        match self {
            Self::StartToClose(start_to_close) | Self::ScheduleAndStartToClose { start_to_close, .. } => {
                Some(*start_to_close)
            }
            Self::ScheduleToClose(_) => None,
        }
    }
}

/// Options of an activity.
#[derive(Clone, Debug, bon::Builder)]
#[non_exhaustive]
#[builder(start_fn = with_close_timeouts, on(String, into), state_mod(vis = "pub"))]
pub struct ActivityOptions {
    /// Limits of the attempts.
    #[builder(start_fn)]
    pub close_timeouts: ActivityCloseTimeouts,
    /// The activity's id. Default: the operation's number.
    pub activity_id: Option<String>,
    /// Where it runs. Default: the workflow's own queue.
    pub task_queue: Option<String>,
    /// Limit of the wait for a worker. Never retried.
    pub schedule_to_start_timeout: Option<Duration>,
    /// Limit between two heartbeats.
    pub heartbeat_timeout: Option<Duration>,
    /// What the workflow sees when it cancels the activity.
    #[builder(default, into)]
    pub cancellation_type: ActivityCancellationType,
    /// What cancels the activity. Default: the cancellation of the workflow.
    pub cancellation_token: Option<WorkflowCancellationToken>,
    /// How it is retried. Default: after 1 s, then twice as long each time, without end.
    #[builder(into)]
    pub retry_policy: Option<RetryPolicy>,
    /// One line for tools to show.
    pub summary: Option<String>,
    /// Accepted for code that sets it; there is no eager execution.
    #[builder(default)]
    pub do_not_eagerly_execute: bool,
}

impl ActivityOptions {
    /// A builder, with the limit of one attempt set.
    pub fn with_start_to_close_timeout(duration: Duration) -> ActivityOptionsBuilder {
        Self::with_close_timeouts(ActivityCloseTimeouts::StartToClose(duration))
    }

    /// A builder, with the limit over all attempts set.
    pub fn with_schedule_to_close_timeout(duration: Duration) -> ActivityOptionsBuilder {
        Self::with_close_timeouts(ActivityCloseTimeouts::ScheduleToClose(duration))
    }

    /// Options with just the limit of one attempt.
    pub fn start_to_close_timeout(duration: Duration) -> Self {
        Self::with_start_to_close_timeout(duration).build()
    }

    /// Options with just the limit over all attempts.
    pub fn schedule_to_close_timeout(duration: Duration) -> Self {
        Self::with_schedule_to_close_timeout(duration).build()
    }

    pub(crate) fn into_command(
        self,
        activity_type: String,
        input: Vec<types::Payload>,
    ) -> (commands::ActivityOptions, Option<WorkflowCancellationToken>) {
        let command = commands::ActivityOptions {
            activity_type,
            activity_id: self.activity_id,
            task_queue: self.task_queue,
            input,
            header: Vec::new(),
            schedule_to_close: self.close_timeouts.schedule_to_close().map(nanos),
            schedule_to_start: self.schedule_to_start_timeout.map(nanos),
            start_to_close: self.close_timeouts.start_to_close().map(nanos),
            heartbeat: self.heartbeat_timeout.map(nanos),
            retry_policy: self.retry_policy.map(Into::into),
            cancellation_type: self.cancellation_type.into(),
            summary: self.summary,
        };
        (command, self.cancellation_token)
    }
}

/// The limit over all attempts of a local activity for which no limit was given, as in Temporal's SDK.
const DEFAULT_LOCAL_SCHEDULE_TO_CLOSE: Duration = Duration::from_secs(100);

/// Options of a local activity.
#[derive(Clone, Debug, bon::Builder)]
#[non_exhaustive]
pub struct LocalActivityOptions {
    /// The activity's id. Default: the operation's number.
    pub activity_id: Option<String>,
    /// How it is retried.
    #[builder(default)]
    pub retry_policy: RetryPolicy,
    /// A wait between two attempts that is longer than this is a timer of the workflow. Default: the limit of the
    /// workflow task.
    pub timer_backoff_threshold: Option<Duration>,
    /// What the workflow sees when it cancels the activity.
    #[builder(default)]
    pub cancel_type: ActivityCancellationType,
    /// What cancels the activity. Default: the cancellation of the workflow.
    pub cancellation_token: Option<WorkflowCancellationToken>,
    /// Limit over all attempts. Default, where no other limit is given: 100 s.
    pub schedule_to_close_timeout: Option<Duration>,
    /// Limit of the wait before an attempt.
    pub schedule_to_start_timeout: Option<Duration>,
    /// Limit of one attempt.
    pub start_to_close_timeout: Option<Duration>,
    /// One line for tools to show.
    pub summary: Option<String>,
}

impl Default for LocalActivityOptions {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl LocalActivityOptions {
    pub(crate) fn into_command(
        self,
        activity_type: String,
        input: Vec<types::Payload>,
    ) -> (commands::LocalActivityOptions, Option<WorkflowCancellationToken>) {
        let schedule_to_close = match (self.schedule_to_close_timeout, self.start_to_close_timeout) {
            (None, None) => Some(DEFAULT_LOCAL_SCHEDULE_TO_CLOSE),
            (limit, _) => limit,
        };
        let command = commands::LocalActivityOptions {
            activity_type,
            activity_id: self.activity_id,
            input,
            header: Vec::new(),
            schedule_to_close: schedule_to_close.map(nanos),
            schedule_to_start: self.schedule_to_start_timeout.map(nanos),
            start_to_close: self.start_to_close_timeout.map(nanos),
            retry_policy: Some(self.retry_policy.into()),
            cancellation_type: self.cancel_type.into(),
            local_retry_threshold: self.timer_backoff_threshold.map(nanos),
            attempt: 1,
            original_schedule_time: None,
            summary: self.summary,
        };
        (command, self.cancellation_token)
    }
}

/// Options of a child workflow.
#[derive(Clone, Debug, Default, bon::Builder)]
#[non_exhaustive]
pub struct ChildWorkflowOptions {
    /// The child's id. Default: a random UUID that is the same in every replay.
    pub workflow_id: Option<String>,
    /// Where it runs. Default: the parent's own queue.
    pub task_queue: Option<String>,
    /// What the parent sees when it cancels the child.
    #[builder(default)]
    pub cancel_type: ChildWorkflowCancellationType,
    /// What cancels the child. Default: the cancellation of the parent.
    pub cancellation_token: Option<WorkflowCancellationToken>,
    /// What becomes of the child when its parent closes.
    #[builder(default)]
    pub parent_close_policy: ParentClosePolicy,
    /// One line for tools to show.
    pub static_summary: Option<String>,
    /// Whether the id may be used again once its execution has closed.
    #[builder(default)]
    pub id_reuse_policy: WorkflowIdReusePolicy,
    /// Limit of the whole chain of runs.
    pub execution_timeout: Option<Duration>,
    /// Limit of one run.
    pub run_timeout: Option<Duration>,
    /// Limit of one workflow task.
    pub task_timeout: Option<Duration>,
    /// When it runs again and again.
    pub cron_schedule: Option<String>,
    /// How it is retried. Default: not at all.
    pub retry_policy: Option<RetryPolicy>,
    /// The child's search attributes.
    pub search_attributes: Option<SearchAttributes>,
}

impl ChildWorkflowOptions {
    /// Options with just the id.
    pub fn workflow_id(workflow_id: String) -> Self {
        Self::builder().workflow_id(workflow_id).build()
    }

    pub(crate) fn into_command(
        self,
        workflow_type: String,
        workflow_id: String,
        input: Vec<types::Payload>,
    ) -> commands::ChildOptions {
        commands::ChildOptions {
            workflow_type,
            workflow_id,
            task_queue: self.task_queue,
            input,
            header: Vec::new(),
            memo: Vec::new(),
            search_attributes: self
                .search_attributes
                .map(SearchAttributes::into_wit)
                .unwrap_or_default(),
            execution_timeout: self.execution_timeout.map(nanos),
            run_timeout: self.run_timeout.map(nanos),
            task_timeout: self.task_timeout.map(nanos),
            id_reuse_policy: self.id_reuse_policy.into(),
            retry_policy: self.retry_policy.map(Into::into),
            cron_schedule: self.cron_schedule,
            parent_close_policy: self.parent_close_policy.into(),
            cancellation_type: self.cancel_type.into(),
            summary: self.static_summary,
        }
    }
}

/// Options of a timer.
#[derive(Clone, Debug, bon::Builder)]
#[non_exhaustive]
pub struct TimerOptions {
    /// When it fires, from now.
    #[builder(start_fn)]
    pub duration: Duration,
    /// What cancels the timer. Default: the cancellation of the workflow.
    pub cancellation_token: Option<WorkflowCancellationToken>,
    /// One line for tools to show.
    pub summary: Option<String>,
}

impl Default for TimerOptions {
    fn default() -> Self {
        Self::builder(Duration::ZERO).build()
    }
}

impl From<Duration> for TimerOptions {
    fn from(duration: Duration) -> Self {
        Self::builder(duration).build()
    }
}

/// Options of a side effect.
#[derive(Clone, Debug, Default, bon::Builder)]
#[non_exhaustive]
pub struct SideEffectOptions {
    /// One line for tools to show.
    #[builder(into)]
    pub summary: Option<String>,
}

/// Options of a wait for a condition.
#[derive(Clone, Debug, Default, bon::Builder)]
#[non_exhaustive]
pub struct WaitConditionOptions {
    /// What ends the wait. Default: the cancellation of the workflow.
    pub cancellation_token: Option<WorkflowCancellationToken>,
}

/// Options of a signal to another workflow.
#[derive(Clone, Debug, Default, bon::Builder)]
#[non_exhaustive]
pub struct SignalWorkflowOptions {
    /// What gives the signal up while it is not delivered yet. Default: the cancellation of the workflow.
    pub cancellation_token: Option<WorkflowCancellationToken>,
    /// Values that go with the signal beside its arguments; the receiver's handler reads them with
    /// [`headers`](crate::BaseWorkflowContext::headers).
    #[builder(default)]
    pub headers: HashMap<String, Payload>,
    /// Accepted for code that sets it; no tool shows it.
    pub summary: Option<String>,
}

/// Options of a signal to the family.
#[derive(Clone, Debug, bon::Builder)]
#[non_exhaustive]
pub struct FamilySignalOptions {
    /// Does the sender get it too?
    #[builder(default = true)]
    pub to_self: bool,
    /// Does the parent get it? Never, if the sender's type does not pass signals on to its parent.
    #[builder(default = true)]
    pub to_parent: bool,
    /// Do the children get it that have started and not ended?
    #[builder(default = true)]
    pub to_children: bool,
    /// Do the receivers pass it on, in the same directions, to their own parents and children?
    #[builder(default)]
    pub propagate: bool,
    /// What gives the signal up where it is not delivered yet. Default: the cancellation of the workflow.
    pub cancellation_token: Option<WorkflowCancellationToken>,
}

impl Default for FamilySignalOptions {
    fn default() -> Self {
        Self::builder().build()
    }
}

/// Options of the run that a workflow goes on as. What is not set is carried over.
#[derive(Debug, Default, bon::Builder)]
#[non_exhaustive]
pub struct ContinueAsNewOptions {
    /// The type of the new run.
    pub workflow_type: Option<String>,
    /// Where it runs.
    pub task_queue: Option<String>,
    /// Limit of the new run.
    pub run_timeout: Option<Duration>,
    /// Limit of one workflow task.
    pub task_timeout: Option<Duration>,
    /// The memo of the new run.
    pub memo: Option<MemoValues>,
    /// The search attributes of the new run.
    pub search_attributes: Option<SearchAttributes>,
    /// How the new run is retried.
    #[builder(into)]
    pub retry_policy: Option<RetryPolicy>,
}
