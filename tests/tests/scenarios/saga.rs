//! `saga`: all bookings, or none.

use longhaul_tests::{Language, Server, export, in_each_language};
use serde_json::json;

use crate::{completed, eventually, python_with_either_worker, scheduled, server_in};

in_each_language! {
    a_confirmed_trip_is_booked_and_paid_for,
    a_failure_undoes_what_has_begun,
    a_cancelled_trip_is_undone,
    a_trip_that_nobody_confirms_is_undone,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    the_python_client_books_and_cancels_trips,
}

fn trip(language: Language, hotel: &str, flight: &str, card_token: &str) -> Server {
    let server = server_in(language, &["saga", "saga-activities"], "trips");
    let trip = json!({
        "trip_id": "t", "hotel": hotel, "flight": flight, "card_token": card_token, "amount": "899.00",
    });
    server
        .start_workflow("TripWorkflow", "t", &[&trip.to_string()])
        .ok();
    server
}

#[track_caller]
fn held(server: &Server) {
    eventually("the bookings are held", || {
        server.ask("t", "get_status") == "held"
    });
}

fn a_confirmed_trip_is_booked_and_paid_for(language: Language) {
    let server = trip(language, "Ritz", "LH400", "tok_1234567890");
    server.signal("t", "confirm", &[]).ok();
    assert_eq!(
        completed(&server, "t"),
        json!({"hotel": "hotel_t", "flight": "flight_t", "payment": "txn_tok_1234"})
    );
    assert_eq!(
        scheduled(&server, "t"),
        ["book_hotel", "book_flight", "charge_card"]
    );
    assert_eq!(server.ask("t", "get_status"), "booked");
    export::histories(&server, &language.named("saga"));
}

// W6: what has begun is undone, the last first; then the workflow fails with what went wrong.
fn a_failure_undoes_what_has_begun(language: Language) {
    for (hotel, flight, card, reason, activities) in [
        (
            "full",
            "LH400",
            "tok_1234567890",
            "No room",
            &["book_hotel", "cancel_hotel"][..],
        ),
        (
            "Ritz",
            "full",
            "tok_1234567890",
            "No seat",
            &["book_hotel", "book_flight", "cancel_flight", "cancel_hotel"],
        ),
        (
            "Ritz",
            "LH400",
            "declined",
            "was declined",
            &[
                "book_hotel",
                "book_flight",
                "charge_card",
                "refund_card",
                "cancel_flight",
                "cancel_hotel",
            ],
        ),
    ] {
        let server = trip(language, hotel, flight, card);
        // The two that fail before the confirmation may have closed by then.
        server.signal("t", "confirm", &[]);
        let failed = server.result("t");
        assert!(failed.stdout.contains("FAILED"), "{failed:?}");
        assert!(format!("{failed:?}").contains(reason), "{failed:?}");
        assert_eq!(scheduled(&server, "t"), activities);
        assert_eq!(server.ask("t", "get_status"), "undone");
        export::histories(&server, &language.named(&format!("saga_{}", activities.len())));
    }
}

// E4: a cancelled workflow cleans up before it ends, across a crash of the server.
fn a_cancelled_trip_is_undone(language: Language) {
    let mut server = trip(language, "Ritz", "LH400", "tok_1234567890");
    held(&server);
    server.longhaul(&["workflow", "cancel", "-w", "t"]).ok();
    server.kill();
    server.restart();
    let ended = server.result("t");
    assert!(ended.stdout.contains("CANCELED"), "{ended:?}");
    assert_eq!(
        scheduled(&server, "t"),
        ["book_hotel", "book_flight", "cancel_flight", "cancel_hotel"]
    );
    assert_eq!(server.ask("t", "get_status"), "undone");
    export::histories(&server, &language.named("saga_cancelled"));
}

// W1, W2
fn a_trip_that_nobody_confirms_is_undone(language: Language) {
    let server = trip(language, "Ritz", "LH400", "tok_1234567890");
    let failed = server.result("t");
    assert!(
        format!("{failed:?}").contains("The trip was not confirmed in time"),
        "{failed:?}"
    );
    assert_eq!(
        scheduled(&server, "t"),
        ["book_hotel", "book_flight", "cancel_flight", "cancel_hotel"]
    );
}

// W6, E4, A1
fn the_python_client_books_and_cancels_trips(language: Language) {
    let expected = "\
Booked(hotel='hotel_1', flight='flight_1', payment='txn_tok_1234')
CardDeclined: The card for trip 2 was declined
The trip is undone
The trip was cancelled
The trip is undone
";
    python_with_either_worker(
        language,
        &["saga", "saga-activities"],
        "trips",
        "saga.py",
        |printed| {
            assert_eq!(printed, expected);
        },
    );
}
