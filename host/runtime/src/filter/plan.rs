//! What of a filter the store's indexes can answer.
//!
//! A plan names at least the executions that the filter takes, mostly more: whoever lists by it still evaluates the filter. It is
//! worked out from the leaves up, and each step keeps it wide enough.

use longhaul_store::{Filter, Group, NamespaceId, Status};

use super::{
    expr::{Comparison, Condition, Expr, Test},
    field::{Field, NumberField, TextField},
};
use crate::attributes::{self, Kind, Value};

/// Bounds within which all executions of a filter lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    group: Group,
    statuses: Statuses,
    /// Earliest start of the open ones, in nanoseconds since 1970.
    open_from_ns: u64,
    /// Earliest close of the closed ones.
    closed_from_ns: u64,
    /// Whether group and statuses are all that the filter asks: it then holds for everything within them, fails for everything
    /// else, and is never unknown.
    exact: bool,
}

/// Everything.
impl Default for Plan {
    fn default() -> Self {
        Self {
            group: Group::All,
            statuses: Statuses::ALL,
            open_from_ns: 0,
            closed_from_ns: 0,
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
            statuses,
            open_from_ns: self.open_from_ns,
            closed_from_ns: self.closed_from_ns,
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
            Condition::Prefix { .. }
            | Condition::AttributePrefix { .. }
            | Condition::Missing(Field::Attribute(..)) => Self::unknown(),
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
                let from_ns = test.lowest_ns();
                // Time does not go back within a run, so nothing closes before it starts.
                Self {
                    open_from_ns: from_ns,
                    closed_from_ns: from_ns,
                    ..Self::unknown()
                }
            }
            Condition::Number {
                field: NumberField::CloseTime,
                test,
            } => Self {
                statuses: Statuses::OPEN.not(),
                closed_from_ns: test.lowest_ns(),
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
            statuses: self.statuses.and(other.statuses),
            open_from_ns: self.open_from_ns.max(other.open_from_ns),
            closed_from_ns: self.closed_from_ns.max(other.closed_from_ns),
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
        let open_from_ns = |plan: &Self| {
            if plan.statuses.has(Status::Running) {
                plan.open_from_ns
            } else {
                u64::MAX
            }
        };
        let closed_from_ns = |plan: &Self| {
            if plan.statuses == Statuses::OPEN {
                u64::MAX
            } else {
                plan.closed_from_ns
            }
        };
        Self {
            statuses: self.statuses.or(other.statuses),
            open_from_ns: open_from_ns(&self).min(open_from_ns(&other)),
            closed_from_ns: closed_from_ns(&self).min(closed_from_ns(&other)),
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
    /// No moment before this one passes.
    fn lowest_ns(&self) -> u64 {
        let lowest = match self {
            Self::Compare(Comparison::Equal | Comparison::GreaterOrEqual, from) | Self::Between(from, _) => {
                *from
            }
            Self::Compare(Comparison::Greater, before) => before.saturating_add(1),
            Self::Compare(Comparison::Unequal | Comparison::Less | Comparison::LessOrEqual, _) => 0,
            Self::OneOf(moments) => moments.iter().copied().min().unwrap_or(0),
        };
        // Beyond the store's 64 bits lies nothing; its last moment is as good a bound.
        u64::try_from(lowest.max(0)).unwrap_or(u64::MAX)
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
}
