//! A query as a whole.

use std::sync::Arc;

use longhaul_store::{ExecutionRecord, Status};

use super::{
    Limits, Plan,
    error::{Fault, Invalid},
    expr::Expr,
    field::{Field, NumberField},
    parse,
    token::Placed,
};
use crate::attributes::Known;

/// A query that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    /// Which executions; `None` for all.
    pub(super) filter: Option<Expr>,
    /// What a count is divided by.
    pub(super) group_by: Option<Placed<Field>>,
    /// How a list is sorted.
    pub(super) order_by: Option<Order>,
}

/// An ORDER BY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// The byte that it begins at.
    pub(super) at: usize,
    pub(super) keys: Vec<SortKey>,
}

/// A field that is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SortKey {
    pub(super) field: Field,
    pub(super) descending: bool,
}

impl Query {
    /// Read the query of a list.
    pub(crate) fn of_list(text: &str, limits: Limits, attributes: &Arc<Known>) -> Result<Self, Invalid> {
        let query = parse::query(text, limits, attributes)?;
        if let Some(group_by) = query.group_by {
            let message = "GROUP BY belongs to a count; a list cannot be grouped";
            return Err(Invalid::new(text, Fault::new(group_by.at, message)));
        }
        if let Some(order) = query.order_by.as_ref().filter(|order| !query.comes_in(order)) {
            let message = "lists come in one order: open executions first, the latest StartTime at the top, then the closed \
                           ones, the latest CloseTime at the top; leave ORDER BY out, or write ORDER BY CloseTime DESC, or, where \
                           the query names ExecutionStatus = 'Running' alone, ORDER BY StartTime DESC";
            return Err(Invalid::new(text, Fault::new(order.at, message)));
        }
        Ok(query)
    }

    /// Read the query of a count.
    pub(crate) fn of_count(text: &str, limits: Limits, attributes: &Arc<Known>) -> Result<Self, Invalid> {
        let query = parse::query(text, limits, attributes)?;
        if let Some(group_by) = query
            .group_by
            .as_ref()
            .filter(|group_by| group_by.value != Field::Status)
        {
            let message = format!(
                "counts are not grouped by {}; GROUP BY ExecutionStatus is offered",
                group_by.value
            );
            return Err(Invalid::new(text, Fault::new(group_by.at, message)));
        }
        if let Some(order) = &query.order_by {
            return Err(Invalid::new(
                text,
                Fault::new(order.at, "ORDER BY belongs to a list; a count has no order"),
            ));
        }
        Ok(query)
    }

    /// Whether a count is asked for by status.
    pub(crate) fn is_grouped(&self) -> bool {
        self.group_by.is_some()
    }

    /// What of it the store's indexes answer.
    pub(crate) fn plan(&self) -> Plan {
        self.filter.as_ref().map_or_else(Plan::default, Plan::new)
    }

    /// Whether an execution is one of its.
    pub(crate) fn takes(&self, record: &ExecutionRecord) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.holds(record) == Some(true))
    }

    /// Whether the only order that there is, is this one. Open executions have no `CloseTime`, and what is missing comes first in
    /// Temporal's order too.
    fn comes_in(&self, order: &Order) -> bool {
        match order.keys.as_slice() {
            [
                SortKey {
                    field: Field::Number(NumberField::CloseTime),
                    descending: true,
                },
            ] => true,
            [
                SortKey {
                    field: Field::Number(NumberField::StartTime),
                    descending: true,
                },
            ] => self.plan().statuses().all(Status::is_open),
            _ => false,
        }
    }
}
