//! Whether an execution is one that a filter names.

use std::borrow::Borrow;

use longhaul_engine::proto::common::v1::SearchAttributes;
use longhaul_store::ExecutionRecord;
use prost::Message as _;

use super::{
    expr::{Comparison, Condition, Expr, Test},
    field::Field,
};
use crate::attributes::{self, Kind, Value};

impl Expr {
    /// Whether it holds; `None` where that hangs on something which the execution does not have.
    pub(crate) fn holds(&self, record: &ExecutionRecord) -> Option<bool> {
        match self {
            Self::And(parts) => all(parts.iter().map(|part| part.holds(record))),
            // An alternative holds unless all of its parts fail.
            Self::Or(parts) => {
                all(parts.iter().map(|part| part.holds(record).map(|holds| !holds))).map(|none| !none)
            }
            Self::Not(part) => part.holds(record).map(|holds| !holds),
            Self::Condition(condition) => condition.holds(record),
        }
    }
}

/// False if one is false, else unknown if one is unknown.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}

impl Condition {
    fn holds(&self, record: &ExecutionRecord) -> Option<bool> {
        match self {
            Self::Text { field, test } => Some(test.holds(&*field.of(record))),
            Self::Prefix { field, prefix } => Some(field.of(record).starts_with(prefix.as_str())),
            Self::Number { field, test } => field.of(record).map(|number| test.holds(&number)),
            Self::Status(statuses) => Some(statuses.contains(&record.status)),
            Self::Attribute { name, kind, test } => {
                let values = attribute(record, name, *kind)?;
                Some(match (kind, test) {
                    // A list that holds a value is not unequal to it.
                    (Kind::KeywordList, Test::Compare(Comparison::Unequal, value)) => !values.contains(value),
                    (Kind::Text, test) => values.iter().any(|value| words_hold(value, test)),
                    (_, test) => values.iter().any(|value| test.holds(value)),
                })
            }
            Self::AttributePrefix { name, kind, prefix } => {
                let values = attribute(record, name, *kind)?;
                let starts =
                    |value: &Value| matches!(value, Value::Text(text) if text.starts_with(prefix.as_str()));
                Some(values.iter().any(starts))
            }
            Self::Missing(Field::Attribute(name, kind)) => Some(attribute(record, name, *kind).is_none()),
            Self::Missing(Field::Number(field)) => Some(field.of(record).is_none()),
            Self::Missing(Field::Text(_) | Field::Status) => Some(false),
        }
    }
}

/// An execution's values of a search attribute; `None` if it has none.
fn attribute(record: &ExecutionRecord, name: &str, kind: Kind) -> Option<Vec<Value>> {
    if record.search_attributes.is_empty() {
        return None;
    }
    // The runtime has encoded it.
    let attributes = SearchAttributes::decode(record.search_attributes.as_slice()).ok()?;
    let values = attributes::values(Some(kind), attributes.indexed_fields.get(name)?);
    (!values.is_empty()).then_some(values)
}

/// Whether words are in a text, as Temporal compares attributes of type Text: each by itself, in any case.
fn words_hold(value: &Value, test: &Test<Value>) -> bool {
    fn words(value: &Value) -> Vec<String> {
        let Value::Text(text) = value else {
            return Vec::new();
        };
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    }
    let has = words(value);
    let one_of = |wanted: &Value| words(wanted).iter().any(|word| has.contains(word));
    match test {
        Test::Compare(Comparison::Equal, wanted) => one_of(wanted),
        Test::Compare(Comparison::Unequal, wanted) => !one_of(wanted),
        Test::OneOf(wanted) => wanted.iter().any(one_of),
        // Refused when the filter is read.
        Test::Compare(..) | Test::Between(..) => false,
    }
}

impl<T> Test<T> {
    fn holds<V: Ord + ?Sized>(&self, value: &V) -> bool
    where
        T: Borrow<V>,
    {
        match self {
            Self::Compare(comparison, other) => comparison.holds(value, other.borrow()),
            Self::OneOf(others) => others.iter().any(|other| other.borrow() == value),
            Self::Between(from, to) => from.borrow() <= value && value <= to.borrow(),
        }
    }
}

impl Comparison {
    fn holds<V: Ord + ?Sized>(self, left: &V, right: &V) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}
