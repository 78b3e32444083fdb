//! From a written condition to a typed one.

use longhaul_history::time::{NS_PER_MILLISECOND, NS_PER_SECOND, Timestamp};
use longhaul_store::Status;
use winnow::{
    ModalResult, Parser,
    ascii::digit1,
    combinator::{alt, opt, preceded, repeat},
    error::ErrMode,
};

use super::{
    error::{Fault, Parsed},
    expr::{Comparison, Condition, Expr, Test},
    field::{Field, Kind},
    token::{Literal, Placed},
};
use crate::{
    attributes::{self, Finite, Value},
    names,
};

/// What is asked of a field, as it is written; negations stand outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Test(Test<Placed<Literal>>),
    StartsWith(Placed<Literal>),
    Null,
}

/// Check a condition's operator and values against its field. `at` is where the operator stands.
pub(super) fn condition(field: &Field, at: usize, written: Written) -> Parsed<Expr> {
    let refused = |operator: &str| {
        let allowed = match field.kind() {
            Kind::Status
            | Kind::Attribute(
                attributes::Kind::Text | attributes::Kind::KeywordList | attributes::Kind::Bool,
            ) => "=, !=, IN and IS NULL",
            _ => "=, !=, <, <=, >, >=, IN, BETWEEN and IS NULL",
        };
        let message = format!(
            "{operator} does not apply to {field}, which is {}; {allowed} do",
            field.kind()
        );
        Fault::new(at, message).cut()
    };
    let condition = match (field, written) {
        (field, Written::Null) => Condition::Missing(field.clone()),
        (Field::Text(field), Written::StartsWith(prefix)) => Condition::Prefix {
            field: *field,
            prefix: text(prefix)?,
        },
        (
            Field::Attribute(name, kind @ (attributes::Kind::Keyword | attributes::Kind::KeywordList)),
            Written::StartsWith(prefix),
        ) => Condition::AttributePrefix {
            name: name.clone(),
            kind: *kind,
            prefix: text(prefix)?,
        },
        (Field::Attribute(_, kind), Written::Test(Test::Between(..))) if !kind.has_order() => {
            return Err(refused("BETWEEN"));
        }
        (Field::Attribute(_, kind), Written::Test(Test::Compare(comparison, _)))
            if !kind.has_order() && !matches!(comparison, Comparison::Equal | Comparison::Unequal) =>
        {
            return Err(refused("an order of values"));
        }
        (Field::Attribute(name, kind), Written::Test(test)) => Condition::Attribute {
            name: name.clone(),
            kind: *kind,
            test: test.try_map(|literal| attribute(field, *kind, literal))?,
        },
        (_, Written::StartsWith(_)) => return Err(refused("STARTS_WITH")),
        (Field::Text(field), Written::Test(test)) => Condition::Text {
            field: *field,
            test: test.try_map(text)?,
        },
        (Field::Number(number), Written::Test(test)) => {
            let value = |literal| match field.kind() {
                Kind::Time => moment(literal),
                Kind::Duration => span(literal),
                _ => integer(field, literal),
            };
            Condition::Number {
                field: *number,
                test: test.try_map(value)?,
            }
        }
        (Field::Status, Written::Test(Test::Compare(Comparison::Equal, value))) => {
            Condition::Status(vec![status(value)?])
        }
        (Field::Status, Written::Test(Test::Compare(Comparison::Unequal, value))) => {
            let same = Condition::Status(vec![status(value)?]);
            return Ok(Expr::Condition(same).negated_if(true));
        }
        (Field::Status, Written::Test(Test::OneOf(values))) => {
            Condition::Status(values.into_iter().map(status).collect::<Result<_, _>>()?)
        }
        (Field::Status, Written::Test(Test::Compare(..))) => return Err(refused("an order of values")),
        (Field::Status, Written::Test(Test::Between(..))) => return Err(refused("BETWEEN")),
    };
    Ok(Expr::Condition(condition))
}

fn text(literal: Placed<Literal>) -> Parsed<String> {
    match literal.value {
        Literal::Text(text) => Ok(text),
        Literal::Integer(number) => Err(Fault::new(
            literal.at,
            format!("expected text in quotes, found a number; write '{number}'"),
        )
        .cut()),
        Literal::Double(_) | Literal::Bool(_) => Err(Fault::new(literal.at, "expected text in quotes").cut()),
    }
}

/// A value of a search attribute.
fn attribute(field: &Field, kind: attributes::Kind, literal: Placed<Literal>) -> Parsed<Value> {
    use attributes::Kind as K;
    let at = literal.at;
    match (kind, literal.value) {
        (K::Text | K::Keyword | K::KeywordList, value) => text(Placed { at, value }).map(Value::Text),
        (K::Datetime, value) => moment(Placed { at, value }).map(Value::Time),
        (K::Int, Literal::Integer(number)) => Ok(Value::Int(number)),
        (K::Double, Literal::Double(number)) => Ok(Value::Double(number)),
        (K::Double, Literal::Integer(number)) => Finite::new(number as f64)
            .map(Value::Double)
            .ok_or_else(|| Fault::new(at, "the number is out of range").cut()),
        (K::Bool, Literal::Bool(truth)) => Ok(Value::Bool(truth)),
        (K::Int, _) => {
            let message = format!("{field} is compared with an integer, without quotes");
            Err(Fault::new(at, message).cut())
        }
        (K::Double, _) => {
            let message = format!("{field} is compared with a number, without quotes");
            Err(Fault::new(at, message).cut())
        }
        (K::Bool, _) => {
            let message = format!("{field} is compared with true or false, without quotes");
            Err(Fault::new(at, message).cut())
        }
    }
}

fn integer(field: &Field, literal: Placed<Literal>) -> Parsed<i128> {
    match literal.value {
        Literal::Integer(number) => Ok(number.into()),
        _ => Err(Fault::new(
            literal.at,
            format!("{field} is compared with an integer, without quotes"),
        )
        .cut()),
    }
}

fn status(literal: Placed<Literal>) -> Parsed<Status> {
    let status = match &literal.value {
        Literal::Text(name) => Status::ALL.into_iter().find(|status| status.to_string() == *name),
        Literal::Integer(number) => Status::ALL
            .into_iter()
            .find(|status| i64::from(*status as u8) == *number),
        Literal::Double(_) | Literal::Bool(_) => None,
    };
    status.ok_or_else(|| {
        let wanted = match literal.value {
            Literal::Text(name) => name,
            Literal::Integer(number) => number.to_string(),
            Literal::Double(_) | Literal::Bool(_) => return no_text(literal.at),
        };
        let all = Status::ALL.map(|status| status.to_string());
        let known = names::known(&wanted, all.iter().map(String::as_str));
        Fault::new(
            literal.at,
            format!("{wanted:?} is no status; there are {known}, or the numbers 1 to 7"),
        )
        .cut()
    })
}

/// What text or an integer stands for was written as something else.
fn no_text(at: usize) -> ErrMode<Fault> {
    Fault::new(at, "expected text in quotes or an integer").cut()
}

/// A moment in nanoseconds since 1970; text may name years that do not fit the store's 64 bits.
fn moment(literal: Placed<Literal>) -> Parsed<i128> {
    let text = match literal.value {
        Literal::Integer(ns) => return Ok(ns.into()),
        Literal::Text(text) => text,
        Literal::Double(_) | Literal::Bool(_) => return Err(no_text(literal.at)),
    };
    let moment: Timestamp = text.parse().map_err(|_| {
        let message = format!(
            "{text:?} is no time; write it as '2026-01-31T12:00:00Z' or '2026-01-31T12:00:00.5+01:00' (RFC 3339), or as an \
             integer of nanoseconds since 1970"
        );
        Fault::new(literal.at, message).cut()
    })?;
    Ok(i128::from(moment.seconds) * i128::from(NS_PER_SECOND) + i128::from(moment.nanos))
}

/// A span in nanoseconds.
fn span(literal: Placed<Literal>) -> Parsed<i128> {
    match literal.value {
        Literal::Integer(ns) => Ok(ns.into()),
        Literal::Double(_) | Literal::Bool(_) => Err(no_text(literal.at)),
        Literal::Text(text) => duration.parse(text.trim()).map_err(|_| {
            let message = format!(
                "{text:?} is no duration; write it as '1h30m', '1.5s' or '250ms' (units d, h, m, s, ms, us, ns), or as an \
                 integer of nanoseconds"
            );
            Fault::new(literal.at, message).cut()
        }),
    }
}

/// Numbers with units, one after another.
fn duration(input: &mut &str) -> ModalResult<i128> {
    let sign = opt(alt(('-', '+'))).parse_next(input)?;
    let sum = repeat(1.., amount)
        .fold(|| 0_i128, |sum: i128, part: i128| sum.saturating_add(part))
        .parse_next(input)?;
    Ok(if sign == Some('-') { -sum } else { sum })
}

/// One number with its unit, in nanoseconds; what is smaller than one is cut.
fn amount(input: &mut &str) -> ModalResult<i128> {
    // More digits than these, and the result would leave what is ever compared with it.
    const DIGITS: usize = 18;
    let digits = |digits: &&str| digits.len() <= DIGITS;
    let whole: &str = digit1.verify(digits).parse_next(input)?;
    let fraction: Option<&str> = opt(preceded('.', digit1.verify(digits))).parse_next(input)?;
    // The longer unit first: `ms` is not `m`.
    let unit = alt((
        "ns".value(1),
        "us".value(1_000),
        "µs".value(1_000),
        "ms".value(NS_PER_MILLISECOND),
        "s".value(NS_PER_SECOND),
        "m".value(60 * NS_PER_SECOND),
        "h".value(3_600 * NS_PER_SECOND),
        "d".value(86_400 * NS_PER_SECOND),
    ))
    .parse_next(input)?;
    // Not more digits than fit 64 bits.
    let number = |digits: &str| digits.parse::<i128>().unwrap_or(0);
    let fraction = fraction.map_or(0, |digits| {
        number(digits) * i128::from(unit) / 10_i128.pow(digits.len() as u32)
    });
    Ok(number(whole) * i128::from(unit) + fraction)
}
