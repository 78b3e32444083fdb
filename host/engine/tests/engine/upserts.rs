//! Memo and search attributes.

use longhaul_engine::{Command, Violation, execution::Start};
use longhaul_history::{
    payload,
    proto::common::v1::{Memo, Payload, SearchAttributes},
};
use serde_json::{Value, json};

use crate::{
    guest::{Script, Scripted},
    world::{World, start},
};

fn set(name: &str, value: Value) -> (String, Option<Payload>) {
    (name.to_owned(), Some(payload::json_payload(&value)))
}

fn names(fields: &std::collections::HashMap<String, Payload>) -> Vec<String> {
    let mut names: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", payload::to_json(value).unwrap()))
        .collect();
    names.sort();
    names
}

#[test]
fn a_run_changes_its_memo_and_its_search_attributes() {
    // E13
    let begun = Start {
        memo: Some(Memo {
            fields: [set("a", json!(1)), set("b", json!(2))]
                .map(|(k, v)| (k, v.unwrap()))
                .into(),
        }),
        search_attributes: Some(SearchAttributes {
            indexed_fields: [set("Stage", json!("new"))].map(|(k, v)| (k, v.unwrap())).into(),
        }),
        ..start()
    };
    let mut world = World::with(Scripted::default(), begun);
    world.task([
        Command::UpsertMemo(vec![("a".into(), None), set("c", json!(3)), set("b", json!(4))]),
        Command::UpsertSearchAttributes(vec![set("Stage", json!("paid")), set("Tags", json!(["x"]))]),
    ]);
    assert_eq!(names(&world.execution.memo().fields), ["b=4", "c=3"]);
    assert_eq!(
        names(&world.execution.search_attributes().indexed_fields),
        ["Stage=\"paid\"", "Tags=[\"x\"]"]
    );
    assert!(
        !world.execution.needs_task(),
        "what a run says of itself is no news to it"
    );
    world.signal("go", "").unwrap();
    // As on Temporal's server, an empty list removes.
    world.task([Command::UpsertSearchAttributes(vec![
        ("Stage".into(), None),
        set("Tags", json!([])),
    ])]);
    assert_eq!(
        names(&world.execution.search_attributes().indexed_fields),
        [""; 0]
    );
    world.check();
    // Values and names are not compared: they say nothing about the order of the code.
    let other = Command::UpsertMemo(vec![set("z", json!(0))]);
    let attributes = Command::UpsertSearchAttributes(vec![set("Other", json!(1))]);
    let scripts = vec![
        Script::last([other, attributes.clone()]),
        Script::last([attributes]),
    ];
    world.replay_as(scripts).unwrap();
}

#[test]
fn what_cannot_be_written_fails_the_task() {
    // B2, E13
    let mut world = World::new();
    world.limits.history.memo_bytes = 100;
    let large = Command::UpsertMemo(vec![set("m", json!("x".repeat(200)))]);
    let violation = world.try_script(Script::last([large])).unwrap_err();
    assert!(
        matches!(&violation, Violation::BadMemo(why) if why.ends_with("the limit is 100 bytes")),
        "{violation}"
    );
    let nameless = Command::UpsertSearchAttributes(vec![set("", json!(1))]);
    let violation = world.try_script(Script::last([nameless])).unwrap_err();
    assert_eq!(
        violation,
        Violation::BadSearchAttributes("the name of a search attribute is empty".into())
    );
}
