//! The engine by its public interface: canned guests that run live, then once more against the history that they wrote.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod activities;
mod cancellation;
mod closing;
mod fold;
mod guest;
mod messages;
mod nondeterminism;
mod properties;
mod tasks;
mod timers;
mod updates;
mod world;
