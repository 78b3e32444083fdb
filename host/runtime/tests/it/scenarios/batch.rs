//! `batch`: activities that fail, and a workflow that goes on.

use serde_json::json;

use super::{Scenario, acts::*, play};

#[tokio::test]
async fn batches_survive_any_crash() {
    // A1, A2
    play(Scenario {
        name: "batch",
        modules: &[("batch", "batches")],
        executions: &["b"],
        // The last of four is damaged.
        acts: vec![start("b", "BatchProcessingWorkflow", [json!(4)]), end("b")],
        commits: 5,
        ..Scenario::default()
    })
    .await;
}
