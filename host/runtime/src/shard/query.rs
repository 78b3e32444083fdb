//! Queries and descriptions: questions about a run, answered on a copy of its state.

use longhaul_engine::{
    Execution, Session, Turn,
    proto::{
        common::v1::Payload,
        enums::v1::{QueryRejectCondition, WorkflowExecutionStatus},
        query::v1::{QueryRejected, WorkflowQuery},
        workflowservice::v1 as wire,
    },
};
use longhaul_sandbox::{ForkError, Reader, Trap};

use super::{
    Shard,
    message::Message,
    metadata::metadata,
    run::{Code, Run},
    stack::stack_trace,
    turn::Tellings,
};
use crate::{
    Error,
    guest::{self, Guest, TaskError},
    names,
};

/// The query that every workflow answers: where each of its tasks waits.
pub(super) const STACK_TRACE: &str = "__stack_trace";

/// Another: what it is, and what it says of its present state.
pub(super) const METADATA: &str = "__temporal_workflow_metadata";

impl Shard {
    /// Answer a question about a run, or keep it until the run's code is back.
    pub(super) fn question(
        &mut self,
        run: &mut Run,
        turn: &Turn,
        tellings: &mut Tellings,
        question: Message,
    ) {
        match question {
            Message::Describe { reply } => {
                let answer = self.describe(run, turn.now_ns);
                tellings.answer(reply, answer);
            }
            Message::Query { request, reply } => {
                let found = self.query(run, turn.now_ns, &request);
                if !matches!(found, Found::NoCode) && run.polling.asked(turn.now_ns) {
                    tracing::warn!(
                        workflow_id = &*run.workflow_id, run_id = %run.run_id,
                        "the workflow is queried again and again: who waits for a change is told in time, and with one \
                         request, by an update that awaits it (`wait_condition`), or by the workflow's result"
                    );
                }
                match found {
                    Found::Answer(answer) => tellings.answer(reply, *answer),
                    Found::NoCode => {
                        run.questions.push(Message::Query { request, reply });
                        self.revive(run);
                    }
                    Found::NoFork => run.asked.push(request, reply),
                }
            }
            other => other.refuse(Error::Internal("not a question".into())),
        }
    }

    fn query(&self, run: &mut Run, now_ns: u64, request: &wire::QueryWorkflowRequest) -> Found {
        let status = run.execution.status();
        let rejected = match request.query_reject_condition() {
            QueryRejectCondition::NotOpen => status != WorkflowExecutionStatus::Running,
            QueryRejectCondition::NotCompletedCleanly => !matches!(
                status,
                WorkflowExecutionStatus::Running | WorkflowExecutionStatus::Completed
            ),
            QueryRejectCondition::None | QueryRejectCondition::Unspecified => false,
        };
        if rejected {
            let query_rejected = Some(QueryRejected {
                status: status as i32,
            });
            return Found::answer(Ok(wire::QueryWorkflowResponse {
                query_rejected,
                ..Default::default()
            }));
        }
        let query = request.query.clone().unwrap_or_default();
        if let Err(error) = known(run, &query.query_type) {
            return Found::answer(Err(error));
        }
        if run.execution.completed_tasks() == 0 {
            if run.parked.is_none() && run.broken.is_none() && run.needs_task() {
                // Its first task runs as soon as the code is back.
                return Found::NoCode;
            }
            let why = run.parked.as_ref().map_or("", |parked| parked.reason.as_str());
            return Found::answer(Err(Error::FailedPrecondition(format!(
                "the workflow has completed no task yet, so there is no state to query: {why}"
            ))));
        }
        let live = match &run.code {
            Code::Live(live) => live,
            Code::Absent => {
                return match &run.broken {
                    Some(broken) => Found::answer(Err(not_replayed(broken))),
                    None => Found::NoCode,
                };
            }
        };
        if query.query_type == METADATA {
            let metadata = metadata(run, live.session.current_details());
            return Found::answer(respond(Ok(Ok(vec![metadata])), METADATA));
        }
        let question = Question {
            query: &query,
            execution: &run.execution,
            now_ns,
        };
        let forked = live
            .instance
            .fork()
            .map(|mut reader| question.ask(&mut reader, &live.session));
        let answer = match forked {
            Ok(answer) => answer,
            // The next task needs the instance.
            Err(ForkError::NotEligible(_)) if run.needs_task() => return Found::NoFork,
            Err(ForkError::NotEligible(_)) => {
                // Give the instance up for this question; the next one, or the next task, replays another.
                match std::mem::replace(&mut run.code, Code::Absent) {
                    Code::Live(live) => question.ask_of(*live),
                    Code::Absent => return Found::NoCode,
                }
            }
            Err(error) => return Found::answer(Err(Error::ResourceExhausted(error.to_string()))),
        };
        Found::answer(answer)
    }
}

/// What became of a query.
enum Found {
    Answer(Box<Result<wire::QueryWorkflowResponse, Error>>),
    /// The code has to be brought back first.
    NoCode,
    /// Its state cannot be forked, and the run goes on with it.
    NoFork,
}

impl Found {
    fn answer(answer: Result<wire::QueryWorkflowResponse, Error>) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// A query that the code has to answer.
pub(super) struct Question<'a> {
    pub(super) query: &'a WorkflowQuery,
    pub(super) execution: &'a Execution,
    pub(super) now_ns: u64,
}

impl Question<'_> {
    fn ask(&self, reader: &mut Reader<'_>, session: &Session) -> Result<wire::QueryWorkflowResponse, Error> {
        let query = self.query;
        let asked = if query.query_type == STACK_TRACE {
            reader
                .waiting()
                .map(|tasks| Ok(vec![stack_trace(&tasks, session, self.execution, self.now_ns)]))
        } else {
            let arguments = guest::payloads_in(query.query_args.as_ref());
            let header = guest::header_in(query.header.as_ref());
            reader
                .query(&query.query_type, &arguments, &header)
                .map(|answer| {
                    answer
                        .map(|value| vec![guest::payload_out(value)])
                        .map_err(|failure| Box::new(guest::failure_out(failure)))
                })
        };
        respond(asked, &query.query_type)
    }

    /// Ask an instance that is of no further use.
    pub(super) fn ask_of(&self, guest: Guest) -> Result<wire::QueryWorkflowResponse, Error> {
        let Guest {
            instance, session, ..
        } = guest;
        let reader = instance.into_reader();
        let mut reader = reader.map_err(|error| Error::Internal(error.to_string()))?;
        self.ask(&mut reader, &session)
    }
}

/// Why there is no state to query.
pub(super) fn not_replayed(why: &TaskError) -> Error {
    Error::FailedPrecondition(format!(
        "the workflow's code cannot be replayed, so there is no state to query: {why}"
    ))
}

type Answer = Result<Result<Vec<Payload>, Box<longhaul_engine::proto::failure::v1::Failure>>, Trap>;

fn respond(answer: Answer, name: &str) -> Result<wire::QueryWorkflowResponse, Error> {
    match answer {
        Ok(Ok(payloads)) => Ok(wire::QueryWorkflowResponse {
            query_result: Some(longhaul_engine::proto::common::v1::Payloads { payloads }),
            ..Default::default()
        }),
        Ok(Err(failure)) => Err(Error::QueryFailed {
            message: failure.message.clone(),
            failure,
        }),
        Err(trap) => {
            let message = format!("query {name:?} did not return: {trap}");
            let mut failure = longhaul_history::failure::application(message.clone(), "QueryTrap", true);
            failure.stack_trace = trap
                .backtrace
                .iter()
                .map(|frame| format!("  at {frame}\n"))
                .collect();
            Err(Error::QueryFailed {
                message,
                failure: Box::new(failure),
            })
        }
    }
}

/// Q4: an unknown name lists the known ones.
fn known(run: &Run, name: &str) -> Result<(), Error> {
    let Some(workflow_type) = run.version.workflow_types.get(run.execution.workflow_type()) else {
        return Ok(());
    };
    let declared = workflow_type.queries.iter().map(|query| query.name.as_str());
    let built_in = [STACK_TRACE, METADATA];
    if built_in.contains(&name)
        || workflow_type.dynamic_handlers
        || declared.clone().any(|query| query == name)
    {
        return Ok(());
    }
    let message = format!(
        "Query handler for '{name}' expected but not found, known queries: {}",
        names::known(name, declared.chain(built_in))
    );
    let failure = longhaul_history::failure::application(message.clone(), "QueryNotFound", true);
    Err(Error::QueryFailed {
        message,
        failure: Box::new(failure),
    })
}
