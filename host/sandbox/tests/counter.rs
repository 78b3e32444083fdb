//! The example `counter`, as `cargo xtask guests` builds it: a real guest with the standard library of its language, driven by hand.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::LazyLock;

use longhaul_sandbox::wit::types::{FailureInfo, Payload};
use longhaul_sandbox::{Command, Instance, Module, Task};

mod support;
use support::{guest, info, json, meta, sandbox, setup, task};

/// In each language that it is written in.
static COUNTERS: LazyLock<[Module; 2]> =
    LazyLock::new(|| ["counter", "counter-go"].map(|name| sandbox().compile(&guest(name)).unwrap()));

/// Makes tests of functions that take the module: `rust::NAME` and `go::NAME`.
macro_rules! in_each_language {
    ($($name:ident),* $(,)?) => {
        in_each_language! { @ rust 0, $($name),* }
        in_each_language! { @ go 1, $($name),* }
    };
    (@ $language:ident $index:literal, $($name:ident),*) => {
        mod $language {
            $(
                #[test]
                fn $name() {
                    super::$name(&super::COUNTERS[$index]);
                }
            )*
        }
    };
}

in_each_language! {
    it_says_what_it_defines,
    signals_queries_updates_and_the_result,
    memory_after_a_replay_is_memory_after_the_live_run,
    queries_see_every_signal_and_change_nothing,
    a_query_that_nobody_answers_is_a_failure_of_the_guest,
    an_argument_that_does_not_fit_fails_in_the_guest_and_not_in_the_host,
}

fn start(module: &Module, replaying: bool) -> Instance {
    let mut instance = module.instantiate(setup()).unwrap();
    instance.begin_task(Task {
        replaying,
        ..task(1_000)
    });
    instance.start(&info(), &vec![]).unwrap().unwrap();
    instance.advance().unwrap();
    assert_eq!(instance.take_commands(), [], "it waits for signals");
    instance
}

fn add(instance: &mut Instance, value: u32) {
    instance
        .signal(&meta(), "add", &vec![json(&value.to_string())])
        .unwrap();
}

fn text(payload: &Payload) -> &str {
    std::str::from_utf8(&payload.data).unwrap()
}

fn query(instance: &Instance, name: &str) -> String {
    text(
        &instance
            .fork()
            .unwrap()
            .query(name, &vec![], &vec![])
            .unwrap()
            .unwrap(),
    )
    .to_owned()
}

/// A whole execution: three tasks. Returns the memory's hash after each.
fn run(module: &Module, replaying: bool) -> Vec<[u8; 32]> {
    let mut instance = start(module, replaying);
    let mut hashes = vec![instance.memory_hash()];

    instance.begin_task(Task {
        replaying,
        ..task(2_000)
    });
    for value in [1, 2, 3] {
        add(&mut instance, value);
    }
    instance
        .update("u", &meta(), "add_and_get", &vec![json("4")])
        .unwrap();
    instance.advance().unwrap();
    let issued = instance.take_commands();
    let [
        Command::CompleteUpdate {
            id,
            outcome: Ok(values),
        },
    ] = &issued.iter().map(|i| i.command.clone()).collect::<Vec<_>>()[..]
    else {
        panic!("{issued:?}");
    };
    assert_eq!((id.as_str(), text(&values[0])), ("u", "10"));
    hashes.push(instance.memory_hash());

    instance.begin_task(Task {
        replaying,
        ..task(3_000)
    });
    add(&mut instance, 5);
    instance.signal(&meta(), "finish", &vec![]).unwrap();
    instance.advance().unwrap();
    let issued = instance.take_commands();
    let [Command::Complete { output }] = &issued.iter().map(|i| i.command.clone()).collect::<Vec<_>>()[..]
    else {
        panic!("{issued:?}");
    };
    assert_eq!(text(&output[0]), "15");
    hashes.push(instance.memory_hash());
    hashes
}

fn it_says_what_it_defines(module: &Module) {
    let [workflow] = module.workflows() else {
        panic!("{:?}", module.workflows())
    };
    assert_eq!(workflow.name, "Counter");
    let names = |handlers: &[longhaul_sandbox::wit::types::Handler]| {
        let mut names: Vec<_> = handlers.iter().map(|h| h.name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&workflow.signals), ["add", "finish"]);
    assert_eq!(names(&workflow.queries), ["all", "total"]);
    assert_eq!(
        workflow
            .updates
            .iter()
            .map(|u| u.handler.name.as_str())
            .collect::<Vec<_>>(),
        ["add_and_get"]
    );
    assert!(
        module.fork_eligible().is_eligible(),
        "{:?}",
        module.fork_eligible()
    );
}

fn signals_queries_updates_and_the_result(module: &Module) {
    run(module, false);
}

// W3
fn memory_after_a_replay_is_memory_after_the_live_run(module: &Module) {
    assert_eq!(run(module, true), run(module, false));
}

// Q1, Q3
fn queries_see_every_signal_and_change_nothing(module: &Module) {
    let mut instance = start(module, false);
    instance.begin_task(task(2_000));
    for value in 1..=100 {
        add(&mut instance, value);
    }
    instance.advance().unwrap();
    let before = instance.memory_hash();
    assert_eq!(query(&instance, "total"), "5050");
    let all: Vec<String> = (1..=100).map(|n: u32| n.to_string()).collect();
    assert_eq!(query(&instance, "all"), format!("[{}]", all.join(",")));
    assert_eq!(instance.memory_hash(), before);
    assert!(!instance.fork().unwrap().waiting().unwrap().is_empty());
    assert_eq!(instance.memory_hash(), before);
    assert_eq!(
        text(
            &instance
                .into_reader()
                .unwrap()
                .query("total", &vec![], &vec![])
                .unwrap()
                .unwrap()
        ),
        "5050"
    );
}

// Q4
fn a_query_that_nobody_answers_is_a_failure_of_the_guest(module: &Module) {
    let instance = start(module, false);
    let failure = instance
        .fork()
        .unwrap()
        .query("nothing", &vec![], &vec![])
        .unwrap()
        .unwrap_err();
    assert!(failure[0].message.contains("nothing"), "{failure:?}");
}

// S11
fn an_argument_that_does_not_fit_fails_in_the_guest_and_not_in_the_host(module: &Module) {
    let mut instance = start(module, false);
    instance.begin_task(task(2_000));
    instance
        .update("u", &meta(), "add_and_get", &vec![json("\"four\"")])
        .unwrap();
    instance.advance().unwrap();
    let issued = instance.take_commands();
    let Some(Command::CompleteUpdate {
        outcome: Err(failure),
        ..
    }) = issued.first().map(|i| &i.command)
    else {
        panic!("{issued:?}");
    };
    assert!(
        matches!(failure[0].info, FailureInfo::Application(_)),
        "{failure:?}"
    );
}
