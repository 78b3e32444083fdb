//! Signals to the family, waits for the newest signal, search attributes and memos.

use serde_json::json;

use super::{cancel, compare::same_histories, settled, signal, start};
use crate::{completed, count, eventually, labels};

// E7, E8
#[test]
fn a_family() {
    same_histories(&["family"], "families", |server| {
        let bob = json!({"name": "bob"});
        start(server, "FamilyWorkflow", "ann", &[json!({"children": [bob]})]);
        eventually("the parent knows its child", || {
            count(server, "ann", "EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED") == 1
        });
        settled(server, "ann");
        settled(server, "ann/bob");
        let hears = |id: &str, news: &str| {
            eventually(&format!("{id} hears {news}"), || {
                let heard = server.ask(id, "get_heard");
                heard
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|heard| heard["news"] == news)
            });
            settled(server, id);
        };
        // To the other one and to oneself, from above and from below, passed on and not.
        for (teller, news, propagate) in [
            ("ann", "one", "false"),
            ("ann/bob", "two", "false"),
            ("ann", "three", "true"),
            ("ann/bob", "four", "true"),
        ] {
            signal(server, teller, "tell", &[&json!(news).to_string(), propagate]);
            hears("ann", news);
            hears("ann/bob", news);
        }
        // From a client.
        signal(server, "ann", "news", &[r#""five""#]);
        hears("ann", "five");
        signal(server, "ann/bob", "leave", &[]);
        assert_eq!(completed(server, "ann/bob"), 4);
        settled(server, "ann");
        signal(server, "ann", "leave", &[]);
        assert_eq!(completed(server, "ann"), 5);

        start(server, "QuietFamilyWorkflow", "gus", &[]);
        signal(server, "gus", "tell", &[r#""hello""#]);
        hears("gus", "hello");
        cancel(server, "gus");
    });
}

// E1, E13
#[test]
fn labelled_workflows() {
    same_histories(&["labels"], labels::QUEUE, |server| {
        labels::start(server);
        for _ in 0..2 {
            settled(server, "l");
            server.signal("l", "step", &[]).ok();
        }
        assert_eq!(completed(server, "l")["city"], "Graz");
    });
}
