//! Messages that come together, what handlers are told of them, and who may send what.

use longhaul_history::{
    payload,
    proto::{
        common::v1::Header, enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage,
        workflowservice::v1 as wire,
    },
};
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::{Value, json};

use crate::{common, world::*};

#[tokio::test]
async fn messages_that_wait_together_are_taken_in_their_order() {
    // S2, S3, U5, Q2
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    let rt = world.rt();
    let values: Vec<[Value; 1]> = (1..=5).map(|value| [json!(value)]).collect();
    let together = async {
        tokio::join!(
            common::signal(rt.clone(), "c", "add", &values[0], ""),
            common::signal(rt.clone(), "c", "add", &values[1], ""),
            common::signal(rt.clone(), "c", "add", &values[2], ""),
            common::update(rt.clone(), "c", "add_and_get", &values[3], "u4"),
            common::update(rt.clone(), "c", "add_and_get", &values[4], "u5"),
            common::query(rt.clone(), "c", "all"),
        )
    };
    let (one, two, three, four, five, all) = world.drive(together).await;
    for signal in [one, two, three] {
        signal.unwrap();
    }
    assert_eq!(four.unwrap(), Ok(json!(10)), "the signals were handled before it");
    assert_eq!(five.unwrap(), Ok(json!(15)), "in the order of admission");
    assert_eq!(
        all.unwrap(),
        json!([1, 2, 3, 4, 5]),
        "and the query sees all of it"
    );
    let history = world.history("c");
    let signals: Vec<&str> = history
        .lines()
        .filter_map(|line| line.split("WorkflowExecutionSignaled ").nth(1))
        .collect();
    assert_eq!(
        signals,
        ["name=add input=(1)", "name=add input=(2)", "name=add input=(3)"]
    );
}

#[tokio::test]
async fn a_query_sees_a_signal_that_came_before_it_also_while_a_validator_is_asked() {
    // Q2, U1
    for forks in [true, false] {
        let mut world = World::new();
        if forks {
            world.upload("cart", "cart").await;
        } else {
            world.upload_unforkable("cart", "cart").await;
        }
        world.start("c", "ShoppingCartWorkflow", &[]).await.unwrap();
        let rt = world.rt();
        let item = |sku: &str| [json!({"sku": sku, "name": "Thing", "price": "7.50"})];
        let (one, two) = (item("one"), item("two"));
        let together = async {
            tokio::join!(
                common::signal(rt.clone(), "c", "add_item", &one, ""),
                common::update(rt.clone(), "c", "add_item", &two, "u"),
                common::query(rt.clone(), "c", "get_total"),
            )
        };
        let (signalled, updated, total) = world.drive(together).await;
        signalled.unwrap();
        let after = updated.unwrap().unwrap();
        assert_eq!(total.unwrap(), after, "forks: {forks}");
        assert_eq!(world.query("c", "get_total", &[]).await.unwrap(), after);
    }
}

#[tokio::test]
async fn a_query_never_answers_with_what_could_not_be_written() {
    // Q2, S1
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    world.signal("c", "add", &[json!(1)]).await.unwrap();
    world.disk.fail_sync(world.disk.syncs() + 1);
    let (rt, two) = (world.rt(), [json!(2)]);
    let together = async {
        tokio::join!(
            common::signal(rt.clone(), "c", "add", &two, ""),
            common::query(rt.clone(), "c", "all"),
        )
    };
    let (signalled, all) = world.drive(together).await;
    assert!(matches!(signalled, Err(Error::Unavailable(_))), "{signalled:?}");
    assert!(
        !matches!(&all, Ok(all) if *all != json!([1])),
        "nobody may learn of a signal that was refused: {all:?}"
    );
    world.crash(Loss::All, SECOND);
    assert_eq!(world.query("c", "all", &[]).await.unwrap(), json!([1]));
}

#[tokio::test]
async fn a_handler_is_told_event_time_sender_and_header() {
    // S10
    let mut world = World::of("hostile").await;
    world.upload("lab", "lab").await;
    world.start("o", "Open", &[]).await.unwrap();
    world.advance(SECOND).await;
    let now_ns = world.sim.now_ns();
    let tenant = payload::json_payload(&json!("acme"));
    let request = wire::SignalWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("o"),
        signal_name: "letter".into(),
        identity: "tester".into(),
        header: Some(Header {
            fields: [("tenant".to_owned(), tenant)].into(),
        }),
        ..Default::default()
    };
    let rt = world.rt();
    world.drive(rt.signal_workflow(request)).await.unwrap();
    let letter = json!({"op": "signal", "id": "o", "name": "letter", "args": []});
    world
        .start("a", "Lab", &[json!({"steps": [letter]})])
        .await
        .unwrap();
    assert_eq!(world.result("a").await, json!(["signalled"]));
    let told = json!([
        format!("event 5 at {now_ns} from client tester for \"acme\""),
        format!("event 9 at {now_ns} from workflow a for ")
    ]);
    assert_eq!(world.query("o", "letters", &[]).await.unwrap(), told);
    // The same in a replay.
    world.crash(Loss::All, SECOND);
    assert_eq!(world.query("o", "letters", &[]).await.unwrap(), told);
}

#[tokio::test]
async fn a_signal_to_the_family_carries_its_header_through_the_server() {
    // S10, E7
    let mut world = World::of("family").await;
    let kid = json!({"name": "kid", "children": [{"name": "baby"}]});
    world
        .start("f", "FamilyWorkflow", &[json!({"name": "f", "children": [kid]})])
        .await
        .unwrap();
    world.sim.settle().await;
    world
        .signal("f", "tell", &[json!("hello"), json!(true)])
        .await
        .unwrap();
    world.sim.settle().await;
    for (member, from) in [("f", "f"), ("f/kid", "f"), ("f/kid/baby", "f/kid")] {
        assert_eq!(
            world.query(member, "get_heard", &[]).await.unwrap(),
            json!([{"news": "hello", "from": from, "origin": "f"}]),
            "{member}"
        );
    }
    assert!(
        !world.history("f").contains("WorkflowExecutionSignaled name=news"),
        "to itself without an event"
    );
    assert_eq!(
        world
            .history("f/kid")
            .matches("WorkflowExecutionSignaled name=news")
            .count(),
        1,
        "never back"
    );
}

#[tokio::test]
async fn what_a_type_has_not_declared_is_refused_to_clients_unless_it_is_dynamic() {
    // S7
    let mut world = World::of("hostile").await;
    world.upload("lab", "lab").await;
    world.upload("counter", "counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    let refused = world.signal("c", "undeclared", &[json!("x")]).await;
    assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    // Between executions nothing is refused.
    let undeclared = json!({"op": "signal", "id": "c", "name": "undeclared", "args": ["x"]});
    world
        .start("a", "Lab", &[json!({"steps": [undeclared]})])
        .await
        .unwrap();
    assert_eq!(world.result("a").await, json!(["signalled"]));
    assert!(
        world
            .history("c")
            .contains("WorkflowExecutionSignaled name=undeclared")
    );
    // What code waits for is declared without a handler.
    world.upload("family", "family").await;
    world.start("f", "FamilyWorkflow", &[]).await.unwrap();
    world.signal("f", "news", &[json!("x")]).await.unwrap();
    let heard = world.query("f", "get_heard", &[]).await.unwrap();
    assert_eq!(heard[0]["news"], "x", "{heard}");
    // A dynamic type takes any name; its code waits for this one.
    world.start("o", "Open", &[]).await.unwrap();
    world.signal("o", "undeclared", &[json!("x")]).await.unwrap();
    assert_eq!(world.result("o").await, json!("x"));
}

#[tokio::test]
async fn a_replay_tells_the_code_what_it_was_told_before() {
    // W3
    let mut options = common::options();
    options.limits.history.suggest_events = 10;
    let mut world = World::with(options);
    world.upload("hostile", "hostile").await;
    world.start("o", "Open", &[]).await.unwrap();
    for number in 1..=4 {
        world.advance(SECOND).await;
        world.signal("o", "letter", &[]).await.unwrap();
        let facts = world
            .update("o", "fact", &[], &format!("u{number}"))
            .await
            .unwrap();
        assert_eq!(facts, Ok(json!(number)));
    }
    let live = [
        world.query("o", "facts", &[]).await.unwrap(),
        world.query("o", "letters", &[]).await.unwrap(),
    ];
    let facts = live[0].to_string();
    assert!(facts.contains("false") && facts.contains("true"), "{facts}");
    world.crash(Loss::All, HOUR);
    let replayed = [
        world.query("o", "facts", &[]).await.unwrap(),
        world.query("o", "letters", &[]).await.unwrap(),
    ];
    assert_eq!(replayed, live);
}

#[tokio::test]
async fn whoever_waits_for_acceptance_does_not_wait_for_the_end() {
    // U3, Q5
    let mut options = common::options();
    // Longer than anybody waits for this test.
    options.long_poll = HOUR;
    let mut world = World::with(options);
    world.upload("order", "orders").await;
    world
        .start("o", "OrderWorkflow", &[json!("order"), json!("cust")])
        .await
        .unwrap();
    // Nobody serves the activity, so the handler does not end.
    let item = [json!({"sku": "a", "name": "b", "quantity": 1, "price": "1.00"})];
    let accepted = world
        .update_to(Stage::Accepted, "o", "add_item", &item, "u")
        .await
        .unwrap();
    assert_eq!(accepted, (Stage::Accepted, None));
    let polled = world.poll(Stage::Accepted, "o", "u").await.unwrap();
    assert_eq!(polled, (Stage::Accepted, None));
    // Where each of the two tasks waits is told meanwhile.
    let trace = world.query("o", "__stack_trace", &[]).await.unwrap();
    let lines: Vec<&str> = trace.as_str().unwrap().lines().collect();
    for task in ["run: waits for ", "update add_item: waits for activity "] {
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(task) && line.contains("order/src/lib.rs:")),
            "{task}\n{trace}"
        );
    }
}
