//! Little memory and few slots: runs come and go while their activities run, and nothing is lost or done twice.

use longhaul_store::faults::FaultyDisk;
use serde_json::json;

use crate::common::*;

#[tokio::test]
async fn activities_of_runs_that_left_the_memory_end_once() {
    // A1
    let mut settings = options();
    settings.instances = 1;
    settings.activity_slots = 1;
    let mut sim = open(FaultyDisk::new(), settings);
    let rt = sim.runtime();
    sim.drive(rt.upload_module(upload("bench", "bench")))
        .await
        .unwrap()
        .unwrap();
    let ids: Vec<String> = (0..8).map(|number| format!("run-{number}")).collect();
    for id in &ids {
        sim.drive(start(rt.clone(), id, "Steps", "bench", &[json!(3)]))
            .await
            .unwrap()
            .unwrap();
    }
    for id in &ids {
        assert_eq!(
            sim.drive(result(rt.clone(), id)).await.unwrap().unwrap(),
            json!(3),
            "{id}"
        );
        let history = history(&rt, id);
        assert_eq!(history.matches("ActivityTaskCompleted").count(), 3, "{history}");
        assert!(
            !history.contains("attempt=2"),
            "an attempt that ended was taken for lost: {history}"
        );
    }
}
