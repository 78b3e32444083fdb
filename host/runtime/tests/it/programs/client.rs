//! Clients: they ask, ask again after a crash, and remember what they were told.

use std::{collections::HashMap, future::Future, pin::Pin};

use longhaul_history::{
    Attributes, payload,
    proto::{
        enums::v1::{
            HistoryEventFilterType, UpdateWorkflowExecutionLifecycleStage as Stage,
            WorkflowIdConflictPolicy as Conflict,
        },
        update::v1 as update,
        workflowservice::v1 as wire,
    },
};
use longhaul_runtime::{Error, Runtime};
use serde_json::{Value, json};
use wire::{
    execute_multi_operation_request::{Operation, operation},
    execute_multi_operation_response::response,
};

use super::plan::{Action, Op, Plan};
use crate::{
    common,
    world::{outcome, start_request, update_request},
};

/// A request that is under way.
pub(crate) type Asked = Pin<Box<dyn Future<Output = Result<Value, Error>>>>;

/// Send a request.
pub(crate) fn ask(rt: Runtime, plan: &Plan, op: &Op) -> Asked {
    let (to, id) = (op.to.clone(), op.id.clone());
    let start = || {
        let program = plan.programs[op.root].clone();
        start_request(&to, "Lab", &[program])
    };
    match op.action.clone() {
        Action::Start => {
            let start = start();
            Box::pin(async move { rt.start_workflow(start).await.map(|_| Value::Null) })
        }
        Action::SignalWithStart(text) => {
            let start = start();
            let request = wire::SignalWithStartWorkflowExecutionRequest {
                namespace: start.namespace,
                workflow_id: start.workflow_id,
                workflow_type: start.workflow_type,
                task_queue: start.task_queue,
                input: start.input,
                request_id: id,
                signal_name: "note".into(),
                signal_input: common::values(&[json!(text)]),
                ..Default::default()
            };
            Box::pin(async move { rt.signal_with_start(request).await.map(|_| Value::Null) })
        }
        Action::UpdateWithStart(number) => {
            let request = update_with_start(start(), number, &id);
            Box::pin(async move { updated(rt.execute_multi_operation(request).await?) })
        }
        Action::Note(text) => signal(rt, to, "note", json!(text), id),
        Action::Run(steps) => signal(rt, to, "run", Value::Array(steps), id),
        Action::Nobody => signal(rt, "nobody".into(), "note", json!("x"), id),
        Action::Add(number) => update(rt, to, "add", json!(number), id),
        Action::Reject => update(rt, to, "add", json!(-1), id),
        Action::Fail(message) => update(rt, to, "fail", json!(message), id),
        Action::RunUpdate { steps, poll: false } => update(rt, to, "run", Value::Array(steps), id),
        Action::RunUpdate { steps, poll: true } => {
            let request = update_request(Stage::Accepted, &to, "run", &[Value::Array(steps)], &id);
            Box::pin(async move {
                let accepted = rt.update_workflow(request).await?;
                let request = wire::PollWorkflowExecutionUpdateRequest {
                    namespace: "default".into(),
                    // The run that has taken it: the chain may have gone on.
                    update_ref: accepted.update_ref,
                    wait_policy: Some(update::WaitPolicy {
                        lifecycle_stage: Stage::Completed as i32,
                    }),
                    ..Default::default()
                };
                let completed = rt.poll_update(request).await?;
                Ok(json!(outcome(completed.outcome)))
            })
        }
        Action::QueryLog | Action::Await => Box::pin(async move { common::query(rt, &to, "log").await }),
        Action::QuerySum => Box::pin(async move { common::query(rt, &to, "sum").await }),
        Action::Cancel => {
            let request = wire::RequestCancelWorkflowExecutionRequest {
                namespace: "default".into(),
                workflow_execution: common::execution(&to),
                request_id: id,
                ..Default::default()
            };
            Box::pin(async move { rt.request_cancel(request).await.map(|_| Value::Null) })
        }
        Action::Terminate => {
            let request = wire::TerminateWorkflowExecutionRequest {
                namespace: "default".into(),
                workflow_execution: common::execution(&to),
                ..Default::default()
            };
            Box::pin(async move { rt.terminate(request).await.map(|_| Value::Null) })
        }
        Action::Closed => Box::pin(async move { closed(rt, &to).await }),
    }
}

fn signal(rt: Runtime, to: String, name: &'static str, input: Value, id: String) -> Asked {
    Box::pin(async move {
        common::signal(rt, &to, name, &[input], &id)
            .await
            .map(|()| Value::Null)
    })
}

fn update(rt: Runtime, to: String, name: &'static str, input: Value, id: String) -> Asked {
    Box::pin(async move {
        common::update(rt, &to, name, &[input], &id)
            .await
            .map(|outcome| json!(outcome))
    })
}

fn update_with_start(
    mut start: wire::StartWorkflowExecutionRequest,
    number: i64,
    id: &str,
) -> wire::ExecuteMultiOperationRequest {
    start.workflow_id_conflict_policy = Conflict::UseExisting as i32;
    let update = update_request(Stage::Completed, &start.workflow_id, "add", &[json!(number)], id);
    let operations = [
        operation::Operation::StartWorkflow(start),
        operation::Operation::UpdateWorkflow(update),
    ];
    wire::ExecuteMultiOperationRequest {
        namespace: "default".into(),
        operations: operations
            .map(|operation| Operation {
                operation: Some(operation),
            })
            .into(),
        ..Default::default()
    }
}

fn updated(answer: wire::ExecuteMultiOperationResponse) -> Result<Value, Error> {
    match answer.responses.into_iter().nth(1).and_then(|r| r.response) {
        Some(response::Response::UpdateWorkflow(update)) => Ok(json!(outcome(update.outcome))),
        other => panic!("the second answer is the update's: {other:?}"),
    }
}

/// How the last run of an execution has ended, and with which result.
async fn closed(rt: Runtime, id: &str) -> Result<Value, Error> {
    let mut request = wire::GetWorkflowExecutionHistoryRequest {
        namespace: "default".into(),
        execution: common::execution(id),
        wait_new_event: true,
        ..Default::default()
    };
    request.set_history_event_filter_type(HistoryEventFilterType::CloseEvent);
    loop {
        let answer = rt.history(request.clone()).await?;
        let event = answer.history.unwrap_or_default().events.pop();
        return Ok(match event.and_then(|event| event.attributes) {
            None => {
                request.next_page_token = answer.next_page_token;
                continue;
            }
            Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_)) => {
                request.next_page_token.clear();
                continue;
            }
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(completed)) => {
                let result = payload::to_json(&completed.result.unwrap().payloads[0]).unwrap();
                json!({"completed": result})
            }
            Some(Attributes::WorkflowExecutionFailedEventAttributes(failed)) => {
                json!({"failed": failed.failure.unwrap().message})
            }
            Some(Attributes::WorkflowExecutionCanceledEventAttributes(_)) => json!("cancelled"),
            Some(Attributes::WorkflowExecutionTerminatedEventAttributes(_)) => json!("terminated"),
            Some(other) => panic!("{id} was closed by {other:?}"),
        });
    }
}

/// What clients know of one root.
#[derive(Default)]
struct Known {
    /// The longest log that a query has shown: it only ever grows.
    log: Vec<String>,
    /// Lines that an acknowledged request has led to.
    lines: Vec<String>,
    /// Numbers that an answered update has added.
    bits: i64,
    /// Sums that updates have answered.
    sums: Vec<i64>,
}

/// What was known when a request was sent: its answer knows at least as much.
#[derive(Default, Clone)]
pub(crate) struct Before {
    log: usize,
    lines: Vec<String>,
    bits: i64,
}

/// All that the clients were told.
#[derive(Default)]
pub(crate) struct Told {
    roots: HashMap<String, Known>,
    /// How often each request was sent.
    pub(crate) sends: HashMap<String, usize>,
    /// Outcomes of updates, by request.
    outcomes: HashMap<String, Value>,
    /// How executions ended.
    pub(crate) ends: HashMap<String, Value>,
}

/// What to do behind an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Next,
    /// It is not there yet: ask again when time has passed.
    Wait,
}

impl Told {
    pub(crate) fn before(&self, op: &Op) -> Before {
        self.roots
            .get(&op.to)
            .map_or_else(Before::default, |known| Before {
                log: known.log.len(),
                lines: known.lines.clone(),
                bits: known.bits,
            })
    }

    /// The longest log that was seen.
    pub(crate) fn log(&self, id: &str) -> &[String] {
        self.roots.get(id).map_or(&[], |known| &known.log)
    }

    /// Take an answer in.
    pub(crate) fn hear(
        &mut self,
        plan: &Plan,
        op: &Op,
        before: &Before,
        answer: Result<Value, Error>,
    ) -> Then {
        let again = self.sends.get(&op.id).copied().unwrap_or(0) > 1;
        let known = self.roots.entry(op.to.clone()).or_default();
        let answer = match (&op.action, answer) {
            (Action::Nobody, Err(Error::WorkflowNotFound(_))) => return Then::Next,
            // It was done before the crash that took its answer away.
            (Action::Terminate | Action::Note(_), Err(Error::AlreadyCompleted)) if again => {
                return Then::Next;
            }
            // A child of a child, which is still to be started.
            (Action::Closed, Err(Error::WorkflowNotFound(_))) => return Then::Wait,
            (_, Err(error)) => panic!("{op:?}: {error}"),
            (_, Ok(answer)) => answer,
        };
        match &op.action {
            Action::Nobody => panic!("nobody has taken a signal"),
            Action::Start | Action::Cancel | Action::Terminate => {}
            Action::SignalWithStart(_) | Action::Note(_) => known.lines.extend(op.lines.clone()),
            // Its handler may still run; the first line is written at once.
            Action::Run(_) => known.lines.extend(op.lines.first().cloned()),
            Action::Reject => assert_eq!(answer, json!({"Err": "negative"}), "{op:?}"),
            Action::Fail(message) => assert_eq!(answer, json!({"Err": message}), "{op:?}"),
            Action::RunUpdate { .. } => {
                let length = answer["Ok"].as_u64().unwrap_or(0);
                assert!(length >= 1, "{op:?}: {answer}");
                known.lines.extend(op.lines.clone());
                // On a chain, a request that was sent again may have run in another run.
                if !plan.roots[op.root].continues {
                    same(&mut self.outcomes, op, &answer);
                }
            }
            Action::UpdateWithStart(bit) | Action::Add(bit) => {
                let sum = answer["Ok"]
                    .as_i64()
                    .unwrap_or_else(|| panic!("{op:?}: {answer}"));
                assert_eq!(sum & bit, *bit, "{op:?}: {sum} has its own number in it");
                if same(&mut self.outcomes, op, &answer) {
                    assert_eq!(
                        sum & before.bits,
                        before.bits,
                        "{op:?}: {sum} has all in it that was answered"
                    );
                    known.sums.push(sum);
                    known.bits |= bit;
                }
            }
            Action::QuerySum => {
                let sum = answer.as_i64().unwrap_or_else(|| panic!("{op:?}: {answer}"));
                assert_eq!(sum & before.bits, before.bits, "Q2: {op:?}: {sum}");
            }
            Action::QueryLog | Action::Await => {
                let log: Vec<String> = serde_json::from_value(answer).unwrap();
                known.see(&log, before, op);
                if op.action == Action::Await && !plan.expected[&op.to].is_met_by(&log) {
                    return Then::Wait;
                }
            }
            Action::Closed => {
                self.ends.insert(op.to.clone(), answer);
            }
        }
        Then::Next
    }

    /// The sums that updates of a root have answered are those of one order in which the numbers were added.
    pub(crate) fn check_sums(&self, plan: &Plan) {
        for root in &plan.roots {
            let mut sums = self
                .roots
                .get(&root.id)
                .map_or_else(Vec::new, |known| known.sums.clone());
            sums.sort_by_key(|sum| sum.count_ones());
            for pair in sums.windows(2) {
                assert!(
                    pair[0] & pair[1] == pair[0] && pair[0] != pair[1],
                    "U4, U5: the sums of {} belong to no order: {sums:?}",
                    root.id
                );
            }
        }
    }
}

impl Known {
    fn see(&mut self, log: &[String], before: &Before, op: &Op) {
        let common = log.len().min(self.log.len());
        assert_eq!(
            log[..common],
            self.log[..common],
            "{op:?}: what a query has shown stays as it was"
        );
        assert!(
            log.len() >= before.log,
            "{op:?}: a query sees less than one before it"
        );
        for line in &before.lines {
            assert!(
                log.contains(line),
                "Q2: {op:?}: {line:?} was acknowledged, and is not in {log:?}"
            );
        }
        if log.len() > self.log.len() {
            self.log = log.to_vec();
        }
    }
}

/// Every answer to one update is the same. True if this is the first.
fn same(outcomes: &mut HashMap<String, Value>, op: &Op, answer: &Value) -> bool {
    match outcomes.get(&op.id) {
        None => outcomes.insert(op.id.clone(), answer.clone()).is_none(),
        Some(first) => {
            assert_eq!(answer, first, "U4: {op:?}");
            false
        }
    }
}
