//! What has become of attempts whose run could not be read: kept, because nobody would say it again.

use std::collections::{HashMap, VecDeque};

use longhaul_store::RunId;

use super::message::Input;

/// By run, in order. Of each activity there is one heartbeat and one end at most, so it is bounded by what runs and was handed out.
#[derive(Default)]
pub(super) struct Kept(HashMap<RunId, VecDeque<Input>>);

impl Kept {
    /// The run could not be read.
    pub(super) fn push(&mut self, run_id: RunId, input: Input) {
        let kept = self.0.entry(run_id).or_default();
        if let Input::Heartbeat { key, .. } = &input {
            // The last one counts.
            kept.retain(|earlier| !matches!(earlier, Input::Heartbeat { key: other, .. } if other == key));
        }
        kept.push_back(input);
    }

    /// The run is read again.
    pub(super) fn take(&mut self, run_id: RunId) -> VecDeque<Input> {
        self.0.remove(&run_id).unwrap_or_default()
    }
}
