//! The server as a client sees it, over real sockets.

// A test that unwraps says what it expects.
#![allow(clippy::unwrap_used)]

mod common;

mod health;
mod http;
mod lifecycle;
mod modules;
mod workers;
mod workflows;
