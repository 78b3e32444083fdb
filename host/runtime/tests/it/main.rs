//! The runtime through its public face, with real components: `cargo xtask guests` builds them.

mod common;
mod counter;
mod crash;
mod order;
mod policies;
mod store_faults;
mod time;
mod world;
