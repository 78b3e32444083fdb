//! `migration`: updates that wait.

use serde_json::json;

use super::{Scenario, acts::*, play};

#[tokio::test]
async fn a_migration_and_who_waits_for_it_survive_any_crash() {
    // U2, U4, U5, U9, A1, W1
    let wait_for = |progress: u64| {
        let wait = "wait_for_progress";
        update_with_start("m", "DataMigrationWorkflow", json!(4), wait, json!(progress))
    };
    play(Scenario {
        name: "migration",
        modules: &[("migration", "migrations")],
        executions: &["m"],
        // One waits for half of it, the other for more than there is: both from the beginning, before the first record.
        acts: vec![together(vec![wait_for(2), wait_for(9)]), end("m")],
        commits: 5,
        ..Scenario::default()
    })
    .await;
}
