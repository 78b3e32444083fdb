//! When a command's payload equals the one in history.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{ENCODING_JSON, encoding};
use crate::proto::common::v1::Payload;

/// Are two lists of payloads the same for a replay: the same count, each pair [`equal`]?
#[must_use]
pub fn all_equal(left: &[Payload], right: &[Payload]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
}

/// Are two payloads the same for a replay?
///
/// They are if their metadata is equal and so are their bytes, or, for `json/plain`, their JSON values: white space, the
/// order of keys and the way a number is written do not matter. Whole numbers are compared digit by digit, however
/// long; numbers with a fraction or an exponent as 64-bit floats, because that is what programs read them as. Of a key
/// that stands twice in an object the last value counts.
#[must_use]
pub fn equal(left: &Payload, right: &Payload) -> bool {
    left.metadata == right.metadata
        && left.external_payloads == right.external_payloads
        && (left.data == right.data
            || (encoding(left) == Some(ENCODING_JSON) && json_equal(&left.data, &right.data)))
}

/// Are two JSON texts the same value? False if one is not JSON.
fn json_equal(left: &[u8], right: &[u8]) -> bool {
    match (serde_json::from_slice(left), serde_json::from_slice(right)) {
        (Ok(left), Ok(right)) => values_equal(left, right, 0),
        _ => false,
    }
}

/// Nesting beyond which two different texts count as different. serde_json's own limit of 128 does not apply, because each
/// level is parsed apart; this one keeps the stack short and the time linear in practice.
const MAX_DEPTH: usize = 128;

fn values_equal(left: &RawValue, right: &RawValue, depth: usize) -> bool {
    let (left, right) = (left.get(), right.get());
    if left == right {
        return true;
    }
    if depth == MAX_DEPTH {
        return false;
    }
    // A raw value has no white space around it and was checked by the parser: its first byte tells its kind.
    match (left.as_bytes().first(), right.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            let (Some(left), Some(right)) = (object(left), object(right)) else {
                return false;
            };
            left.len() == right.len()
                && left
                    .iter()
                    .zip(&right)
                    .all(|((a, left), (b, right))| a == b && values_equal(left, right, depth + 1))
        }
        (Some(b'['), Some(b'[')) => {
            let (Some(left), Some(right)) = (array(left), array(right)) else {
                return false;
            };
            left.len() == right.len()
                && left
                    .iter()
                    .zip(&right)
                    .all(|(left, right)| values_equal(left, right, depth + 1))
        }
        (Some(b'"'), Some(b'"')) => match (string(left), string(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => numbers_equal(left, right),
        // `true`, `false` and `null` are written in one way only.
        _ => false,
    }
}

fn object(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(text).ok()
}

fn array(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

fn numbers_equal(left: &str, right: &str) -> bool {
    let whole = |text: &str| !text.contains(['.', 'e', 'E']);
    if whole(left) && whole(right) {
        // JSON allows no leading zeros, so equal numbers have equal digits; minus zero is the only exception.
        let digits = |text| if text == "-0" { "0" } else { text };
        return digits(left) == digits(right);
    }
    match (left.parse::<f64>(), right.parse::<f64>()) {
        // Both too large for a float tells nothing about their being equal.
        (Ok(left), Ok(right)) => left.is_finite() && left == right,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::{super::*, *};

    fn json(text: &str) -> Payload {
        encoded(ENCODING_JSON, text)
    }

    fn same(left: &str, right: &str) -> bool {
        equal(&json(left), &json(right))
    }

    // W4
    #[test]
    fn json_is_compared_by_value() {
        assert!(same(
            r#"{"a":1,"b":[true,null]}"#,
            r#" { "b" : [ true , null ], "a":1 }"#
        ));
        assert!(same("100", "1e2"));
        assert!(same("1", "1.0"));
        assert!(same("-0", "0"));
        assert!(same(r#""\u00fc""#, r#""ü""#));
        assert!(
            same("5e-324", "4.9406564584124654e-324"),
            "two ways to write one float"
        );
        assert!(
            same(r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            "the last of two equal keys counts"
        );
    }

    // W4
    #[test]
    fn other_values_differ() {
        assert!(!same("1", "2"));
        assert!(!same("[1,2]", "[2,1]"));
        assert!(!same("[1]", "[1,1]"));
        assert!(!same("{}", "[]"));
        assert!(!same("1", "true"));
        assert!(!same("null", "0"));
        assert!(!same(r#"{"a":1}"#, r#"{"b":1}"#));
        assert!(
            !same("18446744073709551616", "18446744073709551617"),
            "a float could not tell these apart"
        );
        assert!(!same("1e400", "1e401"));
        assert!(!same("{", "{ "), "not JSON: only bytes count");
    }

    // W4
    #[test]
    fn metadata_and_count_matter() {
        let one = json("1");
        let mut typed = json("1");
        typed.metadata.insert("type".to_owned(), b"Int".to_vec());
        assert!(!equal(&one, &typed));
        assert!(
            !equal(&plain_payload("1 "), &plain_payload("1")),
            "raw bytes are never read as JSON"
        );
        assert!(!all_equal(
            std::slice::from_ref(&one),
            &[one.clone(), one.clone()]
        ));
        assert!(all_equal(&[one], &[json(" 1")]));
    }

    #[test]
    fn nesting_without_end_is_no_crash() {
        let deep = |close: &str| format!("{}1{close}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(!same(&deep(""), &deep(" ")));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("JSON has no NaN", |f| f.is_finite())
                .prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn how_it_is_laid_out_does_not_matter(value in any_value()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert!(same(&value.to_string(), &pretty));
        }

        #[test]
        fn it_agrees_with_serde_json(left in any_value(), right in any_value()) {
            // serde_json tells 1 from 1.0; apart from that it compares by value, too.
            if left == right {
                prop_assert!(same(&left.to_string(), &right.to_string()));
            }
            if same(&left.to_string(), &right.to_string()) && !left.is_number() && !left.is_array() && !left.is_object() {
                prop_assert_eq!(left, right);
            }
        }
    }
}
