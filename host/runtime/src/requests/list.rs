//! Lists and counts of executions.

use std::sync::Arc;

use longhaul_engine::proto::workflowservice::v1 as wire;
use longhaul_history::payload;
use longhaul_store::{Limit, NamespaceId, Position, Snapshot, Status};
use sha2::{Digest as _, Sha256};
use wire::count_workflow_executions_response::AggregationGroup;

use crate::{
    Error, Runtime,
    core::Core,
    executions,
    filter::{self, Budget, Counts, Limits, Query},
};

/// Executions that one read looks at, as a multiple of a full page.
const READ_PAGES: usize = 10;

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
        let query = Query::of_list(
            &request.query,
            Limits::default(),
            &self.inner.core.attributes.of(namespace),
        )
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
        for _ in 0..core.options.list_reads {
            let query = query.clone();
            let page = read(core, move |snapshot| {
                filter::page(snapshot, namespace, &query, after, budget)
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
        let query = Query::of_count(
            &request.query,
            Limits::default(),
            &self.inner.core.attributes.of(namespace),
        )
        .map_err(|invalid| Error::InvalidArgument(invalid.to_string()))?;
        let core = &self.inner.core;
        let grouped = query.is_grouped();
        let plan = query.plan();
        let counts = match plan.is_exact() {
            true => read(core, move |snapshot| filter::look_up(snapshot, namespace, &plan)).await?,
            false => count_one_by_one(core, namespace, query).await?,
        };
        Ok(answer(counts, grouped))
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

/// A count as Temporal's server answers it; groups that are empty are left out.
fn answer(counts: Counts, grouped: bool) -> wire::CountWorkflowExecutionsResponse {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let of_status = |(status, count): (Status, u64)| {
        let mut value = payload::json_payload(&status.to_string().into());
        value.metadata.insert(TYPE.to_owned(), b"Keyword".to_vec());
        AggregationGroup {
            group_values: vec![value],
            count: number(count),
        }
    };
    let groups = counts.by_status().filter(|(_, count)| grouped && *count > 0);
    wire::CountWorkflowExecutionsResponse {
        count: number(counts.total()),
        groups: groups.map(of_status).collect(),
    }
}

/// Count by reading; every step reads anew, so that none keeps an old state of the database alive for long.
async fn count_one_by_one(core: &Arc<Core>, namespace: NamespaceId, query: Query) -> Result<Counts, Error> {
    let step = core.options.list_page.max(1).saturating_mul(READ_PAGES);
    let query = Arc::new(query);
    let mut counts = Counts::default();
    let mut after = None;
    for _ in 0..core.options.count_reads {
        let query = query.clone();
        let (found, next) = read(core, move |snapshot| {
            filter::count_step(snapshot, namespace, &query, after, step)
        })
        .await?;
        counts.merge(found);
        after = next;
        if after.is_none() {
            return Ok(counts);
        }
    }
    Err(Error::ResourceExhausted(format!(
        "the count was given up after {} executions; narrow the query by WorkflowId, WorkflowType, ExecutionStatus, StartTime, \
         CloseTime or = on a search attribute",
        step.saturating_mul(core.options.count_reads)
    )))
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
    use super::*;
    use crate::filter::testing::{NS, SECOND, execution, query, store};

    #[test]
    fn a_token_is_of_its_query_alone() {
        let records: Vec<_> = (1..=3)
            .map(|run| execution(&format!("w{run}"), "Order", run, SECOND))
            .collect();
        let snapshot = store(&records).read().unwrap();
        let budget = Budget {
            limit: Limit {
                executions: 1,
                examined: 10,
            },
            bytes: 1_000_000,
        };
        let position = filter::page(&snapshot, NS, &query(""), None, budget)
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
    fn counts_are_grouped_on_demand() {
        let mut counts = Counts::default();
        counts.add(Status::TimedOut, 2);
        counts.add(Status::Running, 3);
        assert_eq!(
            answer(counts, false),
            wire::CountWorkflowExecutionsResponse {
                count: 5,
                groups: Vec::new()
            }
        );
        let answer = answer(counts, true);
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
}
