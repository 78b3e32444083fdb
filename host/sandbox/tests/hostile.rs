//! The example `hostile`, as `cargo xtask guests` builds it: whatever it does is contained, and named with its place.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::{Arc, LazyLock};

use longhaul_sandbox::{Instance, LogOptions, Module, Options, Sandbox, Setup, Task, Trap, TrapKind};

mod support;
use support::{Lines, guest, info, json, meta, setup, task};

const LINES_MAX: u32 = 100;

static HOSTILE: LazyLock<Module> = LazyLock::new(|| {
    let log = LogOptions {
        lines_max: LINES_MAX,
        ..LogOptions::default()
    };
    let options = Options {
        log,
        fuel_per_activation: 100_000_000,
        fuel_per_read: 100_000_000,
        ..support::options()
    };
    Sandbox::new(options).unwrap().compile(&guest("hostile")).unwrap()
});

fn waiting_with(setup: Setup, replaying: bool) -> Instance {
    let mut instance = HOSTILE.instantiate(setup).unwrap();
    instance.begin_task(Task {
        replaying,
        ..task(1_000)
    });
    let mut info = info();
    info.workflow_type = "Hostile".into();
    instance.start(&info, &vec![json("\"wait\"")]).unwrap().unwrap();
    instance.advance().unwrap();
    instance
}

fn waiting() -> Instance {
    waiting_with(setup(), false)
}

fn word(what: &str) -> Vec<longhaul_sandbox::wit::types::Payload> {
    vec![json(&format!("\"{what}\""))]
}

/// Do it in a signal handler.
fn act(instance: &mut Instance, what: &str) -> Result<(), Trap> {
    instance.signal(&meta(), "act", &word(what))?;
    instance.advance()
}

/// Do it in a query of a fork.
fn ask(instance: &Instance, what: &str) -> Result<String, Trap> {
    let answer = instance.fork().unwrap().query("act", &word(what), &vec![])?;
    Ok(answer.map_or_else(|f| f[0].message.clone(), |p| String::from_utf8(p.data).unwrap()))
}

fn is_in_the_guest(trap: &Trap) {
    let place = trap.place().unwrap_or_else(|| panic!("no place: {trap:?}"));
    assert!(
        place
            .file
            .as_deref()
            .is_some_and(|f| f.ends_with("hostile/src/lib.rs")),
        "{place} of {trap:?}"
    );
}

// W6, Q4
#[test]
fn what_ends_a_guest_is_named_with_its_place_in_signals_and_in_queries() {
    let refused = |what: &str| TrapKind::Refused { what: what.into() };
    let bystander = waiting();
    let before = bystander.memory_hash();
    for (what, kind) in [
        ("spin", TrapKind::OutOfFuel),
        ("allocate", TrapKind::Memory),
        ("recurse", TrapKind::StackOverflow),
        ("abort", TrapKind::Unreachable),
        ("exit", refused("wasi:cli/exit")),
        ("sleep", refused("wasi:io/poll")),
    ] {
        let trap = act(&mut waiting(), what).unwrap_err();
        assert_eq!(trap.kind, kind, "{what}: {trap}");
        is_in_the_guest(&trap);
        let trap = ask(&bystander, what).unwrap_err();
        assert_eq!(trap.kind, kind, "{what} in a query: {trap}");
    }
    assert_eq!(bystander.memory_hash(), before);
    assert!(ask(&bystander, "nothing").is_ok());
}

// W6
#[test]
fn a_panic_comes_with_its_text_and_place() {
    let trap = act(&mut waiting(), "panic").unwrap_err();
    let TrapKind::Panic { message, place } = &trap.kind else {
        panic!("{trap:?}")
    };
    assert_eq!(message, "told to panic");
    assert!(place.contains("lib.rs:"), "{place}");
    assert!(trap.to_string().contains("told to panic"), "{trap}");
    is_in_the_guest(&trap);
}

// Q3
#[test]
fn a_query_cannot_write_draw_or_command() {
    let instance = waiting();
    let before = instance.memory_hash();
    for _ in 0..3 {
        assert_eq!(ask(&instance, "write").unwrap(), "\"writes 2\"");
    }
    assert_eq!(
        ask(&instance, "random").unwrap_err().kind,
        TrapKind::Refused {
            what: "context.random".into()
        }
    );
    let command = ask(&instance, "command").unwrap_err();
    assert_eq!(
        command.kind,
        TrapKind::Refused {
            what: "commands.start-timer".into()
        }
    );
    assert_eq!(instance.memory_hash(), before);
    let trap = instance
        .fork()
        .unwrap()
        .validate_update("u", &meta(), "validated", &word("command"))
        .unwrap_err();
    assert!(trap.message.contains("`validate-update` is read-only"), "{trap}");
    assert_eq!(instance.memory_hash(), before);
}

// W3
#[test]
fn nothing_of_the_machine_can_be_seen() {
    let instance = waiting();
    assert_eq!(ask(&instance, "clock").unwrap(), "\"1000\"");
    assert_eq!(ask(&instance, "monotonic").unwrap(), "\"0\"");
    assert_eq!(
        ask(&instance, "environment").unwrap(),
        "\"0 variables, 0 arguments\""
    );
    assert_eq!(
        ask(&instance, "hash-order").unwrap(),
        ask(&waiting(), "hash-order").unwrap()
    );
    for what in ["files", "write-file"] {
        let answer = ask(&instance, what).unwrap();
        assert!(
            !answer.contains("files\"") && !answer.contains("written"),
            "{what}: {answer}"
        );
    }
    let trap = ask(&instance, "connect").unwrap_err();
    assert!(trap.message.contains("do this in an activity"), "{trap}");
}

// W3
#[test]
fn memory_is_the_same_after_a_replay_whatever_the_guest_reads() {
    let run = |replaying: bool| {
        let mut instance = waiting_with(setup(), replaying);
        for (at, what) in (2..).zip([
            "clock",
            "monotonic",
            "hash-order",
            "environment",
            "files",
            "print",
            "fail",
        ]) {
            instance.begin_task(Task {
                replaying,
                ..task(at * 1_000)
            });
            // Failing is a command here; what counts is that it is the same one.
            act(&mut instance, what).unwrap();
        }
        (instance.take_commands(), instance.memory_hash())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_flood_of_lines_is_cut_off() {
    for what in ["log-flood", "print-flood"] {
        let lines = Arc::new(Lines::default());
        let mut instance = waiting_with(
            Setup {
                logs: lines.clone(),
                ..setup()
            },
            false,
        );
        instance.begin_task(task(2_000));
        let _ = act(&mut instance, what);
        instance.take_commands();
        let texts = lines.texts();
        assert!(
            texts.len() <= LINES_MAX as usize + 1,
            "{what}: {} lines",
            texts.len()
        );
        assert!(
            texts.last().unwrap().contains("log lines dropped"),
            "{what}: {:?}",
            texts.last()
        );
    }
}
