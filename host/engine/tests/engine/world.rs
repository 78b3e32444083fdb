//! A run and its guest, without a server.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    sync::Arc,
};

use longhaul_engine::{
    Command, Effect, Execution, Identity, IllegalTransition, Intent, Nondeterminism, Refused, Session, Turn,
    Violation,
    activity::Starter,
    compare,
    execution::{Admission, AttemptEnd, Limits, NotTaken, Start, Successor, TaskFailure, Which, Worker},
    replay::{TaskSlice, Window, tasks, unseen_from},
    update,
};
use longhaul_history::{
    Attributes, HistoryEvent,
    builder::{RUN_ID, START_NS, WORKFLOW_ID},
    proto::{
        common::v1::Payload, enums::v1::WorkflowTaskFailedCause,
        history::v1::WorkflowExecutionSignaledEventAttributes, update::v1 as wire,
    },
    text, time,
};
use serde_json::Value;

use crate::guest::{Guest, Script, Scripted, json, run};

/// The id of a run that follows.
pub(crate) const NEXT_RUN_ID: &str = "0191a5d0-0000-7000-8000-000000000002";

/// What the task tokens of all attempts say.
pub(crate) const NONCE: u64 = 7;

/// A run, live.
pub(crate) struct World<G> {
    pub(crate) execution: Execution,
    pub(crate) session: Session,
    pub(crate) guest: G,
    pub(crate) history: Vec<Arc<HistoryEvent>>,
    /// Of the last step.
    pub(crate) effects: Vec<Effect>,
    /// Of the last step that gave one.
    pub(crate) successor: Option<Box<Successor>>,
    pub(crate) next_run_id: String,
    /// Messages to other executions that are stored and not answered.
    rows: BTreeSet<i64>,
    /// What each completed task has told the guest.
    pub(crate) told: Vec<Vec<String>>,
    pub(crate) limits: Limits,
    pub(crate) now_ns: u64,
    updates: Vec<String>,
}

/// What a replay has found where it found no difference.
pub(crate) struct Replayed<G> {
    pub(crate) guest: G,
    pub(crate) session: Session,
    pub(crate) told: Vec<Vec<String>>,
    pub(crate) intents: Vec<Vec<(Option<u32>, Intent)>>,
}

pub(crate) fn identity() -> Identity {
    Identity {
        namespace: "default".into(),
        workflow_id: WORKFLOW_ID.into(),
        run_id: RUN_ID.into(),
    }
}

pub(crate) fn worker() -> Worker {
    Worker {
        identity: "server".into(),
        module: "module".into(),
        version: 1,
        sdk_name: "sdk".into(),
        sdk_version: "1".into(),
    }
}

pub(crate) fn start() -> Start {
    Start {
        workflow_type: "Test".into(),
        task_queue: "default".into(),
        task_timeout_ns: 10 * time::NS_PER_SECOND,
        ..Default::default()
    }
}

pub(crate) fn signal(name: &str, request_id: &str) -> WorkflowExecutionSignaledEventAttributes {
    WorkflowExecutionSignaledEventAttributes {
        signal_name: name.into(),
        request_id: request_id.into(),
        ..Default::default()
    }
}

pub(crate) fn request(id: &str, name: &str) -> wire::Request {
    wire::Request {
        meta: Some(wire::Meta {
            update_id: id.into(),
            identity: "client".into(),
        }),
        input: Some(wire::Input {
            name: name.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A time in nanoseconds: so many seconds after the start.
pub(crate) fn at(seconds: u64) -> u64 {
    START_NS + seconds * time::NS_PER_SECOND
}

impl World<Scripted> {
    /// A run that has just been started, of a guest that does what its tasks are given.
    pub(crate) fn new() -> Self {
        Self::with(Scripted::default(), start())
    }

    /// With a limit of the run, in seconds.
    pub(crate) fn with_run_timeout(seconds: u64) -> Self {
        let start = Start {
            run_timeout_ns: seconds * time::NS_PER_SECOND,
            ..start()
        };
        Self::with(Scripted::default(), start)
    }

    /// Run a task in which the guest does this after everything was delivered. Answers what it was told.
    pub(crate) fn task(&mut self, commands: impl IntoIterator<Item = Command>) -> Vec<String> {
        self.script(Script::last(commands))
    }

    /// Run a task by a script. Answers what the guest was told.
    pub(crate) fn script(&mut self, script: Script) -> Vec<String> {
        self.try_script(script).unwrap()
    }

    /// Run a task that may break the contract; then the guest is made anew, as after any failed task.
    pub(crate) fn try_script(&mut self, script: Script) -> Result<Vec<String>, Violation> {
        self.guest.scripts.push(script);
        let told = self.try_task();
        if told.is_err() {
            self.guest.scripts.pop();
            self.restart();
        }
        told
    }

    /// The history against code that does something else.
    pub(crate) fn replay_as(&self, scripts: Vec<Script>) -> Result<Replayed<Scripted>, Nondeterminism> {
        let guest = Scripted {
            scripts,
            ..Default::default()
        };
        replay(guest, &self.history, &self.limits)
    }
}

impl<G: Guest> World<G> {
    pub(crate) fn of(guest: G) -> Self {
        Self::with(guest, start())
    }

    pub(crate) fn with(guest: G, start: Start) -> Self {
        Self::begin(identity(), START_NS, guest, start)
    }

    /// A run of any name, at any time.
    pub(crate) fn begin(identity: Identity, now_ns: u64, guest: G, start: Start) -> Self {
        let mut turn = Turn::new(now_ns, NEXT_RUN_ID);
        let execution = Execution::begin(identity, start, &mut turn);
        Self::of_execution(execution, turn, guest)
    }

    /// A run that has done nothing but to begin.
    pub(crate) fn of_execution(execution: Execution, turn: Turn, guest: G) -> Self {
        let mut world = Self {
            execution,
            session: Session::new(),
            guest: guest.fresh(),
            history: turn.events,
            effects: turn.effects,
            successor: None,
            next_run_id: NEXT_RUN_ID.into(),
            told: Vec::new(),
            limits: Limits::default(),
            now_ns: turn.now_ns,
            updates: Vec::new(),
            rows: BTreeSet::new(),
        };
        world.keep_rows();
        world
    }

    /// One step: its events are appended, its effects kept.
    pub(crate) fn step<T>(&mut self, act: impl FnOnce(&mut Execution, &mut Turn, &Limits) -> T) -> T {
        let mut turn = Turn::new(self.now_ns, self.next_run_id.clone());
        let answer = act(&mut self.execution, &mut turn, &self.limits);
        self.keep(turn);
        answer
    }

    fn keep(&mut self, turn: Turn) {
        self.history.extend(turn.events);
        self.effects = turn.effects;
        self.successor = turn.successor.or(self.successor.take());
        self.keep_rows();
    }

    fn keep_rows(&mut self) {
        for effect in &self.effects {
            match effect {
                Effect::OutboxPut { order } => {
                    assert!(self.rows.insert(*order), "order {order} is used twice");
                    assert!(self.execution.outgoing(*order).is_some(), "{order} says nothing");
                }
                Effect::OutboxGone { order } => assert!(self.rows.remove(order), "no row {order}"),
                _ => {}
            }
        }
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now_ns += seconds * time::NS_PER_SECOND;
    }

    pub(crate) fn signal(&mut self, name: &str, request_id: &str) -> Result<bool, Refused> {
        self.step(|execution, turn, limits| execution.signal(turn, signal(name, request_id), limits))
    }

    pub(crate) fn cancel(&mut self, reason: &str) -> Result<bool, Refused> {
        self.step(|execution, turn, _| execution.request_cancel(turn, reason.into(), "client".into()))
    }

    pub(crate) fn terminate(&mut self, reason: &str) -> Result<(), Refused> {
        self.step(|execution, turn, _| execution.terminate(turn, reason.into(), None, "client".into()))
    }

    pub(crate) fn update(&mut self, id: &str, name: &str) -> Result<Admission, Refused> {
        self.updates.push(id.into());
        self.step(|execution, turn, limits| execution.admit_update(turn, request(id, name), limits))
    }

    pub(crate) fn fire(&mut self, started_event_id: i64) -> bool {
        self.step(|execution, turn, _| execution.fire_timer(turn, started_event_id))
    }

    pub(crate) fn start_attempt(&mut self, scheduled_event_id: i64) -> bool {
        let starter = Starter {
            identity: "worker",
            outside: false,
            nonce: NONCE,
        };
        self.step(|execution, turn, _| execution.start_attempt(turn, scheduled_event_id, starter))
    }

    /// Start an attempt that a worker outside gets.
    pub(crate) fn hand_out(&mut self, scheduled_event_id: i64, nonce: u64) -> bool {
        let starter = Starter {
            identity: "outside",
            outside: true,
            nonce,
        };
        self.step(|execution, turn, _| execution.start_attempt(turn, scheduled_event_id, starter))
    }

    pub(crate) fn answer(&mut self, which: &Which, end: AttemptEnd) -> Result<(), NotTaken> {
        self.step(|execution, turn, _| execution.answer_attempt(turn, which, end, None, "answers".into()))
    }

    /// Whether it is to stop.
    pub(crate) fn hear(&mut self, which: &Which, details: Value) -> Result<bool, NotTaken> {
        let details = Some(json(&details));
        self.step(|execution, turn, _| execution.hear_attempt(turn, which, details, "beats".into()))
            .map(|told| told.cancel_requested)
    }

    pub(crate) fn take_back(&mut self, scheduled_event_id: i64, nonce: u64) -> bool {
        self.step(|execution, turn, _| execution.take_attempt_back(turn, scheduled_event_id, nonce))
    }

    pub(crate) fn end_attempt(&mut self, scheduled_event_id: i64, number: u32, end: AttemptEnd) -> bool {
        let nonce = self.nonce_of(scheduled_event_id, number);
        self.end_attempt_as(scheduled_event_id, nonce, end)
    }

    pub(crate) fn end_attempt_as(&mut self, scheduled_event_id: i64, nonce: u64, end: AttemptEnd) -> bool {
        self.step(|execution, turn, _| execution.end_attempt(turn, scheduled_event_id, nonce, end))
    }

    pub(crate) fn complete_attempt(&mut self, scheduled_event_id: i64, number: u32, result: Value) -> bool {
        self.end_attempt(scheduled_event_id, number, AttemptEnd::Completed(json(&result)))
    }

    pub(crate) fn heartbeat(&mut self, scheduled_event_id: i64, number: u32, details: Value) -> bool {
        let nonce = self.nonce_of(scheduled_event_id, number);
        self.step(|execution, turn, _| execution.heartbeat(turn, scheduled_event_id, nonce, json(&details)))
    }

    /// What the current attempt is known by, if that has this number; else what none is.
    fn nonce_of(&self, scheduled_event_id: i64, number: u32) -> u64 {
        let attempt = self
            .execution
            .activities()
            .get(&scheduled_event_id)
            .map(|activity| &activity.attempt);
        attempt
            .filter(|attempt| attempt.number == number)
            .map_or(u64::MAX, |attempt| attempt.nonce)
    }

    pub(crate) fn check_deadline(&mut self, scheduled_event_id: i64) -> bool {
        self.step(|execution, turn, _| execution.check_deadline(turn, scheduled_event_id))
    }

    /// A task has failed.
    pub(crate) fn fail_task(&mut self, message: &str) -> bool {
        let failed = TaskFailure {
            cause: WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
            failure: longhaul_history::failure::application(message, "Panic", false),
        };
        self.step(|execution, turn, limits| {
            let task = execution.plan_task(turn, limits);
            execution.fail_task(turn, &task, &worker(), failed)
        })
    }

    /// Run a task. Answers what the guest was told.
    pub(crate) fn try_task(&mut self) -> Result<Vec<String>, Violation> {
        let mut turn = Turn::new(self.now_ns, self.next_run_id.clone());
        let task = self.execution.plan_task(&turn, &self.limits);
        let admitted = self.execution.admitted_updates().to_vec();
        let unseen = self.execution.unseen();
        let (calls, told) = run(&mut self.guest, &mut self.session, unseen, &admitted);
        let intents = self.session.conclude(calls, &self.limits)?;
        let intents = intents.into_iter().map(|(_, intent)| intent).collect();
        for (seq, event_id) in self.execution.complete_task(&mut turn, &task, &worker(), intents) {
            let event = turn
                .events
                .iter()
                .find(|event| event.event_id == event_id)
                .unwrap();
            self.session.bind(seq, event);
        }
        self.keep(turn);
        self.told.push(told.clone());
        Ok(told)
    }

    /// Lose everything that is not durable, and build it again.
    pub(crate) fn restart(&mut self) {
        let mut execution = self.folded().unwrap();
        for (scheduled_event_id, activity) in self.execution.activities() {
            execution.restore_attempt(*scheduled_event_id, activity.attempt.clone());
        }
        for id in self.execution.admitted_updates() {
            let Some(update::State::Admitted { request, .. }) =
                self.execution.update(id).map(|update| &update.state)
            else {
                panic!("{id} is listed as admitted and is not");
            };
            execution.restore_update(wire::Request::clone(request));
        }
        assert_eq!(execution.needs_task(), self.execution.needs_task());
        let replayed = replay(self.guest.fresh(), &self.history, &self.limits).unwrap();
        self.execution = execution;
        self.guest = replayed.guest;
        self.session = replayed.session;
    }

    fn folded(&self) -> Result<Execution, IllegalTransition> {
        Execution::from_history(self.execution.identity().clone(), &self.history)
    }

    /// The whole history as text; then whatever must hold of any history.
    #[track_caller]
    pub(crate) fn assert(&self, expected: &str) {
        let events: Vec<HistoryEvent> = self
            .history
            .iter()
            .map(|event| HistoryEvent::clone(event))
            .collect();
        text::assert_history(&events, expected);
        self.check();
    }

    /// What must hold of any history: consecutive ids, a fold that equals the live state, and a replay without a difference of
    /// every prefix at which a server may stop.
    #[track_caller]
    pub(crate) fn check(&self) {
        for (at, event) in self.history.iter().enumerate() {
            assert_eq!(event.event_id, at as i64 + 1);
        }
        let folded = self.folded().unwrap();
        assert_eq!(self.projection(&folded), self.projection(&self.execution));
        if folded.is_open() {
            // Whatever waits for an answer is stored, and nothing else is.
            let rows: Vec<i64> = self.rows.iter().copied().collect();
            assert_eq!(rows, folded.pending_orders());
        }
        let all: Vec<_> = tasks(&self.history).collect();
        assert_eq!(all.len(), self.told.len(), "tasks in history and tasks that ran");
        for length in [1, 2, 3, 7] {
            check_parts(&self.history, &all, length);
        }
        for length in 1..=self.history.len() {
            let prefix = &self.history[..length];
            let last = length as i64;
            let identity = self.execution.identity().clone();
            let fold = Execution::from_history(identity, prefix).unwrap();
            // The events of a task are written together: no server stops between its commands.
            let within = all.iter().any(|task| {
                let completed = task.completed.event_id;
                (completed..completed + task.outcome.len() as i64).contains(&last)
            });
            if within {
                continue;
            }
            let replayed = replay(self.guest.fresh(), prefix, &self.limits).unwrap();
            assert_eq!(
                replayed.told[..],
                self.told[..replayed.told.len()],
                "after event {last}"
            );
            if fold.is_open() {
                let unseen: Vec<i64> = fold.unseen().iter().map(|event| event.event_id).collect();
                let rest = &prefix[unseen_from(prefix)..];
                let news: Vec<i64> = rest
                    .iter()
                    .filter(|e| is_news(e))
                    .map(|event| event.event_id)
                    .collect();
                assert_eq!(unseen, news, "after event {last}");
            }
        }
    }

    /// The state as far as history tells it.
    fn projection(&self, execution: &Execution) -> String {
        let mut lines = String::new();
        let mut line = |text: String| writeln!(lines, "{text}").unwrap();
        line(format!(
            "{:?} {:?}",
            execution.status(),
            execution.close_time_ns()
        ));
        line(format!(
            "next {} bytes {}",
            execution.next_event_id(),
            execution.history_bytes()
        ));
        line(format!(
            "time {} {}",
            execution.start_time_ns(),
            execution.last_event_time_ns()
        ));
        line(format!(
            "task {:?} completed {} failed {}",
            execution.task(),
            execution.completed_tasks(),
            execution.failed_tasks()
        ));
        line(format!(
            "cancel {} due {}",
            execution.cancel_requested(),
            execution.needs_task_for_events()
        ));
        line(format!("timers {:?}", execution.timers()));
        for activity in execution.activities().values() {
            line(format!(
                "activity {} at {} cancel {:?} started {:?} {:?}",
                activity.scheduled_event_id,
                activity.scheduled_time_ns,
                activity.cancel_requested_event_id,
                activity.started_event_id,
                activity.attributes
            ));
        }
        line(format!("children {:?}", execution.children()));
        line(format!("signals {:?}", execution.external_signals()));
        line(format!("cancels {:?}", execution.external_cancels()));
        line(format!("orders {:?}", execution.pending_orders()));
        let sorted = |fields: &HashMap<String, Payload>| {
            let sorted: BTreeMap<_, _> = fields.iter().map(|(k, v)| (k.clone(), v.data.clone())).collect();
            format!("{sorted:?}")
        };
        line(format!("memo {}", sorted(&execution.memo().fields)));
        line(format!(
            "attributes {}",
            sorted(&execution.search_attributes().indexed_fields)
        ));
        for id in &self.updates {
            let state = execution.update(id).map(|update| &update.state);
            // An admitted update stands in a row of its own, not in history.
            if !matches!(state, None | Some(update::State::Admitted { .. })) {
                line(format!(
                    "update {id} {state:?} {:?}",
                    execution.update_outcome(id)
                ));
            }
        }
        let unseen: Vec<i64> = execution.unseen().iter().map(|event| event.event_id).collect();
        line(format!("unseen {unseen:?}"));
        lines
    }
}

/// Whether the event is kept for the guest until a task has shown it.
fn is_news(event: &HistoryEvent) -> bool {
    use Attributes as A;
    if let Some(A::WorkflowTaskFailedEventAttributes(a)) = &event.attributes {
        return a.cause() == WorkflowTaskFailedCause::ResetWorkflow;
    }
    !matches!(
        event.attributes,
        Some(
            A::WorkflowTaskScheduledEventAttributes(_)
                | A::WorkflowTaskStartedEventAttributes(_)
                | A::WorkflowTaskTimedOutEventAttributes(_)
                | A::WorkflowExecutionOptionsUpdatedEventAttributes(_)
        )
    )
}

/// Run a guest against a history.
pub(crate) fn replay<G: Guest>(
    mut guest: G,
    events: &[Arc<HistoryEvent>],
    limits: &Limits,
) -> Result<Replayed<G>, Nondeterminism> {
    let mut session = Session::new();
    let (mut told, mut all) = (Vec::new(), Vec::new());
    for slice in tasks(events) {
        let updates: Vec<String> = slice.updates().map(|update| update.id).collect();
        let (calls, heard) = run(&mut guest, &mut session, slice.seen, &updates);
        let intents = session.conclude(calls, limits).unwrap();
        for (seq, event) in compare::task(&intents, &slice)? {
            session.bind(seq, event);
        }
        told.push(heard);
        all.push(intents);
    }
    Ok(Replayed {
        guest,
        session,
        told,
        intents: all,
    })
}

/// A history that comes in parts of this length is cut as it is as a whole, and each event is given back once.
#[track_caller]
fn check_parts(history: &[Arc<HistoryEvent>], whole: &[TaskSlice<'_>], length: usize) {
    let ids = |events: &[Arc<HistoryEvent>]| events.iter().map(|event| event.event_id).collect::<Vec<_>>();
    let names = |slice: &TaskSlice<'_>| {
        let (started, completed) = (slice.started.event_id, slice.completed.event_id);
        (started, completed, ids(slice.seen), ids(slice.outcome))
    };
    let (mut window, mut cut, mut spent) = (Window::new(), Vec::new(), Vec::new());
    for part in history.chunks(length) {
        let mut part = part.to_vec();
        window.exchange(&mut part);
        spent.extend(ids(&part));
        while let Some(slice) = window.next_task() {
            cut.push(names(&slice));
        }
    }
    window.end();
    while let Some(slice) = window.next_task() {
        cut.push(names(&slice));
    }
    assert_eq!(
        cut,
        whole.iter().map(names).collect::<Vec<_>>(),
        "in parts of {length}"
    );
    let mut rest = Vec::new();
    window.exchange(&mut rest);
    spent.extend(ids(&rest));
    assert!(
        spent.iter().copied().eq(1..=unseen_from(history) as i64),
        "what no further task needs is given back, in order: {spent:?}"
    );
}
