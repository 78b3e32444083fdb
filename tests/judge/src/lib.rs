//! Temporal's Core SDK as the judge of Longhaul's histories.
//!
//! Every history that Longhaul writes is meant to be replayable by Temporal's own workers. This crate feeds a history
//! to the replay worker of `temporalio-sdk-core` and plays the workflow code: each activation is answered with the
//! commands that the history itself says the code issued in that task. Core then compares every command with its
//! event and every event with its state machines, as it would on a production worker, and refuses what does not fit.
//!
//! [`judge`] takes code and events from one history, and so proves that the history is consistent in itself.
//! [`judge_against`] takes the code from one history and the events from another: with an altered copy
//! ([`Alteration`]) this is the negative control, which shows that a verdict of *accepted* means something.
//!
//! What Core cannot tell apart, and what it refuses although Temporal's server writes it, is listed in this crate's
//! README.

mod alter;
mod closing;
mod command;
mod export;
mod replay;
mod script;
mod verdict;

pub use alter::Alteration;
pub use export::{ENV_HISTORIES, Export, ExportError};
pub use replay::{judge, judge_against};
pub use script::{Script, ScriptError};
pub use verdict::{Error, Options, Verdict};
