//! One execution of the lab: what it does, how it is driven, and how it must end.

use std::{fs, path::Path, path::PathBuf, time::Duration};

use longhaul_tests::{Client, client::until_answered};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::{LOOK_AGAIN, PATIENCE, outcome};

/// The activity id of the first activity of a run.
const FIRST: &str = "1";
/// The note with which a cancelled one ends.
const LAST_NOTE: &str = "2";
/// A cancellation comes after so many milliseconds at most.
const CANCEL_WITHIN_MS: u64 = 300;
/// The note that those with local activities wait for comes after so many milliseconds at most.
const NOTE_WITHIN_MS: u64 = 2_500;
/// The limit of a workflow task of those with local activities: some take longer, and keep more than one task open.
const TASK_TIMEOUT: Duration = Duration::from_secs(1);
/// More attempts than anybody loses between two looks.
const ATTEMPTS_AHEAD: u32 = 50;

/// What an execution is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A short activity, one that fails twice, one with heartbeats, and one that takes too long: in components.
    Wasm,
    /// The same in Python.
    Python,
    /// An activity that is completed later, by its token.
    Later,
    /// The same by its id.
    LaterById,
    /// An activity in Python that is cancelled.
    Cancelled,
    /// An activity in a component that is cancelled.
    CancelledWasm,
    /// Local activities: short ones, one that fails twice, one that waits for long before its second attempt, one that takes longer
    /// than a workflow task may, and one that takes too long; beside them one in Python, and a note that comes at any time.
    Local,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Wasm,
        Self::Python,
        Self::Later,
        Self::LaterById,
        Self::Cancelled,
        Self::CancelledWasm,
        Self::Local,
    ];
}

pub(crate) struct Execution {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    /// What is drawn for it.
    random: u64,
    /// The result that somebody else gave its activity, if that was acknowledged.
    pub(crate) given: Option<Value>,
    /// Its log.
    pub(crate) log: Vec<String>,
}

/// An activity as a step of a program.
fn activity(queue: &str, activity_type: &str, arguments: Value, more: Value) -> Value {
    let step = json!({"op": "activity", "type": activity_type, "args": arguments, "queue": queue});
    with(step, more)
}

/// A local activity.
fn local(activity_type: &str, arguments: Value, more: Value) -> Value {
    let step = json!({"op": "local_activity", "type": activity_type, "args": arguments});
    with(step, more)
}

fn with(mut step: Value, more: Value) -> Value {
    let (step_fields, more) = (step.as_object_mut().unwrap(), more.as_object().unwrap());
    step_fields.extend(more.clone());
    step
}

fn parallel<const N: usize>(steps: [Value; N]) -> Value {
    let branches: Vec<Value> = steps.into_iter().map(|step| json!([step])).collect();
    json!([{"op": "parallel", "branches": branches}])
}

/// Cancels an activity with the first note, and goes on until the second.
fn cancelled_by_note(step: Value) -> Value {
    json!([
        {"op": "race", "branches": [[step], [{"op": "wait", "notes": 1}]]},
        {"op": "wait", "notes": 2},
    ])
}

impl Kind {
    /// The limits are such that a worker which has gone is noticed soon.
    fn steps(self) -> Value {
        let silent = json!({"start_to_close_ms": 2_000});
        let beating = json!({"start_to_close_ms": 60_000, "heartbeat_ms": 1_000});
        let too_long = json!({"start_to_close_ms": 200, "attempts": 2});
        match self {
            Self::Wasm => parallel([
                activity("lab", "echo", json!(["x"]), json!({})),
                activity("lab", "flaky", json!([2]), json!({})),
                activity("lab", "beat", json!([6, 20]), beating),
                activity("lab", "slow", json!([60_000]), too_long),
            ]),
            Self::Python => parallel([
                activity("python", "quick", json!([]), silent.clone()),
                activity("python", "fails", json!([2]), silent),
                activity("python", "beats", json!([10]), beating),
                activity("python", "never", json!([]), too_long),
            ]),
            Self::Later | Self::LaterById => json!([activity("python", "later", json!([]), silent)]),
            Self::Cancelled => cancelled_by_note(activity("python", "until_cancelled", json!([]), beating)),
            Self::CancelledWasm => cancelled_by_note(activity("attempts", "Beat", json!([""]), beating)),
            Self::Local => {
                let mut steps = parallel([
                    local("echo", json!(["x"]), json!({})),
                    local("flaky", json!([2]), json!({})),
                    local("flaky", json!([1]), json!({"retry_ms": 1_500})),
                    local("slow", json!([1_200]), json!({})),
                    local(
                        "slow",
                        json!([60_000]),
                        json!({"start_to_close_ms": 300, "attempts": 2}),
                    ),
                    activity("python", "quick", json!([]), silent),
                ]);
                let rest = [
                    json!({"op": "wait", "notes": 1}),
                    local("echo", json!(["last"]), json!({})),
                ];
                steps.as_array_mut().unwrap().extend(rest);
                steps
            }
        }
    }

    fn task_timeout(self) -> Option<Duration> {
        (self == Self::Local).then_some(TASK_TIMEOUT)
    }
}

impl Execution {
    pub(crate) fn new(kind: Kind, cycle: u32, random: u64) -> Self {
        Self {
            kind,
            id: format!("{kind:?}-{cycle}"),
            random,
            given: None,
            log: Vec::new(),
        }
    }

    /// Starts it, does what it waits for, and waits for its end.
    pub(crate) async fn play(mut self, client: Client, folder: PathBuf) -> Self {
        let program = json!({"steps": self.kind.steps()});
        let (id, input) = (&self.id, [program]);
        let start = || {
            let mut client = client.clone();
            let (input, limit) = (&input, self.kind.task_timeout());
            async move { client.start_limited("Lab", id, input, id, limit).await }
        };
        until_answered(start).await.unwrap();
        match self.kind {
            Kind::Wasm | Kind::Python => {}
            Kind::Later | Kind::LaterById => self.given = self.complete(&client, &folder).await,
            Kind::Cancelled | Kind::CancelledWasm => {
                sleep(Duration::from_millis(self.random % CANCEL_WITHIN_MS)).await;
                self.note(&client, "1").await;
                self.wait_for_outcome(&client).await;
                self.note(&client, LAST_NOTE).await;
            }
            Kind::Local => {
                sleep(Duration::from_millis(self.random % NOTE_WITHIN_MS)).await;
                self.note(&client, LAST_NOTE).await;
            }
        }
        let id = &self.id;
        let result = until_answered(|| {
            let mut client = client.clone();
            async move { client.result(id).await }
        });
        let log = result
            .await
            .unwrap()
            .unwrap_or_else(|end| panic!("{id}: {end:?}"));
        self.log = serde_json::from_value(log).unwrap();
        self
    }

    async fn note(&self, client: &Client, text: &str) {
        let (id, request) = (&self.id, format!("{}-note-{text}", self.id));
        let signal = || {
            let (mut client, request) = (client.clone(), &request);
            async move { client.signal(id, "note", &[json!(text)], request).await }
        };
        match until_answered(signal).await {
            // The last one lets it close; it has, and the answer to the same request was lost.
            Err(status) if status.code() == Code::NotFound && text == LAST_NOTE => {}
            answer => answer.unwrap(),
        }
    }

    /// Waits until history says how its only activity has ended.
    async fn wait_for_outcome(&self, client: &Client) {
        let began = Instant::now();
        while !self.has_outcome(client).await {
            assert!(
                began.elapsed() < PATIENCE,
                "{}: the activity does not end",
                self.id
            );
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn has_outcome(&self, client: &Client) -> bool {
        let history = || {
            let (mut client, id) = (client.clone(), &self.id);
            async move { client.history(id, "").await }
        };
        let events = until_answered(history).await.unwrap();
        outcome::of(&events)
            .iter()
            .any(|activity| !activity.outcomes.is_empty())
    }

    /// Completes its activity in place of the worker, with the number of an attempt. That, if the server has said yes.
    async fn complete(&self, client: &Client, folder: &Path) -> Option<Value> {
        let (mut tried, began) = (0, Instant::now());
        loop {
            let path = |attempt: u32| folder.join(format!("token-{}-{attempt}", self.id));
            let newest = (tried + 1..=tried + ATTEMPTS_AHEAD)
                .rev()
                .find(|attempt| path(*attempt).exists());
            let Some(attempt) = newest else {
                assert!(
                    began.elapsed() < PATIENCE,
                    "{}: no attempt after {tried}",
                    self.id
                );
                if self.has_outcome(client).await {
                    // It was taken, and the acknowledgement was lost.
                    return None;
                }
                sleep(LOOK_AGAIN).await;
                continue;
            };
            tried = attempt;
            let (result, token) = (json!(attempt), &fs::read(path(attempt)).unwrap());
            let complete = || {
                let (mut client, id, result) = (client.clone(), &self.id, &result);
                async move {
                    if self.kind == Kind::Later {
                        client.complete_activity(token.clone(), result).await
                    } else {
                        client.complete_activity_by_id(id, FIRST, result).await
                    }
                }
            };
            match until_answered(complete).await {
                Ok(()) => return Some(result),
                // This attempt's time is over, or the answer to the same request was lost.
                Err(status) if status.code() == Code::NotFound => {}
                Err(status) => panic!("{}: {status}", self.id),
            }
        }
    }
}
