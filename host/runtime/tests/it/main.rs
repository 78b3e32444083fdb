//! The runtime through its public face, with real components: `cargo xtask guests` builds them.

mod activities;
mod common;
mod counter;
mod crash;
mod hostile;
mod order;
mod policies;
mod replay;
mod store_faults;
mod time;
mod world;
