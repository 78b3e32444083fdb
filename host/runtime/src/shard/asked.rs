//! Queries that are asked on throw-away replays, away from the shard.
//!
//! A fork cannot carry the state of every component. Where a run does not need its instance any more, or not soon, a query may have that
//! one. Where a workflow task is due, as between two tasks of a local activity, the run goes on with it, and each query that waits is
//! asked on a replay of its own: none sees what another has done to the memory.

use std::panic::{AssertUnwindSafe, catch_unwind};

use longhaul_engine::proto::workflowservice::v1 as wire;
use longhaul_store::RunId;

use super::{
    Place, Shard,
    commit::Held,
    load::load_silently,
    message::{Message, Notice, Reply},
    query::{Question, not_replayed},
    run::{Code, Run},
};
use crate::{Error, core::Core};

/// Those of a run.
#[derive(Default)]
pub(crate) struct Asked {
    waiting: Vec<Asking>,
    /// Some were handed to another thread, and more are when it has come to their end.
    under_way: bool,
}

struct Asking {
    request: Box<wire::QueryWorkflowRequest>,
    reply: Reply<wire::QueryWorkflowResponse>,
}

impl Asked {
    pub(super) fn push(
        &mut self,
        request: Box<wire::QueryWorkflowRequest>,
        reply: Reply<wire::QueryWorkflowResponse>,
    ) {
        self.waiting.push(Asking { request, reply });
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// They can no longer be asked.
    pub(super) fn into_messages(self) -> impl Iterator<Item = Message> {
        let message = |Asking { request, reply }| Message::Query { request, reply };
        self.waiting.into_iter().map(message)
    }

    /// Whether those that wait are to be handed over now.
    fn begins(&mut self) -> bool {
        !self.waiting.is_empty() && !std::mem::replace(&mut self.under_way, true)
    }
}

impl Shard {
    /// Queries wait for a replay, which begins when all that they are to see is durable.
    pub(super) fn begin_asking(&mut self, run_id: RunId) {
        if let Some(run) = self.runs.get_mut(&run_id)
            && run.asked.begins()
        {
            let ticket = run.ticket;
            self.hold(ticket, Held::Ask(run_id));
        }
    }

    /// All that the run has done is durable: ask.
    pub(super) fn ask_replays(&mut self, run_id: RunId) {
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        let asked = std::mem::take(&mut run.asked.waiting);
        let (core, mailbox, place) = (self.core.clone(), self.mailbox.clone(), run.place());
        self.core.workers.run(Box::new(move || {
            for Asking { request, reply } in asked {
                let answer = catch_unwind(AssertUnwindSafe(|| ask(&core, &place, run_id, &request)));
                // A receiver that has gone needs no answer.
                let _ =
                    reply.send(answer.unwrap_or_else(|_| {
                        Err(Error::Internal(format!("querying run {run_id} has panicked")))
                    }));
            }
            mailbox.notice(Notice::Asked(run_id));
        }));
    }

    /// They were asked; others may have come since.
    pub(super) fn on_asked(&mut self, run_id: RunId) {
        if let Some(run) = self.runs.get_mut(&run_id) {
            run.asked.under_way = false;
            self.begin_asking(run_id);
        }
    }
}

/// Ask a query on a replay from the store. Blocks.
fn ask(
    core: &Core,
    place: &Place,
    run_id: RunId,
    request: &wire::QueryWorkflowRequest,
) -> Result<wire::QueryWorkflowResponse, Error> {
    let loaded = load_silently(core, place, run_id)?;
    if let Some(error) = loaded.replay_error {
        return Err(not_replayed(&error));
    }
    let Run { execution, code, .. } = *loaded.run;
    let Code::Live(guest) = code else {
        return Err(Error::Internal(format!(
            "the code of run {run_id} is not in memory"
        )));
    };
    let question = Question {
        query: &request.query.clone().unwrap_or_default(),
        now_ns: core.clock.now_ns().max(execution.last_event_time_ns()),
        execution: &execution,
    };
    question.ask_of(*guest)
}
