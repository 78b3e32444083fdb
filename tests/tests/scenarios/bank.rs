//! `bank`: handlers that run at the same time.

use std::{collections::BTreeSet, thread};

use longhaul_tests::{Language, Server, export, in_each_language};
use serde_json::{Value, json};

use crate::{completed, eventually, python_with_either_worker, server_in};

in_each_language! {
    withdrawals_at_the_same_time_do_not_lose_money,
    impossible_amounts_are_refused,
    closing_waits_for_a_withdrawal,
    messages_are_processed_in_their_order,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    the_python_client_withdraws_at_the_same_time,
}

fn bank(language: Language, workflow_type: &str) -> Server {
    let server = server_in(language, &["bank", "bank-activities"], "bank");
    server.start_workflow(workflow_type, "b", &[]).ok();
    server
}

// U5: withdrawals at the same time (as many as a run may have in flight) never lose one another.
fn withdrawals_at_the_same_time_do_not_lose_money(language: Language) {
    let server = bank(language, "BankAccountWorkflow");
    let answers: Vec<_> = thread::scope(|scope| {
        let withdrawals: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| server.update("b", "withdraw", &[r#""100""#])))
            .collect();
        withdrawals
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    });
    let balances: BTreeSet<String> = answers
        .into_iter()
        .map(|answer| answer.json()["result"].as_str().unwrap().to_owned())
        .collect();
    // Each has seen the balance that the one before has left.
    let expected = (0..10)
        .map(|hundreds| format!("{}.00", hundreds * 100))
        .collect::<BTreeSet<_>>();
    assert_eq!(balances, expected);

    server
        .update("b", "withdraw", &[r#""0.01""#])
        .refused(&["Insufficient funds"]);
    assert_eq!(server.ask("b", "get_balance"), "0.00");
    server.signal("b", "close", &[]).ok();
    assert_eq!(completed(&server, "b"), "0.00");
    export::histories(&server, &language.named("bank"));
}

// U1
fn impossible_amounts_are_refused(language: Language) {
    let server = bank(language, "BankAccountWorkflow");
    let before = server.history("b");
    for (amount, reason) in [
        ("0", "Amount must be positive"),
        ("-5", "Amount must be positive"),
        ("10000.01", "Amount exceeds daily limit"),
    ] {
        server
            .update("b", "withdraw", &[&json!(amount).to_string()])
            .refused(&[reason]);
    }
    assert_eq!(server.history("b"), before);
    // As a number, as another language may write it.
    assert_eq!(
        server.update("b", "withdraw", &["99.5"]).json()["result"],
        "900.50"
    );
}

// U2, U8: an account that is closed answers the withdrawal that has begun.
fn closing_waits_for_a_withdrawal(language: Language) {
    let server = bank(language, "BankAccountWorkflow");
    let words = [
        "workflow",
        "update",
        "start",
        "-w",
        "b",
        "--name",
        "withdraw",
        "--update-id",
        "u",
        "-i",
        r#""400""#,
    ];
    server.longhaul(&words).ok();
    server.signal("b", "close", &[]).ok();
    assert_eq!(completed(&server, "b"), "600.00");
    let result = [
        "workflow",
        "update",
        "result",
        "-w",
        "b",
        "--update-id",
        "u",
        "-o",
        "json",
    ];
    assert_eq!(server.longhaul(&result).json()["result"], "600.00");
}

// S2, U5: the queue keeps the order of the messages, one activity at a time.
fn messages_are_processed_in_their_order(language: Language) {
    let mut server = bank(language, "QueueBasedWorkflow");
    let messages: Vec<String> = (1..=20).map(|number| format!("message-{number}")).collect();
    for message in &messages[..10] {
        server
            .signal("b", "add_message", &[&json!(message).to_string()])
            .ok();
    }
    eventually("the first messages are processed", || {
        server.ask("b", "get_processed") == 10
    });
    server.kill();
    server.restart();
    for message in &messages[10..] {
        server
            .signal("b", "add_message", &[&json!(message).to_string()])
            .ok();
    }
    server.signal("b", "shutdown", &[]).ok();
    assert_eq!(completed(&server, "b"), Value::Null);
    assert_eq!(server.ask("b", "get_processed"), 20);
    assert_eq!(processed(&server), messages);
    export::histories(&server, &language.named("bank_queue"));
}

/// The messages that activities got, in order. Each was scheduled only after the one before had completed.
fn processed(server: &Server) -> Vec<String> {
    let mut processed = Vec::new();
    let mut running = false;
    for line in server.history("b").lines() {
        if line.contains("ActivityTaskScheduled") {
            assert!(!running, "two activities at a time");
            running = true;
            let input = line
                .split_once(r#"input=(""#)
                .and_then(|(_, rest)| rest.split_once(r#"")"#));
            processed.push(input.unwrap_or_else(|| panic!("no message: {line}")).0.to_owned());
        } else if line.contains("ActivityTaskCompleted") {
            running = false;
        }
    }
    processed
}

// S2, U2, U5, A1
fn the_python_client_withdraws_at_the_same_time(language: Language) {
    let expected = "\
Balances after five withdrawals at the same time: ['500.00', '600.00', '700.00', '800.00', '900.00']
Withdrawal failed: Insufficient funds
Withdrawal failed: Amount must be positive
Balance: 500.00
Closed with 500.00
Messages processed: 5
";
    python_with_either_worker(
        language,
        &["bank", "bank-activities"],
        "bank",
        "bank.py",
        |printed| {
            assert_eq!(printed, expected);
        },
    );
}
