//! Events of children and of messages to other executions become state.

use std::sync::Arc;

use longhaul_history::proto::history::v1::{HistoryEvent, history_event::Attributes};

use super::{Execution, fold::illegal};
use crate::{
    IllegalTransition,
    child::{self, Child, External},
};

impl Execution {
    pub(super) fn fold_child(
        &mut self,
        event: &Arc<HistoryEvent>,
        attributes: &Attributes,
    ) -> Result<(), IllegalTransition> {
        use Attributes as A;
        let (initiated_event_id, input) = match attributes {
            A::StartChildWorkflowExecutionInitiatedEventAttributes(_) => {
                self.children.insert(event.event_id, Child::new(event.clone()));
                return Ok(());
            }
            A::ChildWorkflowExecutionStartedEventAttributes(a) => {
                let child = self.child_mut(event, a.initiated_event_id, child::Input::Start)?;
                let run_id = a.workflow_execution.as_ref().map_or("", |e| e.run_id.as_str());
                child.started = Some((event.event_id, run_id.to_owned()));
                self.unseen.push(event.clone());
                return Ok(());
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(a) => {
                (a.initiated_event_id, child::Input::StartFail)
            }
            A::ChildWorkflowExecutionCompletedEventAttributes(a) => (a.initiated_event_id, child::Input::End),
            A::ChildWorkflowExecutionFailedEventAttributes(a) => (a.initiated_event_id, child::Input::End),
            A::ChildWorkflowExecutionCanceledEventAttributes(a) => (a.initiated_event_id, child::Input::End),
            A::ChildWorkflowExecutionTimedOutEventAttributes(a) => (a.initiated_event_id, child::Input::End),
            A::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
                (a.initiated_event_id, child::Input::End)
            }
            _ => return Err(illegal(event, "it is no event of a child")),
        };
        self.child_mut(event, initiated_event_id, input)?;
        self.children.remove(&initiated_event_id);
        self.unseen.push(event.clone());
        Ok(())
    }

    fn child_mut(
        &mut self,
        event: &HistoryEvent,
        initiated_event_id: i64,
        input: child::Input,
    ) -> Result<&mut Child, IllegalTransition> {
        let child = self.children.get_mut(&initiated_event_id).ok_or_else(|| {
            illegal(
                event,
                &format!("no child initiated by event {initiated_event_id} is pending"),
            )
        })?;
        match child.refuses(input) {
            None => Ok(child),
            Some(why) => Err(illegal(
                event,
                &format!("the child initiated by event {initiated_event_id} {why}"),
            )),
        }
    }

    pub(super) fn end_signal(
        &mut self,
        event: &Arc<HistoryEvent>,
        initiated_event_id: i64,
    ) -> Result<(), IllegalTransition> {
        let ended = self.external_signals.remove(&initiated_event_id);
        self.end_external(event, "signal", initiated_event_id, ended)
    }

    pub(super) fn end_cancel(
        &mut self,
        event: &Arc<HistoryEvent>,
        initiated_event_id: i64,
    ) -> Result<(), IllegalTransition> {
        let ended = self.external_cancels.remove(&initiated_event_id);
        self.end_external(event, "cancellation request", initiated_event_id, ended)
    }

    fn end_external(
        &mut self,
        event: &Arc<HistoryEvent>,
        what: &str,
        initiated_event_id: i64,
        ended: Option<External>,
    ) -> Result<(), IllegalTransition> {
        if ended.is_none() {
            return Err(illegal(
                event,
                &format!("no {what} initiated by event {initiated_event_id} is pending"),
            ));
        }
        self.unseen.push(event.clone());
        Ok(())
    }
}
