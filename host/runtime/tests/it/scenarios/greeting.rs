//! `greeting`: an update that returns a value, and its validator.

use serde_json::json;

use super::{Scenario, acts::*, play};
use crate::world::DAY;

#[tokio::test]
async fn a_greeting_survives_any_crash() {
    // U1, U2, U4, W2
    let say = |language: &str| update("g", "set_language", [json!(language)]);
    play(Scenario {
        name: "greeting",
        modules: &[("greeting", "greetings")],
        executions: &["g"],
        acts: vec![
            start("g", "GreetingWorkflow", []),
            say("de"),
            say("tlh"),
            say("fr"),
            pass(DAY),
            end("g"),
        ],
        commits: 4,
        ..Scenario::default()
    })
    .await;
}
