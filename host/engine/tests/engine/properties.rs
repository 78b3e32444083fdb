//! Random runs: whatever comes in whatever order, the rules of histories hold.

use std::sync::Arc;

use longhaul_engine::{
    Answer, CancellationType, ChildCancellationType, Command, Execution, Failed, Outgoing, Refused, compare,
    execution::{Admission, AttemptEnd},
    outgoing::{ChildClosed, Message},
    replay::{TaskSlice, tasks},
};
use longhaul_history::{
    Attributes, Builder, HistoryEvent, limits, payload,
    proto::{common::v1::Payloads, enums::v1::ParentClosePolicy},
};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    guest::{
        Guest, Moment, activity_with, cancel_activity, cancel_child, cancel_external, cancel_timer,
        child_with, complete, complete_update, fail, failure, json, side_effect, signal_external, timer,
        to_send,
    },
    world::{World, identity, replay},
};

/// A guest whose commands are drawn from a seed and from everything that it was told.
#[derive(Debug, Clone)]
struct Random {
    seed: u64,
    state: u64,
    next_seq: u32,
    heard: usize,
    timers: Vec<u32>,
    activities: Vec<(u32, CancellationType)>,
    children: Vec<(u32, ChildCancellationType)>,
    /// Signals and cancellation requests.
    externals: Vec<u32>,
    updates: Vec<String>,
    /// The first number of this task: what it schedules and cancels was never sent, so it counts as ended whatever its type.
    fresh_from: u32,
}

impl Random {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            state: seed,
            next_seq: 1,
            heard: 0,
            timers: Vec::new(),
            activities: Vec::new(),
            children: Vec::new(),
            externals: Vec::new(),
            updates: Vec::new(),
            fresh_from: 1,
        }
    }

    /// SplitMix64.
    fn draw(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn hear(&mut self, told: &str) {
        for byte in told.bytes() {
            self.state = (self.state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut words = told.split(' ');
        match (words.next(), words.next()) {
            (Some("resolve"), Some(seq)) => {
                let seq: u32 = seq.parse().unwrap();
                let before = self.open();
                self.timers.retain(|timer| *timer != seq);
                self.activities.retain(|(activity, _)| *activity != seq);
                self.children.retain(|(child, _)| *child != seq);
                self.externals.retain(|external| *external != seq);
                assert_eq!(self.open() + 1, before, "{seq} is resolved and not open");
            }
            (Some("child"), Some(seq)) => {
                let seq: u32 = seq.parse().unwrap();
                assert!(
                    self.children.iter().any(|(child, _)| *child == seq),
                    "{seq} has started and is not open"
                );
            }
            (Some("update"), Some(id)) => self.updates.push(id.into()),
            _ => {}
        }
    }

    fn open(&self) -> usize {
        self.timers.len() + self.activities.len() + self.children.len() + self.externals.len()
    }

    fn seq(&mut self) -> u32 {
        self.next_seq += 1;
        self.next_seq - 1
    }

    fn command(&mut self) -> Option<Command> {
        let command = match self.draw(24) {
            0..=2 => {
                let seq = self.seq();
                self.timers.push(seq);
                timer(seq, self.draw(20) as u64)
            }
            3..=5 => {
                let seq = self.seq();
                let cancellation_type = [
                    CancellationType::TryCancel,
                    CancellationType::WaitCompleted,
                    CancellationType::Abandon,
                ][self.draw(3)];
                self.activities.push((seq, cancellation_type));
                let second = longhaul_history::time::NS_PER_SECOND;
                let limits = self.draw(8);
                activity_with(seq, ["charge", "send"][self.draw(2)], |options| {
                    options.cancellation_type = cancellation_type;
                    options.input = json(&json!(seq));
                    options.schedule_to_close_ns = (limits & 1 > 0).then_some(30 * second);
                    options.schedule_to_start_ns = (limits & 2 > 0).then_some(15 * second);
                    options.heartbeat_ns = (limits & 4 > 0).then_some(5 * second);
                })
            }
            6 | 7 if !self.timers.is_empty() => {
                let at = self.draw(self.timers.len());
                cancel_timer(self.timers.remove(at))
            }
            8 | 9 if !self.activities.is_empty() => {
                let at = self.draw(self.activities.len());
                let (seq, cancellation_type) = self.activities[at];
                // One that waits for its end stays, and may be cancelled again to no effect.
                if cancellation_type.resolves_at_once() || seq >= self.fresh_from {
                    self.activities.remove(at);
                }
                cancel_activity(seq)
            }
            10 | 11 if !self.updates.is_empty() => {
                let at = self.draw(self.updates.len());
                complete_update(&self.updates.remove(at), json!(at))
            }
            12 if self.draw(12) == 0 => match self.draw(4) {
                0 => complete(json!("done")),
                1 => fail("broken"),
                2 => Command::ContinueAsNew(Box::default()),
                _ => Command::Cancelled(Payloads::default()),
            },
            13..=23 => return self.command_across(),
            _ => return None,
        };
        Some(command)
    }
}

impl Random {
    /// As `command`, of what reaches beyond the run.
    fn command_across(&mut self) -> Option<Command> {
        let command = match self.draw(13) {
            0..=2 => {
                let seq = self.seq();
                let cancellation_type = [
                    ChildCancellationType::Abandon,
                    ChildCancellationType::TryCancel,
                    ChildCancellationType::WaitCompleted,
                    ChildCancellationType::WaitRequested,
                ][self.draw(4)];
                let parent_close_policy = [
                    ParentClosePolicy::Terminate,
                    ParentClosePolicy::Abandon,
                    ParentClosePolicy::RequestCancel,
                ][self.draw(3)];
                self.children.push((seq, cancellation_type));
                child_with(seq, &format!("child-{seq}"), |options| {
                    options.input = json(&json!(seq));
                    options.cancellation_type = cancellation_type;
                    options.parent_close_policy = parent_close_policy;
                })
            }
            3 | 4 if !self.children.is_empty() => {
                let at = self.draw(self.children.len());
                let (seq, cancellation_type) = self.children[at];
                if cancellation_type.resolves_at_once() || seq >= self.fresh_from {
                    self.children.remove(at);
                }
                cancel_child(seq)
            }
            5 if !self.children.is_empty() => {
                let at = self.draw(self.children.len());
                let (child, seq) = (self.children[at].0, self.seq());
                self.externals.push(seq);
                let signal = to_send("note");
                Command::SignalChild { seq, child, signal }
            }
            6 => {
                let seq = self.seq();
                self.externals.push(seq);
                // To itself, now and then.
                signal_external(seq, ["other", "workflow"][self.draw(2)], "note")
            }
            7 => {
                let seq = self.seq();
                self.externals.push(seq);
                cancel_external(seq, ["other", "workflow"][self.draw(2)])
            }
            8 => {
                let seq = self.seq();
                self.externals.push(seq);
                signal_external(seq, "other", "late")
            }
            9 => Command::UpsertMemo(vec![(
                "m".into(),
                Some(payload::json_payload(&json!(self.next_seq))),
            )]),
            10 => Command::UpsertSearchAttributes(vec![("a".into(), None)]),
            11 => Command::Patched {
                id: ["p", "q", "r"][self.draw(3)].into(),
                deprecated: false,
            },
            12 => {
                let seq = self.seq();
                side_effect(seq, json!(seq))
            }
            _ => return None,
        };
        Some(command)
    }
}

impl Guest for Random {
    fn fresh(&self) -> Self {
        Self::new(self.seed)
    }

    fn begin(&mut self) {
        self.heard = 0;
        self.fresh_from = self.next_seq;
    }

    fn react(&mut self, _moment: Moment<'_>, told: &[String]) -> Vec<Command> {
        for line in &told[self.heard..] {
            self.hear(line);
        }
        self.heard = told.len();
        (0..self.draw(4)).filter_map(|_| self.command()).collect()
    }
}

/// What happens to a run.
#[derive(Debug, Clone)]
enum Input {
    Signal(u8),
    Update(u8),
    Reject,
    Cancel,
    Advance(u8),
    FireTimers,
    StartAttempts,
    EndAttempt(u8, u8),
    Heartbeat(u8),
    Deadlines,
    Answer(u8, bool),
    CloseChild(u8, u8),
    Task,
    FailTask,
    Restart,
    Terminate,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => (0..8u8).prop_map(Input::Signal),
        4 => (0..12u8).prop_map(Input::Update),
        1 => Just(Input::Reject),
        1 => Just(Input::Cancel),
        4 => (0..12u8).prop_map(Input::Advance),
        4 => Just(Input::FireTimers),
        4 => Just(Input::StartAttempts),
        6 => (any::<u8>(), 0..5u8).prop_map(|(which, how)| Input::EndAttempt(which, how)),
        1 => any::<u8>().prop_map(Input::Heartbeat),
        2 => Just(Input::Deadlines),
        6 => (any::<u8>(), prop::bool::weighted(0.7)).prop_map(|(which, taken)| Input::Answer(which, taken)),
        4 => (any::<u8>(), 0..5u8).prop_map(|(which, how)| Input::CloseChild(which, how)),
        14 => Just(Input::Task),
        1 => Just(Input::FailTask),
        1 => Just(Input::Restart),
        (1) => prop::bool::weighted(0.1).prop_map(|end| if end { Input::Terminate } else { Input::Task }),
    ]
}

fn apply(world: &mut World<Random>, input: &Input) {
    let open = world.execution.is_open();
    let activities: Vec<i64> = world.execution.activities().keys().copied().collect();
    let pick = |which: u8| {
        activities
            .get(usize::from(which) % activities.len().max(1))
            .copied()
    };
    match input {
        Input::Signal(id) => {
            let request_id = if *id < 4 { format!("r{id}") } else { String::new() };
            assert_eq!(world.signal(&format!("s{id}"), &request_id).is_ok(), open);
        }
        Input::Update(id) => {
            let id = format!("u{id}");
            let known = world.execution.update(&id).is_some();
            match world.update(&id, "add") {
                Ok(Admission::Known) => assert!(known),
                Ok(Admission::Admitted) => assert!(open && !known),
                Err(Refused::Closed) => assert!(!open && !known),
                Err(Refused::Limit(limits::Error::UpdatesInFlight { .. })) => assert!(open),
                Err(refused) => panic!("{refused}"),
            }
        }
        Input::Reject => {
            if let Some(id) = world.execution.admitted_updates().first().cloned() {
                world.execution.forget_update(&id);
            }
        }
        Input::Cancel => {
            let first = !world.execution.cancel_requested();
            assert_eq!(
                world.cancel("enough"),
                if open { Ok(first) } else { Err(Refused::Closed) }
            );
        }
        Input::Advance(seconds) => world.advance(u64::from(*seconds)),
        Input::FireTimers => {
            let timers: Vec<_> = world
                .execution
                .timers()
                .iter()
                .map(|(id, t)| (*id, t.due_ns))
                .collect();
            for (id, due_ns) in timers {
                assert_eq!(world.fire(id), due_ns <= world.now_ns);
            }
        }
        Input::StartAttempts => {
            for id in activities {
                let ready = world.execution.activities()[&id].is_ready(world.now_ns);
                assert_eq!(world.start_attempt(id), ready);
            }
        }
        Input::EndAttempt(which, how) => {
            let Some(id) = pick(*which) else { return };
            let attempt = world.execution.activities()[&id].attempt.clone();
            let end = match how {
                0 | 1 => AttemptEnd::Completed(json(&json!(which))),
                2 => AttemptEnd::Failed(failure("no", "Broken")),
                3 => AttemptEnd::Cancelled(Payloads::default()),
                _ => AttemptEnd::Lost,
            };
            assert!(
                !world.end_attempt(id, attempt.number + 1, end.clone()),
                "no such attempt"
            );
            assert_eq!(
                world.end_attempt(id, attempt.number, end),
                attempt.started_ns.is_some()
            );
        }
        Input::Heartbeat(which) => {
            let Some(id) = pick(*which) else { return };
            let attempt = world.execution.activities()[&id].attempt.clone();
            assert_eq!(
                world.heartbeat(id, attempt.number, json!(which)),
                attempt.started_ns.is_some()
            );
        }
        Input::Deadlines => {
            for id in activities {
                world.check_deadline(id);
                let Some(activity) = world.execution.activities().get(&id) else {
                    continue;
                };
                assert!(activity.deadline().is_none_or(|d| d.at_ns > world.now_ns));
            }
        }
        Input::Answer(which, taken) => {
            let orders = world.execution.pending_orders();
            let Some(order) = orders.get(usize::from(*which) % orders.len().max(1)).copied() else {
                return;
            };
            let answer = match (taken, world.execution.children().contains_key(&order)) {
                (true, true) => Answer::started("child-run"),
                (true, false) => Answer::delivered(),
                (false, true) => Answer::refused(Failed::AlreadyExists),
                (false, false) => Answer::refused(Failed::NotFound),
            };
            for first in [true, false] {
                let changed = world.step(|execution, turn, _| execution.answered(turn, order, &answer));
                assert_eq!(changed, first && open);
            }
        }
        Input::CloseChild(which, how) => {
            let children: Vec<i64> = world.execution.children().keys().copied().collect();
            let Some(id) = children.get(usize::from(*which) % children.len().max(1)).copied() else {
                return;
            };
            let message = child_closed(id, *how);
            let before = world.history.len();
            for _ in 0..2 {
                world.step(|execution, turn, limits| execution.receive(turn, &message, limits));
            }
            let events = world.history.len() - before;
            assert!(
                events == 1 || events == 2,
                "its end, and its start if that was not known: {events}"
            );
        }
        Input::Task => {
            if world.execution.needs_task() {
                world.try_task().unwrap();
            }
        }
        Input::FailTask => {
            let first = world.execution.failed_tasks() == 0;
            let due = world.execution.needs_task();
            if due {
                assert_eq!(world.fail_task("boom"), first);
            }
        }
        Input::Restart => world.restart(),
        Input::Terminate => assert_eq!(world.terminate("enough").is_ok(), open),
    }
}

/// What a child tells of its end.
fn child_closed(initiated_event_id: i64, how: u8) -> Outgoing {
    let mut close = Builder::new();
    match how {
        0 => close.add_execution_completed(None),
        1 => close.add_execution_failed(*failure("sad", "Sad")),
        2 => close.add_execution_canceled(None),
        3 => close.add_execution_timed_out(),
        _ => close.add_execution_terminated("no more"),
    };
    let closed = ChildClosed {
        initiated_event_id,
        first_run_id: "child-run".into(),
        close: close.into_events().pop(),
        ..Default::default()
    };
    Outgoing {
        message: Some(Message::ChildClosed(Box::new(closed))),
        ..Default::default()
    }
}

/// A history with one event changed.
fn altered(
    history: &[Arc<HistoryEvent>],
    at: usize,
    change: impl FnOnce(&mut Attributes),
) -> Vec<Arc<HistoryEvent>> {
    let mut history = history.to_vec();
    let mut event = HistoryEvent::clone(&history[at]);
    change(event.attributes.as_mut().unwrap());
    history[at] = Arc::new(event);
    history
}

fn is_found(world: &World<Random>, history: &[Arc<HistoryEvent>]) -> bool {
    Execution::from_history(identity(), history).is_err()
        || replay(world.guest.fresh(), history, &world.limits).is_err()
}

/// Every command that is altered or missing is found, by the fold or by the replay.
fn check_alterations(world: &World<Random>) {
    for (at, event) in world.history.iter().enumerate() {
        let change: fn(&mut Attributes) = match &event.attributes {
            Some(
                Attributes::TimerStartedEventAttributes(_)
                | Attributes::TimerFiredEventAttributes(_)
                | Attributes::TimerCanceledEventAttributes(_),
            ) => |attributes| match attributes {
                Attributes::TimerStartedEventAttributes(a) => a.timer_id.push('0'),
                Attributes::TimerFiredEventAttributes(a) => a.timer_id.push('0'),
                Attributes::TimerCanceledEventAttributes(a) => a.timer_id.push('0'),
                _ => {}
            },
            Some(Attributes::ActivityTaskScheduledEventAttributes(_)) => |attributes| {
                if let Attributes::ActivityTaskScheduledEventAttributes(a) = attributes {
                    a.activity_type.as_mut().unwrap().name.push('x');
                }
            },
            Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(_)) => |attributes| {
                if let Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a) = attributes {
                    a.workflow_id.push('x');
                }
            },
            Some(Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(_)) => |attributes| {
                if let Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) = attributes {
                    a.signal_name.push('x');
                }
            },
            _ => continue,
        };
        assert!(
            is_found(world, &altered(&world.history, at, change)),
            "event {}",
            at + 1
        );
        let mut without = world.history.clone();
        without.remove(at);
        assert!(
            at + 1 == world.history.len() || is_found(world, &without),
            "without event {}",
            at + 1
        );
    }
    let replayed = replay(world.guest.fresh(), &world.history, &world.limits).unwrap();
    for (slice, intents) in tasks(&world.history).zip(&replayed.intents) {
        for dropped in 0..slice.outcome.len() {
            // The list of patches belongs to the marker before it, and is no command of its own.
            let is_list =
                longhaul_history::text::event(&slice.outcome[dropped]).contains("TemporalChangeVersion");
            if is_list {
                continue;
            }
            let mut outcome = slice.outcome.to_vec();
            outcome.remove(dropped);
            let shorter = TaskSlice {
                outcome: &outcome,
                ..slice.clone()
            };
            assert!(
                compare::task(intents, &shorter).is_err(),
                "{:?}",
                slice.outcome[dropped]
            );
        }
        for dropped in 0..intents.len() {
            let mut fewer = intents.clone();
            fewer.remove(dropped);
            assert!(compare::task(&fewer, &slice).is_err(), "{:?}", intents[dropped]);
        }
    }
}

pub(crate) fn cases() -> u32 {
    match std::env::var("LONGHAUL_TEST_CYCLES") {
        Ok(cycles) => cycles.parse().unwrap(),
        Err(_) => 64,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_run_folds_and_replays(seed in any::<u64>(), inputs in prop::collection::vec(input(), 1..120)) {
        // S2, S5, U4, E3, E4, E5, E6, W3, W4, W5, A1
        let mut world = World::of(Random::new(seed));
        for input in &inputs {
            apply(&mut world, input);
        }
        world.check();
        check_alterations(&world);
    }
}
