//! A client's script, played with a crash at every commit in turn: what the client sees and what the histories hold must be the same
//! as without.

use std::{future::Future, pin::Pin, time::Duration};

use longhaul_history::{Attributes, HistoryEvent, text};
use longhaul_runtime::{Error, Options, Runtime, Warm};
use longhaul_sandbox::Sandbox;
use longhaul_store::{
    Pending, Store,
    faults::{FaultyDisk, Loss},
};
use serde_json::Value;

use crate::{common, world::*};

/// What a client does next.
pub(crate) enum Step {
    /// One request; it is sent again after a crash that left it without an answer.
    Request(Pin<Box<dyn Future<Output = Result<Value, Error>>>>),
    /// So much time goes by.
    Pass(Duration),
}

impl Step {
    pub(crate) fn request(request: impl Future<Output = Result<Value, Error>> + 'static) -> Self {
        Self::Request(Box::pin(request))
    }
}

/// What a client does, and what is looked at in the end.
pub(crate) struct Script<'a> {
    /// Modules, each with its queue; they are there before the first step.
    pub(crate) modules: &'a [(&'a str, &'a str)],
    pub(crate) shards: usize,
    pub(crate) options: Options,
    /// The steps, in order.
    pub(crate) steps: &'a dyn Fn(Runtime, usize) -> Option<Step>,
    /// Executions whose histories are compared.
    pub(crate) executions: &'a [&'a str],
    pub(crate) comparison: Comparison,
    /// Leave the histories that nothing has disturbed for the judge, under this name. A crash changes nothing that it looks at.
    pub(crate) export: Option<&'a str>,
}

impl Default for Script<'_> {
    fn default() -> Self {
        Self {
            modules: &[],
            shards: 1,
            options: common::options(),
            steps: &|_, _| None,
            executions: &[],
            comparison: Comparison::Exact,
            export: None,
        }
    }
}

/// What of two histories must be equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Comparison {
    /// Event for event.
    Exact,
    /// The events but those of workflow tasks, whatever their order: where several things happen at the same time, a crash may change
    /// which of them comes first, and which come together.
    AnyOrder,
}

/// The history of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) workflow_id: String,
    /// The first run of a chain is number 1.
    pub(crate) run: usize,
    pub(crate) history: String,
}

/// The client's answers and the histories.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) answers: Vec<Value>,
    pub(crate) runs: Vec<Seen>,
}

/// Messages between executions that have no answer, as the disk has them.
pub(crate) fn unanswered(world: &World) -> usize {
    let disk = world.disk.crash(Loss::All);
    let store = Store::open_with_backend(common::options().store, disk).unwrap();
    store.read().unwrap().pending(Pending::Outbox).unwrap().count()
}

/// When the power goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Crash {
    Never,
    /// Right after this commit: it is durable, and nobody has been told.
    AfterCommit(u64),
    /// At this sync: what it would have made durable is lost, or some of it.
    AtSync(u64),
}

/// What all plays of a script begin with: a disk that has the modules, and a sandbox in which they are compiled.
struct Stage {
    disk: FaultyDisk,
    warm: Warm,
}

impl Script<'_> {
    async fn stage(&self) -> Stage {
        let mut world = World::sharded(self.options.clone(), self.shards);
        let sandbox = Sandbox::new(self.options.sandbox.clone()).unwrap();
        let mut compiled = Vec::new();
        for (module, queue) in self.modules {
            world.upload(module, queue).await;
            compiled.push(sandbox.compile(&common::component(module)).unwrap());
        }
        Stage {
            disk: world.disk,
            warm: Warm::new(sandbox, compiled),
        }
    }

    /// Play it with a crash, if it gets there.
    async fn play(&self, stage: &Stage, crash: Crash, loss: Loss) -> (Outcome, bool) {
        let (disk, warm) = (stage.disk.crash(Loss::All), stage.warm.clone());
        let mut world = World::on(disk, self.options.clone(), self.shards, Some(warm));
        let first = world.commits();
        let syncs = world.disk.syncs();
        if let Crash::AtSync(number) = crash {
            world.disk.cut_power_at_sync(syncs + number);
        }
        let (mut crashed, mut answers) = (false, Vec::new());
        while let Some(step) = (self.steps)(world.rt(), answers.len()) {
            let request = match step {
                Step::Request(request) => request,
                Step::Pass(by) => {
                    world.pass(by);
                    answers.push(Value::Null);
                    continue;
                }
            };
            let commits = match crash {
                Crash::AfterCommit(number) if !crashed => first + number,
                _ => u64::MAX,
            };
            match world.drive_until_commit(request, commits).await {
                Some(Ok(answer)) => answers.push(answer),
                // Nothing but the power may refuse what the client asks.
                Some(Err(error)) if crashed || world.rt().write_failure().is_none() => {
                    panic!("{crash:?}: step {}: {error}", answers.len())
                }
                Some(Err(_)) | None => {
                    crashed = true;
                    world.crash(loss, SECOND);
                }
            }
        }
        world.sim.settle().await;
        if !crashed && world.rt().write_failure().is_some() {
            // The power went behind the client's last answer.
            crashed = true;
            world.crash(loss, SECOND);
            world.sim.settle().await;
        }
        assert_eq!(
            unanswered(&world),
            0,
            "{crash:?}: all that was sent has its answer, and its row has gone"
        );
        if let (Crash::Never, Some(name)) = (crash, self.export) {
            for id in self.executions {
                world.export(&format!("{name}-{}", id.replace('/', "_")), id);
            }
        }
        let runs = self.executions.iter().flat_map(|id| runs(&world.rt(), id));
        let outcome = Outcome {
            answers,
            runs: runs.collect(),
        };
        (outcome, crashed)
    }

    /// Play it without a crash, then with one at each point of a kind in turn. Answers what is seen, and how many crashes there were.
    pub(crate) async fn crash_everywhere(&self, crash_at: impl Fn(u64) -> Crash) -> (Outcome, u64) {
        let stage = self.stage().await;
        let (expected, _) = self.play(&stage, Crash::Never, Loss::All).await;
        for number in 1.. {
            // Everything unsynced is lost, or some of it by a seed.
            let loss = if number % 2 == 0 {
                Loss::All
            } else {
                Loss::Some { seed: number }
            };
            let crash = crash_at(number);
            let (outcome, crashed) = self.play(&stage, crash, loss).await;
            if !crashed {
                return (expected, number - 1);
            }
            assert_eq!(outcome.answers, expected.answers, "{crash:?}, {loss:?}");
            let of = |outcome: &Outcome| -> Vec<_> {
                outcome
                    .runs
                    .iter()
                    .map(|run| (run.workflow_id.clone(), run.run))
                    .collect()
            };
            assert_eq!(of(&outcome), of(&expected), "{crash:?}, {loss:?}");
            for (is, should) in outcome.runs.iter().zip(&expected.runs) {
                let (shape, expected_shape) = (
                    self.comparison.shape(&is.history),
                    self.comparison.shape(&should.history),
                );
                if let Some(diff) = text::diff(&expected_shape, &shape) {
                    panic!(
                        "{crash:?}, {loss:?}: run {} of {}:\n{diff}\nexpected\n{}\nfound\n{}",
                        is.run, is.workflow_id, should.history, is.history
                    );
                }
            }
        }
        unreachable!("some number is behind the script's end")
    }
}

impl Comparison {
    /// What is the same in every play that nothing disturbs.
    pub(crate) fn stable(self, history: &str) -> String {
        let history = with_numbers_for_uuids(history);
        if self == Self::Exact {
            return history;
        }
        let lines = history.lines().filter(|line| !line.contains(" WorkflowTask"));
        let mut lines: Vec<String> = lines
            .map(|line| with_sorted_result(&without_places(line)))
            .collect();
        lines.sort();
        lines.join("\n") + "\n"
    }

    /// What is the same wherever the power goes.
    fn shape(self, history: &str) -> String {
        let lines: Vec<String> = history.lines().map(without_attempt).collect();
        self.stable(&lines.join("\n"))
    }
}

/// Run ids and what a workflow draws at random are others in each life of the server: the first one becomes `uuid-1`.
fn with_numbers_for_uuids(history: &str) -> String {
    let mut found: Vec<&str> = Vec::new();
    let (mut text, mut rest) = (String::new(), history);
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, here) = rest.split_at(at);
        text.push_str(before);
        let word = here.find(|c: char| !c.is_ascii_hexdigit() && c != '-');
        let (word, after) = here.split_at(word.unwrap_or(here.len()));
        if is_uuid(word) {
            let number = found
                .iter()
                .position(|known| *known == word)
                .unwrap_or(found.len());
            if number == found.len() {
                found.push(word);
            }
            text.push_str(&format!("uuid-{}", number + 1));
        } else {
            text.push_str(word);
        }
        rest = after;
    }
    text + rest
}

/// As in 0191a5d0-0000-7000-8000-000000000001.
fn is_uuid(word: &str) -> bool {
    word.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

/// An event without what a lost attempt changes: its number, and how the last one failed.
fn without_attempt(line: &str) -> String {
    let words = line.split(' ').filter(|word| !word.starts_with("attempt="));
    let line = words.collect::<Vec<_>>().join(" ");
    line.split(" last-failure=").next().unwrap_or_default().to_owned()
}

/// An event without its id and without those of the events that it points to.
fn without_places(line: &str) -> String {
    const POINTERS: [&str; 5] = ["scheduled=", "started=", "initiated=", "accepted=", "task="];
    let words = line.split_whitespace().skip(1);
    let words = words.filter(|word| !POINTERS.iter().any(|pointer| word.starts_with(pointer)));
    words.collect::<Vec<_>>().join(" ")
}

/// An event with the elements of the lists in its result in one order.
fn with_sorted_result(line: &str) -> String {
    let sorted = line.split_once(" result=").and_then(|(event, result)| {
        let mut result: Value = serde_json::from_str(result).ok()?;
        sort_lists(&mut result);
        Some(format!("{event} result={result}"))
    });
    sorted.unwrap_or_else(|| line.to_owned())
}

fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(sort_lists);
            list.sort_by_key(Value::to_string);
        }
        Value::Object(fields) => fields.values_mut().for_each(sort_lists),
        _ => {}
    }
}

/// The runs of an execution, the first one first. The stored history of each replays: the code does what it did when it ran.
fn runs(rt: &Runtime, workflow_id: &str) -> Vec<Seen> {
    let (mut histories, mut run_id) = (Vec::new(), String::new());
    loop {
        let history = rt.whole_history("default", workflow_id, &run_id).unwrap();
        let report = rt
            .replay("default", workflow_id, &run_id)
            .unwrap_or_else(|error| panic!("{workflow_id}: {error}\n{}", text::history(&history.events)));
        assert_eq!(report.events, history.events.len(), "{workflow_id}: all of it");
        run_id = continued_from(&history.events);
        histories.push(text::history(&history.events));
        if run_id.is_empty() {
            break;
        }
    }
    let numbered = histories.into_iter().rev().zip(1..);
    numbered
        .map(|(history, run)| Seen {
            workflow_id: workflow_id.to_owned(),
            run,
            history,
        })
        .collect()
}

/// The run before this one; empty if it is the first.
fn continued_from(events: &[HistoryEvent]) -> String {
    match events.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            started.continued_execution_run_id.clone()
        }
        other => panic!("a history begins with its start: {other:?}"),
    }
}
