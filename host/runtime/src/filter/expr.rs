//! A filter, typed: every value is of its field's kind, and every operator applies to it.

use std::sync::Arc;

use longhaul_store::Status;

use super::field::{Field, NumberField, TextField};
use crate::attributes::{self, Value};

/// A filter, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expr {
    /// All of them; at least two.
    And(Vec<Expr>),
    /// One of them at least; at least two.
    Or(Vec<Expr>),
    /// Not that.
    Not(Box<Expr>),
    /// A leaf.
    Condition(Condition),
}

/// A condition on one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// A text compares.
    Text { field: TextField, test: Test<String> },
    /// A text begins with another.
    Prefix { field: TextField, prefix: String },
    /// A number, time or duration compares.
    Number { field: NumberField, test: Test<i128> },
    /// A search attribute compares; of a KeywordList, one of its values does. All values are of its type.
    Attribute {
        name: Arc<str>,
        kind: attributes::Kind,
        test: Test<Value>,
    },
    /// A search attribute begins with a text; of a KeywordList, one of its values does.
    AttributePrefix {
        name: Arc<str>,
        kind: attributes::Kind,
        prefix: String,
    },
    /// The status is one of these.
    Status(Vec<Status>),
    /// The execution does not have it.
    Missing(Field),
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test<T> {
    /// One value.
    Compare(Comparison, T),
    /// Any of these; never empty.
    OneOf(Vec<T>),
    /// From the first to the second, both included.
    Between(T, T),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl<T> Test<T> {
    /// The same test of other values.
    pub(crate) fn try_map<U, E>(self, mut to: impl FnMut(T) -> Result<U, E>) -> Result<Test<U>, E> {
        Ok(match self {
            Self::Compare(comparison, value) => Test::Compare(comparison, to(value)?),
            Self::OneOf(values) => Test::OneOf(values.into_iter().map(to).collect::<Result<_, _>>()?),
            Self::Between(from, until) => Test::Between(to(from)?, to(until)?),
        })
    }
}

impl Expr {
    /// Its opposite.
    pub(crate) fn negated_if(self, negated: bool) -> Self {
        if negated { Self::Not(Box::new(self)) } else { self }
    }
}
