//! Search attributes: given with a start, searched by, and the operator's calls.

use longhaul_tests::{Answer, Server, python};

use crate::{count, described, kill_and_restart, server, workflow};

fn start(server: &Server, id: &str, attributes: &[&str]) -> Answer {
    let flags = attributes
        .iter()
        .flat_map(|attribute| ["--search-attribute", attribute]);
    let words: Vec<_> = ["--type", "Counter", "-w", id].into_iter().chain(flags).collect();
    workflow(server, "start", &words)
}

// E13: no registration; the first use fixes the type, for good.
#[test]
fn executions_are_found_by_their_attributes() {
    let mut server = server(&["counter"]);
    start(
        &server,
        "red",
        &[r#"Colour="red""#, "Price=3", r#"Tags=["new","hot"]"#],
    )
    .ok();
    start(&server, "blue", &[r#"Colour="blue""#, "Price=30"]).ok();
    start(&server, "plain", &[]).ok();
    kill_and_restart(&mut server);
    let ids = |query: &str| {
        let found = workflow(&server, "list", &["--query", query, "-o", "json"]).json();
        let ids = found
            .as_array()
            .unwrap()
            .iter()
            .map(|info| info["execution"]["workflowId"].as_str().unwrap().to_owned());
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        assert_eq!(
            count(&server, query),
            u32::try_from(ids.len()).unwrap(),
            "{query}"
        );
        ids
    };
    assert_eq!(ids("Colour = 'red'"), ["red"]);
    assert_eq!(ids("Colour IN ('red', 'blue') AND Price > 3"), ["blue"]);
    assert_eq!(ids("Tags = 'hot'"), ["red"]);
    assert_eq!(ids("Colour IS NULL"), ["plain"]);
    let text = described(&server, "red");
    assert!(text.contains("Colour  \"red\""), "{text}");

    let query = ["--query", "Colour = 'green'"];
    let nothing = workflow(&server, "list", &query);
    assert_eq!(
        (nothing.stdout.as_str(), nothing.stderr.as_str()),
        ("", "No workflows.\n")
    );
    workflow(&server, "list", &["--query", "Colur = 'red'"]).refused(&["Colur"]);
    workflow(&server, "count", &["--query", "Price = 'cheap'"]).refused(&["Price"]);
    start(&server, "x", &["Colour=5"]).refused(&["\"Colour\"", "Int", "Keyword"]);
    start(&server, "x", &["Colour"]).wrong_usage(&["--search-attribute"]);
    start(&server, "x", &["Colour=red"]).wrong_usage(&["--search-attribute"]);
    assert_eq!(ids("WorkflowId = 'x'"), Vec::<String>::new());
}

// E13: Temporal's client lists and adds attributes.
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_lists_and_adds_attributes() {
    let server = server(&["counter"]);
    start(&server, "red", &[r#"Colour="red""#]).ok();
    let printed = python::run("python/search_attributes.py", &server);
    assert_eq!(printed.trim(), "attributes are listed and added");
    // Added by the script: a double, which an integer is too.
    start(&server, "x", &["Weight=2.5"]).ok();
    assert_eq!(count(&server, "Weight > 2"), 1);
    start(&server, "y", &[r#"Weight="heavy""#]).refused(&["\"Weight\"", "Double"]);
}
