//! The words of a query: keywords, names, operators, values. Each takes the white space behind it along.

use std::sync::Arc;

use winnow::{
    ModalParser, Parser,
    ascii::{digit1, multispace0},
    combinator::{alt, eof, opt, peek, terminated},
    error::ErrMode,
    stream::{LocatingSlice, Location as _, Stateful},
    token::{any, one_of, take_while},
};

use super::{
    Limits,
    error::{Fault, Parsed},
};
use crate::attributes::{Finite, Known};

/// What is still to be read of a query, with what has been counted so far.
pub(super) type Input<'q> = Stateful<LocatingSlice<&'q str>, Counts>;

/// What the limits count.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    pub(super) limits: Limits,
    /// The search attributes that there are.
    pub(super) attributes: Arc<Known>,
    pub(super) depth: usize,
    pub(super) conditions: usize,
}

/// Something with the byte that it begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed<T> {
    pub(super) at: usize,
    pub(super) value: T,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Integer(i64),
    /// A number with a fraction or an exponent.
    Double(Finite),
    /// `true` or `false`.
    Bool(bool),
}

/// White space, which may be none.
pub(super) fn spaces(input: &mut Input<'_>) -> Parsed<()> {
    multispace0.void().parse_next(input)
}

/// A keyword, in any case. It is a whole word: `AND` is not read from `ANDROID`.
pub(super) fn keyword<'q>(name: &'static str) -> impl ModalParser<Input<'q>, (), Fault> {
    word.verify(move |word: &str| word.eq_ignore_ascii_case(name))
        .void()
}

/// A mark of one or two characters.
pub(super) fn mark<'q>(mark: &'static str) -> impl ModalParser<Input<'q>, (), Fault> {
    terminated(mark, spaces).void()
}

/// The end of the query.
pub(super) fn end(input: &mut Input<'_>) -> Parsed<()> {
    eof.void().parse_next(input)
}

/// A name, bare or in backticks.
pub(super) fn name<'q>(input: &mut Input<'q>) -> Parsed<Placed<&'q str>> {
    let at = input.current_token_start();
    let value = alt((backticked, word)).parse_next(input)?;
    Ok(Placed { at, value })
}

fn word<'q>(input: &mut Input<'q>) -> Parsed<&'q str> {
    let first = |c: char| c.is_alphabetic() || c == '_';
    terminated((one_of(first), take_while(0.., is_of_word)).take(), spaces).parse_next(input)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

fn backticked<'q>(input: &mut Input<'q>) -> Parsed<&'q str> {
    let at = input.current_token_start();
    '`'.parse_next(input)?;
    let name = take_while(0.., |c| c != '`').parse_next(input)?;
    if opt('`').parse_next(input)?.is_none() {
        return Err(Fault::new(at, "the name has no closing `").cut());
    }
    spaces(input)?;
    Ok(name)
}

/// A value: text in quotes, a number, or a truth value.
pub(super) fn literal(input: &mut Input<'_>) -> Parsed<Placed<Literal>> {
    let at = input.current_token_start();
    let truth = alt((keyword("true").value(true), keyword("false").value(false)));
    let value = alt((quoted.map(Literal::Text), number, truth.map(Literal::Bool)))
        .parse_next(input)
        .map_err(|error| {
            let ErrMode::Backtrack(_) = error else {
                return error;
            };
            let mut hint = String::new();
            if let Ok(Some(word)) = opt(peek(word)).parse_next(input) {
                hint = format!("; text is written in quotes: '{word}'");
            }
            Fault::new(
                at,
                format!(
                    "expected a value (text in quotes, a number, true or false), found {}{hint}",
                    found(input)
                ),
            )
            .cut()
        })?;
    Ok(Placed { at, value })
}

fn quoted(input: &mut Input<'_>) -> Parsed<String> {
    let at = input.current_token_start();
    let quote = one_of(['\'', '"']).parse_next(input)?;
    let mut text = String::new();
    loop {
        text.push_str(take_while(0.., |c| c != quote && c != '\\').parse_next(input)?);
        match opt(any).parse_next(input)? {
            None => return Err(Fault::new(at, format!("the text has no closing {quote}")).cut()),
            Some('\\') => match opt(any).parse_next(input)? {
                // Without a character behind it: the next round finds the end.
                None => {}
                Some(escaped) => text.push(unescaped(escaped)),
            },
            // A quote: doubled it stands for itself.
            Some(_) => match opt(quote).parse_next(input)? {
                Some(_) => text.push(quote),
                None => break,
            },
        }
    }
    spaces(input)?;
    Ok(text)
}

/// What a character behind a backslash stands for, as in the SQL dialect of Temporal's filters: itself, but for these.
fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        other => other,
    }
}

fn number(input: &mut Input<'_>) -> Parsed<Literal> {
    let at = input.current_token_start();
    let exponent = || (one_of(['e', 'E']), opt(one_of(['-', '+'])), digit1);
    let fraction = (opt(('.', digit1)), opt(exponent()));
    let text: &str = (opt(one_of(['-', '+'])), digit1, fraction)
        .take()
        .parse_next(input)?;
    if opt(one_of(is_of_word)).parse_next(input)?.is_some() {
        let message = "a number has no unit; times and durations with units are written in quotes";
        return Err(Fault::new(at, message).cut());
    }
    if text.contains(['.', 'e', 'E']) {
        let number = text.parse().ok().and_then(Finite::new);
        let number = number.ok_or_else(|| Fault::new(at, format!("{text} is out of range")).cut())?;
        spaces(input)?;
        return Ok(Literal::Double(number));
    }
    let number = text.parse().map_err(|_| {
        Fault::new(
            at,
            format!(
                "{text} is out of range; integers go from {} to {}",
                i64::MIN,
                i64::MAX
            ),
        )
        .cut()
    })?;
    spaces(input)?;
    Ok(Literal::Integer(number))
}

/// What comes next, for people.
pub(super) fn found(input: &Input<'_>) -> String {
    const SHOWN: usize = 20;
    let rest: &str = input.input.as_ref();
    match rest.chars().next() {
        None => "the end of the query".to_owned(),
        Some(first) => {
            let length =
                |more: fn(char) -> bool| rest.chars().take_while(|c| more(*c)).count().clamp(1, SHOWN);
            let length = if is_of_word(first) { length(is_of_word) } else { 1 };
            format!("{:?}", rest.chars().take(length).collect::<String>())
        }
    }
}
