//! `stages`: activities that wait for events from outside.

use serde_json::json;

use super::{Scenario, acts::*, play};

#[tokio::test]
async fn stages_survive_any_crash() {
    // S1, A1, W1
    let mut acts = vec![start("s", "MyWorkflow", []), rest(["s"])];
    for stage in 1..=3 {
        acts.push(signal("s", "advance_stage", [json!(stage)]));
        if stage < 3 {
            acts.push(rest(["s"]));
        }
    }
    acts.push(end("s"));
    play(Scenario {
        name: "stages",
        modules: &[("stages", "stages"), ("stages-activities", "stages")],
        executions: &["s"],
        acts,
        commits: 7,
        ..Scenario::default()
    })
    .await;
}
