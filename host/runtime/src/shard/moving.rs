//! A run moves to another version of its module (E11).
//!
//! Its history is replayed with that version first, on another thread, and a difference refuses the move. The replay starts when all
//! that the run has done is durable; what it does meanwhile may make the proof out of date, and then there is another.

use std::{panic::AssertUnwindSafe, sync::Arc};

use longhaul_engine::Turn;

use super::{
    Place, Shard,
    commit::Held,
    load,
    message::{Input, Loaded, Message, Notice, Reply},
    run::Run,
    turn::{Tellings, refuse},
    validate::Validation,
};
use crate::{Error, registry::Version};

/// A move on its way.
pub(crate) struct Move {
    pub(crate) version: Arc<Version>,
    pub(crate) identity: String,
    pub(crate) reply: Reply<()>,
    /// The run, replayed with the other version.
    pub(crate) proof: Option<Box<Loaded>>,
    /// Proofs that were out of date.
    pub(crate) stale: u32,
}

/// A run whose tasks end faster than a replay takes is not moved for ever: after so many replays the request is refused.
const PROOFS_MAX: u32 = 20;

impl Shard {
    /// A move has come to its run, without its proof or with it.
    pub(super) fn take_move(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
        mut moving: Move,
    ) {
        if !run.execution.is_open() {
            return tellings.answer(moving.reply, Err(Error::AlreadyCompleted));
        }
        let Some(proof) = moving.proof.take() else {
            return tellings
                .0
                .push(Held::Prove(run.run_id, run.place(), Box::new(moving)));
        };
        if proof.run.execution.next_event_id() != run.execution.next_event_id() {
            moving.stale += 1;
            if moving.stale > PROOFS_MAX {
                let busy =
                    "the run has gone on during every one of its replays; try again when it is less busy";
                return tellings.answer(moving.reply, Err(Error::Unavailable(busy.into())));
            }
            return tellings
                .0
                .push(Held::Prove(run.run_id, run.place(), Box::new(moving)));
        }
        if let Some(error) = proof.replay_error {
            let Move { version, reply, .. } = moving;
            let backtrace = error.backtrace();
            let why = format!(
                "run {} cannot move to module {}@{}: its history does not replay there: {error}\n{backtrace}",
                run.run_id, version.name, version.number
            );
            return tellings.answer(reply, Err(Error::FailedPrecondition(why.trim_end().to_owned())));
        }
        // Removed meanwhile: a run must never be pinned to what is not there.
        let still = self
            .core
            .registry
            .version(run.namespace, &moving.version.name, moving.version.number);
        if still.is_none() {
            let gone = format!(
                "module {}@{} was removed",
                moving.version.name, moving.version.number
            );
            return tellings.answer(moving.reply, Err(Error::NotFound(gone)));
        }
        let (name, number) = (moving.version.name.clone(), moving.version.number);
        match run.execution.update_options(turn, &name, number, moving.identity) {
            Ok(()) => {
                let proved = *proof.run;
                run.version = moving.version;
                run.code = proved.code;
                run.has_open_locals = proved.has_open_locals;
                run.broken = None;
                // A replay that is under way, and verdicts, are of the version that it leaves.
                (run.reviving, run.wants_replay) = (false, false);
                (run.validation, run.wants_verdicts) = (Validation::Idle, false);
                // What parked it may be mended: its task is tried at once.
                run.retrying = run.parked.is_some();
                tellings.answer(moving.reply, Ok(()));
            }
            Err(refused) => tellings.answer(moving.reply, Err(refuse(refused))),
        }
    }

    /// All that the run has done is durable: replay it with the version that it is to move to.
    pub(super) fn prove(&self, run_id: longhaul_store::RunId, place: Place, mut moving: Box<Move>) {
        let (core, mailbox) = (self.core.clone(), self.mailbox.clone());
        self.core.workers.run(Box::new(move || {
            let version = moving.version.clone();
            let loaded =
                std::panic::catch_unwind(AssertUnwindSafe(|| load::load_as(&core, &place, run_id, version)));
            match loaded {
                Ok(Ok(loaded)) => {
                    moving.proof = Some(Box::new(loaded));
                    let input = Input::Message {
                        message: Message::Move(moving),
                        to_run: true,
                    };
                    mailbox.notice(Notice::Deliver {
                        run_id,
                        place,
                        input: Box::new(input),
                    });
                }
                // A receiver that has gone needs no answer.
                Ok(Err(error)) => drop(moving.reply.send(Err(error))),
                Err(_) => {
                    let error = Error::Internal(format!("replaying run {run_id} has panicked"));
                    drop(moving.reply.send(Err(error)));
                }
            }
        }));
    }
}
