use longhaul_history::proto::{
    common::v1::Payloads,
    history::v1::{HistoryEvent, history_event::Attributes},
};

use super::*;
use crate::{CancellationType, Intent, Nondeterminism, compare, replay::TaskSlice};

fn options(activity_type: &str, cancellation_type: CancellationType) -> Arc<LocalActivityOptions> {
    Arc::new(LocalActivityOptions {
        activity_type: activity_type.into(),
        activity_id: None,
        input: Payloads::default(),
        header: None,
        schedule_to_close_ns: None,
        schedule_to_start_ns: None,
        start_to_close_ns: Some(1_000_000_000),
        retry_policy: None,
        cancellation_type,
        local_retry_threshold_ns: None,
        attempt: 1,
        original_schedule_ns: None,
        summary: None,
    })
}

fn schedule(seq: u32) -> Command {
    schedule_as(seq, CancellationType::TryCancel)
}

fn schedule_as(seq: u32, cancellation_type: CancellationType) -> Command {
    let options = options("charge", cancellation_type);
    Command::ScheduleLocalActivity { seq, options }
}

fn cancel(seq: u32) -> Command {
    Command::CancelLocalActivity { seq }
}

fn timer(seq: u32) -> Command {
    Command::StartTimer {
        seq,
        duration_ns: 1,
        summary: None,
    }
}

/// One task of a guest: its calls, round by round.
struct Task {
    session: Session,
    calls: Vec<Call>,
    round: u64,
    limits: Limits,
}

impl Task {
    fn new() -> Self {
        Self {
            session: Session::new(),
            calls: Vec::new(),
            round: 0,
            limits: Limits::default(),
        }
    }

    /// A round: what the code does in it, and what that asks of local activities.
    fn round(&mut self, commands: impl IntoIterator<Item = Command>) -> Result<LocalCalls, Violation> {
        let from = self.calls.len();
        let calls = commands.into_iter().map(|command| Call { index: None, command });
        self.calls.extend(calls);
        let asked = self
            .session
            .local_calls(&mut self.calls, from, self.round, &self.limits);
        self.round += 1;
        asked
    }

    /// A local activity ends with nothing, and so does the round before.
    fn ends(&mut self, seq: u32) -> Option<Outcome> {
        let mut marker = Box::new(marker(seq));
        let told = self.session.end_local(&mut marker)?;
        self.calls.push(Call {
            index: None,
            command: Command::RecordLocalActivity(marker),
        });
        Some(told)
    }

    /// The markers that the task writes, by number, and whether the code was told of the end.
    fn markers(&mut self) -> Vec<(u32, bool)> {
        let concluded = self.conclude();
        let markers = concluded.iter().filter_map(|(_, intent)| match intent {
            Intent::RecordLocalActivity(marker) => Some((marker.seq, marker.complete_time_ns.is_some())),
            _ => None,
        });
        markers.collect()
    }

    fn conclude(&mut self) -> Vec<(Option<u32>, Intent)> {
        self.session
            .conclude(std::mem::take(&mut self.calls), &self.limits)
            .unwrap()
    }
}

fn marker(seq: u32) -> LocalMarker {
    LocalMarker {
        complete_time_ns: Some(5),
        result: Ok(Payloads::default()),
        ..LocalActivity::abandoned(seq, &options("charge", CancellationType::TryCancel))
    }
}

// A5
#[test]
fn what_begins_is_run_once_and_its_end_told_once() {
    let mut task = Task::new();
    let asked = task.round([timer(1), schedule(2)]).unwrap();
    assert_eq!(asked.start.len(), 1);
    assert!(task.session.has_open_locals());
    assert!(matches!(task.ends(2), Some(Outcome::Completed(_))));
    assert!(task.round([timer(3)]).unwrap().start.is_empty());
    assert_eq!(task.ends(2), None, "it has ended");
    assert_eq!(task.ends(9), None, "it is not there");
    assert!(!task.session.has_open_locals());
    let intents = task.conclude();
    let [
        (_, Intent::StartTimer { .. }),
        (_, Intent::RecordLocalActivity(_)),
        (_, Intent::StartTimer { .. }),
    ] = intents.as_slice()
    else {
        panic!("in the order in which it happened: {intents:?}");
    };
}

// A4, A5
#[test]
fn cancelling_says_how_it_ends() {
    // In the round that began it: as if nothing had been.
    let mut task = Task::new();
    let asked = task.round([schedule(1), cancel(1), cancel(1)]).unwrap();
    assert!(asked.start.is_empty() && asked.abandon.is_empty());
    assert!(!task.session.has_open_locals());
    assert_eq!(task.markers(), []);

    // Later: at once, and its own end is not told any more.
    for (cancellation_type, asks) in [
        (CancellationType::TryCancel, true),
        (CancellationType::Abandon, false),
    ] {
        let mut task = Task::new();
        task.round([schedule_as(1, cancellation_type), schedule(2)])
            .unwrap();
        task.ends(2);
        let asked = task.round([cancel(1), cancel(1)]).unwrap();
        assert_eq!(asked.abandon, [(1, asks)]);
        assert_eq!(task.ends(1), None);
        assert_eq!(task.markers(), [(2, true), (1, false)]);
    }

    // The code waits for its end.
    let mut task = Task::new();
    task.round([schedule_as(1, CancellationType::WaitCompleted), schedule(2)])
        .unwrap();
    task.ends(2);
    assert_eq!(task.round([cancel(1), cancel(1)]).unwrap().cancel, [1]);
    assert!(
        task.session
            .open_locals()
            .any(|(seq, _, asked)| seq == 1 && asked)
    );
    assert!(task.ends(1).is_some());
    task.round([cancel(1)]).unwrap();
    assert_eq!(task.markers(), [(2, true), (1, true)]);
}

// A5, B1
#[test]
fn what_is_wrong_is_said() {
    let fails = |commands: Vec<Command>| Task::new().round(commands).unwrap_err().to_string();
    assert!(fails(vec![cancel(1)]).contains("cancel-local-activity names seq 1"));
    assert!(fails(vec![schedule(1), schedule(1)]).contains("already in use"));
    let without = LocalActivityOptions {
        start_to_close_ns: None,
        ..LocalActivityOptions::clone(&options("charge", CancellationType::TryCancel))
    };
    let without = Command::ScheduleLocalActivity {
        seq: 1,
        options: Arc::new(without),
    };
    assert!(fails(vec![without]).contains("one of the two limits is required"));
    let nameless = options("", CancellationType::TryCancel);
    let nameless = Command::ScheduleLocalActivity {
        seq: 1,
        options: nameless,
    };
    assert!(fails(vec![nameless]).contains("it has no type"));

    let mut task = Task::new();
    task.round([timer(1)]).unwrap();
    task.conclude();
    assert!(
        task.round([cancel(1)])
            .unwrap_err()
            .to_string()
            .contains("no local activity")
    );

    let mut task = Task::new();
    task.limits.activities_in_flight = 2;
    let three = (1..4).map(schedule);
    assert!(task.round(three).unwrap_err().to_string().contains('2'));
}

/// What a replay says of a task that has written this marker, where the code has ended an activity of this type.
fn replayed(written: LocalMarker, activity_type: &str) -> Result<(), Nondeterminism> {
    let event = |event_id, attributes| {
        Arc::new(HistoryEvent {
            event_id,
            attributes,
            ..Default::default()
        })
    };
    let (started, completed) = (event(3, None), event(4, None));
    let outcome = [event(
        5,
        Some(Attributes::MarkerRecordedEventAttributes(written.attributes(4))),
    )];
    let slice = TaskSlice {
        started: &started,
        completed: &completed,
        seen: &[],
        outcome: &outcome,
    };
    let mut task = Task::new();
    let options = options(activity_type, CancellationType::TryCancel);
    task.round([Command::ScheduleLocalActivity { seq: 1, options }])
        .unwrap();
    for marker in slice.local_ends() {
        task.ends(marker.seq);
    }
    compare::task(&task.conclude(), &slice).map(drop)
}

// A5, W4
#[test]
fn another_activity_than_history_says_is_nondeterminism() {
    assert_eq!(replayed(marker(1), "charge"), Ok(()));
    let other = replayed(marker(1), "refund").unwrap_err();
    assert!(other.found.contains("local activity refund"), "{other}");
    assert_eq!(other.event_id, 5);
    // History has the end of one that the code does not begin.
    assert!(replayed(marker(2), "charge").is_err());
    // The code had cancelled it, and does not any more.
    let cancelled = LocalMarker {
        complete_time_ns: None,
        ..marker(1)
    };
    let missing = replayed(cancelled, "charge").unwrap_err();
    assert!(missing.found.contains("no further command"), "{missing}");
}
