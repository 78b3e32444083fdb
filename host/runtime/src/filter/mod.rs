//! The language that lists and counts of executions are filtered by.
//!
//! It is Temporal's list filter, an SQL-like condition over what the store keeps of an execution:
//!
//! ```text
//! query      = [ filter ] [ GROUP BY field ] [ ORDER BY field [ ASC | DESC ] { , field [ ASC | DESC ] } ]
//! filter     = conjunction { OR conjunction }
//! conjunction= negation { AND negation }
//! negation   = NOT negation | ( filter ) | condition
//! condition  = field ( = | != | <> | < | <= | > | >= ) value
//!            | field [ NOT ] IN ( value { , value } )
//!            | field [ NOT ] BETWEEN value AND value
//!            | field [ NOT ] STARTS_WITH value
//!            | field IS [ NOT ] NULL
//! field      = a name, bare or in backticks
//! value      = 'text' | "text" | an integer | a number with a fraction | true | false
//! ```
//!
//! A field is one that the server sets, or a search attribute. Keywords are read in any case, names of fields as they are written. In text a quote is doubled, or escaped with a backslash.
//! Text is compared by its bytes. A comparison with what an execution does not have (an open one has no `CloseTime`) is neither true
//! nor false, and so is its negation, as in SQL.
//!
//! A query goes through three stages: text is [parsed](parse) and checked against the fields' types at once; the typed tree is
//! [planned](plan), which takes from it what the store's indexes can answer; and it is [evaluated](eval) on each execution that the
//! indexes name, in bounded [reads](read).

mod error;
mod eval;
mod expr;
mod field;
mod parse;
mod plan;
mod query;
mod read;
mod token;
mod typed;

#[cfg(test)]
mod attribute_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use field::{Field, Kind};
pub(crate) use plan::Plan;
pub(crate) use query::Query;
pub(crate) use read::{Budget, Counts, count_step, look_up, page};

/// How large a query may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Characters of its text. Default 10,000.
    pub(crate) chars: usize,
    /// Parentheses and NOTs within one another; it bounds the stack that reading and evaluating need. Default 32.
    pub(crate) depth: usize,
    /// Conditions. Default 200.
    pub(crate) conditions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chars: 10_000,
            depth: 32,
            conditions: 200,
        }
    }
}
