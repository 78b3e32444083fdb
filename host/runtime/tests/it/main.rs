//! The runtime through its public face, with real components: `cargo xtask guests` builds them.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod activities;
mod attempts;
mod captured;
mod chain;
mod common;
mod counter;
mod crash;
mod crashes;
mod eviction;
mod external;
mod family;
mod handed_over;
mod hostile;
mod logs;
mod native;
mod operate;
mod operations;
mod order;
mod policies;
mod recover;
mod recover_across;
mod replay;
mod reset;
mod retention;
mod soak;
mod store_faults;
mod time;
mod validators;
mod worker;
mod worker_limits;
mod workers;
mod world;
