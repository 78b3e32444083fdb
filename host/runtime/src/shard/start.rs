//! Executions begin (E1, E12).

use std::sync::Arc;

use longhaul_engine::{
    Execution, Identity, Status, Turn,
    execution::Start,
    proto::{
        enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
        workflowservice::v1 as wire,
    },
};
use longhaul_history::time;
use longhaul_store::{Change, NamespaceId, RunId};

use super::{
    Alarm, Kind, Newest, Place, Shard,
    message::{Input, Notice, Reply, Request},
    run::Run,
    turn::{Tellings, refuse},
};
use crate::{Error, names, registry::Version};

/// What to do about the execution that has the id now.
enum Policy {
    Start,
    Answer(Box<Result<wire::StartWorkflowExecutionResponse, Error>>),
    TerminateFirst(RunId),
}

impl Shard {
    pub(super) fn start(
        &mut self,
        namespace: NamespaceId,
        request: wire::StartWorkflowExecutionRequest,
        reply: Reply<wire::StartWorkflowExecutionResponse>,
    ) {
        let place = Place {
            namespace,
            workflow_id: request.workflow_id.as_str().into(),
        };
        let policy = match self.newest(&place) {
            Ok(None) => Policy::Start,
            Ok(Some(newest)) => self.policy(&request, &newest),
            Err(error) => Policy::Answer(Box::new(Err(error))),
        };
        match policy {
            Policy::Start => {
                self.begin(&place, request, reply, Vec::new());
            }
            // The old run ends only when the new one can begin.
            Policy::TerminateFirst(run_id) => match self.version_for(namespace, &request) {
                Ok(version) if version.compiled().is_none() => {
                    self.start_when_compiled(namespace, version, request, reply);
                }
                Ok(_) => self.replace(run_id, &place, request, reply),
                Err(error) => {
                    // A receiver that has gone needs no answer.
                    let _ = reply.send(Err(error));
                }
            },
            Policy::Answer(answer) => {
                let ticket = self
                    .newest(&place)
                    .ok()
                    .flatten()
                    .and_then(|newest| self.runs.get(&newest.run_id));
                let ticket = ticket.map_or(0, |run| run.ticket);
                let mut tellings = Tellings::default();
                tellings.answer(reply, *answer);
                for held in tellings.0 {
                    self.hold(ticket, held);
                }
            }
        }
    }

    fn policy(&self, request: &wire::StartWorkflowExecutionRequest, newest: &Newest) -> Policy {
        let run_id = newest.run_id.to_string();
        let started = |started| {
            Policy::Answer(Box::new(Ok(wire::StartWorkflowExecutionResponse {
                run_id: run_id.clone(),
                started,
                status: newest.status as i32,
                ..Default::default()
            })))
        };
        if !request.request_id.is_empty() && request.request_id == newest.start_request_id {
            return started(true);
        }
        let refuse = |message: String| {
            Policy::Answer(Box::new(Err(Error::AlreadyStarted {
                message,
                start_request_id: newest.start_request_id.clone(),
                run_id: run_id.clone(),
            })))
        };
        let id = &request.workflow_id;
        let reuse = request.workflow_id_reuse_policy();
        if newest.status == Status::Running {
            let terminate_if_running = {
                #[expect(
                    deprecated,
                    reason = "old clients still send it, and Temporal's server still serves it"
                )]
                let policy = WorkflowIdReusePolicy::TerminateIfRunning;
                reuse == policy
            };
            return match request.workflow_id_conflict_policy() {
                _ if terminate_if_running => Policy::TerminateFirst(newest.run_id),
                WorkflowIdConflictPolicy::UseExisting => started(false),
                WorkflowIdConflictPolicy::TerminateExisting => Policy::TerminateFirst(newest.run_id),
                WorkflowIdConflictPolicy::Fail | WorkflowIdConflictPolicy::Unspecified => refuse(format!(
                    "Workflow execution is already running. WorkflowId: {id}, RunId: {run_id}."
                )),
            };
        }
        match reuse {
            WorkflowIdReusePolicy::RejectDuplicate => refuse(format!(
                "Workflow execution already finished. WorkflowId: {id}, RunId: {run_id}. Workflow Id reuse policy: reject \
                 duplicate workflow Id."
            )),
            WorkflowIdReusePolicy::AllowDuplicateFailedOnly
                if matches!(newest.status, Status::Completed | Status::ContinuedAsNew) =>
            {
                refuse(format!(
                    "Workflow execution already finished successfully. WorkflowId: {id}, RunId: {run_id}. Workflow Id reuse \
                     policy: allow duplicate workflow Id if last run failed."
                ))
            }
            _ => Policy::Start,
        }
    }

    /// Terminate the run that has the id, and start the new one in the same transition.
    fn replace(
        &mut self,
        old: RunId,
        place: &Place,
        request: wire::StartWorkflowExecutionRequest,
        reply: Reply<wire::StartWorkflowExecutionResponse>,
    ) {
        let Some(mut run) = self.runs.remove(&old) else {
            // It is not in memory: read it, and come back.
            let input = Input::Replace {
                namespace: place.namespace,
                request: Box::new(request),
                reply,
            };
            return self.deliver(old, place, input);
        };
        let mut turn = Turn::new(self.now_ns().max(run.execution.last_event_time_ns()));
        let reason = "TerminateIfRunning WorkflowIdReusePolicy Policy".to_owned();
        let ended = run
            .execution
            .terminate(&mut turn, reason, None, "history-service".into());
        if let Err(refused) = ended {
            self.runs.insert(old, run);
            // A receiver that has gone needs no answer.
            let _ = reply.send(Err(refuse(refused)));
            return;
        }
        match self.guarded(|shard| shard.changes_of(&mut run, &turn)) {
            Ok(changes) => match self.begin(place, request, reply, changes) {
                Some(ticket) => {
                    // What the old run has to tell waits for the same transition.
                    run.ticket = ticket;
                    self.settle(&mut run, &turn, &mut Tellings::default());
                    self.put_back(run);
                }
                None => {
                    let error = Error::Unavailable(
                        "the execution that was to replace this one could not begin".into(),
                    );
                    self.recover(run, Tellings::default(), &error);
                }
            },
            Err(error) => {
                // A receiver that has gone needs no answer.
                let _ = reply.send(Err(error.clone()));
                self.recover(run, Tellings::default(), &error);
            }
        }
    }

    /// The version that a start asks for (E12).
    fn version_for(
        &self,
        namespace: NamespaceId,
        request: &wire::StartWorkflowExecutionRequest,
    ) -> Result<Arc<Version>, Error> {
        let workflow_type = request.workflow_type.as_ref().map_or("", |t| t.name.as_str());
        let registry = &self.core.registry;
        registry.for_workflow_type(namespace, workflow_type).ok_or_else(|| {
            let types = registry.workflow_types(namespace);
            Error::InvalidArgument(format!(
                "no uploaded module defines the workflow type {workflow_type:?}; known types: {}; upload a component with \
                 `longhaul module upload FILE.wasm`",
                names::known(workflow_type, types.iter().map(String::as_str))
            ))
        })
    }

    /// Begin a run; `changes` belong to the same transition. Answers its ticket; none: nothing was written.
    fn begin(
        &mut self,
        place: &Place,
        request: wire::StartWorkflowExecutionRequest,
        reply: Reply<wire::StartWorkflowExecutionResponse>,
        changes: Vec<Change>,
    ) -> Option<u64> {
        let version = match self.version_for(place.namespace, &request) {
            Ok(version) => version,
            Err(error) => {
                // A receiver that has gone needs no answer.
                let _ = reply.send(Err(error));
                return None;
            }
        };
        if version.compiled().is_none() {
            self.start_when_compiled(place.namespace, version, request, reply);
            return None;
        }
        let (mut run, turn) = self.new_run(place, version, request);
        let before = (self.newest.get(place).cloned(), self.commits.ticket());
        let (mut reply, mut tellings) = (Some(reply), Tellings::default());
        match self.guarded(|shard| shard.first_turn(&mut run, turn, changes, &mut reply, &mut tellings)) {
            Ok(()) => {
                metrics::counter!("longhaul_workflows_started_total").increment(1);
                let ticket = run.ticket;
                self.put_back(run);
                Some(ticket)
            }
            // It was handed over: the run begins, whatever has gone wrong since.
            Err(error) if self.commits.ticket() > before.1 => {
                let ticket = self.commits.ticket();
                self.recover(run, tellings, &error);
                Some(ticket)
            }
            Err(error) => {
                match before.0 {
                    Some(newest) => self.newest.insert(place.clone(), newest),
                    None => self.newest.remove(place),
                };
                self.take_birth_back(run, tellings, &error);
                if let Some(reply) = reply {
                    // A receiver that has gone needs no answer.
                    let _ = reply.send(Err(error));
                }
                None
            }
        }
    }

    fn first_turn(
        &mut self,
        run: &mut Run,
        mut turn: Turn,
        mut extra: Vec<Change>,
        reply: &mut Option<Reply<wire::StartWorkflowExecutionResponse>>,
        tellings: &mut Tellings,
    ) -> Result<(), Error> {
        let run_id = run.run_id;
        if let Some(due_ns) = run.execution.run_expires_ns() {
            let alarm = Alarm {
                run_id,
                kind: Kind::RunTimeout,
                id: 0,
            };
            self.set_stored_alarm(run, due_ns, alarm, &mut extra);
        }
        if let Err(error) = run.make_live(&self.core.logs_of(&run.workflow_id, run_id)) {
            self.park(run, &mut turn, &mut extra, error);
        }
        let newest = Newest {
            run_id,
            status: Status::Running,
            start_request_id: run.start_request_id.clone(),
        };
        self.newest.insert(run.place(), newest);
        self.run_tasks(run, &mut turn, &mut extra, tellings);
        self.start_attempts(run, &mut turn, tellings);
        if let Some(reply) = reply.take() {
            let answer = wire::StartWorkflowExecutionResponse {
                run_id: run_id.to_string(),
                started: true,
                status: Status::Running as i32,
                ..Default::default()
            };
            tellings.answer(reply, Ok(answer));
        }
        self.panic_if_told(run);
        self.conclude_turn(run, turn, extra, tellings)
    }

    fn new_run(
        &self,
        place: &Place,
        version: Arc<Version>,
        request: wire::StartWorkflowExecutionRequest,
    ) -> (Box<Run>, Turn) {
        let run_id = self.core.new_run_id();
        let mut turn = Turn::new(self.now_ns());
        let identity = Identity {
            namespace: request.namespace.as_str().into(),
            workflow_id: place.workflow_id.clone(),
            run_id: run_id.to_string().into(),
        };
        let limit =
            |duration: Option<&time::Duration>| duration.and_then(time::ns_from_duration).unwrap_or(0);
        let default_task_timeout_ns =
            u64::try_from(self.core.options.task_timeout.as_nanos()).unwrap_or(u64::MAX);
        let start = Start {
            workflow_type: request.workflow_type.map(|t| t.name).unwrap_or_default(),
            task_queue: request
                .task_queue
                .map(|queue| queue.name)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| version.record.queue.clone()),
            input: request.input,
            header: request.header,
            execution_timeout_ns: limit(request.workflow_execution_timeout.as_ref()),
            run_timeout_ns: limit(request.workflow_run_timeout.as_ref()),
            task_timeout_ns: Some(limit(request.workflow_task_timeout.as_ref()))
                .filter(|ns| *ns > 0)
                .unwrap_or(default_task_timeout_ns),
            identity: request.identity,
            memo: request.memo,
            search_attributes: request.search_attributes,
            priority: request.priority,
        };
        let execution = Execution::begin(identity, start, &mut turn);
        let run = Run::new(place, run_id, version, request.request_id, execution);
        (Box::new(run), turn)
    }

    /// The type's machine code is not in memory: get it on another thread, and come back.
    fn start_when_compiled(
        &self,
        namespace: NamespaceId,
        version: Arc<Version>,
        request: wire::StartWorkflowExecutionRequest,
        reply: Reply<wire::StartWorkflowExecutionResponse>,
    ) {
        let (core, mailbox) = (self.core.clone(), self.mailbox.clone());
        self.core
            .workers
            .run(Box::new(move || match core.module_now(&version) {
                Ok(_) => {
                    let request = Request::Start {
                        namespace,
                        request: Box::new(request),
                        reply,
                    };
                    mailbox.notice(Notice::Again(request));
                }
                // A receiver that has gone needs no answer.
                Err(error) => drop(reply.send(Err(error))),
            }));
    }
}
