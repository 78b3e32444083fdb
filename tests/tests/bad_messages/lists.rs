//! List, count, and pages of history.

use super::*;

// B1: list and count: filters, pages and tokens that are none.
#[test]
fn a_list_that_is_wrong_in_one_place_is_refused() {
    let server = server();
    let mut refusals = Refusals(Vec::new());
    let list = |query: &str, page_size: i32, token: &[u8]| ListWorkflowExecutionsRequest {
        namespace: namespace(),
        query: query.to_owned(),
        page_size,
        next_page_token: token.to_vec(),
    };
    wait(async {
        let mut client = client(&server);
        for filter in [
            "WorkflowId",
            "WorkflowId =",
            "WorkflowId = 'a",
            "WorkflowId == 'a'",
            "= 'a'",
            "(WorkflowId = 'a'",
            "WorkflowId = 'a')",
            "WorkflowId = 'a' AND",
            "WorkflowId IN ()",
            "WorkflowId IN 'a'",
            "StartTime BETWEEN 'a'",
            "StartTime > 'yesterday'",
            "ExecutionStatus = 'Asleep'",
            "WorkflowId STARTS_WITH 7",
            "Colour = 'red'",
            "WorkflowId = 'a'; DROP TABLE executions",
            "ORDER BY Colour",
            "\0",
        ] {
            let answer = client.list_workflow_executions(list(filter, 0, b""));
            refusals
                .of(&format!("filter {filter:?}"), answer, Code::InvalidArgument, &[])
                .await;
            let answer = client.count_workflow_executions(CountWorkflowExecutionsRequest {
                namespace: namespace(),
                query: filter.to_owned(),
            });
            refusals
                .of(&format!("count {filter:?}"), answer, Code::InvalidArgument, &[])
                .await;
        }
        let nested = format!("{}WorkflowId = 'a'{}", "(".repeat(5_000), ")".repeat(5_000));
        let many = vec!["WorkflowId = 'a'"; 20_000].join(" OR ");
        for (what, filter) in [("nested", nested), ("many", many)] {
            let answer = client.list_workflow_executions(list(&filter, 0, b""));
            refusals.of(what, answer, Code::InvalidArgument, &[]).await;
        }
        for token in [&b"x"[..], &[0; 64], &[0xff; 64]] {
            let answer = client.list_workflow_executions(list("", 0, token));
            refusals
                .of(
                    &format!("token {token:?}"),
                    answer,
                    Code::InvalidArgument,
                    &["oken"],
                )
                .await;
            let history = GetWorkflowExecutionHistoryRequest {
                namespace: namespace(),
                execution: run(ID, ""),
                next_page_token: token.to_vec(),
                ..Default::default()
            };
            let answer = client.get_workflow_execution_history(history);
            refusals
                .of(
                    &format!("history token {token:?}"),
                    answer,
                    Code::InvalidArgument,
                    &["oken"],
                )
                .await;
        }
    });
    refusals.none_is_missing();
}
