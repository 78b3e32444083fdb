//! The judge judged: histories that Core must accept, and altered ones that it must refuse.

mod across;
mod refusals;
mod scenarios;
mod tape;

use longhaul_judge::{Alteration, Error, Options, Script, Verdict, judge, judge_against};
use tape::Tape;
use temporalio_protos::temporal::api::{
    enums::v1::EventType,
    history::v1::{History, history_event::Attributes},
};

#[test]
fn every_canned_history_is_accepted_with_all_its_commands() {
    for scenario in scenarios::all() {
        match judge(&scenario.history, &Options::default()) {
            Ok(Verdict::Accepted { commands, .. }) => {
                assert_eq!(commands, scenario.commands, "{}", scenario.name)
            }
            other => panic!("{}: {other:?}", scenario.name),
        }
    }
}

#[test]
fn one_altered_event_is_refused() {
    let mut tried = [0; Alteration::ALL.len()];
    for scenario in scenarios::all() {
        let code = Script::read(&scenario.history).unwrap();
        for (alteration, tried) in Alteration::ALL.into_iter().zip(&mut tried) {
            let Some((altered, event)) = alteration.apply(&scenario.history) else {
                continue;
            };
            let verdict = judge_against(&altered, &code, &Options::default());
            let place = format!("{}, event {event}, {alteration:?}: {verdict:?}", scenario.name);
            if kind_of(&scenario.history, event) == EventType::WorkflowExecutionUpdateAccepted {
                // Core learns of an update from the very event that is gone: it stumbles over the answer, or takes the
                // task for an idle one.
                let words = "Missing associated machine for protocol message";
                let missing =
                    matches!(&verdict, Ok(Verdict::Refused { reason, .. }) if reason.contains(words));
                assert!(missing || matches!(verdict, Err(Error::Merged { .. })), "{place}");
            } else {
                assert!(
                    matches!(verdict, Ok(verdict) if verdict.is_nondeterminism()),
                    "{place}"
                );
            }
            *tried += 1;
        }
    }
    assert!(
        tried.iter().all(|&tried| tried > 0),
        "no history for one of {:?}: {tried:?}",
        Alteration::ALL
    );
}

#[test]
fn a_command_event_without_its_command_is_refused() {
    let mut tried = 0;
    for scenario in scenarios::all() {
        let code = Script::read(&scenario.history).unwrap();
        for (task, kinds) in command_kinds(&scenario.history).iter().enumerate() {
            for command in 0..kinds.len() {
                let altered = code.without(task, command).unwrap();
                let verdict = judge_against(&scenario.history, &altered, &Options::default()).unwrap();
                let place = format!("{}, task {task}, command {command}: {verdict:?}", scenario.name);
                // A deprecated patch need not be asked for any more.
                let forgiven = scenario.name == scenarios::WITH_PATCHES && (task, command) == (0, 1);
                assert_eq!(matches!(verdict, Verdict::Refused { .. }), !forgiven, "{place}");
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

#[test]
fn a_command_without_its_event_is_refused() {
    let mut tried = 0;
    for scenario in scenarios::all() {
        let code = Script::read(&scenario.history).unwrap();
        for (task, kinds) in command_kinds(&scenario.history).into_iter().enumerate() {
            for (command, kind) in kinds.into_iter().enumerate() {
                let altered = code.doubled(task, command).unwrap();
                let verdict = judge_against(&scenario.history, &altered, &Options::default()).unwrap();
                let place = format!("{}, task {task}, command {command}: {verdict:?}", scenario.name);
                assert_eq!(
                    matches!(verdict, Verdict::Refused { .. }),
                    !may_be_repeated(kind),
                    "{place}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

/// Whether Core takes a second command of this kind for the first: a timer is cancelled once, a patch is remembered,
/// a local activity has one marker, and of several closing commands the first counts.
fn may_be_repeated(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::TimerCanceled
            | EventType::MarkerRecorded
            | EventType::WorkflowExecutionCompleted
            | EventType::WorkflowExecutionFailed
            | EventType::WorkflowExecutionCanceled
            | EventType::WorkflowExecutionContinuedAsNew
    )
}

/// The kinds of event that the commands of each task have left, but for the search attributes of patches.
fn command_kinds(history: &History) -> Vec<Vec<EventType>> {
    let mut tasks = Vec::new();
    for event in &history.events {
        match event.event_type() {
            EventType::WorkflowTaskCompleted => tasks.push(Vec::new()),
            EventType::UpsertWorkflowSearchAttributes => {}
            kind if event.is_command_event() => tasks.last_mut().expect("a task issued it").push(kind),
            _ => {}
        }
    }
    tasks
}

#[test]
fn a_command_behind_the_last_event_is_refused() {
    let mut tape = Tape::new();
    tape.task();
    tape.timer_started(1);
    tape.signaled("still waiting");
    let history = tape.history();

    let code = Script::read(&history).unwrap().doubled(0, 0).unwrap();
    let verdict = judge_against(&history, &code, &Options::default()).unwrap();
    // The event is the completion that the judge adds.
    assert!(
        matches!(verdict, Verdict::Refused { event: Some(11), .. }),
        "{verdict:?}"
    );
}

#[test]
fn two_commands_in_exchanged_order_are_refused() {
    let mut tape = Tape::new();
    tape.task();
    let timer = tape.timer_started(1);
    let scheduled = tape.activity_scheduled("1", "charge");
    tape.activity_scheduled("2", "ship");
    tape.timer_fired(timer, 1);
    let started = tape.activity_started(scheduled, 1);
    tape.activity_completed(scheduled, started);
    tape.task();
    tape.completed();
    let history = tape.history();

    let code = Script::read(&history).unwrap();
    for command in 0..2 {
        let exchanged = code.swapped(0, command).unwrap();
        let verdict = judge_against(&history, &exchanged, &Options::default()).unwrap();
        assert!(verdict.is_nondeterminism(), "command {command}: {verdict:?}");
    }
}

#[test]
fn a_refusal_says_what_did_not_fit_and_where() {
    let mut tape = Tape::new();
    tape.task();
    let scheduled = tape.activity_scheduled("1", "charge");
    tape.timer_started(1);
    let history = tape.history();

    let code = Script::read(&history).unwrap().without(0, 1).unwrap();
    let verdict = judge_against(&history, &code, &Options::default()).unwrap();
    let reason =
        "[TMPRL1100] Nondeterminism error: No command scheduled for event HistoryEvent(id: 6, TimerStarted)";
    assert_eq!(
        verdict,
        Verdict::Refused {
            reason: reason.to_owned(),
            event: Some(6),
            last_started: 3
        }
    );
    assert_eq!(scheduled, 5);
}

#[test]
fn a_run_without_a_task_has_nothing_to_judge() {
    let verdict = judge(&Tape::new().history(), &Options::default()).unwrap();
    assert_eq!(
        verdict,
        Verdict::Accepted {
            activations: 0,
            commands: 0
        }
    );
}

#[test]
fn commands_that_core_never_asked_for_are_no_acceptance() {
    let mut short = Tape::new();
    short.task();
    short.timer_started(1);
    let mut long = Tape::new();
    long.task();
    let timer = long.timer_started(1);
    long.timer_fired(timer, 1);
    long.task();
    long.completed();

    let code = Script::read(&long.history()).unwrap();
    let verdict = judge_against(&short.history(), &code, &Options::default());
    assert!(
        matches!(verdict, Err(Error::Unasked { asked: 1, total: 2 })),
        "{verdict:?}"
    );
}

fn kind_of(history: &History, event: i64) -> EventType {
    history
        .events
        .iter()
        .find(|e| e.event_id == event)
        .map_or(EventType::Unspecified, |e| e.event_type())
}

/// Changes the attributes of one event; for tests of what Core looks at.
pub(crate) fn edited(mut history: History, event: i64, edit: impl FnOnce(&mut Attributes)) -> History {
    let attributes = history
        .events
        .iter_mut()
        .find(|e| e.event_id == event)
        .and_then(|e| e.attributes.as_mut());
    edit(attributes.expect("the event exists and has attributes"));
    history
}
