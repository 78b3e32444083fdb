//! The SDK against a fake host.

mod activities;
mod cancellation;
mod dispatch;
mod executor;
mod family;
mod host;
mod messages;
mod operations;
mod own_cancellation;
mod side_effects;
mod sync;
mod wait_signal;
