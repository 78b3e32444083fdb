//! The runtime through its public face, with real components: `cargo xtask guests` builds them.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod activities;
mod attempts;
mod captured;
mod common;
mod counter;
mod crash;
mod eviction;
mod hostile;
mod logs;
mod order;
mod policies;
mod recover;
mod replay;
mod store_faults;
mod time;
mod validators;
mod world;
