//! The grammar of a query.

use std::sync::Arc;

use winnow::{
    ModalParser, Parser,
    combinator::{alt, not, opt, peek, preceded, separated},
    error::ErrMode,
    stream::{LocatingSlice, Location as _, Stateful},
};

use super::{
    Limits,
    error::{Fault, Invalid, Parsed},
    expr::{Comparison, Expr, Test},
    field::Field,
    query::{Order, Query, SortKey},
    token::{Counts, Input, Literal, Placed, end, found, keyword, literal, mark, name, spaces},
    typed::{self, Written},
};
use crate::{attributes::Known, names};

/// Read a query.
pub(super) fn query(text: &str, limits: Limits, attributes: &Arc<Known>) -> Result<Query, Invalid> {
    if text.chars().nth(limits.chars).is_some() {
        let message = format!(
            "the query is too long; at most {} characters are allowed",
            limits.chars
        );
        return Err(Invalid {
            column: limits.chars + 1,
            message,
        });
    }
    let state = Counts {
        limits,
        attributes: attributes.clone(),
        depth: 0,
        conditions: 0,
    };
    let mut input = Stateful {
        input: LocatingSlice::new(text),
        state,
    };
    whole(&mut input).map_err(|error| {
        let fault = match error {
            ErrMode::Backtrack(fault) | ErrMode::Cut(fault) => fault,
            // Only where the input is known to go on, which it never is.
            ErrMode::Incomplete(_) => Fault::new(text.len(), "the query ends too early"),
        };
        Invalid::new(text, fault)
    })
}

fn whole(input: &mut Input<'_>) -> Parsed<Query> {
    spaces(input)?;
    let clauses = alt((
        end,
        (keyword("group"), keyword("by")).void(),
        (keyword("order"), keyword("by")).void(),
    ));
    let filter = match opt(peek(clauses)).parse_next(input)? {
        Some(()) => None,
        None => Some(disjunction(input)?),
    };
    let group_by = opt(preceded((keyword("group"), keyword("by")), field)).parse_next(input)?;
    let order_by = opt(order).parse_next(input)?;
    let last = match (&filter, &group_by, &order_by) {
        (_, _, Some(_)) => "a comma or the end of the query",
        (_, Some(_), None) => "ORDER BY or the end of the query",
        _ => "AND, OR, GROUP BY, ORDER BY or the end of the query",
    };
    expect(end, last).parse_next(input)?;
    Ok(Query {
        filter,
        group_by,
        order_by,
    })
}

/// What must come now: if it does not, no other reading is tried.
fn expect<'q, T>(
    mut parser: impl ModalParser<Input<'q>, T, Fault>,
    what: &'static str,
) -> impl ModalParser<Input<'q>, T, Fault> {
    move |input: &mut Input<'q>| {
        let at = input.current_token_start();
        let found = found(input);
        parser.parse_next(input).map_err(|error| match error {
            ErrMode::Backtrack(_) => Fault::new(at, format!("expected {what}, found {found}")).cut(),
            error => error,
        })
    }
}

fn disjunction(input: &mut Input<'_>) -> Parsed<Expr> {
    let mut parts: Vec<Expr> = separated(1.., conjunction, keyword("or")).parse_next(input)?;
    // At least one was read.
    Ok(if parts.len() == 1 {
        parts.remove(0)
    } else {
        Expr::Or(parts)
    })
}

fn conjunction(input: &mut Input<'_>) -> Parsed<Expr> {
    let mut parts: Vec<Expr> = separated(1.., negation, keyword("and")).parse_next(input)?;
    Ok(if parts.len() == 1 {
        parts.remove(0)
    } else {
        Expr::And(parts)
    })
}

fn negation(input: &mut Input<'_>) -> Parsed<Expr> {
    let at = input.current_token_start();
    if opt(keyword("not")).parse_next(input)?.is_some() {
        return Ok(deeper(input, at, negation)?.negated_if(true));
    }
    if opt(mark("(")).parse_next(input)?.is_some() {
        let inner = deeper(input, at, disjunction)?;
        expect(mark(")"), "AND, OR or a closing parenthesis").parse_next(input)?;
        return Ok(inner);
    }
    condition(input)
}

/// Something within parentheses or behind a NOT.
fn deeper<'q>(input: &mut Input<'q>, at: usize, inner: fn(&mut Input<'q>) -> Parsed<Expr>) -> Parsed<Expr> {
    let limit = input.state.limits.depth;
    input.state.depth += 1;
    if input.state.depth > limit {
        let message = format!(
            "the query is nested too deeply; at most {limit} parentheses and NOTs within one another are allowed"
        );
        return Err(Fault::new(at, message).cut());
    }
    let expr = inner(input)?;
    input.state.depth -= 1;
    Ok(expr)
}

fn condition(input: &mut Input<'_>) -> Parsed<Expr> {
    let start = input.current_token_start();
    let limit = input.state.limits.conditions;
    input.state.conditions += 1;
    if input.state.conditions > limit {
        let message = format!(
            "the query has too many conditions; at most {limit} are allowed, and an IN counts as one"
        );
        return Err(Fault::new(start, message).cut());
    }
    let field = field(input)?.value;
    let at = input.current_token_start();
    let (negated, written) = operator(input)?;
    Ok(typed::condition(&field, at, written)?.negated_if(negated))
}

/// A field's name. A keyword in its place is no name.
fn field(input: &mut Input<'_>) -> Parsed<Placed<Field>> {
    let reserved = alt((keyword("and"), keyword("or"), keyword("group"), keyword("order")));
    let Placed { at, value } = expect(
        preceded(not(reserved), name),
        "the name of a field, NOT or an opening parenthesis",
    )
    .parse_next(input)?;
    let attributes = &input.state.attributes;
    let attribute = || {
        let kind = attributes.get(value)?;
        Some(Field::Attribute(value.into(), *kind))
    };
    let value = Field::named(value).or_else(attribute).ok_or_else(|| {
        let fields = Field::ALL.map(|(name, _)| name).into_iter();
        let known = names::known(value, fields.chain(attributes.keys().map(String::as_str)));
        Fault::new(
            at,
            format!("{value:?} is no field of this server's lists; there are {known}"),
        )
        .cut()
    })?;
    Ok(Placed { at, value })
}

/// An operator with its values, and whether it is negated.
fn operator(input: &mut Input<'_>) -> Parsed<(bool, Written)> {
    if let Some(comparison) = opt(comparison).parse_next(input)? {
        return Ok((false, Written::Test(Test::Compare(comparison, literal(input)?))));
    }
    if opt(keyword("is")).parse_next(input)?.is_some() {
        let negated = opt(keyword("not")).parse_next(input)?.is_some();
        expect(keyword("null"), "NULL or NOT NULL").parse_next(input)?;
        return Ok((negated, Written::Null));
    }
    let negated = opt(keyword("not")).parse_next(input)?.is_some();
    let what = match negated {
        true => "IN, BETWEEN or STARTS_WITH",
        false => {
            "an operator (=, !=, <, <=, >, >=, [NOT] IN, [NOT] BETWEEN, [NOT] STARTS_WITH or IS [NOT] NULL)"
        }
    };
    let written = alt((
        preceded(keyword("in"), values).map(|values| Written::Test(Test::OneOf(values))),
        preceded(keyword("between"), range).map(|(from, to)| Written::Test(Test::Between(from, to))),
        preceded(keyword("starts_with"), literal).map(Written::StartsWith),
    ));
    Ok((negated, expect(written, what).parse_next(input)?))
}

fn comparison(input: &mut Input<'_>) -> Parsed<Comparison> {
    // The longer mark first.
    alt((
        mark("<=").value(Comparison::LessOrEqual),
        mark(">=").value(Comparison::GreaterOrEqual),
        mark("!=").value(Comparison::Unequal),
        mark("<>").value(Comparison::Unequal),
        mark("=").value(Comparison::Equal),
        mark("<").value(Comparison::Less),
        mark(">").value(Comparison::Greater),
    ))
    .parse_next(input)
}

type Value = Placed<Literal>;

fn values(input: &mut Input<'_>) -> Parsed<Vec<Value>> {
    expect(mark("("), "an opening parenthesis").parse_next(input)?;
    let values = separated(1.., literal, mark(",")).parse_next(input)?;
    expect(mark(")"), "a comma or a closing parenthesis").parse_next(input)?;
    Ok(values)
}

fn range(input: &mut Input<'_>) -> Parsed<(Value, Value)> {
    let from = literal(input)?;
    expect(keyword("and"), "AND").parse_next(input)?;
    Ok((from, literal(input)?))
}

fn order(input: &mut Input<'_>) -> Parsed<Order> {
    let at = input.current_token_start();
    (keyword("order"), keyword("by")).void().parse_next(input)?;
    let keys = separated(1.., sort_key, mark(",")).parse_next(input)?;
    Ok(Order { at, keys })
}

fn sort_key(input: &mut Input<'_>) -> Parsed<SortKey> {
    let field = field(input)?.value;
    let descending =
        opt(alt((keyword("desc").value(true), keyword("asc").value(false)))).parse_next(input)?;
    Ok(SortKey {
        field,
        descending: descending.unwrap_or(false),
    })
}
