//! The shell around engine, sandbox and store: shards, timers, activity dispatch, the cache of live instances.
//!
//! [`Runtime`] is the public face: one method for each request, in Temporal's own messages. Behind it each execution belongs to one
//! shard, a single-threaded loop; see `ARCHITECTURE.md` for the path of an input from the mailbox to the commit and back.

pub mod activities;
mod attempt_threads;
mod attributes;
mod clock;
mod core;
mod description;
mod error;
mod executions;
mod filter;
mod gates;
mod guest;
mod handle;
mod logs;
mod mailbox;
mod module_config;
pub mod modules;
mod names;
mod options;
mod recovery;
mod registry;
mod replay;
mod requests;
mod shard;
mod simulation;
mod task_queues;
mod token;
mod updates;
mod watch;
mod workers;

pub use attributes::Limits as SearchAttributeLimits;
pub use clock::Clock;
pub use description::{Description, PendingTimer, PendingUpdate};
pub use error::Error;
pub use executions::PARKED_REASON;
pub use guest::Report;
pub use handle::{Namespace, OpenError, Runtime};
pub use module_config::SCHEMA as MODULE_CONFIG_SCHEMA;
pub use options::Options;
pub use replay::{ReplayError, replay};
pub use simulation::{Simulation, Stuck, Warm};
