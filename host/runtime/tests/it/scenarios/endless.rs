//! `endless`: workflows that continue as new.

use longhaul_runtime::Options;
use serde_json::json;

use super::{Scenario, acts::*, play};
use crate::world::HOUR;

const MODULES: [(&str, &str); 2] = [("endless", "endless"), ("endless-activities", "endless")];

/// A few messages make a history long.
fn short_histories(options: &mut Options) {
    options.limits.history.suggest_events = 20;
}

#[tokio::test]
async fn hours_in_several_runs_survive_any_crash() {
    // E3, E4, S9, W2
    let mut acts = vec![start("l", "LongRunningWorkflow", []), rest(["l"])];
    for number in 1..=3 {
        let item = json!(format!("item-{number}"));
        acts.extend([signal("l", "process_item", [item]), rest(["l"])]);
        acts.extend([pass(HOUR), rest(["l"]), query("l", "get_total_processed")]);
    }
    acts.extend([cancel("l"), end("l")]);
    play(Scenario {
        name: "endless_hours",
        modules: &MODULES,
        executions: &["l"],
        options: short_histories,
        acts,
        commits: 10,
        ..Scenario::default()
    })
    .await;
}

#[tokio::test]
async fn payments_in_several_runs_survive_any_crash() {
    // E3, U2, U4, U7, U11
    let mut acts = vec![start("i", "IdempotentWorkflow", [])];
    // The last one is the first again, in another run.
    for (payment, update_id) in [
        ("p1", "u1"),
        ("p2", "u2"),
        ("p3", "u3"),
        ("p4", "u4"),
        ("p1", "u1"),
    ] {
        acts.extend(awaited_update(
            "i",
            "process_payment",
            [json!(payment)],
            update_id,
        ));
    }
    acts.extend([query("i", "get_processed_count"), cancel("i"), end("i")]);
    play(Scenario {
        name: "endless_payments",
        modules: &MODULES,
        executions: &["i"],
        options: short_histories,
        acts,
        commits: 8,
        ..Scenario::default()
    })
    .await;
}
