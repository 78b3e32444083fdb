//! Reading: short enum names are first made full, then prost-reflect does the rest.

use prost::{Message, Name};
use prost_reflect::{
    DeserializeOptions, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};
use serde_json::Value;

use super::{Error, descriptor};

/// What becomes of fields that the message does not have, and of names that an enum does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// They are an error.
    Refuse,
    /// They are skipped.
    Skip,
}

pub(super) fn message<M: Message + Name + Default>(mut value: Value, unknown: Unknown) -> Result<M, Error> {
    let shape = |path: String, reason: String| Error::Shape {
        name: M::full_name(),
        path: if path.is_empty() || path == "." {
            "the top".to_owned()
        } else {
            path
        },
        reason,
    };
    let descriptor = descriptor(&M::full_name())?;
    complete(&descriptor, &mut value, "", unknown).map_err(|error| shape(error.path, error.reason))?;

    let options = DeserializeOptions::new().deny_unknown_fields(unknown == Unknown::Refuse);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor, tracked, &options)
        .map_err(|error| shape(track.path().to_string(), error.to_string()))?;
    // The one thing left that can go wrong is nesting too deep for protobuf.
    dynamic
        .transcode_to()
        .map_err(|error| shape(String::new(), error.to_string()))
}

/// A name that an enum does not have.
struct UnknownName {
    path: String,
    reason: String,
}

/// Put the full name of every enum value where a short one stands.
///
/// What has the wrong type is left as it is: prost-reflect refuses it, and says what it wants.
fn complete(
    descriptor: &MessageDescriptor,
    value: &mut Value,
    path: &str,
    unknown: Unknown,
) -> Result<(), UnknownName> {
    if descriptor.full_name().starts_with("google.protobuf.") {
        return Ok(());
    }
    let Value::Object(object) = value else {
        return Ok(());
    };
    // A server may write events of types that a reader need not know; it marks them.
    let may_ignore = object
        .get("workerMayIgnore")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    for (key, value) in object {
        let Some(field) = descriptor
            .get_field_by_json_name(key)
            .or_else(|| descriptor.get_field_by_name(key))
        else {
            continue;
        };
        let is_event_type = field.full_name() == "temporal.api.history.v1.HistoryEvent.event_type";
        let unknown = if is_event_type && !may_ignore {
            Unknown::Refuse
        } else {
            unknown
        };
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        complete_field(&field, value, &path, unknown)?;
    }
    Ok(())
}

fn complete_field(
    field: &FieldDescriptor,
    value: &mut Value,
    path: &str,
    unknown: Unknown,
) -> Result<(), UnknownName> {
    let kind = field.kind();
    match (value, &kind) {
        (Value::Object(map), Kind::Message(entry)) if field.is_map() => {
            let kind = entry.map_entry_value_field().kind();
            map.iter_mut()
                .try_for_each(|(key, value)| complete_kind(&kind, value, &format!("{path}.{key}"), unknown))
        }
        (Value::Array(list), kind) if field.is_list() => list
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, value)| complete_kind(kind, value, &format!("{path}[{index}]"), unknown)),
        (value, kind) => complete_kind(kind, value, path, unknown),
    }
}

fn complete_kind(kind: &Kind, value: &mut Value, path: &str, unknown: Unknown) -> Result<(), UnknownName> {
    match kind {
        Kind::Message(descriptor) => complete(descriptor, value, path, unknown),
        Kind::Enum(descriptor) => {
            if let Value::String(name) = value {
                match full_name(descriptor, name) {
                    Some(full) => *name = full,
                    None if unknown == Unknown::Skip => {} // prost-reflect leaves the field out
                    None => {
                        let reason = format!("{} has no value {name:?}", descriptor.name());
                        return Err(UnknownName {
                            path: path.to_owned(),
                            reason,
                        });
                    }
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `TimerStarted`, `TIMER_STARTED` and `EVENT_TYPE_TIMER_STARTED` are all the last of them.
fn full_name(descriptor: &EnumDescriptor, name: &str) -> Option<String> {
    if descriptor.get_value_by_name(name).is_some() {
        return Some(name.to_owned());
    }
    let wanted = squash(name);
    let prefix = squash(descriptor.name());
    descriptor
        .values()
        .find(|value| squash(value.name()).strip_prefix(&prefix) == Some(wanted.as_str()))
        .map(|value| value.name().to_owned())
}

/// A name without its words' boundaries.
fn squash(name: &str) -> String {
    name.chars()
        .filter(|c| *c != '_')
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
