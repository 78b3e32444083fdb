//! The runtime through its public face, with real components: `cargo xtask guests` builds them.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod activities;
mod common;
mod counter;
mod crash;
mod eviction;
mod hostile;
mod order;
mod policies;
mod replay;
mod store_faults;
mod time;
mod world;
