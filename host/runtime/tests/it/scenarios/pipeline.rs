//! `pipeline`: signals between activities.

use serde_json::json;

use super::{Scenario, acts::*, play};

#[tokio::test]
async fn a_pipeline_survives_any_crash() {
    // S1, S3, A1, W1
    play(Scenario {
        name: "pipeline",
        modules: &[("pipeline", "pipelines")],
        executions: &["p"],
        acts: vec![
            start("p", "DataPipelineWorkflow", [json!("p")]),
            // Too early, and kept.
            signal("p", "notify_transform_complete", []),
            signal("p", "notify_upload_complete", [json!("s3://bucket/raw.csv")]),
            rest(["p"]),
            signal("p", "notify_validation_complete", []),
            end("p"),
        ],
        commits: 6,
        ..Scenario::default()
    })
    .await;
}
