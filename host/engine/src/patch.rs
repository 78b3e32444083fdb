//! The marker of a patch, and the list of patches behind it (W5).

use longhaul_history::{
    payload,
    proto::history::v1::{HistoryEvent, history_event::Attributes},
};

use crate::execution::upserts::{CHANGE_VERSION, PATCH_DATA, PATCH_MARKER};

/// What a patch's marker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    /// The change's id.
    pub(crate) id: String,
    /// Only the new side was left in the code that wrote it.
    pub(crate) deprecated: bool,
}

impl Patch {
    /// None: the event is no such marker.
    pub(crate) fn of(event: &HistoryEvent) -> Option<Self> {
        let Some(Attributes::MarkerRecordedEventAttributes(marker)) = &event.attributes else {
            return None;
        };
        if marker.marker_name != PATCH_MARKER {
            return None;
        }
        let data = marker.details.get(PATCH_DATA)?.payloads.first()?;
        let data = payload::to_json(data)?;
        Some(Self {
            id: data.get("id")?.as_str()?.to_owned(),
            deprecated: data
                .get("deprecated")
                .and_then(serde_json::Value::as_bool)
                .unwrap_or(false),
        })
    }
}

/// Whether the event writes the list of patches.
pub(crate) fn is_version_list(event: &HistoryEvent) -> bool {
    matches!(
        &event.attributes,
        Some(Attributes::UpsertWorkflowSearchAttributesEventAttributes(a))
            if a.search_attributes.as_ref().is_some_and(|a| a.indexed_fields.contains_key(CHANGE_VERSION))
    )
}
