//! What a run in Go keeps does not grow with what it has done.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_sandbox::Instance;
use longhaul_sandbox::wit::definition::Outcome;
use longhaul_sandbox::wit::types::ExecutionInfo;

mod support;
use support::{guest, info, json, module, setup, task};

/// The collector has run some times.
const SOME: u32 = 3_000;
/// If each activity left as little as one block behind, the heap would have to grow.
const MANY: u32 = 15_000;

/// Activities end, and the next one is scheduled, up to the one with that number.
fn run(instance: &mut Instance, from: u32, to: u32) {
    for seq in from..to {
        instance.begin_task(task(1));
        let outcome = Outcome::Completed(vec![json("7")]);
        instance.resolve(seq, &outcome).unwrap();
        instance.advance().unwrap();
        assert_eq!(instance.take_commands().len(), 1);
    }
}

#[test]
fn activities_that_have_ended_leave_nothing_in_memory() {
    let module = module(&guest("bench-go"));
    // Where in memory the host's values come to lie depends on how long those are that came before them.
    for length in (1..=33).step_by(4) {
        let mut instance = module.instantiate(setup()).unwrap();
        instance.begin_task(task(1));
        let info = ExecutionInfo {
            workflow_type: "Steps".into(),
            workflow_id: "w".repeat(length),
            ..info()
        };
        instance.start(&info, &vec![json("1000000")]).unwrap().unwrap();
        instance.advance().unwrap();
        instance.take_commands();

        run(&mut instance, 1, SOME);
        let before = instance.resident_bytes();
        run(&mut instance, SOME, MANY);
        let after = instance.resident_bytes();
        assert!(
            after <= before + before / 4,
            "an id of {length}: {before} bytes after {SOME} activities, {after} after {MANY}"
        );
    }
}
