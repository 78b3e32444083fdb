//! What of a filter the store's indexes can answer.
//!
//! A plan names at least the executions that the filter takes, mostly more: whoever lists by it still evaluates the filter. It is
//! worked out from the leaves up, and each step keeps it wide enough.

use longhaul_store::{Filter, Group, NamespaceId, Prefix, Status};

use super::{
    expr::{Comparison, Condition, Expr, Test},
    field::{Field, NumberField, TextField},
};
use crate::attributes::{self, Kind, Value};

/// Bounds within which all executions of a filter lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    group: Group,
    /// What a name of each begins with.
    prefix: Option<Prefix>,
    statuses: Statuses,
    /// When the open ones were started.
    opened: Times,
    /// When the closed ones closed.
    closed: Times,
    /// Whether group and statuses are all that the filter asks: it then holds for everything within them, fails for everything
    /// else, and is never unknown.
    exact: bool,
}

/// Everything.
impl Default for Plan {
    fn default() -> Self {
        Self {
            group: Group::All,
            prefix: None,
            statuses: Statuses::ALL,
            opened: Times::ALL,
            closed: Times::ALL,
            exact: true,
        }
    }
}

impl Plan {
    /// The plan of a filter.
    pub(crate) fn new(filter: &Expr) -> Self {
        match filter {
            Expr::And(parts) => parts.iter().map(Self::new).fold(Self::default(), Self::and),
            Expr::Or(parts) => parts.iter().map(Self::new).fold(Self::nothing(), Self::or),
            Expr::Not(part) => Self::new(part).not(),
            Expr::Condition(condition) => Self::of(condition),
        }
    }

    /// What the store is asked for; `None` if there can be nothing.
    pub(crate) fn filter(&self, namespace: NamespaceId) -> Option<Filter> {
        // The store takes no status for all of them.
        let statuses: Vec<Status> = self.statuses().collect();
        (!statuses.is_empty()).then(|| Filter {
            namespace,
            group: self.group.clone(),
            prefix: self.prefix.clone(),
            statuses,
            open_from_ns: self.opened.from_ns,
            open_to_ns: self.opened.to_ns,
            closed_from_ns: self.closed.from_ns,
            closed_to_ns: self.closed.to_ns,
        })
    }

    /// The statuses that there can be.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = Status> + use<> {
        let statuses = self.statuses;
        Status::ALL
            .into_iter()
            .filter(move |status| statuses.has(*status))
    }

    /// Whose executions.
    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// Whether the store's counters answer it: nothing is asked but group and status.
    pub(crate) fn is_exact(&self) -> bool {
        self.exact
    }

    fn nothing() -> Self {
        Self {
            statuses: Statuses::NONE,
            ..Self::default()
        }
    }

    fn unknown() -> Self {
        Self {
            exact: false,
            ..Self::default()
        }
    }

    fn beginning_with(prefix: Prefix) -> Self {
        Self {
            // The empty text leaves out too little to be looked up by.
            prefix: Some(prefix).filter(|prefix| !prefix.text().is_empty()),
            ..Self::unknown()
        }
    }

    fn of(condition: &Condition) -> Self {
        match condition {
            Condition::Text { field, test } => match (field, test.only()) {
                (TextField::WorkflowId, Some(id)) => Self {
                    group: Group::WorkflowId(id.clone()),
                    ..Self::default()
                },
                (TextField::WorkflowType, Some(name)) => Self {
                    group: Group::WorkflowType(name.clone()),
                    ..Self::default()
                },
                _ => Self::unknown(),
            },
            Condition::Attribute { name, kind, test } => {
                match test.any_of().filter(|_| *kind != Kind::Text) {
                    Some(values) => Self {
                        group: Group::Terms(
                            values.iter().map(|value| attributes::term(name, value)).collect(),
                        ),
                        ..Self::unknown()
                    },
                    None => Self::unknown(),
                }
            }
            Condition::Prefix { field, prefix } => match field {
                TextField::WorkflowId => Self::beginning_with(Prefix::WorkflowId(prefix.clone())),
                TextField::WorkflowType => Self::beginning_with(Prefix::WorkflowType(prefix.clone())),
                _ => Self::unknown(),
            },
            Condition::AttributePrefix { name, prefix, .. } => {
                Self::beginning_with(Prefix::Term(attributes::term(name, &Value::Text(prefix.clone()))))
            }
            Condition::Missing(Field::Attribute(..)) => Self::unknown(),
            Condition::Status(statuses) => Self {
                statuses: Statuses::of(statuses),
                ..Self::default()
            },
            Condition::Missing(Field::Number(field)) if field.is_set_by_close() => Self {
                statuses: Statuses::OPEN,
                ..Self::default()
            },
            Condition::Missing(_) => Self::nothing(),
            Condition::Number {
                field: NumberField::StartTime,
                test,
            } => {
                let opened = test.times();
                Self {
                    opened,
                    // Time does not go back within a run, so nothing closes before it starts.
                    closed: Times {
                        from_ns: opened.from_ns,
                        ..Times::ALL
                    },
                    ..Self::unknown()
                }
            }
            Condition::Number {
                field: NumberField::CloseTime,
                test,
            } => Self {
                statuses: Statuses::OPEN.not(),
                closed: test.times(),
                ..Self::unknown()
            },
            Condition::Number { field, .. } if field.is_set_by_close() => Self {
                statuses: Statuses::OPEN.not(),
                ..Self::unknown()
            },
            Condition::Number { .. } => Self::unknown(),
        }
    }

    fn and(self, other: Self) -> Self {
        let mut plan = Self {
            group: Group::All,
            prefix: fewer(self.prefix, other.prefix),
            statuses: self.statuses.and(other.statuses),
            opened: self.opened.and(other.opened),
            closed: self.closed.and(other.closed),
            exact: self.exact && other.exact,
        };
        match (self.group, other.group) {
            (Group::All, group) | (group, Group::All) => plan.group = group,
            (one, two) if one == two => plan.group = one,
            // A workflow id has fewer executions than terms, and those fewer than a type, in all likelihood.
            (Group::WorkflowType(_) | Group::Terms(_), few @ Group::WorkflowId(_))
            | (few @ Group::WorkflowId(_), Group::WorkflowType(_) | Group::Terms(_))
            | (few @ Group::Terms(_), Group::WorkflowType(_) | Group::Terms(_))
            | (Group::WorkflowType(_), few @ Group::Terms(_)) => {
                plan.group = few;
                plan.exact = false;
            }
            // Two ids or two types at once.
            _ => plan.statuses = Statuses::NONE,
        }
        if matches!(plan.group, Group::WorkflowId(_)) {
            // Nor are there fewer under a prefix.
            plan.prefix = None;
        }
        plan
    }

    fn or(self, other: Self) -> Self {
        let exact = self.exact && other.exact;
        if self.statuses == Statuses::NONE {
            return Self { exact, ..other };
        }
        if other.statuses == Statuses::NONE {
            return Self { exact, ..self };
        }
        let same = self.group == other.group;
        let group = match (self.group.clone(), other.group.clone()) {
            (one, two) if one == two => one,
            (Group::Terms(one), Group::Terms(two)) => Group::Terms([one, two].concat()),
            _ => Group::All,
        };
        // A bound says nothing about statuses that its side does not have.
        let times = |times: fn(&Self) -> Times, statuses: Statuses| {
            let of_side = |plan: &Self| match plan.statuses.and(statuses) {
                Statuses::NONE => None,
                _ => Some(times(plan)),
            };
            match (of_side(&self), of_side(&other)) {
                (Some(one), Some(two)) => one.or(two),
                (one, two) => one.or(two).unwrap_or(Times::ALL),
            }
        };
        Self {
            opened: times(|plan| plan.opened, Statuses::OPEN),
            closed: times(|plan| plan.closed, Statuses::OPEN.not()),
            statuses: self.statuses.or(other.statuses),
            prefix: self.prefix.filter(|prefix| other.prefix.as_ref() == Some(prefix)),
            exact: exact && same,
            group,
        }
    }

    fn not(self) -> Self {
        match self {
            Self {
                group: Group::All,
                exact: true,
                statuses,
                ..
            } => Self {
                statuses: statuses.not(),
                ..Self::default()
            },
            // What is outside a group is no group.
            _ => Self::unknown(),
        }
    }
}

/// Of two prefixes that both hold, the one that fewer executions have, in all likelihood.
fn fewer(one: Option<Prefix>, two: Option<Prefix>) -> Option<Prefix> {
    let rank = |prefix: &Prefix| match prefix {
        Prefix::WorkflowId(text) => (3, text.len()),
        Prefix::Term(text) => (2, text.len()),
        Prefix::WorkflowType(text) => (1, text.len()),
    };
    one.into_iter().chain(two).max_by_key(rank)
}

/// Times between two, both included, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    from_ns: u64,
    to_ns: u64,
}

impl Times {
    const ALL: Self = Self {
        from_ns: 0,
        to_ns: u64::MAX,
    };

    fn and(self, other: Self) -> Self {
        Self {
            from_ns: self.from_ns.max(other.from_ns),
            to_ns: self.to_ns.min(other.to_ns),
        }
    }

    /// Those of either, and those between.
    fn or(self, other: Self) -> Self {
        Self {
            from_ns: self.from_ns.min(other.from_ns),
            to_ns: self.to_ns.max(other.to_ns),
        }
    }
}

/// A set of statuses, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Statuses(u8);

impl Statuses {
    const NONE: Self = Self(0);
    const OPEN: Self = Self(1 << Status::Running as u8);
    /// The numbers go from 1 to 7.
    const ALL: Self = Self(0b1111_1110);

    fn of(statuses: &[Status]) -> Self {
        Self(statuses.iter().fold(0, |bits, status| bits | 1 << *status as u8))
    }

    fn has(self, status: Status) -> bool {
        self.0 & 1 << status as u8 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

impl Test<String> {
    /// The only text that passes, if it is one.
    fn only(&self) -> Option<&String> {
        match self {
            Self::Compare(Comparison::Equal, text) => Some(text),
            Self::OneOf(texts) => texts
                .first()
                .filter(|first| texts.iter().all(|text| text == *first)),
            Self::Compare(..) | Self::Between(..) => None,
        }
    }
}

impl Test<Value> {
    /// The values of which one passes, if there are only these.
    fn any_of(&self) -> Option<&[Value]> {
        match self {
            Self::Compare(Comparison::Equal, value) => Some(std::slice::from_ref(value)),
            Self::OneOf(values) => Some(values),
            Self::Compare(..) | Self::Between(..) => None,
        }
    }
}

impl Test<i128> {
    /// No moment outside of these passes.
    fn times(&self) -> Times {
        use Comparison as C;
        let (lowest, highest) = match self {
            Self::Compare(C::Equal, moment) => (*moment, *moment),
            Self::Compare(C::GreaterOrEqual, from) => (*from, i128::MAX),
            Self::Compare(C::Greater, before) => (before.saturating_add(1), i128::MAX),
            Self::Compare(C::LessOrEqual, to) => (0, *to),
            Self::Compare(C::Less, behind) => (0, behind.saturating_sub(1)),
            Self::Compare(C::Unequal, _) => (0, i128::MAX),
            Self::Between(from, to) => (*from, *to),
            // There is one at least.
            Self::OneOf(moments) => (
                moments.iter().copied().min().unwrap_or(0),
                moments.iter().copied().max().unwrap_or(i128::MAX),
            ),
        };
        // Outside of the store's 64 bits lies nothing; its first and last moments are as good as bounds.
        let bound = |ns: i128| u64::try_from(ns.max(0)).unwrap_or(u64::MAX);
        Times {
            from_ns: bound(lowest),
            to_ns: bound(highest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::testing::{NS, query};

    #[test]
    fn the_indexes_answer_what_they_can() {
        let plan = |text: &str| {
            let plan = query(text).plan();
            (plan.filter(NS), plan.is_exact())
        };
        let (filter, exact) =
            plan("WorkflowType = 'a' AND ExecutionStatus IN ('Failed', 'TimedOut') AND StartTime > 5");
        let filter = filter.unwrap();
        assert_eq!(filter.group, Group::WorkflowType("a".into()));
        assert_eq!(filter.statuses, [Status::Failed, Status::TimedOut]);
        assert_eq!((filter.open_from_ns, filter.closed_from_ns, exact), (6, 6, false));
        assert_eq!((filter.open_to_ns, filter.closed_to_ns), (u64::MAX, u64::MAX));

        let (filter, exact) = plan("NOT (CloseTime IS NULL OR ExecutionStatus = 'Failed')");
        assert!(exact && filter.unwrap().statuses.len() == 5);
        let (filter, exact) = plan("WorkflowType = 'a' AND WorkflowId IN ('b')");
        assert!(!exact && filter.unwrap().group == Group::WorkflowId("b".into()));
        let (filter, _) = plan("CloseTime >= 7 AND WorkflowType IN ('a', 'a')");
        let filter = filter.unwrap();
        assert_eq!(
            (filter.closed_from_ns, filter.group),
            (7, Group::WorkflowType("a".into()))
        );
        assert!(!filter.statuses.contains(&Status::Running));
        let (filter, _) = plan("ExecutionStatus = 'Running' OR CloseTime >= 7");
        assert_eq!(
            filter.map(|filter| (filter.open_from_ns, filter.closed_from_ns)),
            Some((0, 7))
        );
        let bounds = |text: &str| {
            let filter = plan(text).0.unwrap();
            let opened = (filter.open_from_ns, filter.open_to_ns);
            (opened, (filter.closed_from_ns, filter.closed_to_ns))
        };
        const MAX: u64 = u64::MAX;
        for (text, opened, closed) in [
            ("CloseTime < 7", (0, MAX), (0, 6)),
            ("CloseTime <= 7 AND CloseTime > 2", (0, MAX), (3, 7)),
            ("CloseTime BETWEEN 3 AND 7", (0, MAX), (3, 7)),
            ("CloseTime IN (5, 3, 4)", (0, MAX), (3, 5)),
            ("CloseTime = 5 OR CloseTime = 9", (0, MAX), (5, 9)),
            // What was started then may close at any time after.
            ("StartTime BETWEEN 3 AND 7", (3, 7), (3, MAX)),
            ("StartTime < 7 AND CloseTime < 9", (0, 6), (0, 8)),
            // Only closed ones have a close time, so the open ones are the other side's.
            ("StartTime < 7 OR CloseTime < 9", (0, 6), (0, MAX)),
            ("ExecutionStatus = 'Running' OR CloseTime < 9", (0, MAX), (0, 8)),
            ("CloseTime < -5", (0, MAX), (0, 0)),
            ("CloseTime < '9999-01-01T00:00:00Z'", (0, MAX), (0, MAX)),
            ("NOT CloseTime < 9", (0, MAX), (0, MAX)),
        ] {
            assert_eq!(bounds(text), (opened, closed), "{text}");
        }
        for nothing in [
            "WorkflowType = 'a' AND WorkflowType = 'b'",
            "CloseTime > 5 AND CloseTime IS NULL",
        ] {
            assert_eq!(plan(nothing).0, None, "{nothing}");
        }
        for everything in [
            "NOT WorkflowType = 'a'",
            "WorkflowType = 'a' OR WorkflowType = 'b'",
            "TaskQueue = 'a'",
        ] {
            let (filter, exact) = plan(everything);
            let filter = filter.unwrap();
            assert_eq!(
                (filter.group, filter.statuses.len(), exact),
                (Group::All, 7, false),
                "{everything}"
            );
        }
    }
    // E13
    #[test]
    fn a_prefix_is_looked_up() {
        let plan = |text: &str| {
            let plan = query(text).plan();
            assert!(!plan.is_exact(), "{text}");
            let filter = plan.filter(NS).unwrap();
            (filter.group, filter.prefix)
        };
        let of_id = |text: &str| Some(Prefix::WorkflowId(text.into()));
        let of_type = |text: &str| Some(Prefix::WorkflowType(text.into()));
        let of_term = |text: &str| Some(Prefix::Term(text.into()));
        let typed = |name: &str| Group::WorkflowType(name.into());
        for (text, group, prefix) in [
            ("WorkflowId STARTS_WITH 'a'", Group::All, of_id("a")),
            ("WorkflowType STARTS_WITH 'a'", Group::All, of_type("a")),
            ("City STARTS_WITH 'Ro'", Group::All, of_term("City\0Ro")),
            // Whoever has the attribute.
            ("City STARTS_WITH ''", Group::All, of_term("City\0")),
            ("WorkflowId STARTS_WITH ''", Group::All, None),
            ("TaskQueue STARTS_WITH 'a'", Group::All, None),
            (
                "WorkflowId STARTS_WITH 'a' AND WorkflowType = 't'",
                typed("t"),
                of_id("a"),
            ),
            (
                "WorkflowId STARTS_WITH 'a' AND WorkflowId = 'ab'",
                Group::WorkflowId("ab".into()),
                None,
            ),
            (
                "WorkflowId STARTS_WITH 'ab' AND WorkflowId STARTS_WITH 'a'",
                Group::All,
                of_id("ab"),
            ),
            (
                "WorkflowId STARTS_WITH 'a' AND City STARTS_WITH 'Rome'",
                Group::All,
                of_id("a"),
            ),
            (
                "WorkflowType STARTS_WITH 'Order' AND City STARTS_WITH 'R'",
                Group::All,
                of_term("City\0R"),
            ),
            (
                "WorkflowId STARTS_WITH 'a' OR WorkflowId STARTS_WITH 'a'",
                Group::All,
                of_id("a"),
            ),
            (
                "WorkflowId STARTS_WITH 'a' OR WorkflowId STARTS_WITH 'b'",
                Group::All,
                None,
            ),
            (
                "WorkflowId STARTS_WITH 'a' OR WorkflowType = 't'",
                Group::All,
                None,
            ),
            ("NOT WorkflowId STARTS_WITH 'a'", Group::All, None),
        ] {
            assert_eq!(plan(text), (group, prefix), "{text}");
        }
    }
}
