//! Whole histories as text, without what two servers cannot have in common: every attribute of every event, payloads as the JSON
//! values that they hold.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use longhaul_history::{HistoryEvent, json, text};
use longhaul_tests::{Client, Language, Server};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::server_in;

/// Times; sizes of what was written, which may be longer in one language; what names a component by its digest, or a process by its
/// number; which SDK the component was made with.
const LEFT_OUT: [&str; 13] = [
    "eventTime",
    "taskId",
    "workflowExecutionExpirationTime",
    // Of local activities, in the value that their markers hold.
    "complete_time",
    "original_schedule_time",
    "historySizeBytes",
    "identity",
    "deploymentVersion",
    "workerDeploymentVersion",
    "sdkName",
    "sdkVersion",
    // Of failures.
    "source",
    // Random numbers beside the value of a side effect: hash maps of Rust's standard library draw keys for the order of their
    // entries from outside of the SDK, so that a replay has to be told which. Go's maps draw from the run's own seed.
    "rust-hash-keys",
];
/// How many lines that differ are shown; what follows the first few is mostly their consequence.
const SHOWN_LINES: usize = 20;
/// The length of an id as UUIDs are written.
const UUID_CHARS: usize = 36;

/// Plays a script in each language, and compares what is in the histories of all executions.
#[track_caller]
pub(super) fn same_histories(guests: &[&str], queue: &str, play: impl Fn(&Server)) {
    let [rust, go] = Language::ALL.map(|language| {
        let server = server_in(language, guests, queue);
        play(&server);
        histories(&server)
    });
    if let Some(diff) = text::diff(&rust, &go) {
        let differs = |line: &&str| line.starts_with(['-', '+']);
        let lines: Vec<&str> = diff.lines().filter(differs).take(SHOWN_LINES).collect();
        panic!("- in Rust, + in Go:\n{}", lines.join("\n"));
    }
}

/// The histories of all runs, in the order of their workflow ids, and of the runs' starts.
fn histories(server: &Server) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut histories = runtime.block_on(async {
        let mut client = Client::new(server.address());
        let mut histories = Vec::new();
        for (workflow_id, run_id) in client.executions().await.unwrap() {
            let events = client.history(&workflow_id, &run_id).await.unwrap();
            let start = events[0].event_time.map(|time| (time.seconds, time.nanos));
            histories.push((workflow_id, start, events));
        }
        histories
    });
    assert!(!histories.is_empty(), "nothing was played");
    histories.sort_by(|(a_id, a_start, _), (b_id, b_start, _)| (a_id, a_start).cmp(&(b_id, b_start)));
    let mut ids = Ids::default();
    let mut text = String::new();
    for (workflow_id, _, events) in &histories {
        text += &format!("{workflow_id}\n");
        for event in events {
            text += &format!("  {}\n", line(event, &mut ids));
        }
    }
    text
}

/// An event: its number, its type, and all its attributes in the order of their names.
fn line(event: &HistoryEvent, ids: &mut Ids) -> String {
    let written = json::to_string(event).unwrap();
    let mut written: Map<String, Value> = serde_json::from_str(&written).unwrap();
    let number = written.remove("eventId");
    let kind = written.remove("eventType");
    let written = plain(Value::Object(written), ids);
    format!(
        "{:>3} {} {written}",
        number.as_ref().and_then(Value::as_str).unwrap_or_default(),
        kind.as_ref().and_then(Value::as_str).unwrap_or_default()
    )
}

/// Random ids, numbered in the order in which they are met: whether two of them are the same one is compared, too.
#[derive(Default)]
struct Ids(BTreeMap<String, usize>);

impl Ids {
    /// A text with its random ids replaced; they may be a part of it.
    fn plain(&mut self, text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let id = rest.get(..UUID_CHARS).filter(|id| Uuid::try_parse(id).is_ok());
            let length = match id {
                Some(id) => {
                    let next = self.0.len() + 1;
                    let number = *self.0.entry(id.to_owned()).or_insert(next);
                    plain += &format!("id-{number}");
                    id.len()
                }
                None => {
                    plain.push(first);
                    first.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        plain
    }
}

/// A part of an event without what is left out.
fn plain(value: Value, ids: &mut Ids) -> Value {
    match value {
        Value::Object(fields) if is_payload(&fields) => payload(&fields, ids),
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name, plain(value, ids))).collect())
        }
        Value::Array(values) => values.into_iter().map(|value| plain(value, ids)).collect(),
        Value::String(text) => ids.plain(&text).into(),
        other => other,
    }
}

fn is_payload(fields: &Map<String, Value>) -> bool {
    fields
        .get("metadata")
        .is_some_and(|metadata| metadata["encoding"].is_string())
}

/// A payload with what its bytes say. Where they are JSON, it is their value that counts.
fn payload(fields: &Map<String, Value>, ids: &mut Ids) -> Value {
    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let metadata: Map<String, Value> = fields["metadata"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()))
        .map(|(key, value)| {
            let bytes = bytes(value);
            (key.clone(), String::from_utf8(bytes).unwrap().into())
        })
        .collect();
    let data = fields.get("data").map_or_else(Vec::new, bytes);
    let data = match serde_json::from_slice::<Value>(&data) {
        // Random ids may be in it.
        Ok(value) => plain(value, ids),
        Err(_) => json!({"bytes": data}),
    };
    json!({"metadata": metadata, "data": data})
}
