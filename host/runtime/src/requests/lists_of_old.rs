//! The list requests of old clients, each of which is a query of the list that replaced them.

use longhaul_engine::proto::{
    enums::v1::WorkflowExecutionStatus,
    filter::v1::{StartTimeFilter, StatusFilter},
    workflow::v1::WorkflowExecutionInfo,
    workflowservice::v1 as wire,
};
use longhaul_history::time::Timestamp;
use longhaul_store::Status;
use wire::{
    list_closed_workflow_executions_request::Filters as ClosedFilters,
    list_open_workflow_executions_request::Filters as OpenFilters,
};

use crate::{Error, Runtime};

impl Runtime {
    /// List open executions, by start time and by workflow id or type.
    ///
    /// # Errors
    ///
    /// As [`Runtime::list_workflows`], or the times are the wrong way round.
    pub async fn list_open_workflows(
        &self,
        request: wire::ListOpenWorkflowExecutionsRequest,
    ) -> Result<wire::ListOpenWorkflowExecutionsResponse, Error> {
        let query = open_query(&request)?;
        let (executions, next_page_token) = self
            .listed(
                request.namespace,
                request.maximum_page_size,
                request.next_page_token,
                query,
            )
            .await?;
        Ok(wire::ListOpenWorkflowExecutionsResponse {
            executions,
            next_page_token,
        })
    }

    /// List closed executions, by close time (so does Temporal's server, whatever the filter is called) and by workflow id, type or
    /// status.
    ///
    /// # Errors
    ///
    /// As [`Runtime::list_workflows`], or the times are the wrong way round, or the status is none of a closed execution.
    pub async fn list_closed_workflows(
        &self,
        request: wire::ListClosedWorkflowExecutionsRequest,
    ) -> Result<wire::ListClosedWorkflowExecutionsResponse, Error> {
        let query = closed_query(&request)?;
        let (executions, next_page_token) = self
            .listed(
                request.namespace,
                request.maximum_page_size,
                request.next_page_token,
                query,
            )
            .await?;
        Ok(wire::ListClosedWorkflowExecutionsResponse {
            executions,
            next_page_token,
        })
    }

    /// List executions in any order, which here is that of a list.
    ///
    /// # Errors
    ///
    /// As [`Runtime::list_workflows`].
    pub async fn scan_workflows(
        &self,
        request: wire::ScanWorkflowExecutionsRequest,
    ) -> Result<wire::ScanWorkflowExecutionsResponse, Error> {
        let (executions, next_page_token) = self
            .listed(
                request.namespace,
                request.page_size,
                request.next_page_token,
                request.query,
            )
            .await?;
        Ok(wire::ScanWorkflowExecutionsResponse {
            executions,
            next_page_token,
        })
    }

    /// A page of the list that has replaced them, and where the next one begins.
    async fn listed(
        &self,
        namespace: String,
        page_size: i32,
        next_page_token: Vec<u8>,
        query: String,
    ) -> Result<(Vec<WorkflowExecutionInfo>, Vec<u8>), Error> {
        let listed = self
            .list_workflows(wire::ListWorkflowExecutionsRequest {
                namespace,
                page_size,
                next_page_token,
                query,
            })
            .await?;
        Ok((listed.executions, listed.next_page_token))
    }
}

fn open_query(request: &wire::ListOpenWorkflowExecutionsRequest) -> Result<String, Error> {
    let mut tests = vec!["ExecutionStatus = 'Running'".to_owned()];
    tests.extend(within("StartTime", request.start_time_filter.as_ref())?);
    tests.extend(request.filters.as_ref().map(|filters| match filters {
        OpenFilters::ExecutionFilter(filter) => is("WorkflowId", &filter.workflow_id),
        OpenFilters::TypeFilter(filter) => is("WorkflowType", &filter.name),
    }));
    Ok(tests.join(" AND "))
}

fn closed_query(request: &wire::ListClosedWorkflowExecutionsRequest) -> Result<String, Error> {
    let mut tests = vec!["ExecutionStatus != 'Running'".to_owned()];
    tests.extend(within("CloseTime", request.start_time_filter.as_ref())?);
    match &request.filters {
        None => {}
        Some(ClosedFilters::ExecutionFilter(filter)) => tests.push(is("WorkflowId", &filter.workflow_id)),
        Some(ClosedFilters::TypeFilter(filter)) => tests.push(is("WorkflowType", &filter.name)),
        Some(ClosedFilters::StatusFilter(filter)) => {
            tests.push(is("ExecutionStatus", &closed_status(filter)?.to_string()));
        }
    }
    Ok(tests.join(" AND "))
}

/// A time that is not set, or that is Go's zero time, is no bound.
fn within(field: &str, filter: Option<&StartTimeFilter>) -> Result<Vec<String>, Error> {
    /// 0001-01-01T00:00:00Z.
    const GO_ZERO_SECONDS: i64 = -62_135_596_800;
    let Some(filter) = filter else {
        return Ok(Vec::new());
    };
    let bound =
        |time: Option<Timestamp>| time.filter(|time| (time.seconds, time.nanos) != (GO_ZERO_SECONDS, 0));
    let (earliest, latest) = (bound(filter.earliest_time), bound(filter.latest_time));
    if let (Some(earliest), Some(latest)) = (earliest, latest)
        && (earliest.seconds, earliest.nanos) > (latest.seconds, latest.nanos)
    {
        // In the words of Temporal's server.
        return Err(Error::InvalidArgument(
            "EarliestTime in StartTimeFilter should not be larger than LatestTime.".into(),
        ));
    }
    let bounds = [(">=", earliest), ("<=", latest)];
    Ok(bounds
        .into_iter()
        .filter_map(|(operator, time)| Some(format!("{field} {operator} '{}'", time?)))
        .collect())
}

fn is(field: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('\'', "''");
    format!("{field} = '{value}'")
}

fn closed_status(filter: &StatusFilter) -> Result<Status, Error> {
    let wanted = filter.status();
    Status::ALL
        .into_iter()
        .find(|status| *status as i32 == wanted as i32 && wanted != WorkflowExecutionStatus::Running)
        .ok_or_else(|| {
            // In the words of Temporal's server.
            Error::InvalidArgument("StatusFilter must be specified and must be not Running.".into())
        })
}

#[cfg(test)]
mod tests {
    use longhaul_engine::proto::filter::v1::{WorkflowExecutionFilter, WorkflowTypeFilter};
    use longhaul_history::time::timestamp_from_ns;

    use super::*;
    use crate::filter::testing::query;

    fn times(earliest_ns: Option<u64>, latest_ns: Option<u64>) -> Option<StartTimeFilter> {
        Some(StartTimeFilter {
            earliest_time: earliest_ns.map(timestamp_from_ns),
            latest_time: latest_ns.map(timestamp_from_ns),
        })
    }

    fn open(
        start_time_filter: Option<StartTimeFilter>,
        filters: Option<OpenFilters>,
    ) -> Result<String, Error> {
        open_query(&wire::ListOpenWorkflowExecutionsRequest {
            start_time_filter,
            filters,
            ..Default::default()
        })
    }

    fn closed(status: WorkflowExecutionStatus) -> Result<String, Error> {
        let status = status as i32;
        closed_query(&wire::ListClosedWorkflowExecutionsRequest {
            start_time_filter: times(None, Some(2)),
            filters: Some(ClosedFilters::StatusFilter(StatusFilter { status })),
            ..Default::default()
        })
    }

    #[test]
    fn filters_become_a_query_of_the_list() {
        assert_eq!(open(None, None).unwrap(), "ExecutionStatus = 'Running'");
        let by_type = OpenFilters::TypeFilter(WorkflowTypeFilter { name: "Order".into() });
        assert_eq!(
            open(times(Some(1), Some(1_500_000_000)), Some(by_type)).unwrap(),
            "ExecutionStatus = 'Running' AND StartTime >= '1970-01-01T00:00:00.000000001Z' \
             AND StartTime <= '1970-01-01T00:00:01.500Z' AND WorkflowType = 'Order'"
        );
        assert_eq!(
            closed(WorkflowExecutionStatus::TimedOut).unwrap(),
            "ExecutionStatus != 'Running' AND CloseTime <= '1970-01-01T00:00:00.000000002Z' AND ExecutionStatus = 'TimedOut'"
        );
    }

    // B1
    #[test]
    fn a_workflow_id_cannot_leave_its_quotes() {
        let id = r"a' OR WorkflowId != '\' ";
        let by_id = OpenFilters::ExecutionFilter(WorkflowExecutionFilter {
            workflow_id: id.into(),
            run_id: String::new(),
        });
        let text = open(None, Some(by_id)).unwrap();
        let doubled = format!(
            "ExecutionStatus = \"Running\" AND WorkflowId = \"{}\"",
            id.replace('\\', r"\\")
        );
        assert_eq!(query(&text), query(&doubled));
    }

    #[test]
    fn go_sends_its_zero_time_for_none() {
        let zero = Timestamp {
            seconds: -62_135_596_800,
            nanos: 0,
        };
        let filter = StartTimeFilter {
            earliest_time: Some(zero),
            latest_time: Some(zero),
        };
        assert_eq!(open(Some(filter), None).unwrap(), "ExecutionStatus = 'Running'");
    }

    // B1
    #[test]
    fn what_cannot_be_meant_is_refused() {
        let swapped = open(times(Some(2), Some(1)), None).unwrap_err().to_string();
        assert!(
            swapped.starts_with("EarliestTime in StartTimeFilter"),
            "{swapped}"
        );
        for status in [
            WorkflowExecutionStatus::Running,
            WorkflowExecutionStatus::Unspecified,
        ] {
            let refused = closed(status).unwrap_err().to_string();
            assert!(refused.starts_with("StatusFilter must be specified"), "{refused}");
        }
    }
}
