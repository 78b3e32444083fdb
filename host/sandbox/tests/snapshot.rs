//! Instances that begin prepared are what they would be had each been prepared by itself.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_sandbox::{Instance, Issued, Module, Options, Sandbox, Setup};

mod support;
use support::{BASE, PROBE, PROBE_WORLD, component, guest, info, json, meta, options, setup, task};

/// A start like that of a language's runtime: it opens a handle, counts how often it runs, grows the memory and keeps a random number.
const START: &str = r#"
    (func (export "_initialize")
        (drop (call $stderr))
        (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
        (drop (memory.grow (i32.const 2)))
        (i64.store (i32.const 200000) (call $wasi_random))
        (i64.store (i32.const 520) (call $wasi_now)))
"#;

fn probe(start: &str) -> Vec<u8> {
    component(PROBE_WORLD, &format!("(module {PROBE} {BASE} {start})"))
}

fn compiled(component: &[u8], snapshots: bool) -> Module {
    let options = Options {
        snapshots,
        ..options()
    };
    Sandbox::new(options).unwrap().compile(component).unwrap()
}

/// An activation that draws random numbers, looks at the clock, grows the memory and starts timers.
fn lived(module: &Module, seed: u8) -> (Instance, Vec<Issued>) {
    let mut instance = module
        .instantiate(Setup {
            seed: [seed; 32],
            ..setup()
        })
        .unwrap();
    instance.begin_task(task(1_000));
    instance.start(&info(), &vec![]).unwrap().unwrap();
    for name in [
        "add", "Number", "klock", "number", "add", "log", "env", "timers", "grow",
    ] {
        instance.signal(&meta(), name, &vec![]).unwrap();
    }
    instance.advance().unwrap();
    let commands = instance.take_commands();
    (instance, commands)
}

fn total(instance: &Instance) -> u64 {
    let answer = instance.fork().unwrap().query("query", &vec![], &vec![]);
    u64::from_le_bytes(answer.unwrap().unwrap().data.try_into().unwrap())
}

// W3
#[test]
fn to_begin_prepared_is_the_same_as_to_be_prepared() {
    let component = probe(START);
    let (copied, prepared) = (compiled(&component, true), compiled(&component, false));
    assert!(copied.begins_prepared());
    assert!(!prepared.begins_prepared());

    let new = |module: &Module| module.instantiate(setup()).unwrap();
    let (one, other) = (new(&copied), new(&prepared));
    assert_eq!(one.memory_bytes(), 4 << 16, "as long as the start has made it");
    assert_eq!(one.memory_hash(), other.memory_hash());

    let ((one, commands), (other, others)) = (lived(&copied, 1), lived(&prepared, 1));
    assert_eq!(commands, others);
    assert_eq!(one.memory_hash(), other.memory_hash());
    assert_eq!(total(&one), total(&other));

    // What runs before a run begins has no seed of its own; what runs afterwards has.
    let (stranger, _) = lived(&copied, 2);
    assert_ne!(total(&one), total(&stranger));
}

#[test]
fn a_component_that_cannot_be_copied_is_prepared_each_time() {
    for start in [
        // It has no start that could open the handle again.
        "",
        // It has, but one that is too short.
        r#"(func (export "_initialize"))"#,
        // Its data is not all in memory.
        r#"(data $rest "rest") (func (export "_initialize") (memory.init $rest (i32.const 512) (i32.const 0) (i32.const 4)))"#,
        // More than memory changes.
        r#"(global $more (mut i32) (i32.const 5)) (func (export "_initialize") (global.set $more (i32.const 6)))"#,
    ] {
        let component = probe(start);
        let (module, prepared) = (compiled(&component, true), compiled(&component, false));
        assert!(!module.begins_prepared(), "{start}");
        let (one, other) = (lived(&module, 1), lived(&prepared, 1));
        assert_eq!(one.0.memory_hash(), other.0.memory_hash(), "{start}");
        assert_eq!(one.1, other.1, "{start}");
    }
}

#[test]
fn machine_code_of_both_is_cached() {
    let folder = tempfile::tempdir().unwrap();
    let component = probe(START);
    let hashes: Vec<[u8; 32]> = (0..2)
        .map(|_| {
            let options = Options {
                cache_dir: Some(folder.path().to_owned()),
                ..options()
            };
            let module = Sandbox::new(options).unwrap().compile(&component).unwrap();
            assert!(module.begins_prepared());
            lived(&module, 1).0.memory_hash()
        })
        .collect();
    assert_eq!(hashes[0], hashes[1]);
    let kept = std::fs::read_dir(folder.path()).unwrap().flat_map(|folder| {
        std::fs::read_dir(folder.unwrap().path())
            .unwrap()
            .map(|file| file.unwrap().file_name())
    });
    assert_eq!(
        kept.count(),
        2,
        "the component as it was uploaded, and the one that begins prepared"
    );
}

/// What compilers make. TinyGo's runtime takes long to set itself up.
#[test]
fn guests_in_all_languages_are_the_same_either_way() {
    for (name, copied) in [("counter-go", true), ("counter", false)] {
        let component = guest(name);
        let (with, without) = (compiled(&component, true), compiled(&component, false));
        assert_eq!(with.begins_prepared(), copied, "{name}");
        let new = |module: &Module| module.instantiate(setup()).unwrap();
        let (one, other) = (new(&with), new(&without));
        assert_eq!(one.memory_bytes(), other.memory_bytes(), "{name}");
        if copied {
            // What no instance writes to exists once.
            let (shared, own) = (one.resident_bytes(), other.resident_bytes());
            assert!(shared < own / 2, "{name}: {shared} of {own} bytes");
        }
        assert_eq!(one.memory_hash(), other.memory_hash(), "{name}");
        let start = |mut instance: Instance| {
            instance.begin_task(task(1_000));
            instance.start(&info(), &vec![json("5")]).unwrap().unwrap();
            instance.advance().unwrap();
            (instance.take_commands(), instance.memory_hash())
        };
        assert_eq!(start(one), start(other), "{name}");
    }
}
