//! Lists and counts of executions.

use std::sync::Arc;

use longhaul_engine::proto::workflowservice::v1 as wire;
use longhaul_history::payload;
use longhaul_store::{ExecutionRecord, Limit, NamespaceId, Page, Position, Snapshot, Status};
use sha2::{Digest as _, Sha256};
use wire::count_workflow_executions_response::AggregationGroup;

use crate::{
    Error, Runtime,
    core::Core,
    executions,
    filter::{Limits, Plan, Query},
};

/// Executions that one read looks at, as a multiple of a full page.
const READ_PAGES: usize = 10;

/// Reads for one page of a list, while they find nothing. After them an empty page with a token is the answer, so that a filter that
/// takes almost nothing holds no client for long.
const LIST_READS: usize = 10;

/// Reads for one count.
const COUNT_READS: usize = 1_000;

/// The metadata key of a search attribute's type, as Temporal's server writes it into the values of groups.
const TYPE: &str = "type";

impl Runtime {
    /// List executions: open ones first, the latest start at the top, then closed ones, the latest close at the top. A page may be
    /// short, even empty, and have a next one.
    ///
    /// # Errors
    ///
    /// The query is malformed (the text says where, and what is allowed), or the token is not one of this query.
    pub async fn list_workflows(
        &self,
        request: wire::ListWorkflowExecutionsRequest,
    ) -> Result<wire::ListWorkflowExecutionsResponse, Error> {
        let namespace = self.namespace_id(&request.namespace)?;
        let query = Query::of_list(&request.query, Limits::default())
            .map_err(|invalid| Error::InvalidArgument(invalid.to_string()))?;
        let fingerprint = fingerprint(namespace, &request.query);
        let mut after = match request.next_page_token.as_slice() {
            [] => None,
            token => Some(from_token(fingerprint, token)?),
        };
        let core = &self.inner.core;
        let most = core.options.list_page.max(1);
        let size = usize::try_from(request.page_size).unwrap_or(0);
        let budget = Budget {
            limit: Limit {
                executions: if size == 0 { most } else { size.min(most) },
                examined: most.saturating_mul(READ_PAGES),
            },
            // As much as a page of history may hold.
            bytes: core.options.limits.history.request_bytes / 2,
        };
        let query = Arc::new(query);
        let mut executions = Vec::new();
        for _ in 0..LIST_READS {
            let query = query.clone();
            let page = read(core, move |snapshot| {
                page(snapshot, namespace, &query, after, budget)
            })
            .await?;
            executions = page.executions;
            after = page.next;
            if !executions.is_empty() || after.is_none() {
                break;
            }
        }
        Ok(wire::ListWorkflowExecutionsResponse {
            executions: executions
                .iter()
                .map(executions::info)
                .collect::<Result<_, _>>()?,
            next_page_token: after
                .map(|position| token(fingerprint, position))
                .unwrap_or_default(),
        })
    }

    /// Count executions, on demand by status.
    ///
    /// What the store has counters for (all, or those of some statuses or of a workflow type) is a look-up. Anything else reads the
    /// executions, in steps between which others may start or close: the count is then approximate, as Temporal's is.
    ///
    /// # Errors
    ///
    /// The query is malformed (the text says where, and what is allowed), or there is too much to read for it.
    pub async fn count_workflows(
        &self,
        request: wire::CountWorkflowExecutionsRequest,
    ) -> Result<wire::CountWorkflowExecutionsResponse, Error> {
        let namespace = self.namespace_id(&request.namespace)?;
        let query = Query::of_count(&request.query, Limits::default())
            .map_err(|invalid| Error::InvalidArgument(invalid.to_string()))?;
        let core = &self.inner.core;
        let grouped = query.is_grouped();
        let plan = query.plan();
        let counts = match plan.is_exact() {
            true => read(core, move |snapshot| look_up(snapshot, namespace, &plan)).await?,
            false => count_one_by_one(core, namespace, query).await?,
        };
        Ok(counts.answer(grouped))
    }
}

/// Read from what is durable now, on a thread that may block.
async fn read<T: Send + 'static>(
    core: &Arc<Core>,
    job: impl FnOnce(&Snapshot) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let reader = core.clone();
    let done = core.tokio.spawn_blocking(move || job(&reader.snapshot()?)).await;
    done.unwrap_or_else(|error| Err(Error::Internal(format!("reading a list has panicked: {error}"))))
}

/// How much one read of a list may look at and hold.
#[derive(Debug, Clone, Copy)]
struct Budget {
    limit: Limit,
    /// Of the executions' rows; the first is taken whatever its size.
    bytes: usize,
}

fn page(
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
struct Counts([u64; Status::ALL.len()]);

impl Counts {
    fn add(&mut self, status: Status, count: u64) {
        for (sum, known) in self.0.iter_mut().zip(Status::ALL) {
            if known == status {
                *sum += count;
            }
        }
    }

    fn answer(self, grouped: bool) -> wire::CountWorkflowExecutionsResponse {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let of_status = |(status, count): (Status, u64)| {
            let mut value = payload::json_payload(&status.to_string().into());
            value.metadata.insert(TYPE.to_owned(), b"Keyword".to_vec());
            AggregationGroup {
                group_values: vec![value],
                count: number(count),
            }
        };
        let groups = Status::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, count)| grouped && *count > 0);
        wire::CountWorkflowExecutionsResponse {
            count: number(self.0.iter().sum()),
            groups: groups.map(of_status).collect(),
        }
    }
}

/// Count what the plan says all about.
fn look_up(snapshot: &Snapshot, namespace: NamespaceId, plan: &Plan) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for status in plan.statuses() {
        counts.add(status, snapshot.count(namespace, plan.group(), status)?);
    }
    Ok(counts)
}

/// Count by reading; every step reads anew, so that none keeps an old state of the database alive for long.
async fn count_one_by_one(core: &Arc<Core>, namespace: NamespaceId, query: Query) -> Result<Counts, Error> {
    let step = core.options.list_page.max(1).saturating_mul(READ_PAGES);
    let query = Arc::new(query);
    let mut counts = Counts::default();
    let mut after = None;
    for _ in 0..COUNT_READS {
        let query = query.clone();
        let (found, next) = read(core, move |snapshot| {
            count_step(snapshot, namespace, &query, after, step)
        })
        .await?;
        for (status, count) in Status::ALL.into_iter().zip(found.0) {
            counts.add(status, count);
        }
        after = next;
        if after.is_none() {
            return Ok(counts);
        }
    }
    Err(Error::ResourceExhausted(format!(
        "the count was given up after {} executions; narrow the query by WorkflowId, WorkflowType, ExecutionStatus, StartTime or \
         CloseTime",
        step.saturating_mul(COUNT_READS)
    )))
}

fn count_step(
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

/// What a query is known by in its tokens.
type Fingerprint = [u8; 8];

fn fingerprint(namespace: NamespaceId, query: &str) -> Fingerprint {
    let digest = Sha256::new()
        .chain_update(namespace.0.to_be_bytes())
        .chain_update(query)
        .finalize();
    // A digest has 32 bytes.
    digest.first_chunk().copied().unwrap_or_default()
}

/// Version of the page tokens: this byte, the query's fingerprint, the position.
const TOKEN_VERSION: u8 = 1;

fn token(fingerprint: Fingerprint, position: Position) -> Vec<u8> {
    [&[TOKEN_VERSION][..], &fingerprint, &position.to_bytes()].concat()
}

fn from_token(fingerprint: Fingerprint, token: &[u8]) -> Result<Position, Error> {
    let bad = || Error::InvalidArgument("Invalid NextPageToken.".into());
    let [TOKEN_VERSION, rest @ ..] = token else {
        return Err(bad());
    };
    let (of, position) = rest.split_first_chunk().ok_or_else(bad)?;
    let position = Position::from_bytes(position).map_err(|_| bad())?;
    if *of != fingerprint {
        let message = "Invalid NextPageToken: it belongs to another query or namespace; send it with its own, or start the list \
                       again without one.";
        return Err(Error::InvalidArgument(message.into()));
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::testing::{
        NS, SECOND, closed, execution, executions, expected, filters, query, store,
    };

    const BUDGET: Budget = Budget {
        limit: Limit {
            executions: 10,
            examined: 1_000,
        },
        bytes: 1_000_000,
    };

    #[test]
    fn a_token_is_of_its_query_alone() {
        let records: Vec<_> = (1..=3)
            .map(|run| execution(&format!("w{run}"), "Order", run, SECOND))
            .collect();
        let snapshot = store(&records).read().unwrap();
        let budget = Budget {
            limit: Limit {
                executions: 1,
                ..BUDGET.limit
            },
            ..BUDGET
        };
        let position = page(&snapshot, NS, &query(""), None, budget)
            .unwrap()
            .next
            .unwrap();
        let mine = fingerprint(NS, "WorkflowType = 'Order'");
        let made = token(mine, position);
        assert_eq!(from_token(mine, &made).unwrap(), position);
        for other in [
            fingerprint(NS, "WorkflowType = 'Other'"),
            fingerprint(NamespaceId(2), "WorkflowType = 'Order'"),
        ] {
            let error = from_token(other, &made).unwrap_err().to_string();
            assert!(
                error.starts_with("Invalid NextPageToken: it belongs to another query"),
                "{error}"
            );
        }
        let longer = [made.as_slice(), &[0]].concat();
        for bad in [&made[..made.len() - 1], &longer, &made[1..], &[1], b"garbage"] {
            assert_eq!(
                from_token(mine, bad).unwrap_err().to_string(),
                "Invalid NextPageToken."
            );
        }
    }

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
            ..BUDGET
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

    #[test]
    fn counts_are_grouped_on_demand() {
        let mut counts = Counts::default();
        counts.add(Status::TimedOut, 2);
        counts.add(Status::Running, 3);
        assert_eq!(
            counts.answer(false),
            wire::CountWorkflowExecutionsResponse {
                count: 5,
                groups: Vec::new()
            }
        );
        let answer = counts.answer(true);
        assert_eq!(answer.count, 5);
        let groups: Vec<_> = answer
            .groups
            .iter()
            .map(|group| (&group.group_values[0], group.count))
            .collect();
        let [(running, 3), (timed_out, 2)] = groups.as_slice() else {
            panic!("{groups:?}")
        };
        assert_eq!(running.data, b"\"Running\"");
        assert_eq!(running.metadata["encoding"], b"json/plain");
        assert_eq!(running.metadata["type"], b"Keyword");
        assert_eq!(timed_out.data, b"\"TimedOut\"");
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
        #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn counting_in_steps_leaves_out_nothing(records in executions(), text in filters(), examined in 1..10_usize) {
            let snapshot = store(&records).read().unwrap();
            let query = query(&text);
            let (mut count, mut after) = (0, None);
            loop {
                let (found, next) = count_step(&snapshot, NS, &query, after, examined).unwrap();
                count += found.0.iter().sum::<u64>();
                after = next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(count, expected(&records, |record| query.takes(record)).len() as u64);
        }
    }
}
