//! Reading history: pages, long polls, and the closing event.

use std::sync::Arc;

use longhaul_engine::proto::{
    enums::v1::HistoryEventFilterType,
    history::v1::{History, HistoryEvent},
    workflowservice::v1 as wire,
};
use longhaul_history::codec;
use longhaul_store::{ExecutionKey, ExecutionRecord, NamespaceId, RunId};

use super::Execution;
use crate::{Error, Runtime, executions};

/// Where a reader is: the run, and the next event. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) run_id: RunId,
    pub(super) next_event_id: u64,
}

impl Place {
    const VERSION: u8 = 1;

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![Self::VERSION];
        bytes.extend_from_slice(&self.run_id.0.to_be_bytes());
        bytes.extend_from_slice(&self.next_event_id.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let bad = || Error::InvalidArgument("Invalid NextPageToken.".into());
        let [Self::VERSION, rest @ ..] = bytes else {
            return Err(bad());
        };
        let (run, next) = rest.split_first_chunk::<16>().ok_or_else(bad)?;
        let next: [u8; 8] = next.try_into().map_err(|_| bad())?;
        Ok(Self {
            run_id: RunId(u128::from_be_bytes(*run)),
            next_event_id: u64::from_be_bytes(next),
        })
    }
}

impl Runtime {
    /// Read a page of history. With `wait_new_event` it waits, at most for the server's long poll, for events behind the token, or for
    /// the closing event; an empty page then comes with a token to go on with.
    ///
    /// # Errors
    ///
    /// There is no such execution, or the token is not one of this server.
    pub async fn history(
        &self,
        request: wire::GetWorkflowExecutionHistoryRequest,
    ) -> Result<wire::GetWorkflowExecutionHistoryResponse, Error> {
        let target = self.target(&request.namespace, request.execution.as_ref())?;
        let for_close = request.history_event_filter_type() == HistoryEventFilterType::CloseEvent;
        let key = self.find(target.namespace, request.execution.as_ref(), target.run_id)?;
        let place = match request.next_page_token.as_slice() {
            [] => Place {
                run_id: key.run_id,
                next_event_id: 1,
            },
            token => Place::from_bytes(token)?,
        };
        let key = ExecutionKey {
            run_id: place.run_id,
            ..key
        };
        let core = &self.inner.core;
        let watch = core
            .watchers
            .watch(&place.run_id.to_string(), for_close && request.wait_new_event);
        let deadline = tokio::time::Instant::now() + core.options.long_poll;
        loop {
            let mut news = std::pin::pin!(watch.news());
            news.as_mut().enable();
            let record = self.record(&key)?;
            let closed = !record.status.is_open();
            let behind = record.next_event_id > place.next_event_id;
            if for_close {
                if closed {
                    return self.close_event(&record);
                }
                if !request.wait_new_event {
                    let events = self.events(&key, record.next_event_id.saturating_sub(1), 1)?;
                    return Ok(page(events, None));
                }
            } else if behind || closed || !request.wait_new_event {
                return self.page(&key, place, &record, &request);
            }
            watch.waits();
            if tokio::time::timeout_at(deadline, news).await.is_err() {
                return Ok(page(Vec::new(), Some(place)));
            }
        }
    }

    fn page(
        &self,
        key: &ExecutionKey,
        place: Place,
        record: &ExecutionRecord,
        request: &wire::GetWorkflowExecutionHistoryRequest,
    ) -> Result<wire::GetWorkflowExecutionHistoryResponse, Error> {
        let most = self.inner.core.options.history_page;
        let size = usize::try_from(request.maximum_page_size).unwrap_or(0);
        let size = if size == 0 { most } else { size.min(most) };
        let events = self.events(key, place.next_event_id, size)?;
        let read = events.len() as u64;
        let next = Place {
            next_event_id: place.next_event_id + read,
            ..place
        };
        let more = next.next_event_id < record.next_event_id;
        // A reader that waits for news goes on until the run has closed.
        let follow = request.wait_new_event && record.status.is_open();
        Ok(page(events, (more || follow).then_some(next)))
    }

    fn close_event(
        &self,
        record: &ExecutionRecord,
    ) -> Result<wire::GetWorkflowExecutionHistoryResponse, Error> {
        let events = self.events(&record.key(), record.next_event_id.saturating_sub(1), 1)?;
        if !events.iter().all(executions::is_close) {
            return Err(Error::Internal(format!(
                "run {} has closed without a closing event",
                record.run_id
            )));
        }
        Ok(page(events, None))
    }

    /// Durable events of a run, from an id on, at most so many, and within what one answer may hold.
    pub(super) fn events(
        &self,
        key: &ExecutionKey,
        from: u64,
        count: usize,
    ) -> Result<Vec<HistoryEvent>, Error> {
        let most_bytes = self.inner.core.options.limits.history.request_bytes / 2;
        let snapshot = self.inner.core.snapshot()?;
        let mut events = Vec::new();
        let mut bytes = 0;
        for batch in snapshot.events(key.namespace, key.run_id, from)? {
            let batch = batch?;
            let decoded = codec::decode_batch(&batch.bytes).map_err(|error| {
                Error::Internal(format!("the history of run {} is damaged: {error}", key.run_id))
            })?;
            for event in decoded {
                if u64::try_from(event.event_id).unwrap_or(0) < from {
                    continue;
                }
                bytes += prost::Message::encoded_len(&event);
                if events.len() >= count || (bytes > most_bytes && !events.is_empty()) {
                    return Ok(events);
                }
                events.push(event);
            }
        }
        Ok(events)
    }

    /// A run by name; an empty `run_id` is the newest one.
    pub(crate) fn find_run(
        &self,
        namespace: &str,
        workflow_id: &str,
        run_id: &str,
    ) -> Result<ExecutionKey, Error> {
        let execution = Execution {
            workflow_id: workflow_id.into(),
            run_id: run_id.into(),
        };
        let target = self.target(namespace, Some(&execution))?;
        self.find(target.namespace, Some(&execution), target.run_id)
    }

    pub(super) fn find(
        &self,
        namespace: NamespaceId,
        execution: Option<&Execution>,
        run_id: Option<RunId>,
    ) -> Result<ExecutionKey, Error> {
        let workflow_id = execution
            .map(|execution| execution.workflow_id.clone())
            .unwrap_or_default();
        let run_id = match run_id {
            Some(run_id) => run_id,
            None => {
                let current = self.inner.core.snapshot()?.current(namespace, &workflow_id)?;
                current
                    .ok_or_else(|| Error::WorkflowNotFound(workflow_id.clone()))?
                    .run_id
            }
        };
        Ok(ExecutionKey {
            namespace,
            workflow_id,
            run_id,
        })
    }

    pub(crate) fn record(&self, key: &ExecutionKey) -> Result<ExecutionRecord, Error> {
        let record = self
            .inner
            .core
            .snapshot()?
            .execution(key.namespace, &key.workflow_id, key.run_id)?;
        record.ok_or_else(|| Error::RunNotFound {
            workflow_id: key.workflow_id.clone(),
            run_id: key.run_id.to_string(),
        })
    }

    /// The whole durable history of a run, for exports and tests.
    ///
    /// # Errors
    ///
    /// There is no such execution.
    pub fn whole_history(&self, namespace: &str, workflow_id: &str, run_id: &str) -> Result<History, Error> {
        let key = self.find_run(namespace, workflow_id, run_id)?;
        let snapshot = self.inner.core.snapshot()?;
        let events = crate::shard::read_events(&snapshot, key.namespace, key.run_id)?;
        Ok(History {
            events: events.into_iter().map(Arc::unwrap_or_clone).collect(),
        })
    }
}

fn page(events: Vec<HistoryEvent>, next: Option<Place>) -> wire::GetWorkflowExecutionHistoryResponse {
    wire::GetWorkflowExecutionHistoryResponse {
        history: Some(History { events }),
        next_page_token: next.map(Place::to_bytes).unwrap_or_default(),
        ..Default::default()
    }
}
