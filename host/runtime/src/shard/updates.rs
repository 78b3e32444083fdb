//! Updates and their callers.

use longhaul_engine::{Turn, execution::Admission, proto::update::v1 as wire, update};
use longhaul_store::{Change, Pending, Row, RowKey};
use prost::Message as _;
use tokio::sync::watch;

use super::{
    Shard,
    commit::Held,
    message::{Reply, UpdateTicket},
    run::Run,
    turn::{Tellings, refuse},
};
use crate::{Error, updates::Stage};

impl Shard {
    pub(super) fn take_update(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
        request: wire::Request,
        reply: Reply<UpdateTicket>,
    ) {
        let id = request
            .meta
            .as_ref()
            .map_or("", |meta| meta.update_id.as_str())
            .to_owned();
        match run
            .execution
            .admit_update(turn, request, &self.core.options.limits)
        {
            Ok(Admission::Admitted | Admission::Known) => self.find_update(run, tellings, &id, reply, false),
            Err(refused) => tellings.answer(reply, Err(refuse(refused))),
        }
    }

    /// Let a caller follow an update. `started`: its request has started the run (U9).
    pub(super) fn find_update(
        &mut self,
        run: &mut Run,
        tellings: &mut Tellings,
        id: &str,
        reply: Reply<UpdateTicket>,
        started: bool,
    ) {
        let run_id = run.run_id;
        let stage = match run.execution.update(id).map(|update| &update.state) {
            None => return tellings.answer(reply, Err(Error::UpdateNotFound(id.to_owned()))),
            Some(update::State::Completed { .. }) => {
                return self.answer_ended(run, tellings, id, reply);
            }
            Some(update::State::Accepted { .. }) if !run.execution.is_open() => {
                return self.answer_ended(run, tellings, id, reply);
            }
            Some(update::State::Accepted { .. }) => Some(Stage::Accepted),
            Some(update::State::Admitted { .. }) => None,
        };
        let known = run.stages.contains_key(id);
        let sender = run
            .stages
            .entry(id.to_owned())
            .or_insert_with(|| watch::Sender::new(Stage::Admitted));
        let ticket = UpdateTicket {
            run_id,
            stage: sender.subscribe(),
            started,
        };
        if let (Some(stage), false) = (stage, known) {
            // Its acceptance may be part of this very turn: told when that is durable.
            let sender = sender.clone();
            tellings.0.push(Held::Answer(Box::new(move |written| {
                sender.send_replace(written.map_or_else(Stage::Gone, |()| stage));
            })));
        }
        tellings.answer(reply, Ok(ticket));
    }

    fn answer_ended(&mut self, run: &Run, tellings: &mut Tellings, id: &str, reply: Reply<UpdateTicket>) {
        let answer = match run.execution.update_outcome(id) {
            Some(outcome) => {
                let stage = watch::Sender::new(Stage::Completed(outcome)).subscribe();
                Ok(UpdateTicket {
                    run_id: run.run_id,
                    stage,
                    started: false,
                })
            }
            None => Err(Error::UpdateNotFound(id.to_owned())),
        };
        tellings.answer(reply, answer);
    }

    /// Tell the callers of an update when the run's last transition is durable.
    pub(super) fn tell_stage(&mut self, run: &mut Run, id: &str, stage: Stage) {
        let Some(sender) = run.stages.get(id).cloned() else {
            return;
        };
        self.hold(
            run.ticket,
            Held::Answer(Box::new(move |written| {
                sender.send_replace(written.map_or_else(Stage::Gone, |()| stage));
            })),
        );
    }

    /// The run has closed: what was accepted fails, what was only admitted is not found (U7).
    pub(super) fn end_stages(&mut self, run: &mut Run) {
        for (id, sender) in std::mem::take(&mut run.stages) {
            let stage = match run.execution.update_outcome(&id) {
                Some(outcome) => Stage::Completed(outcome),
                None => Stage::Gone(Error::AlreadyCompleted),
            };
            self.hold(
                run.ticket,
                Held::Answer(Box::new(move |written| {
                    sender.send_replace(match written {
                        Ok(()) => stage,
                        Err(error) => Stage::Gone(error),
                    });
                })),
            );
        }
    }

    /// Rows of updates that this turn could not handle, and that it has handled.
    pub(super) fn update_rows(&mut self, run: &mut Run, changes: &mut Vec<Change>) {
        let (namespace, run_id) = (run.namespace, run.run_id);
        let handled: Vec<String> = run
            .update_rows
            .keys()
            .filter(|id| !run.execution.admitted_updates().contains(id))
            .cloned()
            .collect();
        for id in handled {
            if let Some(order) = run.update_rows.remove(&id) {
                changes.push(Change::DeletePending(
                    Pending::Update,
                    RowKey {
                        namespace,
                        run_id,
                        order,
                    },
                ));
            }
        }
        for id in run.execution.admitted_updates() {
            if run.update_rows.contains_key(id) {
                continue;
            }
            if let Some(update::State::Admitted { request, .. }) =
                run.execution.update(id).map(|update| &update.state)
            {
                let order = run.next_update_order;
                run.next_update_order += 1;
                run.update_rows.insert(id.clone(), order);
                let row = Row {
                    workflow_id: run.workflow_id.to_string(),
                    body: request.encode_to_vec(),
                };
                changes.push(Change::PutPending(
                    Pending::Update,
                    RowKey {
                        namespace,
                        run_id,
                        order,
                    },
                    row,
                ));
            }
        }
    }
}
