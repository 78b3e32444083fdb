//! Search attributes: values that executions are listed by.
//!
//! Nobody registers them (E13). The first use of a name in a namespace fixes its type: what the payload's `type` metadata says, else
//! what its JSON is (text: Keyword, a list of text: KeywordList, an integer: Int, another number: Double, a truth value: Bool). From
//! then on a value that does not fit the type is refused.

mod registry;
mod value;

use std::fmt;

pub(crate) use registry::{Known, Registry, indexed, is_built_in, term, values};
pub(crate) use value::{Finite, Value};

/// The metadata key of an attribute's type, as Temporal's clients and servers write it.
pub(crate) const TYPE: &str = "type";

/// The type of a search attribute. The numbers are those of Temporal's `IndexedValueType`, and part of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Words, compared one by one.
    Text = 1,
    /// Text, compared as a whole.
    Keyword = 2,
    /// An integer of 64 bits.
    Int = 3,
    /// A number.
    Double = 4,
    /// A truth value.
    Bool = 5,
    /// A moment.
    Datetime = 6,
    /// Several keywords.
    KeywordList = 7,
}

impl Kind {
    /// Every type.
    pub(crate) const ALL: [Self; 7] = [
        Self::Text,
        Self::Keyword,
        Self::Int,
        Self::Double,
        Self::Bool,
        Self::Datetime,
        Self::KeywordList,
    ];

    /// Whether values of it are compared by more than equality.
    pub(crate) fn has_order(self) -> bool {
        !matches!(self, Self::Text | Self::KeywordList | Self::Bool)
    }

    pub(crate) fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i32 == number)
    }

    /// From its name: `Keyword`, or as older clients write it, `INDEXED_VALUE_TYPE_KEYWORD_LIST`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix("INDEXED_VALUE_TYPE_").unwrap_or(name);
        let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| plain(&kind.to_string()) == plain(name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How much of them there may be. The defaults are those of Temporal's server, but for the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attributes of one execution. Default 100.
    pub per_execution: usize,
    /// Bytes of one value. Default 2 KiB.
    pub value_bytes: usize,
    /// Bytes of all names and values of one execution. Default 40 KiB.
    pub total_bytes: usize,
    /// Names in one namespace. Default 1,000: each stays for ever.
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_execution: 100,
            value_bytes: 2 << 10,
            total_bytes: 40 << 10,
            names: 1_000,
        }
    }
}
