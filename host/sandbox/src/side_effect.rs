//! Side effects: a function of the workflow that runs once, and whose value every replay gets from history.
//!
//! The function does not run in a replay, so whatever else it leaves behind would make a difference. While it runs, commands are refused,
//! and random numbers come from streams of its own: where the run's streams are afterwards does not depend on what it has drawn.

use std::collections::HashMap;

use crate::random::Random;
use crate::trap::Refusal;
use crate::wit::types::Payload;

/// The call that asks for the value.
pub(crate) const BEGIN: &str = "side-effect";
/// The call that gives it.
pub(crate) const END: &str = "record-side-effect";

/// The side effects of the present task.
#[derive(Default)]
pub(crate) struct SideEffects {
    /// What history has for them, by `seq`.
    pub(crate) recorded: HashMap<u32, Payload>,
    running: Option<Running>,
}

/// A function that runs.
struct Running {
    seq: u32,
    /// The run's own streams.
    random: Random,
}

impl SideEffects {
    /// A function is about to run.
    pub(crate) fn begin(&mut self, seq: u32, random: &mut Random) {
        let own = random.of_side_effect(seq);
        self.running = Some(Running {
            seq,
            random: std::mem::replace(random, own),
        });
    }

    /// The function that runs has made its value.
    pub(crate) fn end(&mut self, seq: u32, random: &mut Random) -> wasmtime::Result<()> {
        match self.running.take() {
            Some(running) if running.seq == seq => {
                *random = running.random;
                Ok(())
            }
            _ => Err(Refusal::call(
                format!("commands.{END}"),
                format!(
                    "no function of side effect {seq} runs: `{BEGIN}` comes before, and tells whether one has to"
                ),
            )),
        }
    }

    /// May this command be given now?
    pub(crate) fn check(&self, command: &str) -> wasmtime::Result<()> {
        if self.running.is_none() || command == END {
            return Ok(());
        }
        Err(Refusal::call(
            format!("commands.{command}"),
            "the function of a side effect only makes a value; what the workflow does with it stands outside of the function",
        ))
    }

    /// A call into the guest has returned: no function may be running still.
    pub(crate) fn check_returned(&self) -> wasmtime::Result<()> {
        match &self.running {
            None => Ok(()),
            Some(running) => Err(Refusal::call(
                format!("commands.{BEGIN}"),
                format!(
                    "the function of side effect {} waits; it has to make its value at once",
                    running.seq
                ),
            )),
        }
    }
}
