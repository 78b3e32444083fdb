//! Guests written by hand in WebAssembly text, small enough to see what each byte does, and what tests of them need.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use longhaul_sandbox::wit::definition::{MessageMeta, Sender};
use longhaul_sandbox::wit::types::{ExecutionInfo, Payload};
use longhaul_sandbox::{ActivityInfo, Instance, LogLine, LogSink, Module, Options, Sandbox, Setup, Task};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// As much of WASI as the guests here import.
const WASI: &[&str] = &[
    "package wasi:io@0.2.3;
     interface error { resource error {} }
     interface poll { resource pollable { block: func(); } }
     interface streams { use error.{error}; use poll.{pollable};
        variant stream-error { last-operation-failed(error), closed }
        resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; } }",
    "package wasi:clocks@0.2.3;
     interface monotonic-clock { use wasi:io/poll@0.2.3.{pollable};
        now: func() -> u64; subscribe-duration: func(when: u64) -> pollable; }",
    "package wasi:cli@0.2.3;
     interface environment { get-environment: func() -> list<tuple<string, string>>; }
     interface exit { exit: func(status: result); }
     interface stderr { use wasi:io/streams@0.2.3.{output-stream}; get-stderr: func() -> output-stream; }",
    "package wasi:filesystem@0.2.3;
     interface types { resource descriptor { sync: func(); } }
     interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }",
    "package wasi:sockets@0.2.3;
     interface instance-network { resource network {} instance-network: func() -> network; }",
    "package wasi:random@0.2.3;
     interface random { get-random-u64: func() -> u64; get-random-bytes: func(len: u64) -> list<u8>; }",
    "package wasi:http@0.2.3;
     interface incoming-handler { handle: func(); }",
    "package acme:tools@1.0.0;
     interface secrets { read: func(); }",
];

/// Make a component of a core module; `world` lists the imports and exports beside what the core module uses.
pub(crate) fn component(world: &str, core: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir("../../wit").unwrap();
    for package in WASI {
        resolve.push_str("wasi.wit", package).unwrap();
    }
    let test = format!("package test:guest; world guest {{ {world} }}");
    let package = resolve.push_str("guest.wit", &test).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut core = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&core)
        .unwrap()
        .encode()
        .unwrap()
}

/// The parts of a core module that every guest here has: memory, a stack pointer, an allocator whose state is in memory.
///
/// Memory: 0 total, 8 next free address, 16 standard error, 64.. results, 256.. texts, 1024.. free.
pub(crate) const BASE: &str = r#"
    (memory (export "memory") 2)
    (global $sp (mut i32) (i32.const 65536))
    (data (i32.const 8) "\00\04\00\00")
    (data (i32.const 256) "probe1.0 patchhello")
    (func $alloc (export "cabi_realloc") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (i32.load (i32.const 8)) (i32.const 7)) (i32.const -8)))
        (i32.store (i32.const 8) (i32.add (local.get $at) (local.get $len)))
        (block $done (loop $grow
            (br_if $done (i32.le_u (i32.load (i32.const 8)) (i32.mul (memory.size) (i32.const 65536))))
            (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
            unreachable))
        (local.get $at))
    (func $first (param $text i32) (result i32) (i32.load8_u (local.get $text)))
    (func $spin (loop $again (br $again)))
    (func $recurse (param i32) (result i32) (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
    (func $devour (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))) unreachable))
"#;

/// A workflow that does what the first letter of a signal's or query's name says.
pub(crate) const PROBE: &str = r#"
    (import "longhaul:workflow/commands@0.1.0" "start-timer" (func $timer (param i32 i64 i32 i32 i32)))
    (import "longhaul:workflow/commands@0.1.0" "patched" (func $patched (param i32 i32 i32) (result i32)))
    (import "longhaul:workflow/commands@0.1.0" "side-effect" (func $side_effect (param i32 i32)))
    (import "longhaul:workflow/commands@0.1.0" "record-side-effect"
        (func $record (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "longhaul:workflow/context@0.1.0" "now" (func $now (result i64)))
    (import "longhaul:workflow/context@0.1.0" "random" (func $random (param i32 i32 i32 i32)))
    (import "longhaul:workflow/context@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
    (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $subscribe (param i64) (result i32)))
    (import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $wasi_now (result i64)))
    (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.3" "[resource-drop]pollable" (func $drop_pollable (param i32)))
    (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
    (import "wasi:cli/stderr@0.2.3" "get-stderr" (func $stderr (result i32)))
    (import "wasi:cli/environment@0.2.3" "get-environment" (func $environment (param i32)))
    (import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))
    (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $directories (param i32)))
    (import "wasi:sockets/instance-network@0.2.3" "instance-network" (func $network (result i32)))
    (import "wasi:random/random@0.2.3" "get-random-u64" (func $wasi_random (result i64)))

    (func (export "longhaul:workflow/definition@0.1.0#describe") (result i32)
        (i32.store (i32.const 64) (i32.const 256)) (i32.store (i32.const 68) (i32.const 5))
        (i32.store (i32.const 72) (i32.const 261)) (i32.store (i32.const 76) (i32.const 3))
        (i64.store (i32.const 80) (i64.const 0))
        (i32.const 64))
    (func (export "longhaul:workflow/definition@0.1.0#prepare")
        (i32.store (i32.const 16) (call $stderr))
        (call $write (i32.load (i32.const 16)) (i32.const 256) (i32.const 5) (i32.const 64)))
    (func (export "longhaul:workflow/definition@0.1.0#start") (param i32) (result i32)
        (i64.store (i32.const 64) (i64.const 0))
        (i32.const 64))
    (func (export "longhaul:workflow/definition@0.1.0#signal")
        (param i64 i64 i32 i32 i32 i32 i32 i32 i32) (param $name i32) (param $len i32) (param i32 i32)
        (call $do (call $first (local.get $name))))
    (func (export "longhaul:workflow/definition@0.1.0#update")
        (param i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32) (param $name i32) (param $len i32) (param i32 i32)
        (call $do (call $first (local.get $name))))
    (func (export "longhaul:workflow/definition@0.1.0#validate-update")
        (param i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32) (param $name i32) (param $len i32) (param i32 i32) (result i32)
        (call $do (call $first (local.get $name)))
        (i64.store (i32.const 64) (i64.const 0))
        (i32.const 64))
    (func (export "longhaul:workflow/definition@0.1.0#query")
        (param $name i32) (param $len i32) (param i32 i32 i32 i32) (result i32)
        (call $do (call $first (local.get $name)))
        ;; ok(payload { metadata: [], data: the 8 bytes of the total })
        (i32.store (i32.const 64) (i32.const 0))
        (i64.store (i32.const 68) (i64.const 0))
        (i32.store (i32.const 76) (i32.const 0))
        (i32.store (i32.const 80) (i32.const 8))
        (i32.const 64))
    (func (export "longhaul:workflow/definition@0.1.0#resolve")
        (param i32 i32 i32 i64 i64 i32 i32)
        (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1000))))
    (func (export "longhaul:workflow/definition@0.1.0#cancel") (param i32 i32) (call $timer_of (i32.const 99)))
    (func (export "longhaul:workflow/definition@0.1.0#advance"))
    (func (export "longhaul:workflow/definition@0.1.0#waiting") (result i32)
        (i64.store (i32.const 64) (i64.const 0))
        (i32.const 64))

    (func $add (param $n i64) (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (local.get $n))))
    (func $timer_of (param $seq i32)
        (call $timer (local.get $seq) (i64.const 1000000000) (i32.const 0) (i32.const 0) (i32.const 0)))
    (func $record_of (param $seq i32)
        (call $record (local.get $seq) (i32.const 0) (i32.const 0) (i32.load (i32.const 172)) (i32.const 8)
            (i32.const 0) (i32.const 0) (i32.const 0)))
    (func $do (param $c i32)
        ;; a: add one
        (if (i32.eq (local.get $c) (i32.const 97)) (then (call $add (i64.const 1))))
        ;; t: start two timers
        (if (i32.eq (local.get $c) (i32.const 116)) (then (call $timer_of (i32.const 1)) (call $timer_of (i32.const 2))))
        ;; p: add ten if patched
        (if (i32.eq (local.get $c) (i32.const 112)) (then
            (if (call $patched (i32.const 265) (i32.const 5) (i32.const 0)) (then (call $add (i64.const 10))))))
        ;; n: the total becomes 8 random bytes
        (if (i32.eq (local.get $c) (i32.const 110)) (then
            (call $random (i32.const 256) (i32.const 5) (i32.const 8) (i32.const 128))
            (i64.store (i32.const 0) (i64.load (i32.load (i32.const 128))))))
        ;; N: the same from WASI
        (if (i32.eq (local.get $c) (i32.const 78)) (then (i64.store (i32.const 0) (call $wasi_random))))
        ;; i: a side effect that makes 8 random bytes; the total becomes its value
        (if (i32.eq (local.get $c) (i32.const 105)) (then
            (call $side_effect (i32.const 1) (i32.const 160))
            (if (i32.eqz (i32.load8_u (i32.const 160))) (then
                (call $random (i32.const 256) (i32.const 5) (i32.const 8) (i32.const 128))
                (i32.store (i32.const 172) (i32.load (i32.const 128)))
                (call $record_of (i32.const 1))))
            (i64.store (i32.const 0) (i64.load (i32.load (i32.const 172))))))
        ;; I: one that makes nothing;  j: one that starts a timer;  J: a value of one that has not begun;  y: of another one
        (if (i32.eq (local.get $c) (i32.const 73)) (then (call $side_effect (i32.const 1) (i32.const 160))))
        (if (i32.eq (local.get $c) (i32.const 106)) (then
            (call $side_effect (i32.const 1) (i32.const 160)) (call $timer_of (i32.const 2))))
        (if (i32.eq (local.get $c) (i32.const 74)) (then (call $record_of (i32.const 1))))
        (if (i32.eq (local.get $c) (i32.const 121)) (then
            (call $side_effect (i32.const 1) (i32.const 160)) (call $record_of (i32.const 2))))
        ;; k: the total becomes the time, and both clocks agree
        (if (i32.eq (local.get $c) (i32.const 107)) (then
            (if (i64.ne (call $now) (call $wasi_now)) (then unreachable))
            (i64.store (i32.const 0) (call $now))))
        ;; l: log
        (if (i32.eq (local.get $c) (i32.const 108)) (then
            (call $log (i32.const 2) (i32.const 270) (i32.const 5) (i32.const 0) (i32.const 0))))
        ;; e: nothing of the environment, and no folder
        (if (i32.eq (local.get $c) (i32.const 101)) (then
            (call $environment (i32.const 128))
            (if (i32.load (i32.const 132)) (then unreachable))
            (call $directories (i32.const 128))
            (if (i32.load (i32.const 132)) (then unreachable))))
        ;; o: open a handle and keep it;  O: open one and close it again
        (if (i32.eq (local.get $c) (i32.const 111)) (then (drop (call $subscribe (i64.const 5)))))
        (if (i32.eq (local.get $c) (i32.const 79)) (then (call $drop_pollable (call $subscribe (i64.const 5)))))
        ;; w: write over all of memory;  g: grow and write there
        (if (i32.eq (local.get $c) (i32.const 119)) (then
            (memory.fill (i32.const 0) (i32.const 255) (i32.mul (memory.size) (i32.const 65536)))))
        (if (i32.eq (local.get $c) (i32.const 103)) (then
            (drop (memory.grow (i32.const 3)))
            (memory.fill (i32.const 1024) (i32.const 7) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1024)))))
        ;; what must not be
        (if (i32.eq (local.get $c) (i32.const 115)) (then (call $spin)))
        (if (i32.eq (local.get $c) (i32.const 114)) (then (drop (call $recurse (i32.const 0)))))
        (if (i32.eq (local.get $c) (i32.const 109)) (then (call $devour)))
        (if (i32.eq (local.get $c) (i32.const 122)) (then (call $block (call $subscribe (i64.const 1000)))))
        (if (i32.eq (local.get $c) (i32.const 120)) (then (call $exit (i32.const 1))))
        (if (i32.eq (local.get $c) (i32.const 99)) (then (drop (call $network))))
        (if (i32.eq (local.get $c) (i32.const 117)) (then unreachable)))
"#;

pub(crate) const PROBE_WORLD: &str = "include longhaul:workflow/workflow@0.1.0;
    import wasi:clocks/monotonic-clock@0.2.3; import wasi:io/poll@0.2.3; import wasi:io/streams@0.2.3;
    import wasi:cli/stderr@0.2.3; import wasi:cli/environment@0.2.3; import wasi:cli/exit@0.2.3;
    import wasi:filesystem/preopens@0.2.3; import wasi:sockets/instance-network@0.2.3; import wasi:random/random@0.2.3;";

/// The probe as a component.
pub(crate) fn probe() -> Vec<u8> {
    component(PROBE_WORLD, &format!("(module {PROBE} {BASE})"))
}

/// The probe, altered: a replacement in its text.
pub(crate) fn probe_with(from: &str, to: &str) -> Vec<u8> {
    assert!(PROBE.contains(from), "the probe has no {from}");
    component(
        PROBE_WORLD,
        &format!("(module {} {BASE})", PROBE.replace(from, to)),
    )
}

/// Small limits, so that tests of them are quick.
pub(crate) fn options() -> Options {
    Options {
        memory_max_bytes: 4 << 20,
        arena_slots: 64,
        fuel_per_activation: 20_000_000,
        fuel_per_read: 20_000_000,
        // Fuel is what ends a loop here, however busy the machine is.
        activation_timeout: std::time::Duration::from_secs(600),
        ..Options::default()
    }
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(options()).unwrap()
}

pub(crate) fn module(component: &[u8]) -> Module {
    sandbox().compile(component).unwrap()
}

/// Keeps log lines.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<LogLine>>);

impl Lines {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|l| l.message.clone()).collect()
    }
}

impl LogSink for Lines {
    fn log(&self, line: LogLine) {
        self.0.lock().unwrap().push(line);
    }
}

pub(crate) fn setup() -> Setup {
    Setup {
        seed: [7; 32],
        logs: Arc::new(longhaul_sandbox::NoLog),
    }
}

pub(crate) fn task(now_ns: u64) -> Task {
    Task {
        now_ns,
        history_length: 3,
        ..Task::default()
    }
}

/// A new instance that has been started, in its first task.
pub(crate) fn started(module: &Module) -> Instance {
    let mut instance = module.instantiate(setup()).unwrap();
    instance.begin_task(task(1_000));
    instance.start(&info(), &vec![]).unwrap().unwrap();
    instance
}

pub(crate) fn meta() -> MessageMeta {
    MessageMeta {
        event_id: 5,
        time: 1_000,
        sender: Sender::Client("test".into()),
        header: vec![],
    }
}

pub(crate) fn json(text: &str) -> Payload {
    Payload {
        metadata: vec![("encoding".into(), b"json/plain".to_vec())],
        data: text.as_bytes().to_vec(),
    }
}

pub(crate) fn info() -> ExecutionInfo {
    ExecutionInfo {
        namespace: "default".into(),
        workflow_id: "w".into(),
        run_id: "00000000-0000-4000-8000-000000000001".into(),
        first_run_id: "00000000-0000-4000-8000-000000000001".into(),
        workflow_type: "Counter".into(),
        task_queue: "default".into(),
        attempt: 1,
        start_time: 1_000,
        execution_timeout: None,
        run_timeout: None,
        task_timeout: 10_000_000_000,
        retry_policy: None,
        cron_schedule: None,
        continued_from_run_id: None,
        parent: None,
        root: None,
        last_completion_result: vec![],
        last_failure: None,
        header: vec![],
    }
}

/// What an attempt of an activity of this type is told of itself.
pub(crate) fn activity_info(activity_type: &str) -> ActivityInfo {
    ActivityInfo {
        task_token: vec![1],
        namespace: "default".into(),
        workflow_id: "w".into(),
        run_id: "r".into(),
        workflow_type: "Trial".into(),
        activity_id: "1".into(),
        activity_type: activity_type.into(),
        task_queue: "default".into(),
        attempt: 1,
        is_local: false,
        header: vec![],
        heartbeat_details: vec![],
        scheduled_time: 0,
        attempt_scheduled_time: 0,
        started_time: 0,
        schedule_to_close: None,
        start_to_close: None,
        heartbeat: None,
        retry_policy: None,
    }
}

/// A guest that `cargo xtask guests` has built.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("LONGHAUL_GUESTS")
        .map_or_else(|| PathBuf::from("../../target/guests"), PathBuf::from);
    let path = folder.join(name).with_extension("wasm");
    std::fs::read(&path).unwrap_or_else(|e| {
        panic!(
            "{}: {e}; build the guests first: cargo xtask guests",
            path.display()
        )
    })
}
