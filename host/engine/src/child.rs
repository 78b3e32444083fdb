//! A child, and a message to another execution, that has no outcome yet.

use std::sync::Arc;

use longhaul_history::proto::{
    enums::v1::ParentClosePolicy,
    history::v1::{
        HistoryEvent, RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
        SignalExternalWorkflowExecutionInitiatedEventAttributes,
        StartChildWorkflowExecutionInitiatedEventAttributes, history_event::Attributes,
    },
    sdk::v1::UserMetadata,
};

/// A child that has not ended: initiated, then perhaps started.
#[derive(Debug, Clone)]
pub struct Child {
    initiated: Arc<HistoryEvent>,
    /// Its ChildWorkflowExecutionStarted event and its first run's id.
    pub started: Option<(i64, String)>,
}

/// What history can say of a child that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// ChildWorkflowExecutionStarted.
    Start,
    /// StartChildWorkflowExecutionFailed.
    StartFail,
    /// The event of its end.
    End,
}

impl Child {
    pub(crate) fn new(initiated: Arc<HistoryEvent>) -> Self {
        Self {
            initiated,
            started: None,
        }
    }

    /// The table of transitions: what stands against the input; none: it is legal.
    pub(crate) fn refuses(&self, input: Input) -> Option<&'static str> {
        match (input, self.started.is_some()) {
            (Input::Start | Input::StartFail, true) => Some("has started already"),
            (Input::End, false) => Some("has not started"),
            (Input::Start | Input::StartFail, false) | (Input::End, true) => None,
        }
    }

    /// The event that initiated it.
    pub fn initiated_event_id(&self) -> i64 {
        self.initiated.event_id
    }

    /// Its workflow id.
    pub fn workflow_id(&self) -> &str {
        self.attributes().map_or("", |a| a.workflow_id.as_str())
    }

    /// Its workflow type.
    pub fn workflow_type(&self) -> &str {
        self.attributes()
            .and_then(|a| a.workflow_type.as_ref())
            .map_or("", |t| t.name.as_str())
    }

    /// What becomes of it when this run closes; where nothing is said, it is terminated.
    pub fn parent_close_policy(&self) -> ParentClosePolicy {
        match self.attributes().map(|a| a.parent_close_policy()) {
            None | Some(ParentClosePolicy::Unspecified) => ParentClosePolicy::Terminate,
            Some(policy) => policy,
        }
    }

    /// The summary that the parent's code gives it.
    pub(crate) fn user_metadata(&self) -> Option<&UserMetadata> {
        self.initiated.user_metadata.as_ref()
    }

    pub(crate) fn attributes(&self) -> Option<&StartChildWorkflowExecutionInitiatedEventAttributes> {
        match &self.initiated.attributes {
            Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a)) => Some(a),
            _ => None,
        }
    }
}

/// A signal or a cancellation request for another execution that has no outcome yet.
#[derive(Debug, Clone)]
pub struct External {
    initiated: Arc<HistoryEvent>,
}

impl External {
    pub(crate) fn new(initiated: Arc<HistoryEvent>) -> Self {
        Self { initiated }
    }

    /// The event that initiated it.
    pub fn initiated_event_id(&self) -> i64 {
        self.initiated.event_id
    }

    pub(crate) fn signal(&self) -> Option<&SignalExternalWorkflowExecutionInitiatedEventAttributes> {
        match &self.initiated.attributes {
            Some(Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(a)) => Some(a),
            _ => None,
        }
    }

    pub(crate) fn cancel(&self) -> Option<&RequestCancelExternalWorkflowExecutionInitiatedEventAttributes> {
        match &self.initiated.attributes {
            Some(Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a)) => Some(a),
            _ => None,
        }
    }
}
