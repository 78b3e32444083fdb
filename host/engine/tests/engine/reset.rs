//! Reset: a run begins again from one of its tasks (E9).

use std::sync::Arc;

use longhaul_engine::{
    Answer, BadReset, Effect, Execution, Failed, Identity, Status, Turn,
    execution::{
        AttemptEnd, Start,
        reset::{Exclude, Reapply, Reset, ended_child, pending_children, point, reapply},
    },
};
use serde_json::json;

use crate::{
    guest::{
        Scripted, activity, cancel_child, child, complete, complete_update, failure, signal_external, timer,
    },
    world::{World, at, replay, start},
};
use longhaul_history::{Attributes, HistoryEvent, builder::RUN_ID, time::NS_PER_SECOND};

const NEW_RUN_ID: &str = "0191a5d0-0000-7000-8000-0000000000ff";

fn of(base: &World<Scripted>, event_id: i64) -> (World<Scripted>, usize) {
    of_run(base, event_id, NEW_RUN_ID)
}

/// The run that a reset to the task of this event makes, with a guest that has been replayed.
fn of_run(base: &World<Scripted>, event_id: i64, run_id: &str) -> (World<Scripted>, usize) {
    let kept = point(&base.history, event_id).unwrap();
    let identity = Identity {
        run_id: run_id.into(),
        ..base.execution.identity().clone()
    };
    let mut turn = Turn::new(base.now_ns, "");
    let reset = Reset {
        base_run_id: base.execution.identity().run_id.to_string(),
        reason: "mended".into(),
    };
    let execution = Execution::reset(identity, &base.history[..kept], reset, &mut turn).unwrap();
    let replayed = replay(base.guest.clone_fresh(), &base.history[..kept], &base.limits).unwrap();
    let mut world = World::of_execution(execution, turn, Scripted::default());
    world.history.splice(..0, base.history[..kept].iter().cloned());
    world.guest = replayed.guest;
    world.guest.scripts.truncate(replayed.told.len());
    world.session = replayed.session;
    world.told = replayed.told;
    (world, kept)
}

impl Scripted {
    fn clone_fresh(&self) -> Self {
        Self {
            begun: 0,
            ..self.clone()
        }
    }
}

/// Two tasks: a timer and an activity; then a signal's.
fn base() -> World<Scripted> {
    let mut base = World::new();
    base.task([timer(1, 60), activity(2, "charge")]);
    base.signal("first", "r1").unwrap();
    base.task([timer(3, 60)]);
    base
}

#[test]
fn a_reset_run_has_the_events_before_and_says_so() {
    // E9
    let mut base = base();
    base.advance(10);
    // Named by its end or by its start, it is the same task; by its start it is begun again.
    let (mut world, _) = of(&base, 10);
    let text = |last: &str| {
        format!(
            "1 WorkflowExecutionStarted type=Test id=workflow queue=default
             2 WorkflowTaskScheduled
             3 WorkflowTaskStarted scheduled=2
             4 WorkflowTaskCompleted scheduled=2 started=3
             5 TimerStarted id=1 after=1m
             6 ActivityTaskScheduled id=2 type=charge queue=default start-to-close=10s
             7 WorkflowExecutionSignaled name=first
             8 WorkflowTaskScheduled
             9 WorkflowTaskStarted scheduled=8
             10 WorkflowTaskFailed scheduled=8 started=9 cause=ResetWorkflow failure=\"ResetWorkflow: mended\"
             {last}"
        )
    };
    world.assert(&text(""));
    assert!(world.execution.needs_task());
    assert!(world.execution.is_reset_of(RUN_ID));
    assert!(!world.execution.is_reset_of(NEW_RUN_ID));
    assert_eq!(
        world.effects,
        [
            Effect::TimerSet {
                started_event_id: 5,
                due_ns: at(60)
            },
            Effect::ActivityChanged {
                scheduled_event_id: 6
            }
        ]
    );
    // The new run draws other random numbers from here on.
    assert_eq!(
        world.task([timer(3, 1)]),
        [format!("reseed {NEW_RUN_ID}"), "signal first".into()]
    );
    world.assert(&text(
        "11 WorkflowTaskScheduled
         12 WorkflowTaskStarted scheduled=11
         13 WorkflowTaskCompleted scheduled=11 started=12
         14 TimerStarted id=3 after=1s",
    ));
    let (started, _) = of(&base, 9);
    assert_eq!(started.history.len(), 10);
    started.check();
    // The request id was seen before the reset.
    assert_eq!(world.signal("first", "r1"), Ok(false));
}

#[test]
fn the_first_task_can_be_begun_again_and_a_reset_run_reset() {
    // E9
    let base = base();
    let (mut first, kept) = of(&base, 4);
    assert_eq!(kept, 3);
    assert_eq!(
        first.task([complete(json!(1))]),
        [format!("reseed {NEW_RUN_ID}"), "start".into()]
    );
    first.check();
    // The last reset counts.
    let other = "0191a5d0-0000-7000-8000-0000000000fe";
    let (mut second, _) = of_run(&first, 6, other);
    assert_eq!(second.history.len(), 7);
    assert!(second.execution.is_reset_of(RUN_ID) && second.execution.is_reset_of(NEW_RUN_ID));
    assert_eq!(second.task([]), [format!("reseed {other}"), "start".into()]);
    second.check();
}

#[test]
fn pending_activities_begin_again() {
    // E9, A2
    let mut base = base();
    assert!(base.start_attempt(6));
    base.end_attempt(6, 1, AttemptEnd::Failed(failure("no", "Broken")));
    base.advance(30);
    let (mut world, _) = of(&base, 10);
    let begun = world.execution.activities()[&6].clone();
    assert_eq!(
        (
            begun.scheduled_time_ns,
            begun.attempt.number,
            begun.attempt.due_ns
        ),
        (at(30), 1, at(30))
    );
    world.restart();
    assert_eq!(
        world.execution.activities()[&6].scheduled_time_ns,
        at(30),
        "history tells it"
    );
    assert!(world.start_attempt(6));
    assert!(world.complete_attempt(6, 1, json!("ok")));
    assert!(world.task([])[2].starts_with("resolve 2 completed"));
    world.check();
}

#[test]
fn a_runs_time_counts_from_its_reset() {
    // E2, E9
    let begun = Start {
        run_timeout_ns: 20 * NS_PER_SECOND,
        execution_timeout_ns: 30 * NS_PER_SECOND,
        ..start()
    };
    let mut base = World::with(Scripted::default(), begun);
    base.task([]);
    base.advance(100);
    let (mut world, _) = of(&base, 4);
    assert_eq!(world.execution.run_expires_ns(), Some(at(120)));
    assert_eq!(world.execution.chain_expires_ns(), Some(at(130)));
    assert!(!world.step(|execution, turn, _| execution.run_timed_out(turn)));
    world.restart();
    assert_eq!(world.execution.run_expires_ns(), Some(at(120)));
}

#[test]
fn what_came_later_is_applied_again_unless_excluded() {
    // E9
    let mut base = base();
    base.update("u", "add").unwrap();
    base.task([complete_update("u", json!(1))]);
    base.signal("second", "").unwrap();
    base.cancel("enough").unwrap();
    let later = |exclude| {
        reapply(&base.history[3..], 0, exclude, false)
            .into_iter()
            .map(|again| match again {
                Reapply::Signal(signal) => signal.signal_name,
                Reapply::Update(request) => request.meta.unwrap().update_id,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(later(Exclude::default()), ["first", "u", "second"]);
    assert_eq!(
        later(Exclude {
            signals: true,
            updates: false
        }),
        ["u"]
    );
    assert_eq!(
        later(Exclude {
            signals: false,
            updates: true
        }),
        ["first", "second"]
    );

    let (mut world, kept) = of(&base, 4);
    for again in reapply(&base.history[kept..], 0, Exclude::default(), false) {
        world.step(|execution, turn, limits| match again {
            Reapply::Signal(signal) => drop(execution.signal(turn, *signal, limits).unwrap()),
            Reapply::Update(request) => drop(execution.admit_update(turn, *request, limits).unwrap()),
        });
    }
    assert_eq!(
        world.task([complete_update("u", json!(2))])[1..],
        ["start", "signal first", "signal second", "update u"]
    );
    world.check();
}

#[test]
fn the_old_run_leaves_the_new_one_what_it_has_started() {
    // E9, E5
    let mut base = World::new();
    base.task([child(1, "kept"), signal_external(2, "b", "note")]);
    assert!(base.step(|execution, turn, _| execution.answered(turn, 5, &Answer::started("run"))));
    base.task([child(3, "later")]);
    base.next_run_id = NEW_RUN_ID.into();
    let kept = point(&base.history, 10).unwrap();
    let orders: Vec<i64> = base.execution.pending_orders();
    assert_eq!(orders.first(), Some(&6));
    let (mut world, _) = of(&base, 10);
    assert_eq!(world.execution.children().len(), 1);
    let again: Vec<&Effect> = world.effects.iter().collect();
    assert_eq!(
        again,
        [&Effect::OutboxPut { order: 6 }],
        "the signal has no answer yet"
    );
    let outgoing = world.execution.outgoing(6).unwrap();
    assert_eq!(
        (outgoing.sender_run_id(), &*outgoing.sender_bases),
        (NEW_RUN_ID, &[RUN_ID.to_owned()][..])
    );

    base.step(|execution, turn, _| {
        execution.terminate_for_reset(turn, "reset".into(), "client".into(), kept as i64)
    })
    .unwrap();
    assert_eq!(base.execution.status(), Status::Terminated);
    let later = base
        .history
        .iter()
        .rposition(|e| longhaul_history::text::event(e).contains("id=later"))
        .unwrap();
    let closed = base.history.len() as i64;
    assert_eq!(
        base.effects,
        [
            Effect::OutboxGone { order: 6 },
            Effect::OutboxGone {
                order: later as i64 + 1
            },
            Effect::OutboxPut { order: closed },
            Effect::Closed
        ]
    );
    assert_eq!(base.execution.outgoing(closed).unwrap().workflow_id, "later");
    base.check();

    // The child that both know belongs to the new run: it hears of its end, and may cancel it.
    assert!(world.step(|execution, turn, _| execution.answered(turn, 6, &Answer::refused(Failed::NotFound))));
    world.task([cancel_child(1)]);
    let order = *world.execution.external_cancels().keys().next().unwrap();
    let cancel = world.execution.outgoing(order).unwrap();
    let parent = longhaul_engine::execution::Parent {
        namespace: "default".into(),
        workflow_id: "workflow".into(),
        run_id: RUN_ID.into(),
        initiated_event_id: 5,
    };
    assert!(cancel.is_from_parent(&parent));
    world.check();
}

#[test]
fn a_child_that_was_begun_behind_the_point_is_none_of_the_new_run() {
    // E9, E5
    let mut base = World::new();
    base.task([child(1, "kept")]);
    base.signal("first", "").unwrap();
    base.task([child(2, "later")]);
    let (mut world, _) = of(&base, 8);
    let own = world.history.last().unwrap().event_id;
    assert!(world.execution.has_child_of(RUN_ID, 5) && world.execution.has_child_of(NEW_RUN_ID, 5));
    assert!(!world.execution.has_child_of(RUN_ID, own), "its own events begin");
    assert!(world.execution.has_child_of(NEW_RUN_ID, own));
    assert!(!world.execution.has_child_of("stranger", 5));
    // What starts it says with whom it is shared.
    world.task([child(2, "later")]);
    let orders = world.execution.pending_orders();
    let bases = |order| match world.execution.outgoing(order).unwrap().message {
        Some(longhaul_engine::outgoing::Message::StartChild(start)) => start.bases,
        other => panic!("{other:?}"),
    };
    assert_eq!(bases(orders[0]), [RUN_ID]);
    assert_eq!(bases(orders[1]), [""; 0]);
    world.check();
}

#[test]
fn children_without_an_end_are_pending_at_the_point() {
    // E9, E5
    let mut base = World::new();
    base.task([
        child(1, "runs"),
        child(2, "ends"),
        child(3, "fails"),
        child(4, "waits"),
    ]);
    for order in [5, 6] {
        let answer = Answer::started(format!("run of {order}"));
        assert!(base.step(|execution, turn, _| execution.answered(turn, order, &answer)));
    }
    let refused = Answer::refused(Failed::AlreadyExists);
    assert!(base.step(|execution, turn, _| execution.answered(turn, 7, &refused)));
    let mut source = World::new();
    source.task([complete(json!("its result"))]);
    let closed = longhaul_engine::outgoing::ChildClosed {
        initiated_event_id: 6,
        child: None,
        first_run_id: "run of 6".into(),
        close: source.history.last().map(|event| event.as_ref().clone()),
    };
    assert!(base.step(|execution, turn, _| execution.child_closed(turn, &closed)));
    let pending = |to: usize| {
        let pending = pending_children(&base.history[..to]).into_iter();
        pending
            .map(|child| (child.workflow_id, child.first_run_id))
            .collect::<Vec<_>>()
    };
    let (runs, waits) = (("runs".into(), Some("run of 5".into())), ("waits".into(), None));
    assert_eq!(pending(base.history.len()), [runs, waits]);
    assert_eq!(pending(8).len(), 4);
    // The history that tells a parent of an end tells it to the next run as well.
    let ended = base.history.iter().find_map(|event| ended_child(event)).unwrap();
    let attributes = |close: Option<HistoryEvent>| close.unwrap().attributes;
    let (Some(Attributes::WorkflowExecutionCompletedEventAttributes(is)), Some(was)) =
        (attributes(ended.close), attributes(closed.close))
    else {
        panic!("it has completed")
    };
    let Attributes::WorkflowExecutionCompletedEventAttributes(was) = was else {
        panic!("{was:?}")
    };
    assert_eq!((ended.initiated_event_id, is.result), (6, was.result));
}

#[test]
fn only_a_workflow_task_can_be_begun_again() {
    // E9
    let base = base();
    let bad = |event_id| point(&base.history, event_id).unwrap_err().to_string();
    assert_eq!(
        bad(0),
        "event 0 is not in the history, which has the events 1 to 11"
    );
    assert!(bad(12).starts_with("event 12 is not in the history"));
    assert_eq!(
        bad(7),
        "event 7 (WorkflowExecutionSignaled) is not the start or the end of a workflow task: name a WorkflowTaskStarted, \
         WorkflowTaskCompleted, WorkflowTaskFailed or WorkflowTaskTimedOut event"
    );
    let events: &[Arc<HistoryEvent>] = &base.history[..5];
    let reset = Reset {
        base_run_id: RUN_ID.into(),
        reason: String::new(),
    };
    let identity = base.execution.identity().clone();
    let error = Execution::reset(identity, events, reset, &mut Turn::new(at(0), "")).unwrap_err();
    assert!(matches!(error, BadReset::NoTask { event_id: 6, .. }), "{error}");
}

#[test]
fn a_run_moves_to_another_version() {
    // E11
    let mut world = base();
    let moved = world.step(|execution, turn, _| execution.update_options(turn, "orders", 2, "client".into()));
    assert_eq!(moved, Ok(()));
    let event = world.history.last().unwrap();
    assert!(
        event.worker_may_ignore,
        "workers of other SDKs know nothing of it"
    );
    assert!(!world.execution.needs_task());
    world.check();
    world.terminate("enough").unwrap();
    assert!(
        world
            .step(|execution, turn, _| execution.update_options(turn, "orders", 3, "client".into()))
            .is_err()
    );
}
