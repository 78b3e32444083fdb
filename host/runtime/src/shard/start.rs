//! Executions begin (E1, E12, S8, U9).

use std::sync::Arc;

use longhaul_engine::{
    Status, Turn,
    execution::Start,
    outgoing::{Answer, Failed},
    proto::{
        enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
        workflowservice::v1 as wire,
    },
};
use longhaul_history::time;
use longhaul_store::{Change, NamespaceId, RunId};

use super::{
    Newest, Place, Shard,
    beginning::{Beginning, Started, With},
    message::{Input, Notice, Request},
    run::Run,
    turn::{Tellings, check_signal, refuse},
};
use crate::{Error, names, registry::Version};

/// What to do about the execution that has the id now.
enum Policy {
    Start,
    /// Its message goes to that run.
    Attach(RunId),
    Answer(Result<Started, Error>),
    TerminateFirst(RunId),
    /// The closed run may know the update.
    Recall(RunId),
}

/// A run that can begin: nothing of it is known outside yet.
struct Prepared {
    run: Box<Run>,
    turn: Turn,
    extra: Vec<Change>,
    tellings: Tellings,
}

impl Shard {
    pub(super) fn start(&mut self, beginning: Beginning) {
        if let With::Parent { delivery } = &beginning.with
            && delivery.envelope.is_gone()
        {
            // The parent has taken it back while the code was made ready; where it was reset, its new run has sent another.
            return;
        }
        let place = beginning.place();
        let policy = match self.newest(&place) {
            Ok(None) => Policy::Start,
            Ok(Some(newest)) => policy(&beginning, &newest),
            Err(error) => Policy::Answer(Err(error)),
        };
        match policy {
            Policy::Start => {
                self.begin(beginning, None);
            }
            // The old run ends only when the new one can begin.
            Policy::TerminateFirst(run_id) => self.replace(run_id, beginning),
            // What came with the start goes to the run that has the id.
            Policy::Attach(run_id) => self.deliver(run_id, &place, Input::Attach(beginning)),
            Policy::Recall(run_id) => self.deliver(run_id, &place, Input::Recall(beginning)),
            Policy::Answer(answer) => self.answer_start(&place, beginning.with, answer),
        }
    }

    /// Nothing begins: the answer waits for what it was read from.
    fn answer_start(&mut self, place: &Place, with: With, answer: Result<Started, Error>) {
        let newest = self.newest(place).ok().flatten();
        let ticket = newest
            .and_then(|newest| self.runs.get(&newest.run_id))
            .map_or(0, |run| run.ticket);
        let mut tellings = Tellings::default();
        match (with, answer) {
            (With::Nothing(reply) | With::Signal { reply, .. }, answer) => tellings.answer(reply, answer),
            (With::Parent { delivery }, Ok(started)) => {
                tellings.reply(delivery.reply, Answer::started(started.run_id.to_string()));
            }
            (With::Parent { delivery }, Err(Error::AlreadyStarted { .. })) => {
                tellings.reply(delivery.reply, Answer::refused(Failed::AlreadyExists));
            }
            // What an update finds is told by the run itself.
            (with @ With::Update { .. }, Ok(_)) => {
                with.refuse(Error::Internal("an update was not delivered".into()));
            }
            (with, Err(error)) => tellings.later(move |written| {
                with.refuse(written.err().unwrap_or(error));
            }),
        }
        for held in tellings.0 {
            self.hold(ticket, held);
        }
    }

    /// Terminate the run that has the id, and start the new one in the same transition.
    fn replace(&mut self, old: RunId, beginning: Beginning) {
        let place = beginning.place();
        match self.version_for(place.namespace, beginning.workflow_type()) {
            Ok(version) if version.compiled().is_none() => {
                return self.start_when_compiled(version, beginning);
            }
            Ok(_) => {}
            Err(error) => return self.refuse_start(beginning, error),
        }
        if !self.runs.contains_key(&old) {
            // It is not in memory: read it, and come back.
            return self.deliver(old, &place, Input::Replace(beginning));
        }
        self.begin(beginning, Some(old));
    }

    /// The version that a start asks for (E12).
    pub(super) fn version_for(
        &self,
        namespace: NamespaceId,
        workflow_type: &str,
    ) -> Result<Arc<Version>, Error> {
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

    /// A type that is gone holds a child back until there is a module for it; anybody else is told.
    fn refuse_start(&mut self, beginning: Beginning, error: Error) {
        match beginning.with {
            With::Parent { ref delivery } => {
                tracing::warn!(workflow_id = %beginning.request.workflow_id, "a child waits: {error}");
                let envelope = delivery.envelope.clone();
                self.wait_for_type(&envelope, beginning);
            }
            with => with.refuse(error),
        }
    }

    /// Begin a run, and with it, in the same transition, end the one that has the id.
    fn begin(&mut self, beginning: Beginning, terminate: Option<RunId>) {
        let place = beginning.place();
        let version = match self.version_for(place.namespace, beginning.workflow_type()) {
            Ok(version) => version,
            Err(error) => return self.refuse_start(beginning, error),
        };
        if version.compiled().is_none() {
            return self.start_when_compiled(version, beginning);
        }
        if let Some(error) = refused_with(&version, &beginning) {
            return beginning.with.refuse(error);
        }
        let Some(prepared) = self.prepare(&place, version, beginning) else {
            return;
        };
        match terminate {
            None => {
                self.launch(prepared);
            }
            Some(old) => self.launch_instead_of(old, prepared),
        }
    }

    fn launch_instead_of(&mut self, old: RunId, mut prepared: Prepared) {
        let Some(mut run) = self.runs.remove(&old) else {
            return prepared
                .tellings
                .fail(&Error::Internal(format!("run {old} has left the memory")));
        };
        let before = self.commits.ticket();
        let mut turn = self.turn_of(&run);
        let ended = self.guarded(|shard| {
            let mut changes = Vec::new();
            shard.give_up_for_good(&mut run, &mut turn, &mut changes);
            let reason = "TerminateIfRunning WorkflowIdReusePolicy Policy".to_owned();
            run.execution
                .terminate(&mut turn, reason, None, "history-service".into())
                .map_err(refuse)?;
            changes.extend(shard.changes_of(&mut run, &turn)?);
            Ok(changes)
        });
        let written = match ended {
            Ok(changes) => {
                // The old run's end stands first: two cannot be open at once.
                prepared.extra.splice(0..0, changes);
                self.launch(prepared).ok_or_else(|| {
                    Error::Unavailable("the execution that was to replace this one could not begin".into())
                })
            }
            Err(error) => {
                prepared.tellings.fail(&error);
                Err(error)
            }
        };
        let settled = written.and_then(|ticket| {
            self.guarded(|shard| {
                // What the old run has to tell waits for the same transition.
                run.ticket = ticket;
                shard.settle(&mut run, &turn, &mut Tellings::default());
                Ok(())
            })
        });
        match settled {
            Ok(()) => self.put_back_to_tell(run),
            Err(error) => self.lose(run, Tellings::default(), before, &error),
        }
    }

    /// A run with its first events; none: what comes with it was refused, and its sender knows.
    fn prepare(&mut self, place: &Place, version: Arc<Version>, beginning: Beginning) -> Option<Prepared> {
        let Beginning { request, with, .. } = beginning;
        let request_id = request.request_id.clone();
        let start = self.start_of(&version, *request, &with);
        if let Err(bad) = start.check() {
            with.refuse(Error::InvalidArgument(bad.to_string()));
            return None;
        }
        let (mut run, mut turn) = self.new_run(place, self.core.new_run_id(), version, request_id, start);
        let mut tellings = Tellings::default();
        let mut extra = Vec::new();
        let started = Started {
            run_id: run.run_id,
            started: true,
            status: Status::Running,
        };
        match with {
            With::Nothing(reply) => tellings.answer(reply, Ok(started)),
            With::Signal { signal, reply } => match self.take_signal(&mut run, &mut turn, *signal) {
                Ok(()) => tellings.answer(reply, Ok(started)),
                Err(error) => {
                    // A receiver that has gone needs no answer.
                    let _ = reply.send(Err(error));
                    return None;
                }
            },
            With::Update { update, reply, .. } => {
                let taken =
                    run.execution
                        .admit_update(&mut turn, (*update).clone(), &self.core.options.limits);
                if let Err(refused) = taken {
                    // As above.
                    let _ = reply.send(Err(refuse(refused)));
                    return None;
                }
                let id = update.meta.map(|meta| meta.update_id).unwrap_or_default();
                self.find_update(&mut run, &mut tellings, &id, reply, true);
            }
            With::Parent { delivery } => {
                let answer = Answer::started(run.run_id.to_string());
                self.remember(&run, &mut extra, &mut tellings, *delivery, answer);
            }
        }
        Some(Prepared {
            run,
            turn,
            extra,
            tellings,
        })
    }

    /// The first turn of a run. Answers its ticket; none: nothing was written.
    fn launch(&mut self, prepared: Prepared) -> Option<u64> {
        let Prepared {
            mut run,
            turn,
            extra,
            mut tellings,
        } = prepared;
        let before = self.before_birth(&run.place());
        match self.guarded(|shard| shard.first_turn(&mut run, turn, extra, &mut tellings)) {
            Ok(()) => {
                metrics::counter!("longhaul_workflows_started_total").increment(1);
                let ticket = run.ticket;
                self.put_back(run);
                Some(ticket)
            }
            Err(error) => self.lose_birth(run, tellings, before, &error),
        }
    }

    fn first_turn(
        &mut self,
        run: &mut Run,
        mut turn: Turn,
        mut extra: Vec<Change>,
        tellings: &mut Tellings,
    ) -> Result<(), Error> {
        self.arm_run(run, &mut extra);
        if let Err(error) = run.make_live(&self.core.logs_of(&run.workflow_id, run.run_id)) {
            self.park(run, &mut turn, &mut extra, error);
        }
        self.newest.insert(run.place(), Newest::of(run));
        self.run_tasks(run, &mut turn, &mut extra, tellings);
        self.start_attempts(run, &mut turn, tellings);
        self.conclude_turn(run, turn, extra, tellings)
    }

    /// What a run starts with.
    fn start_of(
        &self,
        version: &Version,
        request: wire::StartWorkflowExecutionRequest,
        with: &With,
    ) -> Start {
        let limit =
            |duration: Option<&time::Duration>| duration.and_then(time::ns_from_duration).unwrap_or(0);
        let task_timeout_ns = u64::try_from(self.core.options.task_timeout.as_nanos()).unwrap_or(u64::MAX);
        let mut start = match with {
            With::Parent { delivery } => {
                let start = delivery.envelope.letter.child_start(task_timeout_ns);
                // It came here because it starts a child.
                start.unwrap_or_default()
            }
            _ => Start {
                workflow_type: request.workflow_type.map(|t| t.name).unwrap_or_default(),
                task_queue: request.task_queue.map(|queue| queue.name).unwrap_or_default(),
                input: request.input,
                header: request.header,
                execution_timeout_ns: limit(request.workflow_execution_timeout.as_ref()),
                run_timeout_ns: limit(request.workflow_run_timeout.as_ref()),
                task_timeout_ns: Some(limit(request.workflow_task_timeout.as_ref()))
                    .filter(|ns| *ns > 0)
                    .unwrap_or(task_timeout_ns),
                identity: request.identity,
                memo: request.memo,
                search_attributes: request.search_attributes,
                priority: request.priority,
                retry_policy: request.retry_policy,
                cron_schedule: request.cron_schedule,
                first_task_backoff_ns: limit(request.workflow_start_delay.as_ref()),
                last_failure: request.continued_failure,
                last_completion_result: request.last_completion_result,
                user_metadata: request.user_metadata,
                ..Start::default()
            },
        };
        if start.task_queue.is_empty() {
            start.task_queue.clone_from(&version.record.queue);
        }
        start
    }

    /// The type's machine code is not in memory: get it on another thread, and come back.
    fn start_when_compiled(&self, version: Arc<Version>, beginning: Beginning) {
        // All but the shard's own.
        let waiting = Arc::strong_count(&self.compiling) - 1;
        if waiting >= self.core.options.mailbox_capacity {
            return beginning.with.refuse(Error::ResourceExhausted(format!(
                "{waiting} starts wait for code to be compiled already; try again in a moment"
            )));
        }
        let (core, mailbox, compiling) = (self.core.clone(), self.mailbox.clone(), self.compiling.clone());
        self.core.workers.run(Box::new(move || {
            match core.module_now(&version) {
                Ok(_) => mailbox.notice(Notice::Again(Request::Start(beginning))),
                Err(error) => beginning.with.refuse(error),
            }
            drop(compiling);
        }));
    }
}

fn policy(beginning: &Beginning, newest: &Newest) -> Policy {
    let request = &beginning.request;
    let run_id = newest.run_id;
    let running = newest.status == Status::Running;
    let known = |started| {
        Policy::Answer(Ok(Started {
            // E1: the run that the request has started, which may have continued as new.
            run_id: if started { newest.first_run_id } else { run_id },
            started,
            status: newest.status,
        }))
    };
    let carries = matches!(beginning.with, With::Signal { .. } | With::Update { .. });
    if !request.request_id.is_empty() && request.request_id == newest.start_request_id {
        return match &beginning.with {
            // Sent again: the message's own id says whether it is known already.
            With::Signal { .. } | With::Update { .. } if running => Policy::Attach(run_id),
            With::Update { asked: None, .. } => Policy::Recall(run_id),
            With::Update { .. } => Policy::Start,
            With::Nothing(_) | With::Signal { .. } | With::Parent { .. } => known(true),
        };
    }
    let refuse = |message: String| {
        Policy::Answer(Err(Error::AlreadyStarted {
            message,
            start_request_id: newest.start_request_id.clone(),
            run_id: run_id.to_string(),
        }))
    };
    let id = &request.workflow_id;
    let reuse = request.workflow_id_reuse_policy();
    if let Some(policy) = reset_child(&beginning.with, newest) {
        return policy;
    }
    if running {
        let terminate_if_running = {
            #[expect(
                deprecated,
                reason = "old clients still send it, and Temporal's server still serves it"
            )]
            let policy = WorkflowIdReusePolicy::TerminateIfRunning;
            reuse == policy
        };
        return match request.workflow_id_conflict_policy() {
            _ if terminate_if_running => Policy::TerminateFirst(run_id),
            WorkflowIdConflictPolicy::UseExisting if carries => Policy::Attach(run_id),
            WorkflowIdConflictPolicy::UseExisting => known(false),
            WorkflowIdConflictPolicy::TerminateExisting => Policy::TerminateFirst(run_id),
            WorkflowIdConflictPolicy::Unspecified if matches!(beginning.with, With::Signal { .. }) => {
                Policy::Attach(run_id)
            }
            WorkflowIdConflictPolicy::Fail | WorkflowIdConflictPolicy::Unspecified => refuse(format!(
                "Workflow execution is already running. WorkflowId: {id}, RunId: {run_id}."
            )),
        };
    }
    if let With::Update { asked, .. } = &beginning.with
        && *asked != Some(run_id)
    {
        return Policy::Recall(run_id);
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

/// A parent that was reset starts its children again. One from before the reset is the same child if the same event has started it,
/// also if it has ended since: its end goes to the parent's newest run. One that runs is replaced if another event has started it.
fn reset_child(with: &With, newest: &Newest) -> Option<Policy> {
    let With::Parent { delivery } = with else {
        return None;
    };
    let (child, parent) = (delivery.child()?, newest.parent.as_ref()?);
    if child.initiated_event_id == parent.initiated_event_id && child.bases.contains(&parent.run_id) {
        return Some(Policy::Answer(Ok(Started {
            run_id: newest.first_run_id,
            started: false,
            status: newest.status,
        })));
    }
    let replaced = newest.is_open() && delivery.envelope.letter.sender_bases.contains(&parent.run_id);
    replaced.then_some(Policy::TerminateFirst(newest.run_id))
}

/// Why what comes with a start cannot be taken by the type that it starts (S7).
fn refused_with(version: &Version, beginning: &Beginning) -> Option<Error> {
    match &beginning.with {
        With::Signal { signal, .. } => {
            check_signal(version, beginning.workflow_type(), &signal.signal_name).err()
        }
        With::Nothing(_) | With::Update { .. } | With::Parent { .. } => None,
    }
}
