//! Reading history from its end, as tools do that look for the last of something.

use longhaul_engine::proto::{history::v1::History, workflowservice::v1 as wire};
use longhaul_history::codec;
use longhaul_store::ExecutionKey;
use prost::Message as _;

use super::history::Place;
use crate::{Error, Runtime};

/// Stands before a place in the tokens of this request: those of the other direction mean something else.
const BACKWARDS: u8 = b'R';

impl Runtime {
    /// Read a page of history, the last event first. What is added to a history that is being read is not part of it.
    ///
    /// # Errors
    ///
    /// There is no such execution, or the token is not one of this request.
    pub async fn history_reverse(
        &self,
        request: wire::GetWorkflowExecutionHistoryReverseRequest,
    ) -> Result<wire::GetWorkflowExecutionHistoryReverseResponse, Error> {
        let target = self.target(&request.namespace, request.execution.as_ref())?;
        let mut key = self.find(target.namespace, request.execution.as_ref(), target.run_id)?;
        let last = match request.next_page_token.as_slice() {
            [] => self.record(&key)?.next_event_id.saturating_sub(1),
            [BACKWARDS, token @ ..] => {
                let place = Place::from_bytes(token)?;
                key.run_id = place.run_id;
                self.record(&key)?;
                place.next_event_id
            }
            _ => return Err(Error::InvalidArgument("Invalid NextPageToken.".into())),
        };
        let most = self.inner.core.options.history_page;
        let size = match usize::try_from(request.maximum_page_size) {
            Ok(0) | Err(_) => most,
            Ok(size) => size.min(most),
        };
        let history = self.backwards(&key, last, size)?;
        let next = history.events.last().map_or(0, |event| event.event_id - 1);
        let next = u64::try_from(next).unwrap_or(0);
        let token = (next > 0).then(|| {
            let place = Place {
                run_id: key.run_id,
                next_event_id: next,
            };
            [&[BACKWARDS][..], &place.to_bytes()].concat()
        });
        Ok(wire::GetWorkflowExecutionHistoryReverseResponse {
            history: Some(history),
            next_page_token: token.unwrap_or_default(),
        })
    }

    /// Durable events of a run down from an id, at most so many, and within what one answer may hold.
    fn backwards(&self, key: &ExecutionKey, last: u64, count: usize) -> Result<History, Error> {
        let most_bytes = self.inner.core.options.limits.history.request_bytes / 2;
        let snapshot = self.inner.core.snapshot()?;
        let mut events = Vec::new();
        let mut bytes = 0;
        for batch in snapshot.events_to(key.namespace, key.run_id, last)?.rev() {
            let batch = batch?;
            let decoded = codec::decode_batch(&batch.bytes).map_err(|error| {
                Error::Internal(format!("the history of run {} is damaged: {error}", key.run_id))
            })?;
            for event in decoded.into_iter().rev() {
                if u64::try_from(event.event_id).unwrap_or(0) > last {
                    continue;
                }
                bytes += event.encoded_len();
                if events.len() >= count || (bytes > most_bytes && !events.is_empty()) {
                    return Ok(History { events });
                }
                events.push(event);
            }
        }
        Ok(History { events })
    }
}
