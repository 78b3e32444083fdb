//! B3: what is refused when a component is compiled, and what the refusal says.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_sandbox::{CompileError, Options, Sandbox, TrapKind};

mod support;
use support::{BASE, component, options, probe, probe_with, sandbox};

fn refusal(bytes: &[u8]) -> CompileError {
    sandbox().compile(bytes).err().expect("the component was taken")
}

#[test]
fn a_component_that_fits_is_described() {
    let module = sandbox().compile(&probe()).unwrap();
    assert_eq!(module.sdk().name, "probe");
    assert_eq!(module.sdk().version, "1.0");
    assert!(module.workflows().is_empty() && module.activities().is_empty());
    assert_eq!(module.size(), probe().len());
    assert!(
        module.fork_eligible().is_eligible(),
        "{:?}",
        module.fork_eligible()
    );
}

// B3
#[test]
fn something_else_is_no_component() {
    for (bytes, word) in [
        (&b""[..], "does not begin"),
        (b"#!/bin/sh\n", "does not begin"),
        (&wat::parse_str("(module)").unwrap(), "core module"),
    ] {
        match refusal(bytes) {
            CompileError::NotAComponent(what) => assert!(what.contains(word), "{what}"),
            other => panic!("{other}"),
        }
    }
}

// B3
#[test]
fn a_damaged_component_is_not_valid() {
    let whole = probe();
    for cut in [8, 20, whole.len() / 2, whole.len() - 1] {
        let error = refusal(&whole[..cut]);
        assert!(
            matches!(error, CompileError::Invalid(_) | CompileError::Exports(_)),
            "cut at {cut}: {error}"
        );
    }
}

// B3
#[test]
fn one_that_is_too_large_is_refused_before_anything_else() {
    let sandbox = Sandbox::new(Options {
        component_max_bytes: 100,
        ..options()
    })
    .unwrap();
    assert!(matches!(
        sandbox.compile(&[0; 101]),
        Err(CompileError::TooLarge { size: 101, max: 100 })
    ));
}

// B3
#[test]
fn every_import_that_is_not_offered_is_listed() {
    let bytes = component(
        "import acme:tools/secrets@1.0.0; import wasi:http/incoming-handler@0.2.3; import wasi:cli/exit@0.2.3;",
        &format!(
            r#"(module
                (import "acme:tools/secrets@1.0.0" "read" (func))
                (import "wasi:http/incoming-handler@0.2.3" "handle" (func))
                (import "wasi:cli/exit@0.2.3" "exit" (func (param i32)))
                {BASE})"#
        ),
    );
    let error = refusal(&bytes);
    let text = error.to_string();
    let CompileError::Imports(problems) = error else {
        panic!("{text}")
    };
    let names: Vec<_> = problems.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        names,
        ["acme:tools/secrets@1.0.0", "wasi:http/incoming-handler@0.2.3"]
    );
    assert!(
        text.contains("an activity sends requests and serves none"),
        "{text}"
    );
}

// B3
#[test]
fn one_that_exports_nothing_of_the_contract_is_told_what_to_export() {
    let error = refusal(&component("", &format!("(module {BASE})")));
    let text = error.to_string();
    assert!(matches!(error, CompileError::Exports(_)), "{text}");
    assert!(text.contains("longhaul:workflow/definition@0.1.0"), "{text}");
    assert!(
        text.contains("longhaul:workflow/activity-definition@0.1.0"),
        "{text}"
    );
}

// B3
#[test]
fn every_function_that_an_exported_interface_lacks_is_listed() {
    let text =
        r#"(component (instance $empty) (export "longhaul:workflow/definition@0.1.0" (instance $empty)))"#;
    let error = refusal(&wat::parse_str(text).unwrap());
    let CompileError::Exports(problems) = &error else {
        panic!("{error}")
    };
    assert_eq!(problems.len(), 11, "{error}");
    assert_eq!(problems[0].name, "longhaul:workflow/definition@0.1.0#describe");
}

// B3
#[test]
fn a_function_of_another_type_is_refused() {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $d
            (export "describe" (func $f)) (export "prepare" (func $f)) (export "start" (func $f))
            (export "signal" (func $f)) (export "validate-update" (func $f)) (export "update" (func $f))
            (export "query" (func $f)) (export "resolve" (func $f)) (export "cancel" (func $f))
            (export "advance" (func $f)) (export "waiting" (func $f)))
        (export "longhaul:workflow/definition@0.1.0" (instance $d)))"#;
    let error = refusal(&wat::parse_str(text).unwrap());
    assert!(matches!(error, CompileError::Contract(_)), "{error}");
}

// B3
#[test]
fn a_describe_that_traps_is_refused_with_the_guests_frames() {
    let bytes = probe_with(
        "(i64.store (i32.const 80) (i64.const 0))",
        "(call $do (i32.const 117))",
    );
    let CompileError::Describe(trap) = refusal(&bytes) else {
        panic!("not refused by describe")
    };
    assert_eq!(trap.kind, TrapKind::Unreachable);
    assert_eq!(trap.backtrace[0].function, "do", "{trap}");
}

// B3
#[test]
fn a_describe_that_does_not_end_is_refused() {
    let bytes = probe_with("(i64.store (i32.const 80) (i64.const 0))", "(call $spin)");
    let sandbox = Sandbox::new(Options {
        fuel_per_describe: 1_000_000,
        ..options()
    })
    .unwrap();
    let CompileError::Describe(trap) = sandbox.compile(&bytes).err().unwrap() else {
        panic!("not refused by describe")
    };
    assert_eq!(trap.kind, TrapKind::OutOfFuel);
}

// B3
#[test]
fn a_describe_that_issues_commands_is_refused() {
    let bytes = probe_with(
        "(i64.store (i32.const 80) (i64.const 0))",
        "(call $timer_of (i32.const 1))",
    );
    let CompileError::Describe(trap) = refusal(&bytes) else {
        panic!("not refused by describe")
    };
    assert_eq!(
        trap.kind,
        TrapKind::Refused {
            what: "commands.start-timer".into()
        }
    );
    assert!(trap.message.contains("`describe` is read-only"), "{trap}");
}

#[test]
fn machine_code_is_kept_and_a_damaged_file_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cached = || {
        Sandbox::new(Options {
            cache_dir: Some(folder.path().to_owned()),
            ..options()
        })
        .unwrap()
    };
    let digest = cached().compile(&probe()).unwrap().digest();
    let files = || {
        let mut found = Vec::new();
        for engine in std::fs::read_dir(folder.path()).unwrap() {
            for file in std::fs::read_dir(engine.unwrap().path()).unwrap() {
                found.push(file.unwrap().path());
            }
        }
        found
    };
    let [file] = files().try_into().expect("one file, and no draft is left");
    let good = std::fs::read(&file).unwrap();
    for bad in [Vec::new(), good[..good.len() / 2].to_vec(), vec![0; good.len()]] {
        std::fs::write(&file, bad).unwrap();
        assert_eq!(cached().compile(&probe()).unwrap().digest(), digest);
        assert_eq!(
            std::fs::read(&file).unwrap().len(),
            good.len(),
            "it was not written anew"
        );
    }
    // What is in the file is what runs: code of another component under this name is not taken.
    let other = probe_with("(call $add (i64.const 1))", "(call $add (i64.const 2))");
    cached().compile(&other).unwrap();
    let theirs = files().into_iter().find(|f| *f != file).unwrap();
    std::fs::copy(&theirs, &file).unwrap();
    assert_eq!(cached().compile(&probe()).unwrap().digest(), digest);
    assert_ne!(std::fs::read(&file).unwrap(), std::fs::read(&theirs).unwrap());
}

#[test]
fn a_cache_that_cannot_be_written_does_not_stop_anything() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "not a folder").unwrap();
    let sandbox = Sandbox::new(Options {
        cache_dir: Some(blocked),
        ..options()
    })
    .unwrap();
    assert!(sandbox.compile(&probe()).is_ok());
}
