//! Workflow tasks that fail, and what a guest may not do.

use longhaul_engine::{Command, ContinueOptions, InFlight, Violation};
use longhaul_history::{
    limits::MAX_ID_CHARS,
    payload::{self, plain_payload},
    proto::{
        common::v1::{Header, Payloads, SearchAttributes},
        enums::v1::WorkflowTaskFailedCause,
    },
};
use prost::Message as _;
use serde_json::json;

use crate::{
    guest::{
        Script, activity, activity_with, cancel_activity, cancel_timer, child, child_with, complete,
        complete_update, target, timer, to_send,
    },
    world::World,
};

#[track_caller]
fn violation(
    world: &mut World<crate::guest::Scripted>,
    commands: impl IntoIterator<Item = Command>,
) -> Violation {
    let events = world.history.len();
    let violation = world.try_script(Script::last(commands)).unwrap_err();
    assert_eq!(
        world.history.len(),
        events,
        "a violation writes nothing by itself"
    );
    violation
}

#[test]
fn a_streak_of_failed_tasks_has_one_event() {
    // E11
    let mut world = World::new();
    assert!(world.fail_task("first"));
    assert!(!world.fail_task("second"));
    world.signal("kept", "").unwrap();
    world.restart();
    assert!(!world.fail_task("third"), "also after a restart");
    assert!(world.execution.needs_task());
    assert_eq!(world.task([]), ["start", "signal kept"]);
    world.signal("more", "").unwrap();
    assert!(world.fail_task("a new streak"));
    assert_eq!(world.task([complete(json!(1))]), ["signal more"]);
    assert!(!world.fail_task("it has closed"));
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskFailed scheduled=2 started=3 cause=WorkflowWorkerUnhandledFailure failure=\"Panic: first\"
         5 WorkflowExecutionSignaled name=kept
         6 WorkflowTaskScheduled attempt=2
         7 WorkflowTaskStarted scheduled=6
         8 WorkflowTaskCompleted scheduled=6 started=7
         9 WorkflowExecutionSignaled name=more
        10 WorkflowTaskScheduled
        11 WorkflowTaskStarted scheduled=10
        12 WorkflowTaskFailed scheduled=10 started=11 cause=WorkflowWorkerUnhandledFailure failure=\"Panic: a new streak\"
        13 WorkflowTaskScheduled attempt=2
        14 WorkflowTaskStarted scheduled=13
        15 WorkflowTaskCompleted scheduled=13 started=14
        16 WorkflowExecutionCompleted result=1",
    );
}

#[test]
fn a_seq_in_use_is_refused() {
    let mut world = World::new();
    assert_eq!(
        violation(&mut world, [timer(1, 5), activity(1, "charge")]),
        Violation::SeqReused(1)
    );
    world.task([timer(1, 5)]);
    world.signal("go", "").unwrap();
    let reused = violation(&mut world, [timer(1, 5)]);
    assert_eq!(
        reused.to_string(),
        "seq 1 is already in use: every operation of a run needs a new one"
    );
    assert_eq!(world.task([timer(2, 5)]), ["signal go"], "the task is run again");
    world.check();
}

#[test]
fn a_seq_is_never_used_twice_and_few_are_left_out() {
    let mut world = World::new();
    world.task([timer(1, 5)]);
    world.advance(5);
    world.fire(5);
    world.task([timer(2, 5), cancel_timer(2)]);
    world.signal("go", "").unwrap();
    assert_eq!(
        violation(&mut world, [timer(1, 5)]),
        Violation::SeqReused(1),
        "it has fired"
    );
    assert_eq!(
        violation(&mut world, [timer(2, 5)]),
        Violation::SeqReused(2),
        "it left no event"
    );
    let far = violation(&mut world, [timer(u32::MAX, 5)]);
    assert!(
        far.to_string().contains("operations are numbered 1, 2, 3"),
        "{far}"
    );
    world.task([timer(3, 5)]);
    world.check();
}

#[test]
fn an_activity_id_names_one_activity_in_flight() {
    // A2
    let with_id = |seq, id: &str| activity_with(seq, "charge", |o| o.activity_id = Some(id.to_owned()));
    let mut world = World::new();
    let twice = violation(&mut world, [with_id(1, "mine"), with_id(2, "mine")]);
    assert_eq!(
        twice.to_string(),
        "activity \"charge\" (seq 2): the activity id \"mine\" is that of an activity in flight (seq 1); wait until that one has \
         ended, or choose another id"
    );
    let default = violation(&mut world, [activity(1, "charge"), with_id(2, "1")]);
    assert!(
        matches!(default, Violation::DuplicateActivityId { holder: 1, .. }),
        "{default}"
    );
    // A pair of one task leaves the id free.
    world.task([with_id(1, "mine"), cancel_activity(1), with_id(2, "mine")]);
    world.signal("go", "").unwrap();
    world.restart();
    let later = violation(&mut world, [with_id(3, "mine")]);
    assert!(
        matches!(later, Violation::DuplicateActivityId { holder: 2, .. }),
        "{later}"
    );
    world.task([]);
    world.start_attempt(5);
    assert!(world.complete_attempt(5, 1, json!("paid")));
    world.restart();
    world.task([with_id(3, "mine")]);
    world.check();
}

#[test]
fn an_unknown_seq_is_refused() {
    let mut world = World::new();
    let unknown = |command, seq, expected| Violation::UnknownSeq {
        command,
        seq,
        expected,
    };
    assert_eq!(
        violation(&mut world, [cancel_timer(9)]),
        unknown("cancel-timer", 9, "timer")
    );
    assert_eq!(
        violation(&mut world, [cancel_activity(9)]),
        unknown("cancel-activity", 9, "activity")
    );
    assert_eq!(
        violation(&mut world, [timer(1, 5), cancel_activity(1)]),
        unknown("cancel-activity", 1, "activity")
    );
    let wrong = violation(&mut world, [activity(1, "charge"), cancel_timer(1)]);
    assert_eq!(
        wrong.to_string(),
        "cancel-timer names seq 1, which is no timer of this run"
    );
    assert_eq!(
        violation(&mut world, [complete_update("u", json!(1))]),
        Violation::UnknownUpdate("u".into())
    );
}

#[test]
fn bad_activity_options_are_refused() {
    // A2
    let mut world = World::new();
    let mut why = |command| match violation(&mut world, [command]) {
        Violation::BadActivity { seq: 1, why, .. } => why,
        other => panic!("{other}"),
    };
    assert_eq!(why(activity(1, "")), "it has no type");
    let missing = "set schedule-to-close or start-to-close: one of the two limits is required";
    assert_eq!(
        why(activity_with(1, "charge", |o| o.start_to_close_ns = None)),
        missing
    );
    assert_eq!(
        why(activity_with(1, "charge", |o| o.start_to_close_ns = Some(0))),
        missing
    );
    let long = "ü".repeat(MAX_ID_CHARS + 1);
    assert_eq!(why(activity(1, &long)), "its type has more than 1000 characters");
    let with_id = |id: String| activity_with(1, "charge", |options| options.activity_id = Some(id));
    assert_eq!(why(with_id(long.clone())), "its id has more than 1000 characters");
    let queued = |queue: String| activity_with(1, "charge", |options| options.task_queue = Some(queue));
    assert_eq!(
        why(queued(long.clone())),
        "its task queue has more than 1000 characters"
    );
    assert_eq!(
        why(queued(String::new())),
        "its task queue has no name: name one, or leave it out to use the workflow's own"
    );
    world.task([with_id(long.chars().skip(1).collect())]);
    world.check();
}

#[test]
fn values_over_the_limit_are_refused() {
    // B2
    let mut world = World::new();
    world.limits.history.payload_bytes = 100;
    let large = Payloads {
        payloads: vec![plain_payload(vec![0; 100])],
    };
    let mut what = |command| match violation(&mut world, [command]) {
        Violation::TooLarge {
            what,
            size,
            limit: 100,
        } => {
            assert!(size > 100);
            what
        }
        other => panic!("{other}"),
    };
    assert_eq!(
        what(activity_with(1, "charge", |options| options.input = large.clone())),
        "the input of activity \"charge\" (seq 1)"
    );
    assert_eq!(what(Command::Complete(large.clone())), "the workflow's result");
    assert_eq!(
        what(Command::Cancelled(large.clone())),
        "the details of the workflow's cancellation"
    );
    let failure = longhaul_history::failure::application("x".repeat(100), "Broken", false);
    assert_eq!(what(Command::Fail(Box::new(failure))), "the workflow's failure");
    world.update("u", "add").unwrap();
    let failure = longhaul_history::failure::application("x".repeat(100), "Broken", false);
    for outcome in [Ok(large), Err(Box::new(failure))] {
        let update = Command::CompleteUpdate {
            id: "u".into(),
            outcome,
        };
        assert!(matches!(
            violation(&mut world, [update]),
            Violation::TooLarge { what, .. } if what == "the result of update \"u\""
        ));
    }
}

#[test]
fn summaries_headers_reasons_and_attributes_over_the_limit_are_refused() {
    // B2
    let mut world = World::new();
    let fits = "x".repeat(30);
    let measured = payload::json_payload(&json!(fits)).encoded_len();
    world.limits.history.summary_bytes = measured;
    world.limits.history.payload_bytes = 100;
    world.limits.history.memo_bytes = 120;
    let mut refused = |commands: Vec<Command>, what: &str, limit: usize| {
        let violation = violation(&mut world, commands);
        assert_eq!(violation.cause(), WorkflowTaskFailedCause::PayloadsTooLarge);
        match violation {
            Violation::TooLarge {
                what: found,
                size,
                limit: at,
            } => {
                assert_eq!((found.as_str(), at), (what, limit));
                assert!(size > limit, "{what}: {size}");
            }
            other => panic!("{what}: {other}"),
        }
    };

    let summary = Some(format!("{fits}x"));
    let timer_with = |summary| Command::StartTimer {
        seq: 1,
        duration_ns: 1,
        summary,
    };
    refused(
        vec![timer_with(summary.clone())],
        "the summary of timer 1",
        measured,
    );
    let command = activity_with(1, "charge", |o| o.summary = summary.clone());
    refused(
        vec![command],
        "the summary of activity \"charge\" (seq 1)",
        measured,
    );
    let command = child_with(1, "kid", |o| o.summary = summary.clone());
    refused(
        vec![command],
        "the summary of child workflow \"kid\" (seq 1)",
        measured,
    );

    let header = Some(Header {
        fields: [("trace".to_owned(), plain_payload(vec![0; 100]))].into(),
    });
    let command = activity_with(1, "charge", |o| o.header = header.clone());
    refused(vec![command], "the header of activity \"charge\" (seq 1)", 100);
    let command = child_with(1, "kid", |o| o.header = header.clone());
    refused(vec![command], "the header of child workflow \"kid\" (seq 1)", 100);
    let mut signal = to_send("note");
    signal.header = header.clone();
    let command = Command::SignalExternal {
        seq: 1,
        target: target("b"),
        signal,
    };
    let what = "the header of signal \"note\" to workflow \"b\" (seq 1)";
    refused(vec![command], what, 100);
    let next = ContinueOptions {
        header,
        ..Default::default()
    };
    let command = Command::ContinueAsNew(Box::new(next));
    refused(vec![command], "the header of the next run", 100);

    let reason = "x".repeat(101);
    let command = Command::CancelExternal {
        seq: 1,
        target: target("b"),
        reason: reason.clone(),
    };
    refused(
        vec![command],
        "the reason for cancelling workflow \"b\" (seq 1)",
        100,
    );
    let commands = vec![child(1, "kid"), Command::CancelChild { seq: 1, reason }];
    refused(commands, "the reason for cancelling child workflow 1", 100);

    let value = plain_payload(vec![0; 120]);
    let attributes = SearchAttributes {
        indexed_fields: [("Colour".to_owned(), value.clone())].into(),
    };
    let command = child_with(1, "kid", |o| o.search_attributes = Some(attributes.clone()));
    let what = "the search attributes of child workflow \"kid\" (seq 1)";
    refused(vec![command], what, 120);
    let next = ContinueOptions {
        search_attributes: Some(attributes),
        ..Default::default()
    };
    let command = Command::ContinueAsNew(Box::new(next));
    refused(vec![command], "the search attributes of the next run", 120);
    let command = Command::UpsertSearchAttributes(vec![("Colour".to_owned(), Some(value))]);
    refused(vec![command], "what is upserted of the search attributes", 120);

    // At the limit they go.
    let fits = Some(fits);
    let activity = activity_with(2, "charge", |o| o.summary = fits.clone());
    let child = child_with(3, "kid", |o| o.summary = fits.clone());
    world.task([timer_with(fits.clone()), activity, child]);
    world.check();
}

#[test]
fn operations_in_flight_are_limited() {
    let mut world = World::new();
    world.limits.timers_in_flight = 2;
    world.limits.activities_in_flight = 1;
    let too_many = violation(&mut world, [timer(1, 5), timer(2, 5), timer(3, 5)]);
    assert_eq!(
        too_many,
        Violation::TooMany {
            what: InFlight::Timers,
            limit: 2
        }
    );
    assert_eq!(
        too_many.to_string(),
        "the run has 2 timers in flight, which is the limit"
    );
    assert_eq!(
        violation(&mut world, [activity(1, "charge"), activity(2, "charge")]),
        Violation::TooMany {
            what: InFlight::Activities,
            limit: 1
        }
    );
    // What was cancelled or has ended makes room.
    world.task([
        timer(1, 5),
        timer(2, 5),
        cancel_timer(1),
        timer(3, 5),
        activity(4, "charge"),
    ]);
    world.start_attempt(7);
    world.complete_attempt(7, 1, json!(1));
    world.task([cancel_timer(2), timer(5, 1), activity(6, "charge")]);
    world.check();
}
