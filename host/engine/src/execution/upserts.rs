//! What a run says about itself: memo, search attributes, patches (W5).

use std::collections::HashMap;

use longhaul_history::{
    payload,
    proto::{
        common::v1 as common,
        history::v1::{
            MarkerRecordedEventAttributes, UpsertWorkflowSearchAttributesEventAttributes,
            WorkflowPropertiesModifiedEventAttributes, history_event::Attributes,
        },
    },
};
use serde_json::json;

use super::Execution;
use crate::Turn;

/// The search attribute that lists a run's patches.
pub(crate) const CHANGE_VERSION: &str = "TemporalChangeVersion";

/// The marker of a patch, as Temporal's Core SDK names it.
pub(crate) const PATCH_MARKER: &str = "core_patch";

/// Where the marker says which patch it is.
pub(crate) const PATCH_DATA: &str = "patch-data";

/// From this many bytes on Temporal's Core SDK does not write the attribute, because servers refuse it.
const CHANGE_VERSION_BYTES: usize = 2_048;

impl Execution {
    /// The memo: the start's, with the run's own changes.
    pub fn memo(&self) -> &common::Memo {
        &self.memo
    }

    /// The search attributes: the start's, with the run's own changes.
    pub fn search_attributes(&self) -> &common::SearchAttributes {
        &self.search_attributes
    }

    pub(super) fn upsert_memo(
        &mut self,
        turn: &mut Turn,
        completed: i64,
        fields: Vec<(String, Option<common::Payload>)>,
    ) {
        let attributes = WorkflowPropertiesModifiedEventAttributes {
            workflow_task_completed_event_id: completed,
            upserted_memo: Some(common::Memo {
                fields: written(fields),
            }),
        };
        self.emit(
            turn,
            Attributes::WorkflowPropertiesModifiedEventAttributes(attributes),
        );
    }

    pub(super) fn upsert_search_attributes(
        &mut self,
        turn: &mut Turn,
        completed: i64,
        attributes: Vec<(String, Option<common::Payload>)>,
    ) {
        self.write_search_attributes(turn, completed, written(attributes));
    }

    fn write_search_attributes(
        &mut self,
        turn: &mut Turn,
        completed: i64,
        indexed_fields: HashMap<String, common::Payload>,
    ) {
        let attributes = UpsertWorkflowSearchAttributesEventAttributes {
            workflow_task_completed_event_id: completed,
            search_attributes: Some(common::SearchAttributes { indexed_fields }),
        };
        self.emit(
            turn,
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(attributes),
        );
    }

    /// The marker, and right behind it the attribute: the pair that Temporal's Core SDK writes, and looks for in replay.
    pub(super) fn record_patch(
        &mut self,
        turn: &mut Turn,
        completed: i64,
        id: &str,
        deprecated: bool,
        patches: &[String],
    ) {
        let data = payload::json_payload(&json!({"id": id, "deprecated": deprecated}));
        let data = common::Payloads { payloads: vec![data] };
        let attributes = MarkerRecordedEventAttributes {
            marker_name: PATCH_MARKER.into(),
            details: [(PATCH_DATA.to_owned(), data)].into(),
            workflow_task_completed_event_id: completed,
            ..Default::default()
        };
        self.emit(turn, Attributes::MarkerRecordedEventAttributes(attributes));
        let mut versions = payload::json_payload(&json!(patches));
        if versions.data.len() < CHANGE_VERSION_BYTES {
            versions.metadata.insert("type".into(), b"KeywordList".to_vec());
            self.write_search_attributes(turn, completed, [(CHANGE_VERSION.to_owned(), versions)].into());
        }
    }
}

/// In an event, to remove a field is to set it to nothing.
fn written(fields: Vec<(String, Option<common::Payload>)>) -> HashMap<String, common::Payload> {
    fields
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or_else(payload::null_payload)))
        .collect()
}

/// Fold changes of a memo or of search attributes. As on Temporal's server, nothing and the empty list remove a field.
pub(super) fn merge(
    fields: &mut HashMap<String, common::Payload>,
    changes: &HashMap<String, common::Payload>,
) {
    for (name, value) in changes {
        let removes = match payload::encoding(value) {
            Some("binary/null") => true,
            Some("json/plain") => value.data == b"[]" || value.data == b"null",
            _ => false,
        };
        if removes {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
}
