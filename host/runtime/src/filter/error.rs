//! Why a query is refused, and where.

use winnow::{
    error::{ErrMode, ParserError},
    stream::{Location, Stream},
};

/// A refused query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid query: at column {column}: {message}")]
pub(crate) struct Invalid {
    /// The character that it fails at, from 1.
    pub(crate) column: usize,
    /// What is wrong with it, and what is allowed.
    pub(crate) message: String,
}

impl Invalid {
    /// Place a fault in its query.
    pub(crate) fn new(query: &str, fault: Fault) -> Self {
        // A fault lies between characters; should it not, the column is only a little off.
        let column = query.char_indices().take_while(|(at, _)| *at < fault.at).count() + 1;
        Self {
            column,
            message: fault.message,
        }
    }
}

/// What is wrong, and at which byte of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: String,
}

/// What every part of the parser answers: a value, a fault that lets another reading be tried, or one that ends it.
pub(crate) type Parsed<T> = Result<T, ErrMode<Fault>>;

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }

    /// As an error after which no other reading is tried.
    pub(crate) fn cut(self) -> ErrMode<Self> {
        ErrMode::Cut(self)
    }
}

impl<I: Stream + Location> ParserError<I> for Fault {
    type Inner = Self;

    fn from_input(input: &I) -> Self {
        // Whoever gives up on all readings says what it expected.
        Self {
            at: input.current_token_start(),
            message: String::new(),
        }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}
