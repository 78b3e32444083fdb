//! Values of search attributes.

use std::cmp::Ordering;

use longhaul_history::{
    proto::common::v1::Payload,
    time::{NS_PER_SECOND, Timestamp},
};
use serde_json::Value as Json;

use super::{Kind, TYPE};

/// A value; those of one attribute compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
    Double(Finite),
    Bool(bool),
    /// Nanoseconds since 1970.
    Time(i128),
}

/// A number that is none of the infinities and not NaN, so that any two compare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finite(f64);

impl Finite {
    pub(crate) fn new(number: f64) -> Option<Self> {
        // Zero has two signs, which are one value.
        number
            .is_finite()
            .then_some(Self(if number == 0.0 { 0.0 } else { number }))
    }
}

impl PartialEq for Finite {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Finite {}

impl PartialOrd for Finite {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Finite {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Value {
    /// The text that an execution with this value is looked up by, in its attribute's lists.
    pub(super) fn term(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Double(Finite(number)) => format!("{:016x}", number.to_bits()),
            Self::Bool(truth) => truth.to_string(),
            Self::Time(ns) => ns.to_string(),
        }
    }
}

/// A value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("its encoding is {0:?}, but search attributes are json/plain")]
    Encoding(String),
    #[error("it is not JSON: {0}")]
    Json(String),
    #[error("its type metadata {0:?} is none of Text, Keyword, Int, Double, Bool, Datetime and KeywordList")]
    UnknownType(String),
    #[error("{json} is no {kind}")]
    Misfit { json: String, kind: Kind },
    #[error(
        "{0} is none of the types that search attributes have (text, a list of text, a number, a truth value)"
    )]
    NoType(String),
    #[error("it is {found}, but the attribute's type is {fixed}, fixed by its first use in the namespace")]
    OtherType { fixed: Kind, found: Kind },
}

/// Read an attribute's payload. `fixed` is the attribute's type, where it has one. No values (a JSON null, an empty list) stand for no
/// attribute; then the type is none unless it is given.
pub(super) fn read(payload: &Payload, fixed: Option<Kind>) -> Result<(Option<Kind>, Vec<Value>), Problem> {
    let text = |key: &str| {
        payload
            .metadata
            .get(key)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let given = match text(TYPE).filter(|name| !name.is_empty()) {
        Some(name) => Some(Kind::named(&name).ok_or(Problem::UnknownType(name))?),
        None => None,
    };
    if let (Some(fixed), Some(found)) = (fixed, given)
        && fixed != found
    {
        return Err(Problem::OtherType { fixed, found });
    }
    let json = match text("encoding").as_deref() {
        Some("binary/null") => Json::Null,
        Some("json/plain") => {
            serde_json::from_slice(&payload.data).map_err(|error| Problem::Json(error.to_string()))?
        }
        other => return Err(Problem::Encoding(other.unwrap_or_default().to_owned())),
    };
    if json.is_null() || json.as_array().is_some_and(Vec::is_empty) {
        return Ok((fixed.or(given), Vec::new()));
    }
    let found = match fixed.or(given) {
        Some(kind) => kind,
        None => guess(&json)?,
    };
    Ok((
        Some(found),
        values(found, &json, fixed.is_some() && given.is_none())?,
    ))
}

/// What JSON is without a word about its type.
fn guess(json: &Json) -> Result<Kind, Problem> {
    match json {
        Json::String(_) => Ok(Kind::Keyword),
        Json::Array(_) => Ok(Kind::KeywordList),
        Json::Bool(_) => Ok(Kind::Bool),
        Json::Number(number) if number.is_i64() => Ok(Kind::Int),
        Json::Number(number) if number.is_f64() => Ok(Kind::Double),
        other => Err(Problem::NoType(shown(other))),
    }
}

/// The values of a type. `untold`: the payload itself does not say its type, so that what it looks like may contradict.
fn values(kind: Kind, json: &Json, untold: bool) -> Result<Vec<Value>, Problem> {
    let misfit = || match guess(json) {
        Ok(found) if untold && found != kind => Problem::OtherType { fixed: kind, found },
        _ => Problem::Misfit {
            json: shown(json),
            kind,
        },
    };
    // Temporal's clients write single values as lists of one, too.
    let single = match json {
        Json::Array(items) if kind != Kind::KeywordList => match items.as_slice() {
            [one] => one,
            _ => return Err(misfit()),
        },
        json => json,
    };
    let text = |json: &Json| json.as_str().map(|text| Value::Text(text.to_owned()));
    let value = match kind {
        Kind::KeywordList => {
            let items = match json {
                Json::Array(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            return items.iter().map(|item| text(item).ok_or_else(misfit)).collect();
        }
        Kind::Text | Kind::Keyword => text(single),
        Kind::Int => single.as_i64().map(Value::Int),
        Kind::Double => single.as_f64().and_then(Finite::new).map(Value::Double),
        Kind::Bool => single.as_bool().map(Value::Bool),
        Kind::Datetime => single.as_str().and_then(moment).map(Value::Time),
    };
    value.map(|value| vec![value]).ok_or_else(misfit)
}

/// A moment as RFC 3339 writes it, in nanoseconds since 1970.
pub(super) fn moment(text: &str) -> Option<i128> {
    let moment: Timestamp = text.parse().ok()?;
    Some(i128::from(moment.seconds) * i128::from(NS_PER_SECOND) + i128::from(moment.nanos))
}

/// JSON for people, not too long.
fn shown(json: &Json) -> String {
    const SHOWN: usize = 60;
    let text = json.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str, kind: Option<&str>) -> Payload {
        let mut metadata = std::collections::HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]);
        if let Some(kind) = kind {
            metadata.insert(TYPE.to_owned(), kind.as_bytes().to_vec());
        }
        Payload {
            metadata,
            data: json.as_bytes().to_vec(),
            ..Default::default()
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    // E13
    #[test]
    fn the_type_is_what_the_payload_says_or_looks_like() {
        let cases = [
            ("\"a\"", None, Kind::Keyword, vec![text("a")]),
            (
                "[\"a\",\"b\"]",
                None,
                Kind::KeywordList,
                vec![text("a"), text("b")],
            ),
            ("7", None, Kind::Int, vec![Value::Int(7)]),
            ("7.5", None, Kind::Double, vec![Value::Double(Finite(7.5))]),
            ("true", None, Kind::Bool, vec![Value::Bool(true)]),
            ("\"a b\"", Some("Text"), Kind::Text, vec![text("a b")]),
            (
                "\"a\"",
                Some("INDEXED_VALUE_TYPE_KEYWORD_LIST"),
                Kind::KeywordList,
                vec![text("a")],
            ),
            (
                "7",
                Some("Double"),
                Kind::Double,
                vec![Value::Double(Finite(7.0))],
            ),
            ("[7]", Some("Int"), Kind::Int, vec![Value::Int(7)]),
            (
                "\"1970-01-01T01:00:00.5+01:00\"",
                Some("Datetime"),
                Kind::Datetime,
                vec![Value::Time(500_000_000)],
            ),
        ];
        for (json, given, kind, values) in cases {
            assert_eq!(
                read(&payload(json, given), None),
                Ok((Some(kind), values)),
                "{json}"
            );
        }
        for none in ["null", "[]"] {
            assert_eq!(
                read(&payload(none, None), Some(Kind::Int)),
                Ok((Some(Kind::Int), Vec::new()))
            );
            assert_eq!(read(&payload(none, None), None), Ok((None, Vec::new())));
        }
    }

    // E13, B1
    #[test]
    fn what_does_not_fit_is_refused_and_says_why() {
        let refused = |json, given, fixed| read(&payload(json, given), fixed).unwrap_err().to_string();
        assert_eq!(
            refused("7", None, Some(Kind::Keyword)),
            "it is Int, but the attribute's type is Keyword, fixed by its first use in the namespace"
        );
        assert_eq!(
            refused("\"a\"", Some("Text"), Some(Kind::Keyword)),
            "it is Text, but the attribute's type is Keyword, fixed by its first use in the namespace"
        );
        assert_eq!(
            refused("\"soon\"", Some("Datetime"), None),
            "\"soon\" is no Datetime"
        );
        assert_eq!(
            refused("\"soon\"", None, Some(Kind::Datetime)),
            "it is Keyword, but the attribute's type is Datetime, fixed by its first use in the namespace"
        );
        assert_eq!(refused("[1]", None, None), "[1] is no KeywordList");
        assert!(refused("{\"a\":1}", None, None).contains("none of the types"));
        assert!(refused("18446744073709551615", None, None).contains("none of the types"));
        assert!(refused("nothing", None, None).starts_with("it is not JSON"));
        assert!(refused("1", Some("Map"), None).contains("\"Map\" is none of"));
        let mut binary = payload("1", None);
        binary
            .metadata
            .insert("encoding".into(), b"binary/plain".to_vec());
        assert!(
            read(&binary, None)
                .unwrap_err()
                .to_string()
                .contains("\"binary/plain\"")
        );
    }
}
