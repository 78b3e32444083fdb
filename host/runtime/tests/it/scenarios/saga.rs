//! `saga`: all bookings, or none.

use serde_json::json;

use super::{Scenario, acts::*, play};

const MODULES: [(&str, &str); 2] = [("saga", "trips"), ("saga-activities", "trips")];

/// Until the bookings are held.
fn begin(card_token: &str) -> Vec<Act> {
    let trip = json!({
        "trip_id": "t", "hotel": "Ritz", "flight": "LH400", "card_token": card_token, "amount": "899.00",
    });
    vec![
        start("t", "TripWorkflow", [trip]),
        rest(["t"]),
        query("t", "get_status"),
    ]
}

fn scenario(name: &'static str, card_token: &str, rest_of_it: Act, commits: u64) -> Scenario {
    let mut acts = begin(card_token);
    acts.extend([rest_of_it, end("t"), query("t", "get_status")]);
    Scenario {
        name,
        modules: &MODULES,
        executions: &["t"],
        acts,
        commits,
        ..Scenario::default()
    }
}

#[tokio::test]
async fn a_trip_survives_any_crash() {
    // A1, S1, W1
    play(scenario(
        "saga_booked",
        "tok_1234567890",
        signal("t", "confirm", []),
        5,
    ))
    .await;
}

#[tokio::test]
async fn the_compensation_of_a_trip_survives_any_crash() {
    // A1, W6
    play(scenario(
        "saga_declined",
        "declined",
        signal("t", "confirm", []),
        8,
    ))
    .await;
}

#[tokio::test]
async fn the_cancellation_of_a_trip_survives_any_crash() {
    // A1, E4
    play(scenario("saga_cancelled", "tok_1234567890", cancel("t"), 6)).await;
}
