//! Components that must not be taken, made by hand.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use longhaul_tests::artifacts;

/// What the guests here import beside the contract.
const OTHERS: [&str; 2] = [
    "package acme:tools@1.0.0; interface secrets { read: func(); }",
    "package wasi:cli@0.2.3; interface run { run: func() -> result; }",
];

/// A component that exports the whole contract and traps in every call.
pub(crate) fn that_traps() -> Vec<u8> {
    component("include longhaul:workflow/workflow@0.1.0;")
}

/// The same with an import that nobody offers.
pub(crate) fn with_foreign_import() -> Vec<u8> {
    component("include longhaul:workflow/workflow@0.1.0; import acme:tools/secrets@1.0.0;")
}

/// A program for a command line: a good component, but none of ours.
pub(crate) fn wasi_command() -> Vec<u8> {
    component("export wasi:cli/run@0.2.3;")
}

/// A component of a world, in which every export traps.
fn component(world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(artifacts::wit()).unwrap();
    for other in OTHERS {
        resolve.push_str("other.wit", other).unwrap();
    }
    let package = resolve
        .push_str(
            "guest.wit",
            &format!("package test:guest; world guest {{ {world} }}"),
        )
        .unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut module = dummy_module(
        &resolve,
        world,
        ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync),
    );
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}
