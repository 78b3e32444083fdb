//! From payloads to JSON that people and programs read.
//!
//! JSON is passed on as it was written: numbers keep their digits and objects the order of their keys.

use base64::Engine as _;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use crate::proto::common::v1::{Payload, Payloads};

/// One value, as it was written.
pub(crate) type Json = Box<RawValue>;

/// One payload: JSON as it is, no value as null, all else as its encoding and its bytes in base64.
pub(crate) fn value(payload: &Payload) -> Json {
    let encoding = payload
        .metadata
        .get("encoding")
        .map(|bytes| String::from_utf8_lossy(bytes))
        .unwrap_or_default();
    match encoding.as_ref() {
        "binary/null" => RawValue::NULL.to_owned(),
        // Protobuf's JSON form is JSON as well.
        "json/plain" | "json/protobuf" => {
            serde_json::from_slice(&payload.data).unwrap_or_else(|_| opaque(&encoding, payload))
        }
        _ => opaque(&encoding, payload),
    }
}

fn opaque(encoding: &str, payload: &Payload) -> Json {
    let data = base64::engine::general_purpose::STANDARD.encode(&payload.data);
    to_raw_value(&json!({"encoding": encoding, "data": data})).expect("an object of two strings is JSON")
}

/// Each of several payloads.
pub(crate) fn values(payloads: Option<&Payloads>) -> Vec<Json> {
    payloads
        .map(|payloads| payloads.payloads.iter().map(value).collect())
        .unwrap_or_default()
}

/// A result: null if there is none, the value if there is one, else the array of them.
pub(crate) fn result(payloads: Option<&Payloads>) -> Json {
    let mut values = values(payloads);
    match values.len() {
        0 => RawValue::NULL.to_owned(),
        1 => values.remove(0),
        _ => to_raw_value(&values).expect("a list of JSON values is JSON"),
    }
}

/// Several values on one line.
pub(crate) fn list(payloads: Option<&Payloads>) -> String {
    values(payloads)
        .iter()
        .map(|value| value.get())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(encoding: &str, data: &[u8]) -> Payload {
        Payload {
            metadata: [("encoding".to_owned(), encoding.as_bytes().to_vec())].into(),
            data: data.to_vec(),
            ..Payload::default()
        }
    }

    #[test]
    fn json_is_shown_as_it_was_written() {
        let text = r#"{"b":[1.10,null],"a":123456789012345678901234567890}"#;
        assert_eq!(value(&payload("json/plain", text.as_bytes())).get(), text);
        assert_eq!(value(&payload("binary/null", b"")).get(), "null");
    }

    #[test]
    fn other_bytes_are_shown_with_their_encoding() {
        let shown = |encoding: &str, data: &[u8]| {
            serde_json::from_str::<serde_json::Value>(value(&payload(encoding, data)).get()).unwrap()
        };
        assert_eq!(
            shown("binary/plain", b"\0\xff"),
            json!({"encoding": "binary/plain", "data": "AP8="})
        );
        assert_eq!(
            shown("json/plain", b"{"),
            json!({"encoding": "json/plain", "data": "ew=="})
        );
        assert_eq!(
            shown("json/plain", b"\"\xff\""),
            json!({"encoding": "json/plain", "data": "Iv8i"})
        );
        assert_eq!(shown("", b""), json!({"encoding": "", "data": ""}));
    }

    #[test]
    fn a_result_is_null_one_value_or_an_array() {
        let of = |n: usize| Payloads {
            payloads: vec![payload("json/plain", b"7"); n],
        };
        assert_eq!(result(None).get(), "null");
        assert_eq!(result(Some(&of(0))).get(), "null");
        assert_eq!(result(Some(&of(1))).get(), "7");
        assert_eq!(result(Some(&of(2))).get(), "[7,7]");
        assert_eq!(list(Some(&of(2))), "7, 7");
    }
}
