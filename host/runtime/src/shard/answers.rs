//! What workers outside of the server say of the attempts that they have (A3, A6), and what operators do with activities.

use longhaul_engine::{
    Turn,
    execution::{Act, AttemptEnd, NotDone, NotTaken, Selection, Told, Which},
    proto::activity::v1::ActivityOptions,
};
use longhaul_history::proto::common::v1::Payloads;

use super::{Shard, message::Reply, run::Run, turn::Tellings};
use crate::Error;

/// Something that is said of an attempt.
pub(crate) struct Said {
    pub(crate) which: Which,
    pub(crate) saying: Saying,
    /// Who says it.
    pub(crate) identity: String,
    pub(crate) reply: Reply<Told>,
}

/// See [`Said`].
pub(crate) enum Saying {
    /// How it ended, and the details of a last heartbeat.
    Ended(AttemptEnd, Option<Payloads>),
    /// That it is alive, and how far it has come.
    Beats(Option<Payloads>),
}

/// Something that is done with pending activities.
pub(crate) struct Operation {
    pub(crate) selection: Selection,
    pub(crate) act: Act,
    /// The options of the first of them.
    pub(crate) reply: Reply<ActivityOptions>,
}

impl Shard {
    /// It is answered when it is durable.
    pub(super) fn take_operation(
        &self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
        operation: Operation,
    ) {
        let Operation {
            selection,
            act,
            reply,
        } = operation;
        let options = run
            .execution
            .administer(turn, &selection, &act)
            .map_err(|not_done| match not_done {
                NotDone::NotTaken(not_taken) => refuse(not_taken),
                NotDone::Options(_) => Error::InvalidArgument(not_done.to_string()),
                NotDone::Paused => Error::FailedPrecondition(not_done.to_string()),
                NotDone::None(_) => Error::NotFound(not_done.to_string()),
            });
        tellings.answer(reply, options);
    }

    /// It is answered when what it did is durable.
    pub(super) fn take_said(&self, run: &mut Run, turn: &mut Turn, tellings: &mut Tellings, said: Said) {
        let Said {
            which,
            saying,
            identity,
            reply,
        } = said;
        let execution = &mut run.execution;
        let told = match saying {
            Saying::Ended(end, details) => execution
                .answer_attempt(turn, &which, end, details, identity)
                .map(|()| Told::default()),
            Saying::Beats(details) => execution.hear_attempt(turn, &which, details, identity),
        };
        tellings.answer(reply, told.map_err(refuse));
    }
}

pub(super) fn refuse(not_taken: NotTaken) -> Error {
    match not_taken {
        NotTaken::Closed => Error::AlreadyCompleted,
        NotTaken::NotRunning | NotTaken::NoSuchActivity(_) => Error::NotFound(not_taken.to_string()),
        NotTaken::NotAskedToCancel => Error::InvalidArgument(not_taken.to_string()),
    }
}
