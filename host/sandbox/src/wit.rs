//! The contract's types and calls, generated from the WIT package.
//!
//! The types are shared by both worlds, so that a payload of a workflow and one of an activity are the same Rust type.

mod workflow_world {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "workflow",
        imports: { default: trappable },
        additional_derives: [PartialEq],
        require_store_data_send: true,
    });
}

mod activities_world {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "activities",
        imports: { default: trappable },
        exports: { default: async },
        additional_derives: [PartialEq],
        with: {
            "longhaul:workflow/types": super::workflow_world::longhaul::workflow::types,
            "wasi:io": wasmtime_wasi_io::bindings::wasi::io,
        },
    });
}

pub(crate) use activities_world::ActivitiesPre;
pub use activities_world::{
    exports::longhaul::workflow::activity_definition, longhaul::workflow::activity_context,
};
pub(crate) use workflow_world::{Workflow, WorkflowPre};
pub use workflow_world::{
    exports::longhaul::workflow::definition,
    longhaul::workflow::{commands, context, types},
};
