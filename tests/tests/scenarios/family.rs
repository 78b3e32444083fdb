//! `family`: signals to the parent and the children, and onwards.

use longhaul_tests::{Language, Server, export, in_each_language};
use serde_json::{Value, json};

use crate::{completed, count, eventually, python, server_in};

const MEMBERS: [&str; 6] = [
    "ann",
    "ann/bob",
    "ann/bob/dan",
    "ann/bob/eve",
    "ann/cid",
    "ann/cid/fay",
];

in_each_language! {
    news_reach_parent_and_children,
    news_go_through_the_whole_family_once,
    a_quiet_member_tells_its_parent_nothing,
    somebody_alone_hears_itself,
    children_leave_with_their_parent,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    the_python_client_tells_a_family_some_news,
}

/// Ann, her children Bob and Cid, who is quiet, and theirs: Dan, Eve and Fay.
fn family(language: Language) -> Server {
    let server = server_in(language, &["family"], "families");
    let ann = json!({"children": [
        {"name": "bob", "children": [{"name": "dan"}, {"name": "eve"}]},
        {"name": "cid", "quiet": true, "children": [{"name": "fay"}]},
    ]});
    server
        .start_workflow("FamilyWorkflow", "ann", &[&ann.to_string()])
        .ok();
    for member in MEMBERS {
        eventually("the member is born", || {
            server.query(member, "get_heard").code == 0
        });
    }
    // A parent that has not heard of its child's start yet does not signal it.
    for (parent, children) in [("ann", 2), ("ann/bob", 2), ("ann/cid", 1)] {
        eventually("the parent knows its children", || {
            count(&server, parent, "EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED") == children
        });
    }
    server
}

fn tell(server: &Server, member: &str, news: &str, propagate: bool) {
    server
        .signal(
            member,
            "tell",
            &[&json!(news).to_string(), &propagate.to_string()],
        )
        .ok();
}

/// The last news of a member: the news, who told it, and who began it.
fn last_heard(server: &Server, member: &str) -> Option<(String, String, String)> {
    let heard = server.ask(member, "get_heard");
    let last = heard.as_array().unwrap().last()?.clone();
    let text = |field: &str| last[field].as_str().unwrap_or_default().to_owned();
    Some((text("news"), text("from"), text("origin")))
}

fn hears(server: &Server, member: &str, news: &str, from: &str, origin: &str) {
    let expected = Some((news.to_owned(), from.to_owned(), origin.to_owned()));
    eventually(&format!("{member} hears {news} from {from}"), || {
        last_heard(server, member) == expected
    });
}

// E7, E8: without propagation the parent and the children hear it, and oneself; nobody else.
fn news_reach_parent_and_children(language: Language) {
    let server = family(language);
    tell(&server, "ann/bob", "It rains", false);
    for member in ["ann", "ann/bob", "ann/bob/dan", "ann/bob/eve"] {
        hears(&server, member, "It rains", "ann/bob", "ann/bob");
    }
    // All relatives of Bob have it, so whatever they had passed on would be on its way.
    tell(&server, "ann/cid", "Quiet", false);
    hears(&server, "ann/cid/fay", "Quiet", "ann/cid", "ann/cid");
    assert_eq!(
        server.ask("ann/cid/fay", "get_heard").as_array().unwrap().len(),
        1
    );
    // To the parent and to two children an event each; to oneself none.
    assert_eq!(
        count(
            &server,
            "ann/bob",
            "EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"
        ),
        3
    );
    // The client's signal is the only one that has reached Bob.
    assert_eq!(
        count(&server, "ann/bob", "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"),
        1
    );
    export::histories(&server, &language.named("family"));
}

// E7: with propagation everybody hears it once, told by the relative who is nearer to its origin.
fn news_go_through_the_whole_family_once(language: Language) {
    let server = family(language);
    tell(&server, "ann/bob/dan", "The sun shines", true);
    for (member, from) in [
        ("ann/bob/dan", "ann/bob/dan"),
        ("ann/bob", "ann/bob/dan"),
        ("ann/bob/eve", "ann/bob"),
        ("ann", "ann/bob"),
        ("ann/cid", "ann"),
        ("ann/cid/fay", "ann/cid"),
    ] {
        hears(&server, member, "The sun shines", from, "ann/bob/dan");
    }
    for member in MEMBERS {
        let heard = server.ask(member, "get_heard");
        assert_eq!(heard.as_array().unwrap().len(), 1, "{member}: {heard}");
    }
    export::histories(&server, &language.named("family_propagation"));
}

// E7: who opts out tells its children, and its parent nothing.
fn a_quiet_member_tells_its_parent_nothing(language: Language) {
    let server = family(language);
    tell(&server, "ann/cid/fay", "A secret", true);
    hears(&server, "ann/cid", "A secret", "ann/cid/fay", "ann/cid/fay");
    tell(&server, "ann/cid", "Another", true);
    hears(&server, "ann/cid/fay", "Another", "ann/cid", "ann/cid");
    assert_eq!(server.ask("ann", "get_heard"), json!([]));
    assert_eq!(
        count(
            &server,
            "ann/cid",
            "EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"
        ),
        1
    );
}

// E7, E8: somebody without a family hears what it says itself, without an event; a client's signal is heard the same way.
fn somebody_alone_hears_itself(language: Language) {
    let server = server_in(language, &["family"], "families");
    server.start_workflow("FamilyWorkflow", "gus", &[]).ok();
    tell(&server, "gus", "Hello?", true);
    assert_eq!(
        last_heard(&server, "gus"),
        Some(("Hello?".to_owned(), "gus".to_owned(), "gus".to_owned()))
    );
    assert_eq!(count(&server, "gus", "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"), 1);
    server.signal("gus", "news", &[r#""Hello!""#]).ok();
    let heard = server.ask("gus", "get_heard");
    assert_eq!(heard[1]["news"], "Hello!");
    assert_eq!(heard[1]["origin"], Value::Null);
    server.signal("gus", "leave", &[]).ok();
    assert_eq!(completed(&server, "gus"), 2);
    export::histories(&server, &language.named("family_alone"));
}

// E5: when a member leaves, its children end with it.
fn children_leave_with_their_parent(language: Language) {
    let server = family(language);
    server.signal("ann/bob", "leave", &[]).ok();
    assert_eq!(completed(&server, "ann/bob"), 0);
    for child in ["ann/bob/dan", "ann/bob/eve"] {
        let ended = server.result(child);
        assert!(ended.stdout.contains("TERMINATED"), "{ended:?}");
    }
    tell(&server, "ann", "Bob has left", true);
    hears(&server, "ann/cid/fay", "Bob has left", "ann/cid", "ann");
}

// E5, E7
fn the_python_client_tells_a_family_some_news(language: Language) {
    let server = server_in(language, &["family"], "families");
    let expected = "\
ann has heard from ann: It rains
ann/bob has heard from ann: It rains
ann/bob/dan has heard from ann/bob: It rains
Ann has left; news: 1
Bob has left with her
";
    assert_eq!(python(&server, "family.py"), expected);
}
