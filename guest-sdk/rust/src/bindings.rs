//! What the contract in `wit/` generates.
//!
//! There is one module for each world, so that a crate exports just what it has: `export!` only the first,
//! `export_activities!` only the second, and a crate that uses both is a component of the world `module`. The two share
//! their types.

#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all)]

/// World `workflow`.
pub mod workflow {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "workflow",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_workflow_world",
        default_bindings_module: "longhaul_sdk::__private::bindings::workflow",

        additional_derives: [Clone, PartialEq],
    });
}

/// World `activities`.
pub mod activities {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "activities",
        generate_all,
        with: {
            "longhaul:workflow/types@0.1.0": super::workflow::longhaul::workflow::types,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
        },
        pub_export_macro: true,
        export_macro_name: "export_activities_world",
        default_bindings_module: "longhaul_sdk::__private::bindings::activities",

        additional_derives: [Clone, PartialEq],
    });
}
