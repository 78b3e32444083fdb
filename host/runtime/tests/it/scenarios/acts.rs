//! What the client of a scenario does, an act a line. Each act has an id of its own, so that the server knows one that is sent
//! again after a crash.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use longhaul_history::{
    proto::{
        enums::v1::{
            HistoryEventFilterType, UpdateWorkflowExecutionLifecycleStage as Stage,
            WorkflowIdConflictPolicy as Conflict,
        },
        update::v1::{UpdateRef, WaitPolicy},
        workflowservice::v1 as wire,
    },
    text,
};
use longhaul_runtime::{Error, Runtime};
use serde_json::{Value, json};
use wire::{
    execute_multi_operation_request::{Operation, operation},
    execute_multi_operation_response::response,
};

use crate::{common, crashes::Step, world};

/// One act of the client; it is given an id.
pub(super) type Act = Box<dyn Fn(Runtime, String) -> Step>;

/// Rounds without a commit after which nothing is under way but activities.
const QUIET_ROUNDS: usize = 20;

type Answer = Pin<Box<dyn Future<Output = Result<Value, Error>>>>;

fn act<F>(request: impl Fn(Runtime, String) -> F + 'static) -> Act
where
    F: Future<Output = Result<Value, Error>> + 'static,
{
    Box::new(move |rt, id| Step::request(request(rt, id)))
}

/// A module is uploaded.
pub(super) fn upload(module: &'static str, queue: &'static str) -> Act {
    act(move |rt, _| async move {
        rt.upload_module(common::upload(module, queue)).await?;
        Ok(Value::Null)
    })
}

pub(super) fn start<const N: usize>(workflow_id: &'static str, kind: &'static str, input: [Value; N]) -> Act {
    act(move |rt, _| {
        let input = input.clone();
        async move {
            rt.start_workflow(world::start_request(workflow_id, kind, &input))
                .await?;
            Ok(Value::Null)
        }
    })
}

pub(super) fn signal<const N: usize>(
    workflow_id: &'static str,
    name: &'static str,
    input: [Value; N],
) -> Act {
    act(move |rt, id| {
        let input = input.clone();
        async move {
            common::signal(rt, workflow_id, name, &input, &id).await?;
            Ok(Value::Null)
        }
    })
}

/// A signal that closes the run: whoever sends it again after a crash may learn that it has.
pub(super) fn last_signal(workflow_id: &'static str, name: &'static str) -> Act {
    act(move |rt, id| async move {
        match common::signal(rt, workflow_id, name, &[], &id).await {
            Ok(()) | Err(Error::AlreadyCompleted) => Ok(Value::Null),
            Err(error) => Err(error),
        }
    })
}

/// Answers whether it has started the workflow.
pub(super) fn signal_with_start(
    workflow_id: &'static str,
    kind: &'static str,
    name: &'static str,
    input: Value,
) -> Act {
    act(move |rt, id| {
        let start = world::start_request(workflow_id, kind, &[]);
        let request = wire::SignalWithStartWorkflowExecutionRequest {
            namespace: start.namespace,
            workflow_id: start.workflow_id,
            workflow_type: start.workflow_type,
            task_queue: start.task_queue,
            request_id: id,
            signal_name: name.into(),
            signal_input: common::values(std::slice::from_ref(&input)),
            ..Default::default()
        };
        async move { Ok(json!(rt.signal_with_start(request).await?.started)) }
    })
}

/// Answers the update's value, or the message of its failure.
pub(super) fn update<const N: usize>(
    workflow_id: &'static str,
    name: &'static str,
    input: [Value; N],
) -> Act {
    act(move |rt, id| {
        let input = input.clone();
        async move { Ok(json!(common::update(rt, workflow_id, name, &input, &id).await?)) }
    })
}

/// The update is accepted; nobody waits for its outcome.
pub(super) fn accepted_update<const N: usize>(
    workflow_id: &'static str,
    name: &'static str,
    input: [Value; N],
) -> Act {
    act(move |rt, id| {
        let request = world::update_request(Stage::Accepted, workflow_id, name, &input, &id);
        async move { Ok(json!(rt.update_workflow(request).await?.stage().as_str_name())) }
    })
}

/// An update with an id of the client's, which is first accepted, and then awaited in the run that has accepted it. Answers its
/// value, or the message of its failure.
pub(super) fn awaited_update<const N: usize>(
    workflow_id: &'static str,
    name: &'static str,
    input: [Value; N],
    update_id: &'static str,
) -> [Act; 2] {
    let accepted: Rc<RefCell<Option<UpdateRef>>> = Rc::default();
    let awaited = Rc::clone(&accepted);
    [
        act(move |rt, _| {
            let request = world::update_request(Stage::Accepted, workflow_id, name, &input, update_id);
            let accepted = Rc::clone(&accepted);
            async move {
                *accepted.borrow_mut() = rt.update_workflow(request).await?.update_ref;
                Ok(Value::Null)
            }
        }),
        act(move |rt, _| {
            let request = wire::PollWorkflowExecutionUpdateRequest {
                namespace: "default".into(),
                update_ref: awaited.borrow().clone(),
                wait_policy: Some(WaitPolicy {
                    lifecycle_stage: Stage::Completed as i32,
                }),
                ..Default::default()
            };
            async move { Ok(json!(world::outcome(rt.poll_update(request).await?.outcome))) }
        }),
    ]
}

/// An update of what runs, or of what it starts. Answers the update's value, or the message of its failure.
pub(super) fn update_with_start(
    workflow_id: &'static str,
    kind: &'static str,
    start_input: Value,
    name: &'static str,
    input: Value,
) -> Act {
    act(move |rt, id| {
        let start_input = match &start_input {
            Value::Null => &[][..],
            value => std::slice::from_ref(value),
        };
        let mut start = world::start_request(workflow_id, kind, start_input);
        start.workflow_id_conflict_policy = Conflict::UseExisting as i32;
        start.request_id = format!("start of {id}");
        let input = std::slice::from_ref(&input);
        let update = world::update_request(Stage::Completed, workflow_id, name, input, &id);
        let operations = [
            operation::Operation::StartWorkflow(start),
            operation::Operation::UpdateWorkflow(update),
        ];
        let request = wire::ExecuteMultiOperationRequest {
            namespace: "default".into(),
            operations: operations
                .map(|operation| Operation {
                    operation: Some(operation),
                })
                .into(),
            ..Default::default()
        };
        async move {
            let mut answer = rt.execute_multi_operation(request).await?;
            match answer.responses.pop().and_then(|last| last.response) {
                Some(response::Response::UpdateWorkflow(update)) => Ok(json!(world::outcome(update.outcome))),
                other => panic!("the update answers last: {other:?}"),
            }
        }
    })
}

pub(super) fn query(workflow_id: &'static str, name: &'static str) -> Act {
    act(move |rt, _| common::query(rt, workflow_id, name))
}

pub(super) fn cancel(workflow_id: &'static str) -> Act {
    act(move |rt, id| async move {
        let request = wire::RequestCancelWorkflowExecutionRequest {
            namespace: "default".into(),
            workflow_execution: common::execution(workflow_id),
            reason: "no longer wanted".into(),
            request_id: id,
            ..Default::default()
        };
        rt.request_cancel(request).await?;
        Ok(Value::Null)
    })
}

/// Requests that are sent at the same time. Answers all their answers.
pub(super) fn together(acts: Vec<Act>) -> Act {
    act(move |rt, id| {
        let steps = acts.iter().enumerate();
        let steps = steps.map(|(number, act)| act(rt.clone(), format!("{id}.{number}")));
        let requests: Vec<Answer> = steps
            .map(|step| match step {
                Step::Request(request) => request,
                Step::Pass(_) => panic!("time does not pass at the same time as something else"),
            })
            .collect();
        all(requests)
    })
}

async fn all(mut requests: Vec<Answer>) -> Result<Value, Error> {
    let mut answers = vec![None; requests.len()];
    poll_fn(|context| {
        for (request, answer) in requests.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(value) = request.as_mut().poll(context)?
            {
                *answer = Some(value);
            }
        }
        match answers.iter().cloned().collect::<Option<Vec<Value>>>() {
            Some(answers) => Poll::Ready(Ok(json!(answers))),
            None => Poll::Pending,
        }
    })
    .await
}

/// Time goes by; what it brings is waited for by what follows.
pub(super) fn pass(by: Duration) -> Act {
    Box::new(move |_, _| Step::Pass(by))
}

/// Waits until executions have nothing left to do but to wait for time and messages: what time has brought has happened, too.
pub(super) fn rest<const N: usize>(workflow_ids: [&'static str; N]) -> Act {
    act(move |rt, _| {
        let (mut commits, mut quiet) = (0, 0);
        // Each look follows a round in which what is due happens.
        until(move || {
            let now = rt.store_stats().commits;
            quiet = if now == commits { quiet + 1 } else { 0 };
            commits = now;
            let mut histories = workflow_ids.iter().map(|id| history(&rt, id));
            quiet > QUIET_ROUNDS
                && histories.all(|history| history.is_some_and(|history| is_at_rest(&history)))
        })
    })
}

/// Waits until an execution's history holds a text.
pub(super) fn until_history(workflow_id: &'static str, text: &'static str) -> Act {
    act(move |rt, _| until(move || history(&rt, workflow_id).is_some_and(|history| history.contains(text))))
}

async fn until(mut holds: impl FnMut() -> bool) -> Result<Value, Error> {
    poll_fn(|_| match holds() {
        true => Poll::Ready(Ok(Value::Null)),
        false => Poll::Pending,
    })
    .await
}

/// Waits until an execution ends, in whichever run. Answers the last event.
pub(super) fn end(workflow_id: &'static str) -> Act {
    act(move |rt, _| async move {
        let mut request = wire::GetWorkflowExecutionHistoryRequest {
            namespace: "default".into(),
            execution: common::execution(workflow_id),
            wait_new_event: true,
            ..Default::default()
        };
        request.set_history_event_filter_type(HistoryEventFilterType::CloseEvent);
        loop {
            let answer = rt.history(request.clone()).await?;
            match answer.history.unwrap_or_default().events.first() {
                None => request.next_page_token = answer.next_page_token,
                Some(event) => {
                    let line = text::event(event);
                    // Without its number, which a crash may change where things happen in any order.
                    let (_, line) = line.trim_start().split_once(' ').unwrap();
                    return Ok(json!(line));
                }
            }
        }
    })
}

/// The newest run's, as the disk has it; none where there is no such execution yet.
fn history(rt: &Runtime, workflow_id: &str) -> Option<String> {
    let history = rt.whole_history("default", workflow_id, "").ok()?;
    Some(text::history(&history.events))
}

/// What begins something, and what may end it.
const PAIRS: [(&str, &[&str]); 4] = [
    (
        "WorkflowTaskScheduled",
        &[
            "WorkflowTaskCompleted",
            "WorkflowTaskFailed",
            "WorkflowTaskTimedOut",
        ],
    ),
    (
        "ActivityTaskScheduled",
        &[
            "ActivityTaskCompleted",
            "ActivityTaskFailed",
            "ActivityTaskTimedOut",
            "ActivityTaskCanceled",
        ],
    ),
    (
        "StartChildWorkflowExecutionInitiated",
        &[
            "ChildWorkflowExecutionStarted",
            "StartChildWorkflowExecutionFailed",
        ],
    ),
    (
        "SignalExternalWorkflowExecutionInitiated",
        &[
            "ExternalWorkflowExecutionSignaled",
            "SignalExternalWorkflowExecutionFailed",
        ],
    ),
];

/// Whatever has begun has ended.
fn is_at_rest(history: &str) -> bool {
    let names: Vec<&str> = history
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    let count = |wanted: &[&str]| names.iter().filter(|name| wanted.contains(name)).count();
    // A run has its first task from the beginning.
    count(&["WorkflowTaskScheduled"]) > 0 && PAIRS.iter().all(|(begin, ends)| count(&[*begin]) == count(ends))
}
