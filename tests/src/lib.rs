//! What the end-to-end tests share: a server process, the command line, a gRPC client, and the export of histories.
//!
//! The tests run the `longhaul` binary as users do, from outside. They need it and the example guests built; `cargo xtask test`
//! does both and tells where things are through the environment variables of [`artifacts`].
//!
//! A failure of anything here fails the test that uses it, so nothing here returns an error.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "whatever fails here must fail the test, and say why"
)]

pub mod artifacts;
pub mod background;
pub mod cli;
pub mod client;
pub mod export;
pub mod lab;
pub mod language;
pub mod load;
pub mod order;
pub mod outside;
pub mod python;
pub mod server;
pub mod web;
pub mod worker;

pub use background::Background;
pub use cli::Answer;
pub use client::Client;
pub use language::Language;
pub use server::Server;
pub use web::Web;
pub use worker::Worker;
