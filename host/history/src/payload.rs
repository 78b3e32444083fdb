//! Payloads: the values that travel through a history.
//!
//! A payload is bytes and metadata that say what the bytes are; the key `encoding` names the encoding. The default, in
//! every Temporal SDK, is JSON.

mod equal;

use prost::Message as _;
use serde::Serialize;
use serde_json::Value;

pub use self::equal::{all_equal, equal};
use crate::proto::common::v1::{Payload, Payloads};

/// The metadata key that names a payload's encoding.
pub const ENCODING: &str = "encoding";

/// The encoding of a JSON text.
pub const ENCODING_JSON: &str = "json/plain";

/// The encoding that stands for no value; the data is empty.
pub const ENCODING_NULL: &str = "binary/null";

/// The encoding of raw bytes.
pub const ENCODING_PLAIN: &str = "binary/plain";

/// A payload of the given encoding.
#[must_use]
pub fn encoded(encoding: &str, data: impl Into<Vec<u8>>) -> Payload {
    Payload {
        metadata: [(ENCODING.to_owned(), encoding.as_bytes().to_vec())].into(),
        data: data.into(),
        external_payloads: Vec::new(),
    }
}

/// A JSON value as a payload (`json/plain`, compact).
#[must_use]
pub fn json_payload(value: &Value) -> Payload {
    // `Value`'s own form of output cannot fail, unlike serde's.
    encoded(ENCODING_JSON, value.to_string())
}

/// Anything that serde can serialise, as a payload (`json/plain`, compact).
///
/// # Errors
///
/// What `value`'s own `Serialize` refuses, for example a map whose keys are not strings.
pub fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Payload, serde_json::Error> {
    Ok(encoded(ENCODING_JSON, serde_json::to_vec(value)?))
}

/// The payload that stands for no value (`binary/null`).
#[must_use]
pub fn null_payload() -> Payload {
    encoded(ENCODING_NULL, Vec::new())
}

/// Raw bytes as a payload (`binary/plain`).
#[must_use]
pub fn plain_payload(data: impl Into<Vec<u8>>) -> Payload {
    encoded(ENCODING_PLAIN, data)
}

/// The payload's encoding, if it names one in UTF-8.
#[must_use]
pub fn encoding(payload: &Payload) -> Option<&str> {
    std::str::from_utf8(payload.metadata.get(ENCODING)?).ok()
}

/// The payload as a JSON value: its own if it is `json/plain`, `null` if it is `binary/null`.
///
/// `None` for other encodings and for text that is not JSON.
#[must_use]
pub fn to_json(payload: &Payload) -> Option<Value> {
    match encoding(payload)? {
        ENCODING_JSON => serde_json::from_slice(&payload.data).ok(),
        ENCODING_NULL => Some(Value::Null),
        _ => None,
    }
}

/// JSON values as a list of payloads: the arguments of a call.
#[must_use]
pub fn from_values<'a>(values: impl IntoIterator<Item = &'a Value>) -> Payloads {
    Payloads {
        payloads: values.into_iter().map(json_payload).collect(),
    }
}

/// The payloads in an optional list; Temporal leaves the list out where it is empty.
#[must_use]
pub fn slice(payloads: &Option<Payloads>) -> &[Payload] {
    payloads.as_ref().map_or(&[], |list| &list.payloads)
}

/// A list of payloads, or `None` if it is empty, as Temporal writes it.
#[must_use]
pub fn list(payloads: impl IntoIterator<Item = Payload>) -> Option<Payloads> {
    let payloads: Vec<_> = payloads.into_iter().collect();
    (!payloads.is_empty()).then_some(Payloads { payloads })
}

/// Bytes that the list takes on the wire: what limits count.
#[must_use]
pub fn size_bytes(payloads: &Payloads) -> usize {
    payloads.encoded_len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_goes_in_and_out() {
        let value = json!({"a": [1, 2.5, null], "b": "ü"});
        let payload = json_payload(&value);
        assert_eq!(encoding(&payload), Some("json/plain"));
        assert_eq!(to_json(&payload), Some(value.clone()));
        assert_eq!(serialize(&value).unwrap(), payload);
    }

    #[test]
    fn what_is_not_json_has_no_json() {
        assert_eq!(to_json(&null_payload()), Some(Value::Null));
        assert_eq!(to_json(&plain_payload(b"1".to_vec())), None);
        assert_eq!(to_json(&encoded(ENCODING_JSON, b"{".to_vec())), None);
        assert_eq!(to_json(&Payload::default()), None);
    }

    #[test]
    fn an_empty_list_is_left_out() {
        assert_eq!(list([]), None);
        assert_eq!(slice(&None), &[]);
        assert_eq!(slice(&list([null_payload()])), &[null_payload()]);
    }
}
