//! Reading by a query: one bounded step of a list or of a count.

use longhaul_store::{ExecutionRecord, Limit, NamespaceId, Page, Position, Snapshot, Status};

use super::{Plan, Query};
use crate::Error;

/// How much one read of a list may look at and hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// In executions.
    pub(crate) limit: Limit,
    /// Of the executions' rows; the first is taken whatever its size.
    pub(crate) bytes: usize,
}

/// The page of a list behind a position.
pub(crate) fn page(
    snapshot: &Snapshot,
    namespace: NamespaceId,
    query: &Query,
    after: Option<Position>,
    budget: Budget,
) -> Result<Page, Error> {
    let Some(filter) = query.plan().filter(namespace) else {
        return Ok(Page {
            executions: Vec::new(),
            next: None,
        });
    };
    let (mut taken, mut bytes, mut full) = (0, 0_usize, false);
    let page = snapshot.list(&filter, after, budget.limit, |record| {
        if full || !query.takes(record) {
            return false;
        }
        bytes = bytes.saturating_add(weight(record));
        full = bytes > budget.bytes && taken > 0;
        taken += usize::from(!full);
        !full
    })?;
    if !full {
        return Ok(page);
    }
    // The page has read on behind what fits. Once more, up to there, so that the next one begins at the right place.
    let limit = Limit {
        executions: taken,
        ..budget.limit
    };
    Ok(snapshot.list(&filter, after, limit, |record| query.takes(record))?)
}

/// About what an execution takes in an answer.
fn weight(record: &ExecutionRecord) -> usize {
    /// Times, numbers and ids of fixed size.
    const FIXED: usize = 256;
    let text = 2 * record.workflow_id.len() + record.workflow_type.len() + record.task_queue.len();
    FIXED + text + record.memo.len() + record.search_attributes.len()
}

/// Executions by status, in the order of the statuses' numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts([u64; Status::ALL.len()]);

impl Counts {
    /// Some more of a status.
    pub(crate) fn add(&mut self, status: Status, count: u64) {
        for (sum, known) in self.0.iter_mut().zip(Status::ALL) {
            if known == status {
                *sum += count;
            }
        }
    }

    /// Those of another count too.
    pub(crate) fn merge(&mut self, other: Self) {
        for (status, count) in other.by_status() {
            self.add(status, count);
        }
    }

    /// The counts of all statuses.
    pub(crate) fn by_status(self) -> impl Iterator<Item = (Status, u64)> {
        Status::ALL.into_iter().zip(self.0)
    }

    /// Of all statuses together.
    pub(crate) fn total(self) -> u64 {
        self.0.iter().sum()
    }
}

/// Count what the plan says all about.
pub(crate) fn look_up(snapshot: &Snapshot, namespace: NamespaceId, plan: &Plan) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for status in plan.statuses() {
        counts.add(status, snapshot.count(namespace, plan.group(), status)?);
    }
    Ok(counts)
}

/// Count, behind a position, so many executions at most as are examined. Also where the next step begins.
pub(crate) fn count_step(
    snapshot: &Snapshot,
    namespace: NamespaceId,
    query: &Query,
    after: Option<Position>,
    examined: usize,
) -> Result<(Counts, Option<Position>), Error> {
    let mut counts = Counts::default();
    let Some(filter) = query.plan().filter(namespace) else {
        return Ok((counts, None));
    };
    let page = snapshot.list(
        &filter,
        after,
        Limit {
            executions: usize::MAX,
            examined,
        },
        |record| {
            if query.takes(record) {
                counts.add(record.status, 1);
            }
            // Nothing is kept.
            false
        },
    )?;
    Ok((counts, page.next))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::testing::{
        NS, SECOND, closed, execution, executions, expected, filters, listed, query, store,
    };

    #[test]
    fn a_page_ends_where_it_becomes_too_large() {
        let mut records: Vec<_> = (1..=9)
            .map(|run| execution(&format!("w{run}"), "Order", run, SECOND))
            .collect();
        for record in &mut records {
            record.memo = vec![0; if record.run_id.0 == 5 { 5_000 } else { 1_000 }];
        }
        let snapshot = store(&records).read().unwrap();
        let budget = Budget {
            bytes: 3_000,
            limit: Limit {
                executions: 10,
                examined: 1_000,
            },
        };
        let (mut sizes, mut runs, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = page(&snapshot, NS, &query("WorkflowType = 'Order'"), after, budget).unwrap();
            sizes.push(page.executions.len());
            runs.extend(page.executions.iter().map(|record| record.run_id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(runs, expected(&records, |_| true));
        // The one that is too large by itself comes alone.
        assert_eq!(sizes, [2, 2, 1, 2, 2]);
    }

    // E13
    #[test]
    fn a_page_reads_no_more_than_it_shows() {
        // Open and closed in turn; an order among every fifty of both.
        let records: Vec<_> = (1..=600_u64)
            .map(|run| {
                let id = if run % 100 < 2 { "order" } else { "other" };
                let record = execution(&format!("{id}-{run}"), id, run.into(), run * SECOND);
                match run % 2 {
                    0 => record,
                    _ => closed(record, Status::Completed, (1_000 + run) * SECOND),
                }
            })
            .collect();
        let snapshot = store(&records).read().unwrap();
        let budget = Budget {
            bytes: usize::MAX,
            limit: Limit {
                executions: 5,
                examined: 5,
            },
        };
        let moment = |second: u64| second * SECOND;
        for text in [
            format!("CloseTime < {}", moment(1_050)),
            format!("CloseTime BETWEEN {} AND {}", moment(1_020), moment(1_050)),
            format!("CloseTime = {}", moment(1_021)),
            format!("ExecutionStatus = 'Running' AND StartTime <= {}", moment(50)),
            "WorkflowId STARTS_WITH 'order-'".to_owned(),
            "WorkflowType STARTS_WITH 'ord' AND ExecutionStatus = 'Completed'".to_owned(),
            format!(
                "WorkflowId STARTS_WITH 'order-' AND CloseTime < {}",
                moment(1_300)
            ),
            format!(
                "WorkflowId STARTS_WITH 'other-' AND CloseTime < {}",
                moment(1_300)
            ),
        ] {
            let query = query(&text);
            let wanted = expected(&records, |record| query.takes(record));
            let page = page(&snapshot, NS, &query, None, budget).unwrap();
            let runs: Vec<_> = page.executions.iter().map(|record| record.run_id).collect();
            assert!(!runs.is_empty(), "{text}");
            assert_eq!(runs, wanted[..wanted.len().min(5)], "{text}");
            assert_eq!(page.next.is_some(), wanted.len() > 5, "{text}");
        }
    }

    #[test]
    fn a_count_is_looked_up_or_read() {
        let mut records = vec![
            execution("a", "Order", 1, SECOND),
            execution("b", "Other", 2, SECOND),
        ];
        records.push(closed(
            execution("c", "Order", 3, SECOND),
            Status::Failed,
            2 * SECOND,
        ));
        let snapshot = store(&records).read().unwrap();
        for (text, running, failed) in [
            ("", 2, 1),
            ("WorkflowType = 'Order'", 1, 1),
            ("WorkflowId = 'c'", 0, 1),
            ("ExecutionStatus = 'Running' AND WorkflowType = 'Other'", 1, 0),
            ("WorkflowType = 'a' AND WorkflowType = 'b'", 0, 0),
        ] {
            let mut wanted = Counts::default();
            wanted.add(Status::Running, running);
            wanted.add(Status::Failed, failed);
            let query = query(text);
            assert!(query.plan().is_exact(), "{text}");
            assert_eq!(look_up(&snapshot, NS, &query.plan()).unwrap(), wanted, "{text}");
            assert_eq!(
                count_step(&snapshot, NS, &query, None, 100).unwrap(),
                (wanted, None),
                "{text}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn counting_in_steps_leaves_out_nothing(records in executions(), text in filters(), examined in 1..10_usize) {
            let snapshot = store(&records).read().unwrap();
            let query = query(&text);
            let (mut count, mut after) = (0, None);
            loop {
                let (found, next) = count_step(&snapshot, NS, &query, after, examined).unwrap();
                count += found.total();
                after = next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(count, expected(&records, |record| query.takes(record)).len() as u64);
        }

    #[test]
    fn what_the_indexes_answer_is_what_reading_everything_gives(
        records in executions(),
        filters in prop::collection::vec(filters(), 10),
        size in 1..8_usize,
        examined in 1..20_usize,
    ) {
        let store = store(&records);
        for text in filters {
            let query = query(&text);
            let wanted = expected(&records, |record| query.takes(record));
            let limit = Limit { executions: size, examined };
            prop_assert_eq!(listed(&store, &query, limit), wanted.clone(), "{}", &text);
            let plan = query.plan();
            if plan.is_exact() {
                let snapshot = store.read().unwrap();
                let counted = plan.statuses().map(|status| snapshot.count(NS, plan.group(), status).unwrap());
                prop_assert_eq!(counted.sum::<u64>(), wanted.len() as u64, "{}", &text);
            }
        }
    }
    }
}
