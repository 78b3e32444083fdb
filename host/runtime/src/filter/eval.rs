//! Whether an execution is one that a filter names.

use std::borrow::Borrow;

use longhaul_store::ExecutionRecord;

use super::{
    expr::{Comparison, Condition, Expr, Test},
    field::Field,
};

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
            Self::Missing(Field::Number(field)) => Some(field.of(record).is_none()),
            Self::Missing(Field::Text(_) | Field::Status) => Some(false),
        }
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
