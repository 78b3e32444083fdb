//! `labels`: search attributes and memos, by which executions are found and which tools show.

use longhaul_tests::{Language, Server, export, in_each_language};
use serde_json::{Value, json};

use crate::{completed, eventually, server_in};

pub(crate) const QUEUE: &str = "labels";

/// Starts the execution `l`, with an attribute and a memo of the client's.
pub(crate) fn start(server: &Server) {
    server
        .longhaul(&[
            "workflow",
            "start",
            "--type",
            "LabelsWorkflow",
            "-w",
            "l",
            "--input",
            "false",
            "--search-attribute",
            r#"LabelsOwner="ann""#,
            "--memo",
            r#"given={"by": ["a client"]}"#,
        ])
        .ok();
}

/// The runs that a query finds, as statuses.
fn found(server: &Server, query: &str) -> Vec<String> {
    let found = server
        .longhaul(&["workflow", "list", "--query", query, "-o", "json"])
        .json();
    let statuses = found.as_array().unwrap().iter().map(|info| {
        assert_eq!(info["execution"]["workflowId"], "l");
        info["status"].as_str().unwrap().to_owned()
    });
    statuses.collect()
}

/// The memo, as values.
#[track_caller]
fn memo(server: &Server) -> Value {
    let mut described = server
        .longhaul(&["workflow", "describe", "-w", "l", "-o", "json"])
        .json();
    described["workflowExecutionInfo"]["memo"]["fields"].take()
}

#[track_caller]
fn shows(server: &Server, text: &str) {
    let described = server.longhaul(&["workflow", "describe", "-w", "l"]).ok();
    assert!(described.contains(text), "{text:?} is not in {described}");
}

in_each_language! {
    a_run_is_found_by_what_it_says_of_itself_and_so_is_the_one_that_it_goes_on_as,
}

// E1, E13
fn a_run_is_found_by_what_it_says_of_itself_and_so_is_the_one_that_it_goes_on_as(language: Language) {
    let server = server_in(language, &["labels"], QUEUE);
    start(&server);
    let running = ["WORKFLOW_EXECUTION_STATUS_RUNNING"];
    eventually("the run has labelled itself", || {
        found(&server, "LabelsCity = 'Wien'") == running
    });
    for query in [
        "LabelsOwner = 'ann'",
        "LabelsNote = 'glass'",
        "LabelsParcels = 3 AND LabelsWeight > 2.4",
        "LabelsFragile = true",
        "LabelsDue = '2026-01-02T03:04:05Z'",
        "LabelsTags = 'hot' AND LabelsTags = 'new'",
    ] {
        assert_eq!(found(&server, query), running, "{query}");
    }
    for query in [
        "LabelsCity = 'wien'",
        "LabelsParcels > 3",
        "LabelsFragile = false",
        "LabelsDue > '2026-01-02T03:04:05Z'",
        "LabelsTags = 'old'",
    ] {
        assert!(found(&server, query).is_empty(), "{query}");
    }
    for text in [r#""Ann""#, "[20,30]", r#"{"by": ["a client"]}"#] {
        shows(&server, text);
    }
    // What it has just set, and what came with the start.
    let read = json!({
        "owner": "ann", "city": "Wien", "note": "mind the glass", "parcels": 3, "weight": 2.5, "fragile": true,
        "due_s": 1_767_323_045, "tags": ["new", "hot"], "sender": "Ann", "size": [20, 30],
    });
    assert_eq!(memo(&server)["read"], read);

    server.signal("l", "step", &[]).ok();
    eventually("the run has other labels", || {
        found(&server, "LabelsParcels = 2") == running
    });
    for query in ["LabelsNote IS NULL", "LabelsTags IS NULL", "LabelsCity = 'Wien'"] {
        assert_eq!(found(&server, query), running, "{query}");
    }
    assert_eq!(
        memo(&server),
        json!({"given": {"by": ["a client"]}, "sender": "Ann"})
    );

    // The run that follows has the options that it was given, and reads what it has.
    server.signal("l", "step", &[]).ok();
    let labels = completed(&server, "l");
    let nothing = Value::Null;
    assert_eq!(
        labels,
        json!({
            "owner": nothing, "city": "Graz", "note": nothing, "parcels": nothing, "weight": nothing, "fragile": nothing,
            "due_s": nothing, "tags": nothing, "sender": "Bob", "size": nothing,
        })
    );
    assert_eq!(
        found(&server, "LabelsCity = 'Graz'"),
        ["WORKFLOW_EXECUTION_STATUS_COMPLETED"]
    );
    assert_eq!(
        found(&server, "LabelsCity = 'Wien'"),
        ["WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW"]
    );
    let history = server.history("l");
    for text in [
        "run-timeout=1h",
        "task-timeout=20s",
        "attempts:3",
        r#"memo={sender:"Bob"}"#,
    ] {
        assert!(history.contains(text), "{text:?} is not in {history}");
    }
    export::histories(&server, &language.named("labels"));
}
