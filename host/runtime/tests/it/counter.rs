//! One counter, from its start to its result.

use longhaul_history::text;
use longhaul_store::faults::FaultyDisk;
use serde_json::json;

use crate::common::*;

#[tokio::test]
async fn messages_reach_the_code_in_order_and_become_history() {
    // S1 S2 U1 U2 Q1
    let mut sim = open(FaultyDisk::new(), options());
    let rt = sim.runtime();
    sim.drive(rt.upload_module(upload("counter", ""))).await.unwrap().unwrap();
    sim.drive(start(rt.clone(), "c", "Counter", "", &[])).await.unwrap().unwrap();
    for value in [3, 4] {
        sim.drive(signal(rt.clone(), "c", "add", &[json!(value)], "")).await.unwrap().unwrap();
    }
    let sum = sim.drive(update(rt.clone(), "c", "add_and_get", &[json!(5)], "u1")).await.unwrap().unwrap();
    assert_eq!(sum, Ok(json!(12)));
    assert_eq!(sim.drive(query(rt.clone(), "c", "all")).await.unwrap().unwrap(), json!([3, 4, 5]));
    sim.drive(signal(rt.clone(), "c", "finish", &[], "")).await.unwrap().unwrap();
    assert_eq!(sim.drive(result(rt.clone(), "c")).await.unwrap().unwrap(), json!(12));
    assert_eq!(sim.drive(query(rt.clone(), "c", "total")).await.unwrap().unwrap(), json!(12), "Q1: also when it has closed");
    let events = rt.whole_history("default", "c", "").unwrap().events;
    text::assert_history(
        &events,
        "
        ",
    );
}

#[tokio::test]
async fn activities_and_timers_run_to_the_end() {
    // A1 W2
    let mut sim = open(FaultyDisk::new(), options());
    let rt = sim.runtime();
    sim.drive(rt.upload_module(upload("bench", "bench"))).await.unwrap().unwrap();
    sim.drive(start(rt.clone(), "s", "Steps", "bench", &[json!(3)])).await.unwrap().unwrap();
    assert_eq!(sim.drive(result(rt.clone(), "s")).await.unwrap().unwrap(), json!(3));
    sim.drive(start(rt.clone(), "t", "Sleep", "bench", &[json!(1500)])).await.unwrap().unwrap();
    sim.settle().await;
    sim.advance(1_499_999_999);
    sim.settle().await;
    assert!(!history(&rt, "t").contains("TimerFired"), "a timer does not fire early");
    sim.advance(1);
    assert_eq!(sim.drive(result(rt.clone(), "t")).await.unwrap().unwrap(), json!(1500));
}
