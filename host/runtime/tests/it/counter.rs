//! One counter, from its start to its result.

use longhaul_history::text;
use longhaul_store::faults::FaultyDisk;
use serde_json::json;

use crate::common::*;

#[tokio::test]
async fn messages_reach_the_code_in_order_and_become_history() {
    // S1, S2, U1, U2, Q1
    let mut sim = open(FaultyDisk::new(), options());
    let rt = sim.runtime();
    sim.drive(rt.upload_module(upload("counter", "")))
        .await
        .unwrap()
        .unwrap();
    sim.drive(start(rt.clone(), "c", "Counter", "", &[]))
        .await
        .unwrap()
        .unwrap();
    for value in [3, 4] {
        sim.drive(signal(rt.clone(), "c", "add", &[json!(value)], ""))
            .await
            .unwrap()
            .unwrap();
    }
    let sum = sim
        .drive(update(rt.clone(), "c", "add_and_get", &[json!(5)], "u1"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sum, Ok(json!(12)));
    assert_eq!(
        sim.drive(query(rt.clone(), "c", "all")).await.unwrap().unwrap(),
        json!([3, 4, 5])
    );
    sim.drive(signal(rt.clone(), "c", "finish", &[], ""))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        sim.drive(result(rt.clone(), "c")).await.unwrap().unwrap(),
        json!(12)
    );
    assert_eq!(
        sim.drive(query(rt.clone(), "c", "total")).await.unwrap().unwrap(),
        json!(12),
        "Q1: also when it has closed"
    );
    let events = rt.whole_history("default", "c", "").unwrap().events;
    text::assert_history(
        &events,
        "
  1 WorkflowExecutionStarted type=Counter id=c queue=default
  2 WorkflowTaskScheduled
  3 WorkflowTaskStarted scheduled=2
  4 WorkflowTaskCompleted scheduled=2 started=3
  5 WorkflowExecutionSignaled name=add input=(3)
  6 WorkflowTaskScheduled
  7 WorkflowTaskStarted scheduled=6
  8 WorkflowTaskCompleted scheduled=6 started=7
  9 WorkflowExecutionSignaled name=add input=(4)
 10 WorkflowTaskScheduled
 11 WorkflowTaskStarted scheduled=10
 12 WorkflowTaskCompleted scheduled=10 started=11
 13 WorkflowTaskScheduled
 14 WorkflowTaskStarted scheduled=13
 15 WorkflowTaskCompleted scheduled=13 started=14
 16 WorkflowExecutionUpdateAccepted id=u1 name=add_and_get input=(5) task=13
 17 WorkflowExecutionUpdateCompleted id=u1 accepted=16 result=12
 18 WorkflowExecutionSignaled name=finish
 19 WorkflowTaskScheduled
 20 WorkflowTaskStarted scheduled=19
 21 WorkflowTaskCompleted scheduled=19 started=20
 22 WorkflowExecutionCompleted result=12
",
    );
}

#[tokio::test]
async fn activities_and_timers_run_to_the_end() {
    // A1, W2
    let mut sim = open(FaultyDisk::new(), options());
    let rt = sim.runtime();
    sim.drive(rt.upload_module(upload("bench", "bench")))
        .await
        .unwrap()
        .unwrap();
    sim.drive(start(rt.clone(), "s", "Steps", "bench", &[json!(3)]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        sim.drive(result(rt.clone(), "s")).await.unwrap().unwrap(),
        json!(3)
    );
    sim.drive(start(rt.clone(), "t", "Sleep", "bench", &[json!(1500)]))
        .await
        .unwrap()
        .unwrap();
    sim.settle().await;
    sim.advance(1_499_999_999);
    sim.settle().await;
    assert!(
        !history(&rt, "t").contains("TimerFired"),
        "a timer does not fire early"
    );
    sim.advance(1);
    assert_eq!(
        sim.drive(result(rt.clone(), "t")).await.unwrap().unwrap(),
        json!(1500)
    );
}
