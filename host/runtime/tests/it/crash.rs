//! Power is lost at every commit in turn; what was acknowledged is there, once and in order.

use longhaul_store::faults::{FaultyDisk, Loss};
use serde_json::{Value, json};

use crate::common::*;

/// What a client does, step by step; each step may be tried again after a crash.
async fn step(rt: longhaul_runtime::Runtime, number: usize) -> Result<Value, longhaul_runtime::Error> {
    match number {
        0 => rt.upload_module(upload("counter", "")).await.map(|_| json!(null)),
        1 => start(rt, "c", "Counter", "", &[]).await.map(|_| json!(null)),
        2 => signal(rt, "c", "add", &[json!(1)], "s1")
            .await
            .map(|()| json!(null)),
        3 => update(rt, "c", "add_and_get", &[json!(2)], "u1")
            .await
            .map(|sum| json!(sum)),
        4 => signal(rt, "c", "add", &[json!(3)], "s2")
            .await
            .map(|()| json!(null)),
        5 => query(rt, "c", "all").await,
        6 => match signal(rt, "c", "finish", &[], "s3").await {
            // Acknowledged or not, it was written before the crash.
            Err(longhaul_runtime::Error::AlreadyCompleted) => Ok(json!(null)),
            other => other.map(|()| json!(null)),
        },
        _ => result(rt, "c").await,
    }
}

#[tokio::test]
async fn a_crash_at_any_commit_loses_nothing_and_doubles_nothing() {
    // S1, S2, S5, U4
    let mut crash_at = 1;
    loop {
        let mut disk = FaultyDisk::new();
        let mut sim = open(disk.clone(), options());
        let (mut crashed, mut number) = (false, 0);
        let mut answers = Vec::new();
        while number < 8 {
            let rt = sim.runtime();
            let at = crash_at;
            let request = step(rt.clone(), number);
            let going = sim
                .drive_while(request, |rt| crashed || rt.store_stats().commits < at)
                .await
                .unwrap();
            match going {
                Some(answer) => {
                    answers.push(answer.unwrap());
                    number += 1;
                }
                None => {
                    crashed = true;
                    disk = disk.crash(Loss::Some { seed: at });
                    sim = open(disk.clone(), options());
                }
            }
        }
        assert_eq!(answers[3], json!({"Ok": 3}));
        assert_eq!(answers[5], json!([1, 2, 3]), "crash at commit {crash_at}");
        assert_eq!(answers[7], json!(6));
        if !crashed {
            break;
        }
        crash_at += 1;
    }
    assert!(
        crash_at > 6,
        "the scenario has several commits, and there was a crash at each: {crash_at}"
    );
}
