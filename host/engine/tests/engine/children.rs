//! Children: they start, they end, and their parent decides what becomes of them (E5).

use longhaul_engine::{Answer, ChildCancellationType, Failed, InFlight, Status, Violation, execution::Start};
use longhaul_history::{
    builder::START_NS,
    proto::{
        common::v1::{Payloads, RetryPolicy},
        enums::v1::ParentClosePolicy,
    },
};
use serde_json::json;

use crate::{
    guest::{Script, cancel_child, child, child_with, complete, fail, json, timer, to_send},
    town::Town,
    world::{World, start},
};
use longhaul_engine::Command;

const PARENT: &str = "
    1 WorkflowExecutionStarted type=Test id=parent queue=default
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted scheduled=2
    4 WorkflowTaskCompleted scheduled=2 started=3
    5 StartChildWorkflowExecutionInitiated type=Child id=kid queue=default
";

/// A parent that has told of its child by event 5.
fn parent_of(change: impl FnOnce(&mut longhaul_engine::ChildOptions)) -> Town {
    let mut town = Town::new();
    town.start("parent");
    town.task("parent", [child_with(1, "kid", change)]);
    town
}

#[test]
fn start_and_result_are_awaited_apart() {
    // E5
    let mut town = parent_of(|options| options.input = json(&json!(7)));
    assert_eq!(town.rows(), ["kid start"]);
    town.settle();
    let run_id = town.world("kid").execution.identity().run_id.to_string();
    assert_eq!(town.task("parent", []), [format!("child 1 started {run_id}")]);
    town.world("kid")
        .assert("1 WorkflowExecutionStarted type=Child id=kid queue=default input=(7) parent=parent");
    town.task("kid", [complete(json!("grown"))]);
    assert_eq!(town.rows(), ["parent closed 5"]);
    town.settle();
    assert_eq!(
        town.task("parent", [complete(json!(1))]),
        ["resolve 1 completed (\"grown\")"]
    );
    town.world("parent").assert(
        "1 WorkflowExecutionStarted type=Test id=parent queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 StartChildWorkflowExecutionInitiated type=Child id=kid queue=default input=(7)
         6 ChildWorkflowExecutionStarted initiated=5 id=kid
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7
         9 WorkflowTaskCompleted scheduled=7 started=8
         10 ChildWorkflowExecutionCompleted initiated=5 started=6 result=\"grown\"
         11 WorkflowTaskScheduled
         12 WorkflowTaskStarted scheduled=11
         13 WorkflowTaskCompleted scheduled=11 started=12
         14 WorkflowExecutionCompleted result=1",
    );
    town.check();
}

#[test]
fn a_child_is_started_with_the_summary_that_its_parent_gives_it() {
    // E5, E3
    let mut town = parent_of(|options| options.summary = Some("grow up".into()));
    town.settle();
    let kid = "1 WorkflowExecutionStarted type=Child id=kid queue=default parent=parent";
    town.world("kid").assert(&format!("{kid} summary=\"grow up\""));
    let metadata = town.world("kid").execution.user_metadata().cloned();
    assert_eq!(metadata.unwrap().summary.unwrap().data, b"\"grow up\"");
    // As on Temporal's server: the next run of the chain has none.
    town.task("kid", [Command::ContinueAsNew(Box::default())]);
    assert_eq!(town.world("kid").execution.user_metadata(), None);
}

#[test]
fn a_child_knows_its_parent_and_the_topmost_of_all() {
    // E5
    let mut town = parent_of(|_| {});
    town.settle();
    town.task("kid", [child(1, "grandchild")]);
    town.settle();
    let parent = town.world("kid").execution.parent().unwrap();
    assert_eq!((&*parent.workflow_id, parent.initiated_event_id), ("parent", 5));
    let grandchild = &town.world("grandchild").execution;
    assert_eq!(grandchild.parent().unwrap().workflow_id, "kid");
    let root = grandchild.start().root_workflow_execution.clone().unwrap();
    assert_eq!(root.workflow_id, "parent");
    assert_eq!(*root.run_id, *town.world("parent").execution.identity().run_id);
}

#[test]
fn an_id_in_use_is_a_failure_of_the_start() {
    // E5
    let mut town = Town::new();
    town.start("kid");
    town.start("parent");
    town.task("parent", [child(1, "kid")]);
    town.settle();
    assert_eq!(
        town.task("parent", []),
        ["resolve 1 not started kid WorkflowAlreadyExists"]
    );
    assert!(town.world("parent").execution.children().is_empty());
    town.world("parent").assert(&format!(
        "{PARENT}
         6 StartChildWorkflowExecutionFailed initiated=5 id=kid cause=WorkflowAlreadyExists
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7
         9 WorkflowTaskCompleted scheduled=7 started=8"
    ));
}

#[test]
fn every_end_of_a_child_reaches_its_parent() {
    // E5
    type End = fn(&mut Town);
    let ends: [(End, &str, &str); 4] = [
        (
            |town| drop(town.task("kid", [fail("sad")])),
            "resolve 1 failed",
            "7 ChildWorkflowExecutionFailed initiated=5 started=6 failure=\"Broken: sad\" retry-state=RetryPolicyNotSet",
        ),
        (
            |town| drop(town.task("kid", [Command::Cancelled(Payloads::default())])),
            "resolve 1 cancelled",
            "7 ChildWorkflowExecutionCanceled initiated=5 started=6",
        ),
        (
            |town| town.with("kid", |kid| kid.terminate("no more")).unwrap(),
            "resolve 1 failed",
            "7 ChildWorkflowExecutionTerminated initiated=5 started=6",
        ),
        (
            |town| {
                town.with("kid", |kid| {
                    kid.advance(60);
                    assert!(kid.step(|execution, turn, _| execution.run_timed_out(turn)));
                });
            },
            "resolve 1 timed out",
            "7 ChildWorkflowExecutionTimedOut initiated=5 started=6 retry-state=RetryPolicyNotSet",
        ),
    ];
    for (end, told, event) in ends {
        let mut town = parent_of(|options| options.run_timeout_ns = Some(60_000_000_000));
        town.settle();
        end(&mut town);
        town.settle();
        let heard = town.task("parent", []);
        assert!(heard[1].starts_with(told), "{heard:?}");
        town.world("parent").assert(&format!(
            "{}
             6 ChildWorkflowExecutionStarted initiated=5 id=kid
             {event}
             8 WorkflowTaskScheduled
             9 WorkflowTaskStarted scheduled=8
             10 WorkflowTaskCompleted scheduled=8 started=9",
            PARENT.replace("id=kid queue=default", "id=kid queue=default run-timeout=1m")
        ));
        town.check();
    }
}

#[test]
fn the_end_may_be_known_before_the_answer_to_the_start() {
    // E5
    let mut town = parent_of(|_| {});
    let start = town.keys().remove(0);
    let answer = town.receive(&start);
    town.task("kid", [complete(json!(1))]);
    let closed = town.keys().into_iter().find(|key| *key != start).unwrap();
    town.deliver(&closed);
    let told = town.task("parent", []);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("child 1 started"));
    assert!(town.keys().is_empty(), "the start has its answer by the end");
    // The answer comes late and changes nothing.
    let late = town.with("parent", |parent| {
        parent.step(|execution, turn, _| execution.answered(turn, start.1, &answer))
    });
    assert!(!late);
    town.check();
}

#[test]
fn a_second_answer_changes_nothing() {
    // E5
    let mut town = parent_of(|_| {});
    town.settle();
    let length = town.world("parent").history.len();
    for answer in [
        Answer::started("other"),
        Answer::refused(Failed::AlreadyExists),
        Answer::delivered(),
    ] {
        for order in [5, 6, 99, -1] {
            let changed = town.with("parent", |parent| {
                parent.step(|execution, turn, _| execution.answered(turn, order, &answer))
            });
            assert!(!changed, "{order} {answer:?}");
        }
    }
    assert_eq!(town.world("parent").history.len(), length);
}

#[test]
fn what_becomes_of_children_when_their_parent_closes() {
    // E5
    use ParentClosePolicy::{Abandon, RequestCancel, Terminate, Unspecified};
    for (policy, status, cancelled) in [
        (Terminate, Status::Terminated, false),
        (Unspecified, Status::Terminated, false),
        (RequestCancel, Status::Running, true),
        (Abandon, Status::Running, false),
    ] {
        for started in [true, false] {
            let mut town = parent_of(|options| options.parent_close_policy = policy);
            if started {
                town.settle();
            }
            town.with("parent", |parent| parent.terminate("enough")).unwrap();
            if started || policy == Abandon {
                town.settle();
                let kid = &town.world("kid").execution;
                assert_eq!(
                    (kid.status(), kid.cancel_requested()),
                    (status, cancelled),
                    "{policy:?}"
                );
            } else {
                // The start is not sent any more, and what was to end the child finds none.
                assert_eq!(town.keys().len(), 1, "{:?}", town.rows());
                town.settle();
            }
            town.check();
        }
    }
}

#[test]
fn a_start_on_its_way_when_the_parent_closes_does_not_leave_a_child_behind() {
    // E5
    let mut town = parent_of(|_| {});
    let start = town.keys().remove(0);
    // The child runs; its parent has not heard of it when it ends.
    town.receive(&start);
    town.task("parent", [complete(json!(1))]);
    assert_eq!(town.rows(), ["kid terminate"]);
    town.settle();
    let kid = town.world("kid");
    assert_eq!(kid.execution.status(), Status::Terminated);
    kid.assert(
        "1 WorkflowExecutionStarted type=Child id=kid queue=default parent=parent
         2 WorkflowExecutionTerminated reason=\"by parent close policy\"",
    );
}

#[test]
fn a_policy_reaches_no_execution_that_is_not_a_child() {
    // E5
    let mut town = parent_of(|_| {});
    town.start("kid");
    // Its start has no answer yet, and would fail: the id is in use.
    town.task("parent", [complete(json!(1))]);
    assert_eq!(town.rows(), ["kid terminate"]);
    town.settle();
    assert_eq!(town.world("kid").execution.status(), Status::Running);
}

#[test]
fn a_childs_chain_is_one_child() {
    // E3, E5
    let mut town = parent_of(|_| {});
    town.settle();
    town.task("kid", [Command::ContinueAsNew(Box::default())]);
    assert_eq!(town.rows(), [""; 0], "the chain goes on, so nothing has ended");
    let kid = town.world("kid");
    assert_eq!(kid.execution.parent().unwrap().workflow_id, "parent");
    town.task("kid", [complete(json!("second"))]);
    town.settle();
    let told = town.task("parent", []);
    assert_eq!(told[1], "resolve 1 completed (\"second\")");
    town.check();
}

#[test]
fn a_child_is_tried_again_before_its_parent_hears_of_a_failure() {
    // E2, E5
    let mut town = parent_of(|options| {
        options.retry_policy = Some(RetryPolicy {
            maximum_attempts: 2,
            ..Default::default()
        });
    });
    town.settle();
    town.task("kid", [fail("first")]);
    assert_eq!(town.rows(), [""; 0]);
    town.with("kid", |kid| {
        kid.advance(1);
        assert!(kid.step(|execution, turn, _| execution.release_first_task(turn)));
    });
    town.task("kid", [fail("second")]);
    town.settle();
    town.task("parent", []);
    let failed = &town.world("parent").history[6];
    assert!(
        longhaul_history::text::event(failed)
            .ends_with("failure=\"Broken: second\" retry-state=MaximumAttemptsReached"),
        "{failed:?}"
    );
}

#[test]
fn what_cancelling_a_child_means() {
    // E4, E5
    use ChildCancellationType::{Abandon, TryCancel, WaitCompleted, WaitRequested};
    for (cancellation_type, asks, told) in [
        (Abandon, false, vec![]),
        (TryCancel, true, vec![]),
        (WaitRequested, true, vec!["resolve 1 cancelled"]),
        (WaitCompleted, true, vec!["resolve 1 cancelled"]),
    ] {
        let mut town = parent_of(|options| options.cancellation_type = cancellation_type);
        town.settle();
        town.task("parent", [cancel_child(1)]);
        assert_eq!(town.rows(), if asks { vec!["kid cancel enough"] } else { vec![] });
        town.settle();
        assert_eq!(town.world("kid").execution.cancel_requested(), asks);
        let at_once = town.task("parent", []);
        assert_eq!(
            at_once.len(),
            usize::from(cancellation_type == WaitRequested),
            "{cancellation_type:?}: {at_once:?}"
        );
        town.task("kid", [Command::Cancelled(Payloads::default())]);
        town.settle();
        let heard: Vec<String> = at_once.into_iter().chain(town.task("parent", [])).collect();
        assert_eq!(heard.len(), told.len(), "{cancellation_type:?}: {heard:?}");
        for (heard, told) in heard.iter().zip(told) {
            assert!(heard.starts_with(told), "{heard}");
        }
        town.check();
    }
}

#[test]
fn a_child_is_asked_to_cancel_once_and_not_after_its_end() {
    // E4
    let mut town = parent_of(|_| {});
    town.settle();
    town.task("parent", [cancel_child(1), cancel_child(1)]);
    town.task("parent", [cancel_child(1)]);
    assert_eq!(town.rows(), ["kid cancel enough"]);
    town.settle();
    town.with("kid", |kid| kid.cancel("again")).unwrap();
    town.task("kid", [complete(json!(1))]);
    town.settle();
    // The end is delivered by this task, and the code cancels before it knows.
    let before = town.world("parent").history.len();
    town.with("parent", |parent| parent.script(Script::first([cancel_child(1)])));
    let rest: Vec<String> = town.world("parent").history[before..]
        .iter()
        .map(|event| longhaul_history::text::event_type(event))
        .collect();
    assert!(!rest.iter().any(|kind| kind.contains("Cancel")), "{rest:?}");
    town.check();
}

#[test]
fn a_child_that_is_cancelled_before_it_has_started() {
    // E4, E5
    let mut town = parent_of(|_| {});
    town.task("parent", [cancel_child(1)]);
    assert_eq!(town.rows(), ["kid start", "kid cancel enough"]);
    town.settle();
    assert!(town.world("kid").execution.cancel_requested());
    let told = town.task("parent", []);
    assert!(told[0].starts_with("child 1 started"), "{told:?}");
    town.check();
}

#[test]
fn started_and_cancelled_within_a_task_was_never_sent() {
    // E5
    let mut world = World::new();
    world.task([child(1, "kid"), timer(2, 5), cancel_child(1)]);
    assert!(world.execution.children().is_empty());
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 TimerStarted id=2 after=5s",
    );
}

#[test]
fn a_child_is_signalled_by_its_number_also_in_the_task_that_starts_it() {
    // E6
    let signal = |seq| Command::SignalChild {
        seq,
        child: 1,
        signal: to_send("grow"),
    };
    let mut town = Town::new();
    town.start("parent");
    town.task("parent", [child(1, "kid"), signal(2)]);
    assert_eq!(town.rows(), ["kid start", "kid signal grow"]);
    town.settle();
    let told = town.task("kid", [complete(json!(1))]);
    assert_eq!(told, ["start", "signal grow"]);
    town.settle();
    let told = town.task("parent", [signal(3)]);
    assert_eq!(told[1..], ["resolve 2 completed ()", "resolve 1 completed (1)"]);
    // It has ended: nobody takes the signal.
    town.settle();
    assert!(town.task("parent", [])[0].starts_with("resolve 3 failed"));
    town.check();
}

#[test]
fn nobody_else_takes_a_signal_for_a_child() {
    // E6
    let mut town = Town::new();
    town.start("kid");
    town.start("parent");
    let signal = Command::SignalChild {
        seq: 2,
        child: 1,
        signal: to_send("grow"),
    };
    town.task("parent", [child(1, "kid"), signal]);
    town.settle();
    assert_eq!(town.task("kid", []), ["start"]);
    assert!(town.task("parent", [])[1].starts_with("resolve 2 failed"));
}

#[test]
fn options_that_no_child_can_have_fail_the_task() {
    // E5
    use longhaul_engine::proto::enums::v1::WorkflowTaskFailedCause as Cause;
    let bad = |change: fn(&mut longhaul_engine::ChildOptions)| {
        let mut world = World::new();
        let violation = world
            .try_script(Script::last([child_with(1, "kid", change)]))
            .unwrap_err();
        assert_eq!(violation.cause(), Cause::BadStartChildExecutionAttributes);
        violation.to_string()
    };
    assert_eq!(
        bad(|options| options.workflow_id.clear()),
        "child workflow \"\" (seq 1): the workflow id is empty"
    );
    assert_eq!(
        bad(|options| options.workflow_type.clear()),
        "child workflow \"kid\" (seq 1): the workflow type is empty"
    );
    assert_eq!(
        bad(|options| options.workflow_id = "x".repeat(1_001)),
        format!(
            "child workflow \"{}...\" (seq 1): the workflow id has more than 1000 characters",
            "x".repeat(100)
        )
    );
    assert!(
        bad(|options| options.cron_schedule = Some("never".into()))
            .contains("the cron schedule \"never\" is not valid")
    );
    assert_eq!(
        bad(|options| options.retry_policy = Some(RetryPolicy {
            backoff_coefficient: 0.5,
            ..Default::default()
        })),
        "child workflow \"kid\" (seq 1): the retry policy is not valid: the backoff coefficient is below 1"
    );
    let mut world = World::new();
    let violation = world.try_script(Script::last([cancel_child(9)])).unwrap_err();
    assert!(matches!(
        violation,
        Violation::UnknownSeq {
            command: "cancel-child",
            seq: 9,
            ..
        }
    ));
    let violation = world
        .try_script(Script::last([timer(1, 1), cancel_child(1)]))
        .unwrap_err();
    assert!(matches!(
        violation,
        Violation::UnknownSeq {
            command: "cancel-child",
            seq: 1,
            ..
        }
    ));
    let orphan = Command::SignalChild {
        seq: 1,
        child: 7,
        signal: to_send("x"),
    };
    let violation = world.try_script(Script::last([orphan])).unwrap_err();
    assert!(matches!(
        violation,
        Violation::UnknownSeq {
            command: "signal-child",
            seq: 7,
            ..
        }
    ));
}

#[test]
fn only_so_many_children_at_once() {
    // E5
    let mut world = World::new();
    world.limits.children_in_flight = 1;
    world.task([child(1, "a")]);
    world.signal("more", "").unwrap();
    let violation = world.try_script(Script::last([child(2, "b")])).unwrap_err();
    assert_eq!(
        violation,
        Violation::TooMany {
            what: InFlight::Children,
            limit: 1
        }
    );
    assert_eq!(
        violation.to_string(),
        "the run has 1 child workflows in flight, which is the limit"
    );
    // One that could not be started makes room.
    assert!(world.step(|execution, turn, _| execution.answered(
        turn,
        5,
        &Answer::refused(Failed::AlreadyExists)
    )));
    world.task([child(2, "b")]);
    world.check();
}

#[test]
fn a_parent_that_continues_as_new_leaves_its_children() {
    // E3, E5
    let mut town = parent_of(|_| {});
    town.settle();
    town.task("parent", [Command::ContinueAsNew(Box::default())]);
    assert_eq!(town.rows(), ["kid terminate"]);
    town.settle();
    assert_eq!(town.world("kid").execution.status(), Status::Terminated);
    let started: Start = start();
    assert_eq!(
        town.world("parent").execution.workflow_type(),
        started.workflow_type
    );
    assert!(town.world("parent").execution.start_time_ns() >= START_NS);
    // What the child has to say is for a run that has closed.
    assert_eq!(town.rows(), [""; 0]);
    assert_eq!(town.task("parent", []), ["start"]);
    town.check();
}
