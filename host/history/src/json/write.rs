//! Writing: a message through its descriptor into any serde serialiser.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Options;
use crate::payload::{ENCODING, ENCODING_JSON, ENCODING_NULL};

/// A message that serialises as its JSON form.
pub(super) struct Json<'a> {
    pub(super) message: &'a DynamicMessage,
    pub(super) options: Options,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let descriptor = self.message.descriptor();
        if descriptor.full_name().starts_with("google.protobuf.") {
            // Times, durations and the like have forms of their own, which prost-reflect knows. None of them holds a map
            // whose order could vary but Struct, which Temporal's API does not use.
            return self.message.serialize(serializer);
        }
        if self.options.payload_shorthand {
            if let Some(value) = shorthand(self.message) {
                return value.serialize(serializer);
            }
            if descriptor.full_name() == "temporal.api.common.v1.Payloads" {
                let list = self.message.get_field_by_name("payloads");
                let items = list.as_deref().and_then(Value::as_list).unwrap_or_default();
                return serializer.collect_seq(items.iter().map(|value| Item {
                    value,
                    options: self.options,
                    field: None,
                }));
            }
        }
        let mut map = serializer.serialize_map(None)?;
        for (field, value) in self.message.fields() {
            map.serialize_entry(
                field.json_name(),
                &Item {
                    value,
                    options: self.options,
                    field: Some(&field),
                },
            )?;
        }
        map.end()
    }
}

/// The plain value of a payload: if its metadata is exactly its encoding, and that is JSON or nothing.
fn shorthand(message: &DynamicMessage) -> Option<serde_json::Value> {
    if message.descriptor().full_name() != "temporal.api.common.v1.Payload" {
        return None;
    }
    let metadata = message.get_field_by_name("metadata")?;
    let metadata = metadata.as_map()?;
    if metadata.len() != 1 {
        return None;
    }
    let encoding = metadata.get(&MapKey::String(ENCODING.to_owned()))?.as_bytes()?;
    if **encoding == *ENCODING_NULL.as_bytes() {
        return Some(serde_json::Value::Null);
    }
    if **encoding != *ENCODING_JSON.as_bytes() {
        return None;
    }
    serde_json::from_slice(message.get_field_by_name("data")?.as_bytes()?).ok()
}

/// A value of a field. The field tells what the value's own type does not: which enum it belongs to.
struct Item<'a> {
    value: &'a Value,
    options: Options,
    field: Option<&'a FieldDescriptor>,
}

impl Item<'_> {
    fn enum_name(&self, number: i32) -> Option<String> {
        let kind = match self.field?.kind() {
            Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        Some(kind.as_enum()?.get_value(number)?.name().to_owned())
    }
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = self.options;
        match self.value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I32(value) => serializer.serialize_i32(*value),
            Value::U32(value) => serializer.serialize_u32(*value),
            Value::I64(value) => serializer.collect_str(value),
            Value::U64(value) => serializer.collect_str(value),
            Value::F32(value) if is_whole(f64::from(*value)) => serializer.serialize_i64(*value as i64),
            Value::F64(value) if is_whole(*value) => serializer.serialize_i64(*value as i64),
            Value::F32(value) if value.is_finite() => serializer.serialize_f32(*value),
            Value::F64(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::F32(value) => serializer.serialize_str(not_finite(f64::from(*value))),
            Value::F64(value) => serializer.serialize_str(not_finite(*value)),
            Value::String(value) => serializer.serialize_str(value),
            Value::Bytes(value) => serializer.serialize_str(&BASE64_STANDARD.encode(value)),
            Value::EnumNumber(number) => match self.enum_name(*number) {
                Some(name) => serializer.serialize_str(&name),
                None => serializer.serialize_i32(*number),
            },
            Value::Message(message) => Json { message, options }.serialize(serializer),
            Value::List(values) => serializer.collect_seq(values.iter().map(|value| Item {
                value,
                options,
                field: self.field,
            })),
            Value::Map(values) => {
                let sorted: BTreeMap<&MapKey, &Value> = values.iter().collect();
                serializer.collect_map(sorted.into_iter().map(|(key, value)| {
                    (
                        key_text(key),
                        Item {
                            value,
                            options,
                            field: self.field,
                        },
                    )
                }))
            }
        }
    }
}

/// Temporal's tools write a whole float without a fraction: `2`. Minus zero is left to serde, which keeps its sign.
fn is_whole(value: f64) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: up to here every whole number is a float
    value.fract() == 0.0 && value.abs() <= EXACT && !(value == 0.0 && value.is_sign_negative())
}

fn not_finite(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
