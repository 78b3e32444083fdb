//! The engine by its public interface: canned guests that run live, then once more against the history that they wrote.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod activities;
mod answers;
mod cancellation;
mod chains;
mod children;
mod closing;
mod external;
mod first_task;
mod fold;
mod fold_across;
mod guest;
mod messages;
mod nondeterminism;
mod patches;
mod properties;
mod reset;
mod scheduling;
mod side_effects;
mod task_timeout;
mod tasks;
mod timers;
mod town;
mod town_random;
mod updates;
mod upserts;
mod world;
