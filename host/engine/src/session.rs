//! The guest's half: what the code calls its operations, and what it has been told.

mod across;
mod checks;
mod intent;
mod jobs;
mod locals;
mod outcomes;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use longhaul_history::proto::{
    common::v1 as common,
    failure::v1::{ActivityFailureInfo, CanceledFailureInfo, Failure, failure::FailureInfo},
    history::v1::{ActivityTaskScheduledEventAttributes, HistoryEvent, history_event::Attributes},
};

use self::checks::{check_activity, check_side_effect, check_size, check_timer};
use crate::{
    ActivityOptions, Call, CancellationType, ChildCancellationType, Command, InFlight, LocalActivityOptions,
    Violation,
    activity::Scheduled,
    execution::{Limits, reset},
    seqs::Seqs,
};

pub use intent::Intent;
pub(crate) use jobs::{AcceptedUpdate, Jobs};
pub use jobs::{Job, Outcome};
pub use locals::LocalCalls;

/// What one execution's code knows: its operations by `seq`. The same whether it runs live or is replayed.
#[derive(Debug, Default)]
pub struct Session {
    operations: BTreeMap<u32, Operation>,
    by_event: BTreeMap<i64, u32>,
    /// Every number that was used, also of operations that are over.
    seqs: Seqs,
    /// Activities in flight that were given an id, by it. The others have their number as id.
    activity_ids: BTreeMap<String, u32>,
    open_updates: HashSet<String>,
    open_timers: usize,
    /// Local ones count as well.
    open_activities: usize,
    /// Local activities that have not ended.
    locals: BTreeSet<u32>,
    open_children: usize,
    open_signals: usize,
    open_cancels: usize,
    /// The workflow ids of all children by their `seq`: they may be signalled also after their end.
    children: BTreeMap<u32, Arc<str>>,
    /// Cancellation requests for children, by their event.
    child_cancels: BTreeMap<i64, u32>,
    /// The patches whose new side the run takes.
    patches: BTreeSet<String>,
    /// What has ended in this task: kept until the task is concluded, because the code may cancel it before it learns of its end.
    ended: Vec<u32>,
    started: bool,
    current_details: String,
}

#[derive(Debug)]
struct Operation {
    kind: Kind,
    state: State,
    event_id: i64,
}

#[derive(Debug)]
enum Kind {
    Timer,
    Activity {
        cancellation_type: CancellationType,
        /// It was given an id.
        named: bool,
        scheduled: Option<Scheduled>,
    },
    Local(Arc<LocalActivityOptions>),
    Child {
        cancellation_type: ChildCancellationType,
        initiated: Option<Arc<HistoryEvent>>,
        /// Its ChildWorkflowExecutionStarted event and its run.
        started: Option<(i64, String)>,
    },
    Signal,
    Cancel,
}

/// Where an operation is as the code sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Running.
    Open,
    /// The code has asked for its cancellation and waits for its end.
    CancelRequested,
    /// The code has resolved it itself by cancelling it: a later end is not told.
    Detached,
    /// History has its end.
    Ended,
}

/// Intents in the order of their calls; those that were taken back are none.
type Intents = Vec<Option<(Option<u32>, Intent)>>;

impl Session {
    /// A session of an instance that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Turn events that the guest has not seen into jobs, in the contract's order: start, signals, then what has happened to the
    /// execution and its operations. Updates stand between the two and come from elsewhere.
    pub fn observe(&mut self, events: &[Arc<HistoryEvent>]) -> Jobs {
        use Attributes as A;
        let mut jobs = Jobs::default();
        if !self.started {
            self.started = true;
            jobs.before_updates.push(Job::Start);
        }
        let mut reseed = None;
        for event in events {
            let Some(attributes) = &event.attributes else {
                continue;
            };
            reseed = reset::reseeds(event).or(reseed);
            match attributes {
                A::WorkflowExecutionSignaledEventAttributes(_) => {
                    jobs.before_updates.push(Job::Signal(event.clone()));
                }
                A::WorkflowExecutionCancelRequestedEventAttributes(a) => {
                    jobs.after_updates.push(Job::Cancel {
                        reason: a.cause.clone(),
                    });
                }
                A::TimerFiredEventAttributes(a) => {
                    let outcome = Outcome::Completed(common::Payloads::default());
                    self.end(a.started_event_id, |_| outcome, &mut jobs);
                }
                A::ActivityTaskCompletedEventAttributes(a) => {
                    let outcome = Outcome::Completed(a.result.clone().unwrap_or_default());
                    self.end(a.scheduled_event_id, |_| outcome, &mut jobs);
                }
                A::ActivityTaskFailedEventAttributes(a) => self.end(
                    a.scheduled_event_id,
                    |scheduled| {
                        Outcome::Failed(activity_failure(
                            "Activity task failed",
                            scheduled,
                            a.failure.clone(),
                            (a.scheduled_event_id, a.started_event_id),
                            &a.identity,
                            a.retry_state,
                        ))
                    },
                    &mut jobs,
                ),
                A::ActivityTaskTimedOutEventAttributes(a) => self.end(
                    a.scheduled_event_id,
                    |scheduled| {
                        Outcome::TimedOut(activity_failure(
                            "Activity task timed out",
                            scheduled,
                            a.failure.clone(),
                            (a.scheduled_event_id, a.started_event_id),
                            "",
                            a.retry_state,
                        ))
                    },
                    &mut jobs,
                ),
                A::ActivityTaskCanceledEventAttributes(a) => self.end(
                    a.scheduled_event_id,
                    |scheduled| {
                        let cause = Failure {
                            message: "Activity cancelled".into(),
                            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
                                details: a.details.clone(),
                                ..Default::default()
                            })),
                            ..Default::default()
                        };
                        Outcome::Cancelled(activity_failure(
                            "Activity task cancelled",
                            scheduled,
                            Some(cause),
                            (a.scheduled_event_id, a.started_event_id),
                            &a.identity,
                            0,
                        ))
                    },
                    &mut jobs,
                ),
                _ => self.observe_across(event, &mut jobs),
            }
        }
        if let Some(run_id) = reseed {
            let run_id = run_id.to_owned();
            jobs.before_updates.insert(0, Job::Reseed { run_id });
        }
        jobs
    }

    fn end(
        &mut self,
        event_id: i64,
        outcome: impl FnOnce(Option<&ActivityTaskScheduledEventAttributes>) -> Outcome,
        jobs: &mut Jobs,
    ) {
        let outcome = |kind: &Kind| {
            outcome(match kind {
                Kind::Activity { scheduled, .. } => scheduled.as_deref(),
                _ => None,
            })
        };
        self.end_as(event_id, outcome, jobs);
    }

    fn end_as(&mut self, event_id: i64, outcome: impl FnOnce(&Kind) -> Outcome, jobs: &mut Jobs) {
        let Some(seq) = self.by_event.remove(&event_id) else {
            return;
        };
        let Some(operation) = self.operations.get_mut(&seq) else {
            return;
        };
        match &operation.kind {
            Kind::Timer => self.open_timers -= 1,
            Kind::Activity { named, scheduled, .. } => {
                self.open_activities -= 1;
                if let (true, Some(scheduled)) = (named, scheduled) {
                    self.activity_ids.remove(&scheduled.activity_id);
                }
            }
            // Its end is no event of its own kind, so it is never here.
            Kind::Local(_) => self.open_activities -= 1,
            Kind::Child { .. } => self.open_children -= 1,
            Kind::Signal => self.open_signals -= 1,
            Kind::Cancel => self.open_cancels -= 1,
        }
        if matches!(operation.state, State::Open | State::CancelRequested) {
            jobs.after_updates.push(Job::Resolve {
                seq,
                outcome: outcome(&operation.kind),
            });
        }
        operation.state = State::Ended;
        self.ended.push(seq);
    }

    /// Which operations the guest has resolved itself by cancelling them in this activation: their outcome is not delivered.
    pub fn cancelled_by_guest(&self, calls: &[Call]) -> HashSet<u32> {
        let mut seqs = HashSet::new();
        for call in calls {
            match call.command {
                Command::CancelTimer { seq } => {
                    seqs.insert(seq);
                }
                Command::CancelActivity { seq } => {
                    let own = self
                        .operations
                        .get(&seq)
                        .is_none_or(|operation| match operation.kind {
                            Kind::Activity {
                                cancellation_type, ..
                            } => cancellation_type.resolves_at_once(),
                            _ => true,
                        });
                    if own {
                        seqs.insert(seq);
                    }
                }
                Command::CancelChild { seq, .. } => {
                    let own = self
                        .operations
                        .get(&seq)
                        .is_none_or(|operation| match operation.kind {
                            Kind::Child {
                                cancellation_type, ..
                            } => cancellation_type.resolves_at_once(),
                            _ => true,
                        });
                    if own {
                        seqs.insert(seq);
                    }
                }
                _ => {}
            }
        }
        seqs
    }

    /// Check and sort what the guest did in one task: drop what was started and cancelled within it and the cancellation of what
    /// has ended, put the first terminal command last and drop the others. Each intent comes with its call.
    ///
    /// # Errors
    ///
    /// The guest has broken the contract or a limit; its task fails, and this session is of no further use.
    pub fn conclude(
        &mut self,
        calls: Vec<Call>,
        limits: &Limits,
    ) -> Result<Vec<(Option<u32>, Intent)>, Violation> {
        let mut intents = Intents::with_capacity(calls.len());
        let mut terminal = None;
        let mut fresh: BTreeMap<u32, usize> = BTreeMap::new();
        for Call { index, command } in calls {
            match command {
                Command::StartTimer {
                    seq,
                    duration_ns,
                    summary,
                } => {
                    check_timer(seq, summary.as_deref(), limits)?;
                    self.open(seq, Kind::Timer)?;
                    self.open_timers += 1;
                    if self.open_timers > limits.timers_in_flight {
                        return Err(Violation::TooMany {
                            what: InFlight::Timers,
                            limit: limits.timers_in_flight,
                        });
                    }
                    fresh.insert(seq, intents.len());
                    intents.push(Some((
                        index,
                        Intent::StartTimer {
                            seq,
                            duration_ns,
                            summary,
                        },
                    )));
                }
                Command::CancelTimer { seq } => {
                    let Some(operation) = self.operation(seq, "cancel-timer", "timer")? else {
                        continue;
                    };
                    if !matches!(operation.kind, Kind::Timer) {
                        return Err(Violation::UnknownSeq {
                            command: "cancel-timer",
                            seq,
                            expected: "timer",
                        });
                    }
                    if let Some(place) = fresh.remove(&seq) {
                        intents[place] = None;
                        self.operations.remove(&seq);
                        self.open_timers -= 1;
                    } else if operation.state == State::Open {
                        let started_event_id = operation.event_id;
                        self.operations.remove(&seq);
                        self.by_event.remove(&started_event_id);
                        self.open_timers -= 1;
                        intents.push(Some((
                            index,
                            Intent::CancelTimer {
                                seq,
                                started_event_id,
                            },
                        )));
                    }
                }
                Command::ScheduleActivity { seq, options } => {
                    check_activity(seq, &options, limits)?;
                    self.open(
                        seq,
                        Kind::Activity {
                            cancellation_type: options.cancellation_type,
                            named: options.activity_id.is_some(),
                            scheduled: None,
                        },
                    )?;
                    self.hold_activity_id(seq, &options)?;
                    self.open_activities += 1;
                    if self.open_activities > limits.activities_in_flight {
                        return Err(Violation::TooMany {
                            what: InFlight::Activities,
                            limit: limits.activities_in_flight,
                        });
                    }
                    fresh.insert(seq, intents.len());
                    intents.push(Some((index, Intent::ScheduleActivity { seq, options })));
                }
                Command::CancelActivity { seq } => {
                    let Some(operation) = self.operation(seq, "cancel-activity", "activity")? else {
                        continue;
                    };
                    let Kind::Activity {
                        cancellation_type, ..
                    } = operation.kind
                    else {
                        return Err(Violation::UnknownSeq {
                            command: "cancel-activity",
                            seq,
                            expected: "activity",
                        });
                    };
                    if let Some(place) = fresh.remove(&seq) {
                        if let Some((_, Intent::ScheduleActivity { options, .. })) = intents[place].take()
                            && let Some(id) = &options.activity_id
                        {
                            self.activity_ids.remove(id);
                        }
                        self.operations.remove(&seq);
                        self.open_activities -= 1;
                    } else if operation.state == State::Open {
                        operation.state = if cancellation_type.resolves_at_once() {
                            State::Detached
                        } else {
                            State::CancelRequested
                        };
                        let scheduled_event_id = operation.event_id;
                        if cancellation_type.asks() {
                            intents.push(Some((
                                index,
                                Intent::CancelActivity {
                                    seq,
                                    scheduled_event_id,
                                },
                            )));
                        }
                    }
                }
                Command::RecordLocalActivity(marker) => {
                    intents.push(Some((index, Intent::RecordLocalActivity(marker))));
                }
                Command::SideEffect(marker) => {
                    check_side_effect(&marker, limits)?;
                    self.seqs.take(marker.seq)?;
                    intents.push(Some((index, Intent::RecordLocalActivity(marker))));
                }
                // `local_calls` has taken them out.
                Command::ScheduleLocalActivity { .. } | Command::CancelLocalActivity { .. } => {}
                Command::AcceptUpdate { id } => {
                    self.open_updates.insert(id.clone());
                    intents.push(Some((index, Intent::AcceptUpdate { id })));
                }
                Command::CompleteUpdate { id, outcome } => {
                    if !self.open_updates.remove(&id) {
                        return Err(Violation::UnknownUpdate(id));
                    }
                    let what = || format!("the result of update {id:?}");
                    match &outcome {
                        Ok(payloads) => check_size(what, payloads, limits)?,
                        Err(failure) => check_size(what, failure.as_ref(), limits)?,
                    }
                    intents.push(Some((index, Intent::CompleteUpdate { id, outcome })));
                }
                Command::Complete(result) => {
                    check_size(|| "the workflow's result".into(), &result, limits)?;
                    terminal.get_or_insert((index, Intent::Complete(result)));
                }
                Command::Fail(failure) => {
                    check_size(|| "the workflow's failure".into(), failure.as_ref(), limits)?;
                    terminal.get_or_insert((index, Intent::Fail(failure)));
                }
                Command::Cancelled(details) => {
                    check_size(
                        || "the details of the workflow's cancellation".into(),
                        &details,
                        limits,
                    )?;
                    terminal.get_or_insert((index, Intent::Cancelled(details)));
                }
                Command::ContinueAsNew(options) => {
                    checks::check_continue(&options, limits)?;
                    terminal.get_or_insert((index, Intent::ContinueAsNew(options)));
                }
                Command::SetCurrentDetails(details) => {
                    let (size, limit) = (details.len(), limits.history.payload_bytes);
                    if size > limit {
                        let what = "the text of the workflow's current details".into();
                        return Err(Violation::TooLarge { what, size, limit });
                    }
                    self.current_details = details;
                }
                across => {
                    let mut concluded = across::Concluded {
                        index,
                        intents: &mut intents,
                        fresh: &mut fresh,
                        limits,
                    };
                    self.conclude_across(across, &mut concluded)?;
                }
            }
        }
        // The outcome of what has ended is with the guest now: nothing names it any more.
        for seq in self.ended.drain(..) {
            self.operations.remove(&seq);
        }
        let mut intents: Vec<_> = intents.into_iter().flatten().collect();
        intents.extend(terminal);
        Ok(intents)
    }

    /// Tell which event an operation has become.
    pub fn bind(&mut self, seq: u32, event: &Arc<HistoryEvent>) {
        if self.bind_child_cancel(seq, event) {
            return;
        }
        if let Some(operation) = self.operations.get_mut(&seq) {
            operation.event_id = event.event_id;
            match &mut operation.kind {
                Kind::Activity { scheduled, .. } => *scheduled = Scheduled::of(event),
                Kind::Child { initiated, .. } => *initiated = Some(event.clone()),
                Kind::Timer | Kind::Local(_) | Kind::Signal | Kind::Cancel => {}
            }
            self.by_event.insert(event.event_id, seq);
        }
    }

    /// What the code last said about its present state; empty if nothing.
    pub fn current_details(&self) -> &str {
        &self.current_details
    }

    /// The event that an operation of the code has become. None: it has no event yet, or the code knows its end.
    pub fn event_of(&self, seq: u32) -> Option<i64> {
        let event_id = self.operations.get(&seq)?.event_id;
        (event_id > 0).then_some(event_id)
    }

    /// Accepted updates whose handlers have not ended.
    pub fn open_updates(&self) -> impl Iterator<Item = &str> {
        self.open_updates.iter().map(String::as_str)
    }

    fn open(&mut self, seq: u32, kind: Kind) -> Result<(), Violation> {
        self.seqs.take(seq)?;
        let operation = Operation {
            kind,
            state: State::Open,
            event_id: 0,
        };
        self.operations.insert(seq, operation);
        Ok(())
    }

    /// As on Temporal's server, an activity id names one activity in flight.
    fn hold_activity_id(&mut self, seq: u32, options: &ActivityOptions) -> Result<(), Violation> {
        let holder = match &options.activity_id {
            None if self.activity_ids.is_empty() => None,
            None => self.activity_ids.get(&seq.to_string()).copied(),
            Some(id) => self
                .activity_ids
                .get(id)
                .copied()
                .or_else(|| self.default_id(id, seq)),
        };
        if let Some(holder) = holder {
            return Err(Violation::DuplicateActivityId {
                activity_type: options.activity_type.clone(),
                seq,
                activity_id: options.activity_id.clone().unwrap_or_else(|| seq.to_string()),
                holder,
            });
        }
        if let Some(id) = &options.activity_id {
            self.activity_ids.insert(id.clone(), seq);
        }
        Ok(())
    }

    /// The activity in flight, other than `seq`, that has this id because it was given none.
    fn default_id(&self, id: &str, seq: u32) -> Option<u32> {
        let holder = id
            .parse()
            .ok()
            .filter(|holder: &u32| holder.to_string() == id && *holder != seq)?;
        let operation = self.operations.get(&holder)?;
        let unnamed = matches!(operation.kind, Kind::Activity { named: false, .. });
        (unnamed && operation.state != State::Ended).then_some(holder)
    }

    /// The operation that a cancellation is for. None: it is over, and cancelling it is ignored (A4).
    fn operation(
        &mut self,
        seq: u32,
        command: &'static str,
        expected: &'static str,
    ) -> Result<Option<&mut Operation>, Violation> {
        let operation = self.operations.get_mut(&seq);
        if operation.is_none() && !self.seqs.contains(seq) {
            return Err(Violation::UnknownSeq {
                command,
                seq,
                expected,
            });
        }
        Ok(operation)
    }
}

fn activity_failure(
    message: &str,
    scheduled: Option<&ActivityTaskScheduledEventAttributes>,
    cause: Option<Failure>,
    (scheduled_event_id, started_event_id): (i64, i64),
    identity: &str,
    retry_state: i32,
) -> Box<Failure> {
    Box::new(Failure {
        message: message.into(),
        cause: cause.map(Box::new),
        failure_info: Some(FailureInfo::ActivityFailureInfo(ActivityFailureInfo {
            scheduled_event_id,
            started_event_id,
            identity: identity.into(),
            activity_type: scheduled.and_then(|a| a.activity_type.clone()),
            activity_id: scheduled.map(|a| a.activity_id.clone()).unwrap_or_default(),
            retry_state,
        })),
        ..Default::default()
    })
}
