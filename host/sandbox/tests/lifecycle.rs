//! One execution from start to end: calls, commands, limits, replay, and forks that change nothing.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::Arc;

use longhaul_sandbox::wit::definition::Outcome;
use longhaul_sandbox::{
    Command, Error, ForkError, Instance, Issued, Limits, Options, Sandbox, Setup, Task, Trap, TrapKind,
};

mod support;
use support::{
    BASE, Lines, PROBE, PROBE_WORLD, component, info, meta, module, options, probe, probe_with, setup,
    started, task,
};

fn signal(instance: &mut Instance, name: &str) -> Result<(), Trap> {
    instance.signal(&meta(), name, &vec![])
}

fn total(instance: &Instance) -> u64 {
    read(&mut instance.fork().unwrap(), "query").unwrap()
}

fn read(reader: &mut longhaul_sandbox::Reader<'_>, name: &str) -> Result<u64, Trap> {
    let payload = reader.query(name, &vec![], &vec![])?.unwrap();
    Ok(u64::from_le_bytes(payload.data.try_into().unwrap()))
}

#[test]
fn calls_reach_the_guest_and_commands_come_back_in_order() {
    let mut instance = started(&module(&probe()));
    signal(&mut instance, "add").unwrap();
    signal(&mut instance, "timers").unwrap();
    instance.update("u", &meta(), "add", &vec![]).unwrap();
    instance.resolve(1, &Outcome::Completed(vec![])).unwrap();
    instance.advance().unwrap();
    let timer = |seq| Command::StartTimer {
        seq,
        duration: 1_000_000_000,
        summary: None,
    };
    let expected = vec![
        Issued {
            index: 0,
            command: timer(1),
        },
        Issued {
            index: 1,
            command: timer(2),
        },
    ];
    assert_eq!(instance.take_commands(), expected);
    assert_eq!(instance.take_commands(), []);
    assert_eq!(total(&instance), 1_002);
    assert!(instance.fuel_used() > 0);
    assert!(instance.fork().unwrap().waiting().unwrap().is_empty());
}

#[test]
fn an_activation_begins_with_full_fuel_and_no_commands() {
    let mut instance = started(&module(&probe()));
    signal(&mut instance, "timers").unwrap();
    let used = instance.fuel_used();
    instance.begin_task(task(2_000));
    assert!(instance.fuel_used() < used);
    assert_eq!(instance.take_commands(), []);
}

// W3
#[test]
fn a_replay_gives_the_same_commands_and_the_same_memory() {
    let module = module(&probe());
    let run = |replaying: bool| {
        let mut instance = module.instantiate(setup()).unwrap();
        instance.set_patches(["patch".to_owned()]);
        let mut commands = Vec::new();
        for (at, names) in [
            (1_000, &["add", "number", "Number", "timers"][..]),
            (2_000, &["patch", "klock", "log", "env", "grow"]),
        ] {
            instance.begin_task(Task {
                replaying,
                ..task(at)
            });
            if at == 1_000 {
                instance.start(&info(), &vec![]).unwrap().unwrap();
            }
            for name in names {
                signal(&mut instance, name).unwrap();
            }
            instance.advance().unwrap();
            commands.push(instance.take_commands());
        }
        (commands, instance.memory_hash(), instance.memory_bytes())
    };
    let live = run(false);
    assert_eq!(run(true), live);
    assert_eq!(
        live.0[1],
        [Issued {
            index: 0,
            command: Command::Patched {
                id: "patch".into(),
                deprecated: false
            }
        }]
    );
    let other_seed = {
        let mut instance = module
            .instantiate(Setup {
                seed: [8; 32],
                ..setup()
            })
            .unwrap();
        instance.begin_task(task(1_000));
        signal(&mut instance, "number").unwrap();
        total(&instance)
    };
    let mut instance = started(&module);
    signal(&mut instance, "number").unwrap();
    assert_ne!(total(&instance), other_seed);
}

// W3
#[test]
fn both_clocks_tell_the_tasks_time() {
    let mut instance = started(&module(&probe()));
    instance.begin_task(task(77_000));
    signal(&mut instance, "klock").unwrap();
    assert_eq!(total(&instance), 77_000);
}

// W5
#[test]
fn a_patch_is_on_when_live_or_known_and_the_answer_stays() {
    let module = module(&probe());
    let replay = |known: &[&str]| {
        let mut instance = module.instantiate(setup()).unwrap();
        instance.set_patches(known.iter().map(|id| (*id).to_owned()));
        instance.begin_task(Task {
            replaying: true,
            ..task(1)
        });
        signal(&mut instance, "patch").unwrap();
        let issued = instance.take_commands().len();
        // Once replay is over the answer is still the one that was given.
        instance.begin_task(task(2));
        signal(&mut instance, "patch").unwrap();
        (issued, instance.take_commands().len(), total(&instance))
    };
    assert_eq!(replay(&[]), (0, 0, 0));
    assert_eq!(replay(&["other"]), (0, 0, 0));
    assert_eq!(replay(&["patch"]), (1, 0, 20));
    let mut live = started(&module);
    signal(&mut live, "patch").unwrap();
    assert_eq!((live.take_commands().len(), total(&live)), (1, 10));
}

// Q3
#[test]
fn a_fork_sees_the_state_and_cannot_change_it() {
    let mut instance = started(&module(&probe()));
    for _ in 0..5 {
        signal(&mut instance, "add").unwrap();
    }
    let before = instance.memory_hash();
    assert_eq!(total(&instance), 5);
    let mut reader = instance.fork().unwrap();
    assert_eq!(
        read(&mut reader, "add").unwrap(),
        6,
        "the fork's own copy changes"
    );
    assert_eq!(read(&mut reader, "query").unwrap(), 6);
    assert_eq!(read(&mut reader, "grow").unwrap(), 6);
    assert_eq!(read(&mut reader, "write").unwrap(), u64::MAX);
    drop(reader);
    assert_eq!(instance.memory_hash(), before);
    assert_eq!(instance.memory_bytes(), 2 * 65_536);
    assert_eq!(total(&instance), 5);
    signal(&mut instance, "add").unwrap();
    assert_eq!(total(&instance), 6, "the instance goes on");
}

// Q3, Q4
#[test]
fn what_a_query_must_not_do_is_refused_and_hurts_only_the_query() {
    let mut instance = started(&module(&probe()));
    signal(&mut instance, "add").unwrap();
    let before = instance.memory_hash();
    let trap = |name: &str| {
        let mut reader = instance.fork().unwrap();
        let trap = reader.query(name, &vec![], &vec![]).unwrap_err();
        assert!(
            reader.query("query", &vec![], &vec![]).is_err(),
            "a trapped reader is of no use"
        );
        trap
    };
    let refused = |what: &str| TrapKind::Refused { what: what.into() };
    let timer = trap("timers");
    assert_eq!(timer.kind, refused("commands.start-timer"));
    assert!(timer.message.contains("`query` is read-only"), "{timer}");
    assert_eq!(timer.place().unwrap().function, "timer_of");
    assert_eq!(trap("patch").kind, refused("commands.patched"));
    assert_eq!(trap("number").kind, refused("context.random"));
    assert_eq!(trap("unreachable").kind, TrapKind::Unreachable);
    assert_eq!(trap("spin").kind, TrapKind::OutOfFuel);
    assert_eq!(trap("recurse").kind, TrapKind::StackOverflow);
    assert_eq!(trap("more").kind, TrapKind::Memory);
    assert_eq!(instance.memory_hash(), before);
    assert_eq!(total(&instance), 1);
    assert_eq!(
        instance.take_commands(),
        [],
        "nothing of a query reaches the commands"
    );
}

// Q3
#[test]
fn random_numbers_of_wasi_in_queries_are_fixed_and_leave_the_workflows_stream_alone() {
    let module = module(&probe());
    let mut asked = started(&module);
    let first = read(&mut asked.fork().unwrap(), "Number").unwrap();
    assert_eq!(read(&mut asked.fork().unwrap(), "Number").unwrap(), first);
    let mut unasked = started(&module);
    signal(&mut asked, "Number").unwrap();
    signal(&mut unasked, "Number").unwrap();
    assert_eq!(total(&asked), total(&unasked));
    assert_ne!(total(&asked), first);
}

// U1
#[test]
fn a_validator_is_read_only() {
    let instance = started(&module(&probe()));
    let mut reader = instance.fork().unwrap();
    reader
        .validate_update("u", &meta(), "add", &vec![])
        .unwrap()
        .unwrap();
    let trap = reader
        .validate_update("u", &meta(), "timers", &vec![])
        .unwrap_err();
    assert!(trap.message.contains("`validate-update` is read-only"), "{trap}");
    assert_eq!(total(&instance), 0);
}

#[test]
fn an_instance_that_was_given_up_answers_like_a_fork() {
    let mut instance = started(&module(&probe()));
    signal(&mut instance, "add").unwrap();
    let mut reader = instance.into_reader().unwrap();
    assert_eq!(read(&mut reader, "query").unwrap(), 1);
    assert!(reader.waiting().unwrap().is_empty());
    let trap = reader.query("timers", &vec![], &vec![]).unwrap_err();
    assert_eq!(
        trap.kind,
        TrapKind::Refused {
            what: "commands.start-timer".into()
        }
    );
}

#[test]
fn an_instance_with_handles_of_its_own_cannot_be_forked() {
    let mut instance = started(&module(&probe()));
    signal(&mut instance, "Open and close").unwrap();
    assert!(instance.fork().is_ok());
    signal(&mut instance, "open").unwrap();
    match instance.fork().err().unwrap() {
        ForkError::NotEligible(reason) => assert!(reason.contains("handles"), "{reason}"),
        other => panic!("{other}"),
    }
    assert!(instance.into_reader().is_ok());
}

// Q3
#[test]
fn a_component_with_state_in_a_global_cannot_be_forked() {
    let bytes = probe_with(
        "(func $add (param $n i64)",
        "(global $state (mut i32) (i32.const 0)) (func $add (param $n i64)",
    );
    let module = module(&bytes);
    assert!(!module.fork_eligible().is_eligible());
    assert!(matches!(started(&module).fork(), Err(ForkError::NotEligible(_))));
}

#[test]
fn commands_are_refused_in_start_resolve_and_cancel() {
    let module = module(&probe_with(
        "#start\") (param i32) (result i32)",
        "#start\") (param i32) (result i32) (call $timer_of (i32.const 1))",
    ));
    let mut instance = module.instantiate(setup()).unwrap();
    instance.begin_task(task(1));
    let trap = instance.start(&info(), &vec![]).unwrap_err();
    assert_eq!(
        trap.kind,
        TrapKind::Refused {
            what: "commands.start-timer".into()
        }
    );
    assert!(trap.message.contains("`run`"), "{trap}");

    let mut instance = started(&support::module(&probe()));
    let trap = instance.cancel("no more").unwrap_err();
    assert!(
        trap.message.contains("`signal`, `update` and `advance` only"),
        "{trap}"
    );
}

// W6
#[test]
fn what_ends_a_guest_is_contained_and_named() {
    let sandbox = Sandbox::new(Options {
        spare_forks: 0,
        ..options()
    })
    .unwrap();
    let module = sandbox.compile(&probe()).unwrap();
    let bystander = started(&module);
    let kind = |name: &str| {
        let mut instance = started(&module);
        let trap = signal(&mut instance, name).unwrap_err();
        assert!(instance.has_trapped());
        assert!(
            signal(&mut instance, "add")
                .unwrap_err()
                .message
                .contains("trapped before")
        );
        assert!(matches!(instance.fork(), Err(ForkError::Trapped)));
        trap
    };
    assert_eq!(kind("spin").kind, TrapKind::OutOfFuel);
    assert_eq!(kind("spin").place().unwrap().function, "spin");
    assert_eq!(kind("recurse").kind, TrapKind::StackOverflow);
    assert_eq!(kind("more").kind, TrapKind::Memory);
    assert_eq!(kind("unreachable").kind, TrapKind::Unreachable);
    let sleep = kind("zzz");
    assert_eq!(
        sleep.kind,
        TrapKind::Refused {
            what: "wasi:io/poll".into()
        }
    );
    assert!(sleep.message.contains("ctx.timer(..)"), "{sleep}");
    assert!(sleep.message.contains("workflow.Sleep"), "{sleep}");
    assert_eq!(
        kind("xit").kind,
        TrapKind::Refused {
            what: "wasi:cli/exit".into()
        }
    );
    let network = kind("connect");
    assert_eq!(
        network.kind,
        TrapKind::Refused {
            what: "wasi:sockets/instance-network@0.2.3#instance-network".into()
        }
    );
    assert!(network.message.contains("activity"), "{network}");
    assert_eq!(total(&bystander), 0);
    drop(bystander);
    assert_eq!(sandbox.live_memories(), 0, "no slot is lost");
}

#[test]
fn a_guest_that_fuel_does_not_stop_is_stopped_by_the_clock() {
    let options = Options {
        fuel_per_activation: u64::MAX,
        activation_timeout: std::time::Duration::from_millis(50),
        ..options()
    };
    let module = Sandbox::new(options).unwrap().compile(&probe()).unwrap();
    assert_eq!(
        signal(&mut started(&module), "spin").unwrap_err().kind,
        TrapKind::Timeout
    );
    // The clock has been ticking: a new activation has its full time all the same.
    let mut instance = started(&module);
    signal(&mut instance, "add").unwrap();
    assert_eq!(total(&instance), 1);
}

#[test]
fn the_same_amount_of_work_uses_the_same_fuel() {
    let module = module(&probe());
    let used = || {
        let mut instance = started(&module);
        for name in ["add", "timers", "number", "grow"] {
            signal(&mut instance, name).unwrap();
        }
        instance.fuel_used()
    };
    assert_eq!(used(), used());
}

#[test]
fn a_module_can_lower_its_limits_but_not_raise_its_memory() {
    let module = module(&probe());
    let small = module.with_limits(Limits {
        fuel_per_activation: Some(100_000),
        memory_max_bytes: Some(3 * 65_536),
        ..Limits::default()
    });
    let mut instance = started(&small);
    let trap = signal(&mut instance, "more").unwrap_err();
    assert!(trap.message.contains("196608 bytes"), "{trap}");
    let large = module.with_limits(Limits {
        memory_max_bytes: Some(1 << 30),
        ..Limits::default()
    });
    let trap = signal(&mut started(&large), "more").unwrap_err();
    assert!(trap.message.contains("4194304 bytes"), "{trap}");
}

#[test]
fn too_many_commands_are_refused() {
    let sandbox = Sandbox::new(Options {
        commands_max: 3,
        ..options()
    })
    .unwrap();
    let mut instance = started(&sandbox.compile(&probe()).unwrap());
    signal(&mut instance, "timers").unwrap();
    let trap = signal(&mut instance, "timers").unwrap_err();
    assert!(trap.message.contains("3 commands"), "{trap}");
}

#[test]
fn a_full_arena_is_an_error_of_its_own() {
    let sandbox = Sandbox::new(Options {
        arena_slots: 2,
        spare_forks: 0,
        ..options()
    })
    .unwrap();
    let module = sandbox.compile(&probe()).unwrap();
    let first = started(&module);
    let second = started(&module);
    assert!(matches!(
        module.instantiate(setup()),
        Err(Error::ArenaFull { slots: 2 })
    ));
    assert!(matches!(
        first.fork(),
        Err(ForkError::Sandbox(Error::ArenaFull { .. }))
    ));
    drop(second);
    assert!(first.fork().is_ok());
    assert_eq!(sandbox.live_memories(), 1);
}

// Q3
#[test]
fn a_fork_is_used_again_and_shows_nothing_of_before() {
    let sandbox = Sandbox::new(Options {
        arena_slots: 3,
        ..options()
    })
    .unwrap();
    let module = sandbox.compile(&probe()).unwrap();
    let mut first = started(&module);
    let mut second = started(&module);
    signal(&mut first, "add").unwrap();
    assert_eq!(sandbox.live_memories(), 2);
    for _ in 0..3 {
        assert_eq!(read(&mut first.fork().unwrap(), "write").unwrap(), u64::MAX);
        assert_eq!(total(&first), 1);
        assert_eq!(total(&second), 0);
        assert_eq!(sandbox.live_memories(), 3, "one fork serves all");
    }
    // What has trapped, has grown or has opened handles is not used again.
    for name in ["unreachable", "grow", "open"] {
        let _ = first.fork().unwrap().query(name, &vec![], &vec![]);
        assert_eq!(sandbox.live_memories(), 2, "after {name}");
    }
    assert_eq!(total(&first), 1);
    // One that waits makes room for an instance.
    assert_eq!(sandbox.live_memories(), 3);
    let third = started(&module);
    assert_eq!(sandbox.live_memories(), 3);
    assert!(matches!(
        third.fork(),
        Err(ForkError::Sandbox(Error::ArenaFull { .. }))
    ));
    drop(third);
    signal(&mut second, "add").unwrap();
    assert_eq!((total(&first), total(&second)), (1, 1));
}

#[test]
fn forks_that_wait_go_with_their_module() {
    let sandbox = Sandbox::new(options()).unwrap();
    let (module, other) = (
        sandbox.compile(&probe()).unwrap(),
        sandbox.compile(&probe()).unwrap(),
    );
    assert_eq!(total(&started(&module)), 0);
    assert_eq!(total(&started(&other)), 0);
    assert_eq!(sandbox.live_memories(), 2, "one fork of each waits");
    drop(module);
    assert_eq!(sandbox.live_memories(), 1);
    drop(other);
    assert_eq!(sandbox.live_memories(), 0);
}

#[test]
fn a_fork_grows_no_further_than_its_original_may() {
    let grows = probe_with(
        "(drop (memory.grow (i32.const 3)))",
        "(i64.store (i32.const 0) (i64.extend_i32_s (memory.grow (i32.const 3))))",
    );
    // It begins with two pages.
    for (pages_max, more) in [(7, u64::MAX), (8, 5)] {
        let module = module(&grows).with_limits(Limits {
            memory_max_bytes: Some(pages_max << 16),
            ..Limits::default()
        });
        let mut instance = started(&module);
        signal(&mut instance, "grow").unwrap();
        assert_eq!(total(&instance), 2);
        // A new fork, and one that waited.
        for _ in 0..2 {
            assert_eq!(read(&mut instance.fork().unwrap(), "grow").unwrap(), more);
        }
    }
}

#[test]
fn a_fork_that_grew_while_it_was_prepared_grows_no_further_than_the_limit() {
    let text = [
        (
            "(i32.store (i32.const 16) (call $stderr))",
            "(drop (memory.grow (i32.const 1))) (i32.store (i32.const 16) (call $stderr))",
        ),
        (
            "(drop (memory.grow (i32.const 3)))",
            "(i64.store (i32.const 0) (i64.extend_i32_s (memory.grow (i32.const 3))))",
        ),
    ]
    .into_iter()
    .fold(PROBE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the probe has no {from}");
        text.replace(from, to)
    });
    let grows = component(PROBE_WORLD, &format!("(module {text} {BASE})"));
    // It begins with two pages, and is prepared with three; the fork begins with three.
    for (pages_max, more) in [(6, u64::MAX), (7, 4)] {
        let module = module(&grows).with_limits(Limits {
            memory_max_bytes: Some(pages_max << 16),
            ..Limits::default()
        });
        let instance = started(&module);
        assert_eq!(instance.memory_bytes(), 3 << 16);
        assert_eq!(read(&mut instance.fork().unwrap(), "grow").unwrap(), more);
    }
}

#[test]
fn to_hash_a_memory_takes_none() {
    let mut instance = started(&module(&probe()));
    signal(&mut instance, "add").unwrap();
    let before = instance.resident_bytes();
    let hash = instance.memory_hash();
    assert_eq!(instance.resident_bytes(), before);
    signal(&mut instance, "add").unwrap();
    assert_ne!(instance.memory_hash(), hash);
}

#[test]
fn a_run_can_be_stopped_at_a_command_to_see_where_it_was_issued() {
    let module = module(&probe());
    let mut instance = module.instantiate(setup()).unwrap();
    instance.trap_at_command(Some(1));
    instance.begin_task(task(1));
    instance.start(&info(), &vec![]).unwrap().unwrap();
    let trap = signal(&mut instance, "timers").unwrap_err();
    assert_eq!(trap.kind, TrapKind::AtCommand(1));
    let functions: Vec<_> = trap.backtrace.iter().map(|f| f.function.as_str()).collect();
    assert_eq!(functions[..2], ["timer_of", "do"]);
}

#[test]
fn logs_are_live_only_and_output_becomes_lines() {
    let module = module(&probe_with(
        "(call $log (i32.const 2)",
        "(call $write (i32.load (i32.const 16)) (i32.const 270) (i32.const 5) (i32.const 64)) (call $log (i32.const 2)",
    ));
    let lines = Arc::new(Lines::default());
    let mut instance = module
        .instantiate(Setup {
            logs: lines.clone(),
            ..setup()
        })
        .unwrap();
    instance.begin_task(Task {
        replaying: true,
        ..task(1)
    });
    signal(&mut instance, "log").unwrap();
    instance.take_commands();
    assert_eq!(
        lines.texts(),
        [""; 0],
        "neither what `prepare` writes nor what is replayed"
    );
    instance.begin_task(task(2));
    signal(&mut instance, "log").unwrap();
    assert_eq!(lines.texts(), ["hello"]);
    instance.take_commands();
    assert_eq!(
        lines.texts(),
        ["hello", "hello"],
        "output without a line break ends with the activation"
    );
    instance
        .fork()
        .unwrap()
        .query("log", &vec![], &vec![])
        .unwrap()
        .unwrap();
    assert_eq!(lines.texts().len(), 4, "queries log as well");
}

#[test]
fn instances_can_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Instance>();
    fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Sandbox>();
    is_shared::<longhaul_sandbox::Module>();
}
