//! Messages from one execution to another, and their answers.
//!
//! A message is written with the transition of its sender, sent when that is durable, and sent again after a restart until it was
//! answered. The receiver takes it once and gives the same answer every time. Both are records: the shell stores a message beside
//! its sender and an answer beside its receiver.

use longhaul_history::{
    proto::{
        common::v1 as common,
        enums::v1::{
            CancelExternalWorkflowExecutionFailedCause, SignalExternalWorkflowExecutionFailedCause,
            StartChildWorkflowExecutionFailedCause, WorkflowIdReusePolicy,
        },
        history::v1::{HistoryEvent, StartChildWorkflowExecutionInitiatedEventAttributes},
        sdk::v1::UserMetadata,
    },
    time,
};

use crate::execution::{Parent, Start};

/// Who acts where no client does, in the words of Temporal's server.
pub(crate) const SERVER: &str = "history-service";

/// Why a child is terminated or cancelled when its parent closes, in the words of Temporal's server.
pub const BY_PARENT_CLOSE_POLICY: &str = "by parent close policy";

/// A message for another execution.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Outgoing {
    /// The receiver's workflow id.
    #[prost(string, tag = "1")]
    pub workflow_id: String,
    /// The receiver's run; empty: the newest.
    #[prost(string, tag = "2")]
    pub run_id: String,
    /// The run that sends it.
    #[prost(message, optional, tag = "3")]
    pub sender: Option<common::WorkflowExecution>,
    /// Runs that the sender was reset from: their children are its own.
    #[prost(string, repeated, tag = "4")]
    pub sender_bases: Vec<String>,
    /// What it says.
    #[prost(oneof = "Message", tags = "5, 6, 7, 8, 9")]
    pub message: Option<Message>,
}

/// What a message says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Message {
    /// Start a child.
    #[prost(message, boxed, tag = "5")]
    StartChild(Box<ChildStart>),
    /// Take a signal.
    #[prost(message, tag = "6")]
    Signal(Signal),
    /// Take a cancellation request.
    #[prost(message, tag = "7")]
    Cancel(Cancel),
    /// The parent has closed: terminate.
    #[prost(message, tag = "8")]
    Terminate(Terminate),
    /// A child has closed.
    #[prost(message, boxed, tag = "9")]
    ChildClosed(Box<ChildClosed>),
}

/// The start of a child.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChildStart {
    /// The event that initiated it.
    #[prost(int64, tag = "1")]
    pub initiated_event_id: i64,
    /// What the event says.
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<StartChildWorkflowExecutionInitiatedEventAttributes>,
    /// The topmost ancestor.
    #[prost(message, optional, tag = "3")]
    pub root: Option<common::WorkflowExecution>,
    /// The summary that the parent's code gives it.
    #[prost(message, optional, tag = "4")]
    pub user_metadata: Option<UserMetadata>,
    /// The runs that the sender was reset from behind that event: a child that one of them has started by it is this child.
    #[prost(string, repeated, tag = "5")]
    pub bases: Vec<String>,
}

/// A signal.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Signal {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its arguments.
    #[prost(message, optional, tag = "2")]
    pub input: Option<common::Payloads>,
    /// Its header.
    #[prost(message, optional, tag = "3")]
    pub header: Option<common::Header>,
    /// Only a child of the sender takes it.
    #[prost(bool, tag = "4")]
    pub child_only: bool,
    /// By which the receiver knows it again (S5): the sender's run and the event that initiated it.
    #[prost(string, tag = "5")]
    pub request_id: String,
}

/// A cancellation request.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Cancel {
    /// Why.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// The event that initiated it; zero: the sender's close did.
    #[prost(int64, tag = "2")]
    pub initiated_event_id: i64,
    /// Only a child of the sender takes it.
    #[prost(bool, tag = "3")]
    pub child_only: bool,
}

/// The parent close policy of a child.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Terminate {}

/// The end of a child.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChildClosed {
    /// The event by which the parent has started it.
    #[prost(int64, tag = "1")]
    pub initiated_event_id: i64,
    /// The run that has closed.
    #[prost(message, optional, tag = "2")]
    pub child: Option<common::WorkflowExecution>,
    /// The first run of its chain, which is the one that the parent has started.
    #[prost(string, tag = "3")]
    pub first_run_id: String,
    /// The event that has closed it.
    #[prost(message, optional, tag = "4")]
    pub close: Option<HistoryEvent>,
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Answer {
    /// The run of a child that was started.
    #[prost(string, tag = "1")]
    pub run_id: String,
    /// Why it was not taken.
    #[prost(enumeration = "Failed", tag = "2")]
    failed: i32,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Failed {
    /// It was taken.
    No = 0,
    /// There is no such execution, or it has closed, or it is no child of the sender.
    NotFound = 1,
    /// The child's workflow id is in use.
    AlreadyExists = 2,
    /// There is no such namespace.
    NamespaceNotFound = 3,
    /// The receiver takes no further signals.
    SignalLimit = 4,
}

impl Outgoing {
    /// The run that sends it.
    pub fn sender_run_id(&self) -> &str {
        self.sender.as_ref().map_or("", |sender| sender.run_id.as_str())
    }

    /// Whether an execution that has this parent is a child of the sender.
    pub fn is_from_parent(&self, parent: &Parent) -> bool {
        self.sender.as_ref().is_some_and(|sender| {
            sender.workflow_id == parent.workflow_id
                && (sender.run_id == parent.run_id || self.sender_bases.contains(&parent.run_id))
        })
    }

    /// What a child is started with; none: the message is another one.
    pub fn child_start(&self, default_task_timeout_ns: u64) -> Option<Start> {
        let Some(Message::StartChild(start)) = &self.message else {
            return None;
        };
        let attributes = start.attributes.clone().unwrap_or_default();
        let sender = self.sender.clone().unwrap_or_default();
        let limit_ns = |limit: Option<&time::Duration>| limit.and_then(time::ns_from_duration).unwrap_or(0);
        let task_timeout_ns = limit_ns(attributes.workflow_task_timeout.as_ref());
        Some(Start {
            execution_timeout_ns: limit_ns(attributes.workflow_execution_timeout.as_ref()),
            run_timeout_ns: limit_ns(attributes.workflow_run_timeout.as_ref()),
            task_timeout_ns: if task_timeout_ns == 0 {
                default_task_timeout_ns
            } else {
                task_timeout_ns
            },
            workflow_type: attributes.workflow_type.map(|t| t.name).unwrap_or_default(),
            task_queue: attributes.task_queue.map(|queue| queue.name).unwrap_or_default(),
            input: attributes.input,
            header: attributes.header,
            memo: attributes.memo,
            search_attributes: attributes.search_attributes,
            retry_policy: attributes.retry_policy,
            cron_schedule: attributes.cron_schedule,
            priority: attributes.priority,
            user_metadata: start.user_metadata.clone(),
            root: Some(start.root.clone().unwrap_or_else(|| sender.clone())),
            parent: Some(Parent {
                namespace: attributes.namespace,
                workflow_id: sender.workflow_id,
                run_id: sender.run_id,
                initiated_event_id: start.initiated_event_id,
            }),
            ..Default::default()
        })
    }
}

impl ChildStart {
    /// Whether the child's id may have been used before.
    pub fn id_reuse_policy(&self) -> WorkflowIdReusePolicy {
        self.attributes
            .as_ref()
            .map_or(WorkflowIdReusePolicy::Unspecified, |attributes| {
                attributes.workflow_id_reuse_policy()
            })
    }
}

impl Answer {
    /// The child runs.
    pub fn started(run_id: impl Into<String>) -> Self {
        Self {
            run_id: run_id.into(),
            failed: Failed::No as i32,
        }
    }

    /// It was taken.
    pub fn delivered() -> Self {
        Self::default()
    }

    /// It was not taken.
    pub fn refused(why: Failed) -> Self {
        Self {
            run_id: String::new(),
            failed: why as i32,
        }
    }

    /// Why it was not taken; none: it was.
    pub fn failure(&self) -> Option<Failed> {
        Some(self.failed()).filter(|failed| *failed != Failed::No)
    }
}

impl Failed {
    pub(crate) fn signal_cause(self) -> SignalExternalWorkflowExecutionFailedCause {
        use SignalExternalWorkflowExecutionFailedCause as Cause;
        match self {
            Self::NotFound => Cause::ExternalWorkflowExecutionNotFound,
            Self::NamespaceNotFound => Cause::NamespaceNotFound,
            Self::SignalLimit => Cause::SignalCountLimitExceeded,
            Self::No | Self::AlreadyExists => Cause::Unspecified,
        }
    }

    pub(crate) fn cancel_cause(self) -> CancelExternalWorkflowExecutionFailedCause {
        use CancelExternalWorkflowExecutionFailedCause as Cause;
        match self {
            Self::NotFound => Cause::ExternalWorkflowExecutionNotFound,
            Self::NamespaceNotFound => Cause::NamespaceNotFound,
            Self::No | Self::AlreadyExists | Self::SignalLimit => Cause::Unspecified,
        }
    }

    pub(crate) fn start_cause(self) -> StartChildWorkflowExecutionFailedCause {
        use StartChildWorkflowExecutionFailedCause as Cause;
        match self {
            Self::AlreadyExists => Cause::WorkflowAlreadyExists,
            Self::NamespaceNotFound => Cause::NamespaceNotFound,
            Self::No | Self::NotFound | Self::SignalLimit => Cause::Unspecified,
        }
    }
}
