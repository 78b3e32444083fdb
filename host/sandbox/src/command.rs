//! Commands: what a workflow asks of the world, collected while an activation runs.

use crate::side_effect;
use crate::state::{Phase, State};
use crate::trap::Refusal;
use crate::wit::commands::{
    ActivityOptions, ChildOptions, ContinueAsNewOptions, ExternalExecution, Host, LocalActivityOptions,
};
use crate::wit::types::{Duration, Failure, FailureCause, FailureInfo, Header, Payload, Payloads};

/// One command of an activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    /// Which call of a command import it was within its activation, from 0: for
    /// [`trap_at_command`](crate::Instance::trap_at_command).
    pub index: u32,
    /// What was asked for.
    pub command: Command,
}

/// A command, as the contract's interface `commands` describes it.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "the fields are the parameters of the contract's functions and are described there"
)]
pub enum Command {
    /// Run an activity.
    ScheduleActivity { seq: u32, options: ActivityOptions },
    /// Cancel an activity.
    CancelActivity { seq: u32 },
    /// Run an activity inside the workflow task.
    ScheduleLocalActivity { seq: u32, options: LocalActivityOptions },
    /// Cancel a local activity.
    CancelLocalActivity { seq: u32 },
    /// Start a timer.
    StartTimer {
        seq: u32,
        duration: Duration,
        summary: Option<String>,
    },
    /// Cancel a timer.
    CancelTimer { seq: u32 },
    /// Start a child workflow.
    StartChild { seq: u32, options: ChildOptions },
    /// Cancel a child workflow.
    CancelChild { seq: u32, reason: String },
    /// Signal a child of this run.
    SignalChild {
        seq: u32,
        child: u32,
        name: String,
        input: Payloads,
        header: Header,
    },
    /// Signal another execution.
    SignalExternal {
        seq: u32,
        target: ExternalExecution,
        name: String,
        input: Payloads,
        header: Header,
    },
    /// Give a signal up that is not delivered yet.
    CancelSignalExternal { seq: u32 },
    /// Request the cancellation of another execution.
    CancelExternal {
        seq: u32,
        target: ExternalExecution,
        reason: String,
    },
    /// The run takes the new side of a change: issued at the first `patched` of this id that is true.
    Patched { id: String, deprecated: bool },
    /// A side effect has its value: issued when history had it or the guest has made it, at `time_ns` of the workflow's time.
    SideEffect {
        seq: u32,
        value: Payload,
        summary: Option<String>,
        time_ns: u64,
    },
    /// Set or remove memo fields.
    UpsertMemo { fields: Vec<(String, Option<Payload>)> },
    /// Set or remove search attributes.
    UpsertSearchAttributes {
        attributes: Vec<(String, Option<Payload>)>,
    },
    /// A text about the present state.
    SetCurrentDetails { details: String },
    /// An update has ended.
    CompleteUpdate {
        id: String,
        outcome: Result<Payloads, Failure>,
    },
    /// The workflow has completed.
    Complete { output: Payloads },
    /// The workflow has failed.
    Fail { failure: Failure },
    /// The workflow goes on as a new run.
    ContinueAsNew { options: ContinueAsNewOptions },
    /// The workflow has ended because it was cancelled.
    Cancelled { details: Payloads },
    /// The workflow task has failed, not the workflow. Nothing follows it in its activation.
    FailTask { failure: Failure },
}

impl Command {
    /// About how many bytes the host keeps for it.
    fn bytes(&self) -> usize {
        let payload = |p: &Payload| {
            p.data.len()
                + p.metadata
                    .iter()
                    .map(|(k, v)| k.len() + v.len() + size_of::<(String, Vec<u8>)>())
                    .sum::<usize>()
        };
        let list = |l: &[Payload]| l.iter().map(|p| payload(p) + size_of::<Payload>()).sum::<usize>();
        let named = |l: &[(String, Payload)]| l.iter().map(|(k, p)| k.len() + payload(p)).sum::<usize>();
        let options = |l: &[(String, Option<Payload>)]| {
            l.iter()
                .map(|(k, p)| k.len() + p.as_ref().map_or(0, payload))
                .sum::<usize>()
        };
        let failure = |f: &Failure| {
            f.iter()
                .map(|c: &FailureCause| {
                    let details = match &c.info {
                        FailureInfo::Application(a) => a.type_.len() + list(&a.details),
                        FailureInfo::Timeout(t) => list(&t.last_heartbeat_details),
                        FailureInfo::Cancelled(d) | FailureInfo::Reset(d) => list(d),
                        _ => 0,
                    };
                    let hidden = c.encoded_attributes.as_ref().map_or(0, payload);
                    c.message.len()
                        + c.stack_trace.len()
                        + c.source.len()
                        + hidden
                        + details
                        + size_of::<FailureCause>()
                })
                .sum::<usize>()
        };
        size_of::<Issued>()
            + match self {
                Self::ScheduleActivity { options: o, .. } => {
                    o.activity_type.len()
                        + list(&o.input)
                        + named(&o.header)
                        + text(&o.summary)
                        + text(&o.activity_id)
                }
                Self::ScheduleLocalActivity { options: o, .. } => {
                    o.activity_type.len()
                        + list(&o.input)
                        + named(&o.header)
                        + text(&o.summary)
                        + text(&o.activity_id)
                }
                Self::StartTimer { summary, .. } => text(summary),
                Self::StartChild { options: o, .. } => {
                    o.workflow_type.len()
                        + o.workflow_id.len()
                        + list(&o.input)
                        + named(&o.header)
                        + named(&o.memo)
                        + named(&o.search_attributes)
                        + text(&o.summary)
                }
                Self::CancelChild { reason, .. } | Self::CancelExternal { reason, .. } => reason.len(),
                Self::SignalChild {
                    name, input, header, ..
                }
                | Self::SignalExternal {
                    name, input, header, ..
                } => name.len() + list(input) + named(header),
                Self::Patched { id, .. } => id.len(),
                Self::SideEffect { value, summary, .. } => payload(value) + text(summary),
                Self::UpsertMemo { fields: f } | Self::UpsertSearchAttributes { attributes: f } => options(f),
                Self::SetCurrentDetails { details } => details.len(),
                Self::CompleteUpdate { id, outcome } => {
                    id.len() + outcome.as_ref().map_or_else(failure, |p| list(p))
                }
                Self::Complete { output: p } | Self::Cancelled { details: p } => list(p),
                Self::Fail { failure: f } | Self::FailTask { failure: f } => failure(f),
                Self::ContinueAsNew { options: o } => {
                    list(&o.input)
                        + named(&o.header)
                        + o.memo.as_deref().map_or(0, named)
                        + o.search_attributes.as_deref().map_or(0, named)
                }
                Self::CancelActivity { .. }
                | Self::CancelLocalActivity { .. }
                | Self::CancelTimer { .. }
                | Self::CancelSignalExternal { .. } => 0,
            }
    }
}

fn text(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

impl State {
    /// A command import is called: may it be, and is this the call to stop at? Returns the call's index.
    fn enter_command(&mut self, name: &'static str) -> wasmtime::Result<u32> {
        let why = match self.phase {
            Phase::Deliver => None,
            Phase::Start if name == "fail-task" => None,
            Phase::Start => {
                Some("`start` only constructs state; issue commands in the workflow's `run`".to_owned())
            }
            Phase::Read(call) => Some(format!(
                "`{call}` is read-only; what changes the workflow stands in `run`, or in the handler of a signal or an update"
            )),
            Phase::Prepare | Phase::Mark => {
                Some("commands are allowed in `signal`, `update` and `advance` only".to_owned())
            }
        };
        if let Some(why) = why {
            return Err(Refusal::call(format!("commands.{name}"), why));
        }
        self.side_effects.check(name)?;
        let index = self.activation.calls;
        self.activation.calls += 1;
        if self.activation.trap_at == Some(index) {
            return Err(wasmtime::Error::new(Refusal::AtCommand(index)));
        }
        Ok(index)
    }

    fn keep(&mut self, name: &'static str, index: u32, command: Command) -> wasmtime::Result<()> {
        if self.activation.task_failed {
            return Ok(());
        }
        self.activation.bytes = self.activation.bytes.saturating_add(command.bytes());
        let (count_max, bytes_max) = (self.options.commands_max, self.options.command_bytes_max);
        if self.activation.issued.len() >= count_max || self.activation.bytes > bytes_max {
            let why = format!(
                "one activation may issue {count_max} commands of {bytes_max} bytes together; wait in between"
            );
            return Err(Refusal::call(format!("commands.{name}"), why));
        }
        self.activation.issued.push(Issued { index, command });
        Ok(())
    }

    fn made(&self, seq: u32, value: Payload, summary: Option<String>) -> Command {
        Command::SideEffect {
            seq,
            value,
            summary,
            time_ns: self.task.now_ns,
        }
    }

    fn issue(&mut self, name: &'static str, command: Command) -> wasmtime::Result<()> {
        let index = self.enter_command(name)?;
        self.keep(name, index, command)
    }
}

impl Host for State {
    fn schedule_activity(&mut self, seq: u32, options: ActivityOptions) -> wasmtime::Result<()> {
        self.issue("schedule-activity", Command::ScheduleActivity { seq, options })
    }

    fn cancel_activity(&mut self, seq: u32) -> wasmtime::Result<()> {
        self.issue("cancel-activity", Command::CancelActivity { seq })
    }

    fn schedule_local_activity(&mut self, seq: u32, options: LocalActivityOptions) -> wasmtime::Result<()> {
        self.issue(
            "schedule-local-activity",
            Command::ScheduleLocalActivity { seq, options },
        )
    }

    fn cancel_local_activity(&mut self, seq: u32) -> wasmtime::Result<()> {
        self.issue("cancel-local-activity", Command::CancelLocalActivity { seq })
    }

    fn start_timer(&mut self, seq: u32, duration: Duration, summary: Option<String>) -> wasmtime::Result<()> {
        self.issue(
            "start-timer",
            Command::StartTimer {
                seq,
                duration,
                summary,
            },
        )
    }

    fn cancel_timer(&mut self, seq: u32) -> wasmtime::Result<()> {
        self.issue("cancel-timer", Command::CancelTimer { seq })
    }

    fn start_child(&mut self, seq: u32, options: ChildOptions) -> wasmtime::Result<()> {
        self.issue("start-child", Command::StartChild { seq, options })
    }

    fn cancel_child(&mut self, seq: u32, reason: String) -> wasmtime::Result<()> {
        self.issue("cancel-child", Command::CancelChild { seq, reason })
    }

    fn signal_child(
        &mut self,
        seq: u32,
        child: u32,
        name: String,
        input: Payloads,
        header: Header,
    ) -> wasmtime::Result<()> {
        self.issue(
            "signal-child",
            Command::SignalChild {
                seq,
                child,
                name,
                input,
                header,
            },
        )
    }

    fn signal_external(
        &mut self,
        seq: u32,
        target: ExternalExecution,
        name: String,
        input: Payloads,
        header: Header,
    ) -> wasmtime::Result<()> {
        self.issue(
            "signal-external",
            Command::SignalExternal {
                seq,
                target,
                name,
                input,
                header,
            },
        )
    }

    fn cancel_signal_external(&mut self, seq: u32) -> wasmtime::Result<()> {
        self.issue("cancel-signal-external", Command::CancelSignalExternal { seq })
    }

    fn cancel_external(
        &mut self,
        seq: u32,
        target: ExternalExecution,
        reason: String,
    ) -> wasmtime::Result<()> {
        self.issue("cancel-external", Command::CancelExternal { seq, target, reason })
    }

    fn patched(&mut self, id: String, deprecated: bool) -> wasmtime::Result<bool> {
        let index = self.enter_command("patched")?;
        if let Some(answer) = self.patches.answered.get(&id) {
            return Ok(*answer);
        }
        let answer = !self.task.replaying || self.patches.known.contains(&id);
        if answer {
            self.keep(
                "patched",
                index,
                Command::Patched {
                    id: id.clone(),
                    deprecated,
                },
            )?;
        }
        self.patches.answered.insert(id, answer);
        Ok(answer)
    }

    fn side_effect(&mut self, seq: u32) -> wasmtime::Result<Option<Payload>> {
        let index = self.enter_command(side_effect::BEGIN)?;
        let Some(value) = self.side_effects.recorded.remove(&seq) else {
            self.side_effects.begin(seq, &mut self.random);
            return Ok(None);
        };
        let command = self.made(seq, value.clone(), None);
        self.keep(side_effect::BEGIN, index, command)?;
        Ok(Some(value))
    }

    fn record_side_effect(
        &mut self,
        seq: u32,
        value: Payload,
        summary: Option<String>,
    ) -> wasmtime::Result<()> {
        let index = self.enter_command(side_effect::END)?;
        self.side_effects.end(seq, &mut self.random)?;
        let command = self.made(seq, value, summary);
        self.keep(side_effect::END, index, command)
    }

    fn upsert_memo(&mut self, fields: Vec<(String, Option<Payload>)>) -> wasmtime::Result<()> {
        let values = fields.clone();
        self.issue("upsert-memo", Command::UpsertMemo { fields })?;
        upsert(std::sync::Arc::make_mut(&mut self.memo), values);
        Ok(())
    }

    fn upsert_search_attributes(
        &mut self,
        attributes: Vec<(String, Option<Payload>)>,
    ) -> wasmtime::Result<()> {
        let values = attributes.clone();
        self.issue(
            "upsert-search-attributes",
            Command::UpsertSearchAttributes { attributes },
        )?;
        upsert(std::sync::Arc::make_mut(&mut self.search_attributes), values);
        Ok(())
    }

    fn set_current_details(&mut self, details: String) -> wasmtime::Result<()> {
        self.issue("set-current-details", Command::SetCurrentDetails { details })
    }

    fn complete_update(&mut self, id: String, outcome: Result<Payloads, Failure>) -> wasmtime::Result<()> {
        self.issue("complete-update", Command::CompleteUpdate { id, outcome })
    }

    fn complete(&mut self, output: Payloads) -> wasmtime::Result<()> {
        self.issue("complete", Command::Complete { output })
    }

    fn fail(&mut self, failure: Failure) -> wasmtime::Result<()> {
        self.issue("fail", Command::Fail { failure })
    }

    fn continue_as_new(&mut self, options: ContinueAsNewOptions) -> wasmtime::Result<()> {
        self.issue("continue-as-new", Command::ContinueAsNew { options })
    }

    fn cancelled(&mut self, details: Payloads) -> wasmtime::Result<()> {
        self.issue("cancelled", Command::Cancelled { details })
    }

    fn fail_task(&mut self, failure: Failure) -> wasmtime::Result<()> {
        self.issue("fail-task", Command::FailTask { failure })?;
        self.activation.task_failed = true;
        Ok(())
    }
}

fn upsert(fields: &mut crate::state::Fields, values: Vec<(String, Option<Payload>)>) {
    for (key, value) in values {
        match value {
            Some(value) => fields.insert(key, value),
            None => fields.remove(&key),
        };
    }
}
