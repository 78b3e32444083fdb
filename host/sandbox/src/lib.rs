//! Runs workflow and activity components on Wasmtime: bounded, isolated and, for workflows, deterministic.
//!
//! - [`Sandbox::compile`] turns the bytes of a component into a [`Module`], and refuses what does not fit the contract.
//! - [`Module::instantiate`] makes an [`Instance`]: one workflow execution. The caller drives it through its activations,
//!   live or from history; both give the same commands and the same memory, byte for byte.
//! - [`Instance::fork`] makes a [`Reader`] for queries and validators: whatever these do, the instance stays as it is.
//! - [`Module::execute`] runs one attempt of an activity.
//!
//! This crate speaks the types of the contract ([`wit`]) and knows nothing of histories, databases or networks.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]

mod activity;
mod cache;
mod command;
mod context;
mod contract;
mod descriptors;
mod eligibility;
mod error;
mod files;
mod folders;
mod grants;
mod http;
mod instance;
mod link;
mod log;
mod module;
mod network;
mod options;
mod overflow;
mod places;
mod random;
mod raw;
mod reader;
mod resolver;
mod rewrite;
mod sandbox;
mod side_effect;
mod snapshot;
mod sockets;
mod spares;
mod state;
mod tls;
mod trap;
mod turns;
mod wasi;
mod watchdog;
#[expect(
    missing_docs,
    reason = "generated from the contract, which has the documentation"
)]
pub mod wit;

pub use activity::{ActivityCall, ActivityHost, ActivityInfo, CancellationReason, ExecuteError};
pub use command::{Command, Issued};
pub use eligibility::Eligibility;
pub use error::{CompileError, Error, ForkError, Problem};
pub use folders::FolderError;
pub use grants::{BadDestination, Destination, Folder, Grants, Host, Port, Reach, SECRET_PREFIX};
pub use instance::{Instance, Setup};
pub use log::{LogLevel, LogLine, LogSink, LogSource, NoLog};
pub use module::Module;
pub use options::{LimitTooHigh, Limits, LogOptions, Options};
pub use reader::Reader;
pub use resolver::{Resolve, Resolver, Resolving};
pub use sandbox::Sandbox;
pub use state::{Fields, Task};
pub use trap::{Frame, Trap, TrapKind};
