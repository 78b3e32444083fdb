//! Side effects: functions of the guest that run once, and leave nothing but their value.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_sandbox::wit::types::Payload;
use longhaul_sandbox::{Command, Instance, Issued, Task, Trap, TrapKind};

mod support;
use support::{info, meta, module, probe, setup, started, task};

fn signal(instance: &mut Instance, name: &str) -> Result<(), Trap> {
    instance.signal(&meta(), name, &vec![])
}

fn total(instance: &Instance) -> u64 {
    let mut reader = instance.fork().unwrap();
    let payload = reader.query("query", &vec![], &vec![]).unwrap().unwrap();
    u64::from_le_bytes(payload.data.try_into().unwrap())
}

fn value(number: u64) -> Payload {
    Payload {
        metadata: vec![],
        data: number.to_le_bytes().to_vec(),
    }
}

fn made(index: u32, number: u64) -> [Issued; 1] {
    [Issued {
        index,
        command: Command::SideEffect {
            seq: 1,
            value: value(number),
            summary: None,
            time_ns: task(1_000).now_ns,
        },
    }]
}

/// An instance that begins to replay its first task, for which history has these values.
fn replaying(recorded: impl IntoIterator<Item = (u32, Payload)>) -> Instance {
    let mut instance = module(&probe()).instantiate(setup()).unwrap();
    instance.begin_task(Task {
        replaying: true,
        ..task(1_000)
    });
    instance.set_side_effects(recorded);
    instance.start(&info(), &vec![]).unwrap().unwrap();
    instance
}

// W3, W7
#[test]
fn a_replay_takes_the_value_of_history() {
    let mut live = started(&module(&probe()));
    signal(&mut live, "instant").unwrap();
    let number = total(&live);
    assert_ne!(number, 0);
    assert_eq!(live.take_commands(), made(1, number));

    let mut again = replaying([(1, value(7)), (2, value(8))]);
    signal(&mut again, "instant").unwrap();
    assert_eq!(total(&again), 7);
    assert_eq!(again.take_commands(), made(0, 7));

    // What history has is of its task only.
    again.begin_task(task(1_000));
    signal(&mut again, "instant").unwrap();
    assert_eq!(
        again.take_commands(),
        made(1, number),
        "it draws what the first one drew"
    );
}

// W3, W7
#[test]
fn what_the_function_draws_changes_nothing_outside() {
    let drawn = |before: &[&str], mut instance: Instance| {
        for name in before {
            signal(&mut instance, name).unwrap();
        }
        ["number", "Number"].map(|name| {
            signal(&mut instance, name).unwrap();
            total(&instance)
        })
    };
    let module = module(&probe());
    let live = drawn(&["instant"], started(&module));
    assert_eq!(live, drawn(&[], started(&module)));
    assert_eq!(live, drawn(&["instant"], replaying([(1, value(7))])));
    let mut instance = started(&module);
    signal(&mut instance, "instant").unwrap();
    assert_ne!(total(&instance), live[0], "its numbers are others");
}

// W7, Q3
#[test]
fn a_function_that_does_more_than_to_make_its_value_is_refused() {
    let module = module(&probe());
    for (name, what, why) in [
        (
            "Incomplete",
            "commands.side-effect",
            "the function of side effect 1 waits",
        ),
        ("jumpy", "commands.start-timer", "only makes a value"),
        (
            "Joke",
            "commands.record-side-effect",
            "no function of side effect 1 runs",
        ),
        (
            "yet",
            "commands.record-side-effect",
            "no function of side effect 2 runs",
        ),
    ] {
        let trap = signal(&mut started(&module), name).unwrap_err();
        assert!(
            matches!(&trap.kind, TrapKind::Refused { what: refused } if refused == what),
            "{trap:?}"
        );
        assert!(trap.message.contains(why), "{trap}");
    }
    let instance = started(&module);
    let trap = instance
        .fork()
        .unwrap()
        .query("instant", &vec![], &vec![])
        .unwrap_err();
    assert!(trap.message.contains("`query` is read-only"), "{trap}");
}
