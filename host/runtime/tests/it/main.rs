//! The runtime through its public face, with real components: `cargo xtask guests` builds them.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod activities;
mod attempts;
mod bounds;
mod captured;
mod chain;
mod common;
mod counter;
mod crash;
mod crashes;
mod eviction;
mod external;
mod family;
mod hostile;
mod letters;
mod logs;
mod messages;
mod operations;
mod order;
mod parked;
mod policies;
mod programs;
mod recover;
mod recover_across;
mod replay;
mod reset;
mod reset_children;
mod retention;
mod scenarios;
mod soak;
mod stack;
mod store_faults;
mod time;
mod validators;
mod world;
