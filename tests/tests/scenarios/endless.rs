//! `endless`: workflows that continue as new.

use longhaul_tests::{Background, Client, Language, Server, client::success, export, in_each_language};
use serde_json::json;

use crate::{eventually, python_with_either_worker, server_in};

/// Updates by which a history comes to where continuing is suggested (4,096 events): each payment leaves ten or more.
const ENOUGH_PAYMENTS: usize = 500;

in_each_language! {
    an_hourly_loop_goes_on_in_a_new_run,
    a_payment_is_made_once_over_all_runs,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    the_python_client_follows_the_runs,
}

fn endless(language: Language) -> Server {
    server_in(language, &["endless", "endless-activities"], "endless")
}

fn run_id(server: &Server, id: &str) -> String {
    let described = server
        .longhaul(&["workflow", "describe", "-w", id, "-o", "json"])
        .json();
    let run_id = &described["workflowExecutionInfo"]["execution"]["runId"];
    run_id
        .as_str()
        .unwrap_or_else(|| panic!("{described}"))
        .to_owned()
}

// E3, S9: hundreds of hours later there is another run, which knows what the first has reached and takes its signals.
fn an_hourly_loop_goes_on_in_a_new_run(language: Language) {
    let server = endless(language);
    server.start_workflow("LongRunningWorkflow", "l", &[]).ok();
    let first = run_id(&server, "l");
    for number in 1..=3 {
        server
            .signal(
                "l",
                "process_item",
                &[&json!(format!("item-{number}")).to_string()],
            )
            .ok();
    }
    let waiting = Background::waiting_for_result(&server, "l");
    eventually("the workflow continues as new", || run_id(&server, "l") != first);
    drop(waiting);

    assert!(server.ask("l", "get_iteration").as_u64().unwrap() > 100);
    assert_eq!(server.ask("l", "get_total_processed"), 3);
    server.signal("l", "process_item", &[r#""item-4""#]).ok();
    eventually("the new run processes the item", || {
        server.ask("l", "get_total_processed") == 4
    });
    let of_first = [
        "workflow", "describe", "-w", "l", "--run-id", &first, "-o", "json",
    ];
    assert_eq!(
        server.longhaul(&of_first).json()["workflowExecutionInfo"]["status"],
        "WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW"
    );
    server.longhaul(&["workflow", "cancel", "-w", "l"]).ok();
    assert!(server.result("l").stdout.contains("CANCELED"));
    export::histories(&server, &language.named("endless"));
}

// U4, U11, E3: an update id pays once, in its run because the server knows it, in the next because the workflow does.
fn a_payment_is_made_once_over_all_runs(language: Language) {
    let server = endless(language);
    server.start_workflow("IdempotentWorkflow", "i", &[]).ok();
    let first = run_id(&server, "i");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut client = Client::new(server.address());
        for number in 0..ENOUGH_PAYMENTS {
            let (payment, update) = (format!("p{number}"), format!("u{number}"));
            let outcome = client
                .update("i", "process_payment", &[json!(payment)], &update)
                .await;
            assert_eq!(success(outcome.unwrap()), format!("receipt_{payment}"));
        }
        let again = client.update("i", "process_payment", &[json!("p0")], "u0").await;
        assert_eq!(success(again.unwrap()), "already_processed");
        let again = client
            .update("i", "process_payment", &[json!("p499")], "u499")
            .await;
        assert_eq!(success(again.unwrap()), "receipt_p499");
    });
    assert_ne!(run_id(&server, "i"), first);
    assert_eq!(server.ask("i", "get_processed_count"), ENOUGH_PAYMENTS);
    export::histories(&server, &language.named("endless_payments"));
}

// E3, E4, U4, A1
fn the_python_client_follows_the_runs(language: Language) {
    let expected = "\
The first run has continued as new
Items in all runs: 3
Cancelled
Receipt: receipt_p1
Receipt: receipt_p1
Payments processed: 1
";
    python_with_either_worker(
        language,
        &["endless", "endless-activities"],
        "endless",
        "endless.py",
        |printed| {
            assert_eq!(printed, expected);
        },
    );
}
