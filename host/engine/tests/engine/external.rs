//! Signals and cancellation requests to other executions (E6).

use longhaul_engine::{
    Answer, Command, Failed, InFlight, Target, Violation, proto::enums::v1::WorkflowTaskFailedCause as Cause,
};
use serde_json::json;

use crate::{
    guest::{Script, cancel_external, complete, json, signal_external, to_send},
    town::Town,
    world::World,
};

const FIRST_TASK: &str = "
    1 WorkflowExecutionStarted type=Test id=a queue=default
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted scheduled=2
    4 WorkflowTaskCompleted scheduled=2 started=3
";

fn two() -> Town {
    let mut town = Town::new();
    town.start("a");
    town.start("b");
    town
}

#[test]
fn a_signal_is_initiated_then_taken_then_told() {
    // E6, S10
    let mut town = two();
    let signal = Command::SignalExternal {
        seq: 1,
        target: Target {
            workflow_id: "b".into(),
            run_id: Some(town.world("b").execution.identity().run_id.to_string()),
        },
        signal: {
            let mut signal = to_send("note");
            signal.input = json(&json!("hi"));
            signal
        },
    };
    town.task("a", [signal]);
    assert_eq!(town.rows(), ["b signal note"]);
    town.settle();
    assert_eq!(town.task("b", []), ["start", "signal note"]);
    town.world("b").assert(
        "1 WorkflowExecutionStarted type=Test id=b queue=default
         2 WorkflowExecutionSignaled name=note input=(\"hi\") from=a
         3 WorkflowTaskScheduled
         4 WorkflowTaskStarted scheduled=3
         5 WorkflowTaskCompleted scheduled=3 started=4",
    );
    assert_eq!(town.task("a", [complete(json!(1))]).len(), 1);
    town.world("a").assert(&format!(
        "{FIRST_TASK}
         5 SignalExternalWorkflowExecutionInitiated to=b name=note input=(\"hi\")
         6 ExternalWorkflowExecutionSignaled initiated=5
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7
         9 WorkflowTaskCompleted scheduled=7 started=8
         10 WorkflowExecutionCompleted result=1"
    ));
}

#[test]
fn an_unknown_target_is_a_failed_outcome() {
    // E6
    let mut town = Town::new();
    town.start("a");
    town.task(
        "a",
        [signal_external(1, "nobody", "note"), cancel_external(2, "nobody")],
    );
    town.settle();
    assert_eq!(
        town.task("a", []),
        [
            "resolve 1 failed ExternalWorkflowExecutionNotFound: Unable to signal external workflow because it was not found",
            "resolve 2 failed ExternalWorkflowExecutionNotFound: Unable to cancel external workflow because not found",
        ]
    );
    town.world("a").assert(&format!(
        "{FIRST_TASK}
         5 SignalExternalWorkflowExecutionInitiated to=nobody name=note
         6 RequestCancelExternalWorkflowExecutionInitiated to=nobody reason=enough
         7 SignalExternalWorkflowExecutionFailed initiated=5 cause=ExternalWorkflowExecutionNotFound
         8 RequestCancelExternalWorkflowExecutionFailed initiated=6 cause=ExternalWorkflowExecutionNotFound
         9 WorkflowTaskScheduled
         10 WorkflowTaskStarted scheduled=9
         11 WorkflowTaskCompleted scheduled=9 started=10"
    ));
}

#[test]
fn a_closed_target_takes_no_signal_and_need_not_be_cancelled() {
    // E4, E6
    let mut town = two();
    town.task("b", [complete(json!(1))]);
    town.task("a", [signal_external(1, "b", "note"), cancel_external(2, "b")]);
    town.settle();
    let told = town.task("a", []);
    assert!(told[0].contains("ExternalWorkflowExecutionNotFound"), "{told:?}");
    assert_eq!(told[1], "resolve 2 completed ()");
    assert_eq!(town.world("b").history.len(), 5, "nothing is written to it");
}

#[test]
fn what_an_execution_sends_to_itself_fails() {
    // E6
    let mut town = Town::new();
    town.start("a");
    town.task("a", [signal_external(1, "a", "note"), cancel_external(2, "a")]);
    assert_eq!(town.rows(), [""; 0], "nothing is sent");
    let told = town.task("a", []);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter()
            .all(|told| told.contains("ExternalWorkflowExecutionNotFound")),
        "{told:?}"
    );
    assert!(!town.world("a").execution.cancel_requested());
    assert!(town.world("a").execution.pending_orders().is_empty());
    town.check();
    // Also in the task that ends the run, where there is nobody left to tell.
    town.start("b");
    town.task("b", [signal_external(1, "b", "note"), complete(json!(1))]);
    assert_eq!(town.rows(), [""; 0]);
    town.check();
}

#[test]
fn a_cancellation_request_names_who_sent_it_and_is_taken_once() {
    // E4, E6
    let mut town = two();
    town.task("a", [cancel_external(1, "b"), cancel_external(2, "b")]);
    town.settle();
    assert_eq!(town.task("b", []), ["start", "cancel enough"]);
    town.world("b").assert(
        "1 WorkflowExecutionStarted type=Test id=b queue=default
         2 WorkflowExecutionCancelRequested cause=enough from=a
         3 WorkflowTaskScheduled
         4 WorkflowTaskStarted scheduled=3
         5 WorkflowTaskCompleted scheduled=3 started=4",
    );
    assert_eq!(
        town.task("a", []),
        ["resolve 1 completed ()", "resolve 2 completed ()"]
    );
    town.check();
}

#[test]
fn a_second_delivery_and_a_second_answer_change_nothing() {
    // E6
    let mut town = two();
    town.task("a", [signal_external(1, "b", "note")]);
    let key = town.keys().remove(0);
    let answer = town.receive(&key);
    assert_eq!(town.receive(&key), answer);
    assert_eq!(town.world("b").history.len(), 2);
    town.answer(&key, &answer);
    let again = town.with("a", |a| {
        a.step(|execution, turn, _| execution.answered(turn, key.1, &answer))
    });
    assert!(!again);
    town.check();
}

#[test]
fn a_signal_of_another_execution_is_known_by_its_sender_and_its_number() {
    // S5, E6: also by a run that has it from the one before it, and that nothing tells that it was delivered.
    let mut town = two();
    town.task(
        "a",
        [signal_external(1, "b", "note"), signal_external(2, "b", "note")],
    );
    let first = town.world("a").execution.outgoing(5).unwrap();
    let second = town.world("a").execution.outgoing(6).unwrap();
    let mut receive = |outgoing| {
        town.with("b", |b| {
            b.step(|execution, turn, limits| execution.receive(turn, outgoing, limits))
        });
        town.world("b").history.len()
    };
    assert_eq!(receive(&first), 2);
    assert_eq!(receive(&first), 2, "it is known");
    assert_eq!(receive(&second), 3);
    town.check();
}

#[test]
fn a_message_is_known_again_after_a_restart() {
    // E6
    let mut town = two();
    town.task("a", [signal_external(1, "b", "note"), cancel_external(2, "b")]);
    let (signal, cancel) = (
        town.world("a").execution.outgoing(5),
        town.world("a").execution.outgoing(6),
    );
    town.with("a", World::restart);
    let execution = &town.world("a").execution;
    assert_eq!(execution.pending_orders(), [5, 6]);
    assert_eq!((execution.outgoing(5), execution.outgoing(6)), (signal, cancel));
    assert_eq!(execution.outgoing(7), None);
}

#[test]
fn a_signal_that_is_not_sent_yet_can_be_given_up() {
    // E6
    let mut world = World::new();
    let give_up = Command::CancelSignalExternal { seq: 1 };
    world.task([signal_external(1, "b", "note"), give_up.clone()]);
    assert!(world.execution.external_signals().is_empty());
    // One that is on its way is not called back, and has its outcome.
    world.signal("go", "").unwrap();
    world.task([signal_external(2, "b", "note")]);
    world.signal("go", "").unwrap();
    world.task([Command::CancelSignalExternal { seq: 2 }]);
    let order = *world.execution.external_signals().keys().next().unwrap();
    assert!(world.step(|execution, turn, _| execution.answered(turn, order, &Answer::delivered())));
    assert_eq!(world.task([]), ["resolve 2 completed ()"]);
    world.check();
    // What is over is left alone; what never was is an error of the code.
    assert!(world.try_script(Script::last([give_up])).unwrap().is_empty());
    let never = Command::CancelSignalExternal { seq: 9 };
    let unknown = world.try_script(Script::last([never])).unwrap_err();
    assert!(matches!(unknown, Violation::UnknownSeq { seq: 9, .. }));
}

#[test]
fn what_was_sent_before_the_close_still_arrives() {
    // E7
    let mut town = two();
    town.task("a", [signal_external(1, "b", "note"), complete(json!(1))]);
    assert_eq!(town.rows(), ["b signal note"]);
    town.settle();
    assert_eq!(town.task("b", []), ["start", "signal note"]);
    town.check();
}

#[test]
fn a_full_receiver_is_the_senders_failure() {
    // E6, E10
    for of_what_it_has_not_seen in [false, true] {
        let mut town = two();
        town.task("a", [signal_external(1, "b", "note")]);
        town.with("b", |b| match of_what_it_has_not_seen {
            false => b.limits.history.stop_events = 1,
            true => b.limits.history.unseen_signals_bytes = 1,
        });
        town.settle();
        assert_eq!(
            town.task("a", []),
            [
                "resolve 1 failed SignalCountLimitExceeded: Unable to signal external workflow because The per-workflow signal \
                 limit was exceeded"
            ]
        );
    }
}

#[test]
fn what_cannot_be_sent_fails_the_task() {
    // E6
    let mut world = World::new();
    let mut bad = |command, cause| {
        let violation = world.try_script(Script::last([command])).unwrap_err();
        assert_eq!(violation.cause(), cause);
        violation.to_string()
    };
    assert_eq!(
        bad(
            signal_external(1, "", "note"),
            Cause::BadSignalWorkflowExecutionAttributes
        ),
        "signal \"note\" to workflow \"\" (seq 1): the workflow id is empty"
    );
    assert_eq!(
        bad(
            signal_external(1, "b", ""),
            Cause::BadSignalWorkflowExecutionAttributes
        ),
        "signal \"\" to workflow \"b\" (seq 1): the signal name is empty"
    );
    assert_eq!(
        bad(
            cancel_external(1, ""),
            Cause::BadRequestCancelExternalWorkflowExecutionAttributes
        ),
        "cancelling workflow \"\" (seq 1): the workflow id is empty"
    );
    let target = Target {
        workflow_id: "b".into(),
        run_id: Some("first".into()),
    };
    let reason = String::new();
    assert_eq!(
        bad(
            Command::CancelExternal {
                seq: 1,
                target,
                reason
            },
            Cause::BadRequestCancelExternalWorkflowExecutionAttributes
        ),
        "cancelling workflow \"b\" (seq 1): \"first\" is no run id: it is not a UUID"
    );
}

#[test]
fn only_so_many_messages_at_once() {
    // E6
    let mut world = World::new();
    (world.limits.signals_in_flight, world.limits.cancels_in_flight) = (1, 1);
    world.task([signal_external(1, "b", "note"), cancel_external(2, "b")]);
    world.signal("more", "").unwrap();
    let too_many = |what| Violation::TooMany { what, limit: 1 };
    assert_eq!(
        world.try_script(Script::last([signal_external(3, "b", "note")])),
        Err(too_many(InFlight::Signals))
    );
    assert_eq!(
        world.try_script(Script::last([cancel_external(3, "b")])),
        Err(too_many(InFlight::Cancels))
    );
    assert_eq!(
        too_many(InFlight::Signals).cause(),
        Cause::PendingSignalsLimitExceeded
    );
    assert_eq!(
        too_many(InFlight::Cancels).cause(),
        Cause::PendingRequestCancelLimitExceeded
    );
    assert_eq!(
        too_many(InFlight::Children).cause(),
        Cause::PendingChildWorkflowsLimitExceeded
    );
    assert_eq!(
        too_many(InFlight::Activities).cause(),
        Cause::PendingActivitiesLimitExceeded
    );
    for order in [5, 6] {
        let answer = Answer::refused(Failed::NotFound);
        assert!(world.step(|execution, turn, _| execution.answered(turn, order, &answer)));
    }
    world.task([signal_external(3, "b", "note"), cancel_external(4, "b")]);
    world.check();
}
