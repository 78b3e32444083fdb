//! The SDK against a fake host.

mod activities;
mod cancellation;
mod dispatch;
mod executor;
mod host;
mod operations;
mod sync;
