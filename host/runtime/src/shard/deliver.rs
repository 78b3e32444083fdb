//! The receiver's half of what goes between executions.
//!
//! What a letter does to a run is one transition together with a row that remembers its answer, by the sender's run and the letter's
//! number. A letter that comes again finds that row, and gets the same answer. What changed nothing is not remembered.

use longhaul_engine::{
    Turn,
    outgoing::{Answer, Failed, Message as Outgoing},
};
use longhaul_store::{Change, RunId, Seen};
use prost::Message as _;

use super::{
    Place, Shard, beginning::of_child, commit::Held, letter::Delivery, message::Input, run::Run,
    turn::Tellings,
};
use crate::Error;

/// Who takes a letter.
enum Receiver {
    Run(RunId),
    /// Nobody; the answer.
    Nobody(Answer),
}

impl Shard {
    pub(super) fn on_letter(&mut self, delivery: Delivery) {
        let envelope = delivery.envelope.clone();
        let key = envelope.seen_key();
        if let Some((ticket, answer)) = self.seen.get(&key).cloned() {
            return self.reply_behind(ticket, delivery, answer);
        }
        if envelope.again {
            match self.remembered(&key) {
                Ok(None) => {}
                Ok(Some(answer)) => return delivery.reply.answer(answer),
                Err(error) => return delivery.reply.again(&error),
            }
        }
        let namespace = self.core.namespace_name(envelope.sender.namespace).to_owned();
        let delivery = match of_child(delivery, &namespace) {
            Ok(beginning) => return self.start(beginning),
            Err(delivery) => delivery,
        };
        match self.receiver_of(&delivery) {
            Ok(Receiver::Run(run_id)) => {
                self.deliver(run_id, &envelope.receiver(), Input::Letter(delivery));
            }
            Ok(Receiver::Nobody(answer)) => delivery.reply.answer(answer),
            Err(error) => delivery.reply.again(&error),
        }
    }

    fn reply_behind(&mut self, ticket: u64, delivery: Delivery, answer: Answer) {
        let mut tellings = Tellings::default();
        tellings.reply(delivery.reply, answer);
        for held in tellings.0 {
            self.hold(ticket, held);
        }
    }

    /// The answer that a letter got before.
    fn remembered(&self, key: &longhaul_store::SeenKey) -> Result<Option<Answer>, Error> {
        let Some(seen) = self.core.snapshot()?.seen(key)? else {
            return Ok(None);
        };
        let answer = Answer::decode(seen.body.as_slice()).map_err(|error| {
            Error::Internal(format!("the answer to the message {key:?} is damaged: {error}"))
        })?;
        Ok(Some(answer))
    }

    fn receiver_of(&self, delivery: &Delivery) -> Result<Receiver, Error> {
        let letter = &delivery.envelope.letter;
        let place = delivery.envelope.receiver();
        let named = match letter.run_id.as_str() {
            "" => None,
            text => match text.parse::<RunId>() {
                Ok(run_id) => Some(run_id),
                Err(_) => return Ok(Receiver::Nobody(Answer::refused(Failed::NotFound))),
            },
        };
        let ends = matches!(letter.message, Some(Outgoing::ChildClosed(_)));
        let run_id = match named {
            Some(run_id) if self.is_in_memory(run_id, &place) => return Ok(Receiver::Run(run_id)),
            Some(run_id) if self.is_open(&place, run_id)? => return Ok(Receiver::Run(run_id)),
            // A parent that was reset goes on as another run.
            Some(_) if ends => match self.newest(&place)? {
                Some(newest) if newest.is_open() => newest.run_id,
                _ => return Ok(Receiver::Nobody(Answer::delivered())),
            },
            Some(run_id) => {
                let record = self
                    .core
                    .snapshot()?
                    .execution(place.namespace, &place.workflow_id, run_id)?;
                return Ok(Receiver::Nobody(to_closed(
                    letter.message.as_ref(),
                    record.is_some(),
                )));
            }
            None => match self.newest(&place)? {
                Some(newest) if newest.is_open() || self.is_in_memory(newest.run_id, &place) => newest.run_id,
                newest => {
                    return Ok(Receiver::Nobody(to_closed(
                        letter.message.as_ref(),
                        newest.is_some(),
                    )));
                }
            },
        };
        Ok(Receiver::Run(run_id))
    }

    fn is_in_memory(&self, run_id: RunId, place: &Place) -> bool {
        self.runs
            .get(&run_id)
            .is_some_and(|run| run.workflow_id == place.workflow_id && run.namespace == place.namespace)
            || self
                .loading
                .get(&run_id)
                .is_some_and(|(loading, _)| loading == place)
    }

    /// A letter has come to a run in its turn.
    pub(super) fn take_letter(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        delivery: Delivery,
    ) {
        let envelope = delivery.envelope.clone();
        let letter = &envelope.letter;
        let place = run.place();
        let ended = match &letter.message {
            Some(Outgoing::ChildClosed(closed)) => Some(closed.initiated_event_id),
            _ => None,
        };
        let ends = ended.is_some();
        if !run.execution.is_open()
            && (letter.run_id.is_empty() || ends)
            && let Ok(Some(newest)) = self.newest(&place)
            && newest.run_id != run.run_id
        {
            // S9: another run has taken over since the letter was put into this one's inbox.
            return self.deliver(newest.run_id, &place, Input::Letter(delivery));
        }
        if let Some(initiated_event_id) = ended
            && !run.execution.has_child_of(&letter.run_id, initiated_event_id)
        {
            // The parent has gone, and this is a stranger with its id, or was reset to before it has started this child.
            return tellings.reply(delivery.reply, Answer::delivered());
        }
        if envelope.sender == place && !ends {
            // E6, as on Temporal's server.
            return tellings.reply(delivery.reply, Answer::refused(Failed::NotFound));
        }
        if !run.execution.is_open() {
            return tellings.reply(delivery.reply, to_closed(letter.message.as_ref(), true));
        }
        let events = turn.events.len();
        let answer = run.execution.receive(turn, letter, &self.core.options.limits);
        if turn.events.len() == events {
            tellings.reply(delivery.reply, answer);
        } else {
            self.remember(run, extra, tellings, delivery, answer);
        }
    }

    /// Remember the answer to a letter with what it led to, and give it when that is durable.
    pub(super) fn remember(
        &self,
        run: &Run,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        delivery: Delivery,
        answer: Answer,
    ) {
        let key = delivery.envelope.seen_key();
        let seen = Seen {
            receiver_run_id: run.run_id,
            body: answer.encode_to_vec(),
        };
        extra.push(Change::PutSeen(key.clone(), seen));
        tellings.0.push(Held::Seen(key, answer.clone()));
        tellings.reply(delivery.reply, answer);
    }
}

/// What a letter to a closed execution, or to none, is answered. A cancel request is taken, as on Temporal's server (E4).
fn to_closed(message: Option<&Outgoing>, exists: bool) -> Answer {
    match message {
        Some(Outgoing::Cancel(_)) if exists => Answer::delivered(),
        Some(Outgoing::ChildClosed(_)) => Answer::delivered(),
        _ => Answer::refused(Failed::NotFound),
    }
}
