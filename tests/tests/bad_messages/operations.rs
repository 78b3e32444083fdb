//! What acts on an execution from outside: cancel, terminate, delete, describe, reset.

use super::*;

// B1, E4, E9: cancel, terminate, reset and delete of what is not there, and resets to nowhere.
#[test]
fn an_operation_on_what_is_not_there_is_refused() {
    let server = server();
    let before = seen(&server);
    let mut refusals = Refusals(Vec::new());
    wait(async {
        let mut client = client(&server);
        for (id, run_id, code, word) in [
            ("", "", Code::InvalidArgument, "WorkflowId"),
            ("nobody", "", Code::NotFound, "nobody"),
            (ID, NO_RUN, Code::NotFound, NO_RUN),
            (ID, "7", Code::InvalidArgument, "RunId"),
        ] {
            let what = |verb: &str| format!("{verb} {id:?} {run_id:?}");
            let cancel = RequestCancelWorkflowExecutionRequest {
                namespace: namespace(),
                workflow_execution: run(id, run_id),
                ..Default::default()
            };
            let answer = client.request_cancel_workflow_execution(cancel);
            refusals.of(&what("cancel"), answer, code, &[word]).await;
            let terminate = TerminateWorkflowExecutionRequest {
                namespace: namespace(),
                workflow_execution: run(id, run_id),
                ..Default::default()
            };
            let answer = client.terminate_workflow_execution(terminate);
            refusals.of(&what("terminate"), answer, code, &[word]).await;
            let delete = DeleteWorkflowExecutionRequest {
                namespace: namespace(),
                workflow_execution: run(id, run_id),
            };
            let answer = client.delete_workflow_execution(delete);
            refusals.of(&what("delete"), answer, code, &[word]).await;
            let describe = DescribeWorkflowExecutionRequest {
                namespace: namespace(),
                execution: run(id, run_id),
            };
            let answer = client.describe_workflow_execution(describe);
            refusals.of(&what("describe"), answer, code, &[word]).await;
            let history = GetWorkflowExecutionHistoryRequest {
                namespace: namespace(),
                execution: run(id, run_id),
                ..Default::default()
            };
            let answer = client.get_workflow_execution_history(history);
            refusals.of(&what("history"), answer, code, &[word]).await;
        }
        // A handle to an execution does not reach another one that has got its id since.
        let cancel = RequestCancelWorkflowExecutionRequest {
            namespace: namespace(),
            workflow_execution: run(ID, ""),
            first_execution_run_id: NO_RUN.to_owned(),
            ..Default::default()
        };
        let answer = client.request_cancel_workflow_execution(cancel);
        refusals
            .of("cancel another chain", answer, Code::NotFound, &[NO_RUN])
            .await;
        let terminate = TerminateWorkflowExecutionRequest {
            namespace: namespace(),
            workflow_execution: run(ID, ""),
            first_execution_run_id: NO_RUN.to_owned(),
            ..Default::default()
        };
        let answer = client.terminate_workflow_execution(terminate);
        refusals
            .of("terminate another chain", answer, Code::NotFound, &[NO_RUN])
            .await;
        // Events 1 and 2 are the start and the scheduled task; 3 begins the task, 4 ends it.
        for event in [0, -1, 1, 2, 99] {
            let reset = ResetWorkflowExecutionRequest {
                namespace: namespace(),
                workflow_execution: run(ID, ""),
                workflow_task_finish_event_id: event,
                request_id: format!("reset {event}"),
                ..Default::default()
            };
            let answer = client.reset_workflow_execution(reset);
            refusals
                .of(&format!("reset to {event}"), answer, Code::InvalidArgument, &[])
                .await;
        }
    });
    refusals.none_is_missing();
    assert_eq!(seen(&server), before);
}
