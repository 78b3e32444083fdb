//! The contract's types and Temporal's, into each other.

use std::{collections::HashMap, sync::Arc};

use longhaul_engine::{
    ActivityOptions, Call, CancellationType, ChildCancellationType, ChildOptions, Command, ContinueOptions,
    LocalActivityOptions, Outcome, SignalOptions, Target,
    local::LocalMarker,
    proto::{
        common::v1 as common,
        enums::v1::{
            ApplicationErrorCategory, ParentClosePolicy, RetryState, StartChildWorkflowExecutionFailedCause,
            TimeoutType, WorkflowIdReusePolicy,
        },
        failure::v1::{self as failure, failure::FailureInfo},
    },
};
use longhaul_history::time;
use longhaul_sandbox::{
    self as sandbox,
    wit::{commands, definition, types},
};

/// A payload for the guest. Its metadata is sorted by key, so that a guest sees the same list live and in replay.
pub(crate) fn payload_in(payload: &common::Payload) -> types::Payload {
    let mut metadata: Vec<_> = payload
        .metadata
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    sort(&mut metadata);
    types::Payload {
        metadata,
        data: payload.data.clone(),
    }
}

/// As [`payload_in`], without a copy.
fn payload_into(payload: common::Payload) -> types::Payload {
    let mut metadata: Vec<_> = payload.metadata.into_iter().collect();
    sort(&mut metadata);
    types::Payload {
        metadata,
        data: payload.data,
    }
}

/// Keys are different, so this is one order only. Nearly every payload has one key.
fn sort(metadata: &mut [(String, Vec<u8>)]) {
    metadata.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
}

/// Arguments for the guest.
pub(crate) fn payloads_in(payloads: Option<&common::Payloads>) -> Vec<types::Payload> {
    payloads.map_or_else(Vec::new, |payloads| {
        payloads.payloads.iter().map(payload_in).collect()
    })
}

/// A payload of the guest.
pub(crate) fn payload_out(payload: types::Payload) -> common::Payload {
    common::Payload {
        metadata: payload.metadata.into_iter().collect(),
        data: payload.data,
        external_payloads: Vec::new(),
    }
}

/// Values of the guest.
pub(crate) fn payloads_out(payloads: Vec<types::Payload>) -> common::Payloads {
    common::Payloads {
        payloads: payloads.into_iter().map(payload_out).collect(),
    }
}

/// A header for the guest, sorted by name.
pub(crate) fn header_in(header: Option<&common::Header>) -> types::Header {
    header.map_or_else(Vec::new, |header| fields_in(&header.fields))
}

/// Named payloads for the guest, sorted by name.
pub(crate) fn fields_in(fields: &HashMap<String, common::Payload>) -> Vec<(String, types::Payload)> {
    let mut fields: Vec<_> = fields.iter().map(|(k, v)| (k.clone(), payload_in(v))).collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}

/// A header of the guest.
pub(crate) fn header_out(header: types::Header) -> Option<common::Header> {
    (!header.is_empty()).then(|| common::Header {
        fields: header.into_iter().map(|(k, v)| (k, payload_out(v))).collect(),
    })
}

/// A retry policy for the guest.
pub(crate) fn retry_policy_in(policy: &common::RetryPolicy) -> types::RetryPolicy {
    types::RetryPolicy {
        initial_interval: policy
            .initial_interval
            .as_ref()
            .and_then(time::ns_from_duration)
            .unwrap_or(0),
        backoff_coefficient: policy.backoff_coefficient,
        maximum_interval: policy
            .maximum_interval
            .as_ref()
            .and_then(time::ns_from_duration)
            .unwrap_or(0),
        maximum_attempts: u32::try_from(policy.maximum_attempts).unwrap_or(0),
        non_retryable_error_types: policy.non_retryable_error_types.clone(),
    }
}

fn retry_policy_out(policy: types::RetryPolicy) -> common::RetryPolicy {
    let interval = |ns: u64| (ns > 0).then(|| time::duration_from_ns(ns));
    common::RetryPolicy {
        initial_interval: interval(policy.initial_interval),
        backoff_coefficient: policy.backoff_coefficient,
        maximum_interval: interval(policy.maximum_interval),
        maximum_attempts: i32::try_from(policy.maximum_attempts).unwrap_or(i32::MAX),
        non_retryable_error_types: policy.non_retryable_error_types,
    }
}

/// A failure for the guest: the chain as a list, outermost first.
pub(crate) fn failure_in(failure: &failure::Failure) -> types::Failure {
    let mut chain = Vec::new();
    let mut next = Some(failure);
    while let Some(link) = next {
        chain.push(types::FailureCause {
            message: link.message.clone(),
            source: link.source.clone(),
            stack_trace: link.stack_trace.clone(),
            encoded_attributes: link.encoded_attributes.as_ref().map(payload_in),
            info: info_in(link.failure_info.as_ref()),
        });
        next = link.cause.as_deref();
    }
    chain
}

fn info_in(info: Option<&FailureInfo>) -> types::FailureInfo {
    match info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            types::FailureInfo::Application(types::ApplicationFailure {
                type_: info.r#type.clone(),
                non_retryable: info.non_retryable,
                details: payloads_in(info.details.as_ref()),
                next_retry_delay: info.next_retry_delay.as_ref().and_then(time::ns_from_duration),
                benign: info.category() == ApplicationErrorCategory::Benign,
            })
        }
        Some(FailureInfo::TimeoutFailureInfo(info)) => types::FailureInfo::Timeout(types::TimeoutFailure {
            type_: match info.timeout_type() {
                TimeoutType::ScheduleToStart => types::TimeoutType::ScheduleToStart,
                TimeoutType::ScheduleToClose => types::TimeoutType::ScheduleToClose,
                TimeoutType::Heartbeat => types::TimeoutType::Heartbeat,
                TimeoutType::StartToClose | TimeoutType::Unspecified => types::TimeoutType::StartToClose,
            },
            last_heartbeat_details: payloads_in(info.last_heartbeat_details.as_ref()),
        }),
        Some(FailureInfo::CanceledFailureInfo(info)) => {
            types::FailureInfo::Cancelled(payloads_in(info.details.as_ref()))
        }
        Some(FailureInfo::TerminatedFailureInfo(_)) => types::FailureInfo::Terminated,
        Some(FailureInfo::ServerFailureInfo(info)) => types::FailureInfo::Server(info.non_retryable),
        Some(FailureInfo::ResetWorkflowFailureInfo(info)) => {
            types::FailureInfo::Reset(payloads_in(info.last_heartbeat_details.as_ref()))
        }
        Some(FailureInfo::ActivityFailureInfo(info)) => {
            types::FailureInfo::Activity(types::ActivityFailure {
                scheduled_event_id: info.scheduled_event_id,
                started_event_id: info.started_event_id,
                identity: info.identity.clone(),
                activity_type: info
                    .activity_type
                    .as_ref()
                    .map(|t| t.name.clone())
                    .unwrap_or_default(),
                activity_id: info.activity_id.clone(),
                retry_state: retry_state_in(info.retry_state()),
            })
        }
        Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)) => {
            let execution = info.workflow_execution.clone().unwrap_or_default();
            types::FailureInfo::ChildWorkflow(types::ChildWorkflowFailure {
                namespace: info.namespace.clone(),
                workflow_id: execution.workflow_id,
                run_id: execution.run_id,
                workflow_type: info
                    .workflow_type
                    .as_ref()
                    .map(|t| t.name.clone())
                    .unwrap_or_default(),
                initiated_event_id: info.initiated_event_id,
                started_event_id: info.started_event_id,
                retry_state: retry_state_in(info.retry_state()),
            })
        }
        _ => types::FailureInfo::None,
    }
}

fn retry_state_in(state: RetryState) -> types::RetryState {
    match state {
        RetryState::Unspecified => types::RetryState::Unspecified,
        RetryState::InProgress => types::RetryState::InProgress,
        RetryState::NonRetryableFailure => types::RetryState::NonRetryableFailure,
        RetryState::Timeout => types::RetryState::Timeout,
        RetryState::MaximumAttemptsReached => types::RetryState::MaximumAttemptsReached,
        RetryState::RetryPolicyNotSet => types::RetryState::RetryPolicyNotSet,
        RetryState::InternalServerError => types::RetryState::InternalServerError,
        RetryState::CancelRequested => types::RetryState::CancelRequested,
    }
}

/// A failure of the guest, with no more causes than an event can hold. The contract says that the chain is never empty; an empty one
/// becomes a failure without a text.
pub(crate) fn failure_out(chain: types::Failure) -> failure::Failure {
    chain
        .into_iter()
        .rev()
        .fold(None, |cause: Option<Box<failure::Failure>>, link| {
            Some(Box::new(failure::Failure {
                message: link.message,
                source: link.source,
                stack_trace: link.stack_trace,
                encoded_attributes: link.encoded_attributes.map(payload_out),
                cause,
                failure_info: info_out(link.info),
            }))
        })
        .map_or_else(failure::Failure::default, |failure| {
            longhaul_history::failure::cap(*failure, longhaul_history::failure::MAX_LINKS)
        })
}

fn info_out(info: types::FailureInfo) -> Option<FailureInfo> {
    let some = |payloads: Vec<types::Payload>| (!payloads.is_empty()).then(|| payloads_out(payloads));
    Some(match info {
        types::FailureInfo::None => return None,
        types::FailureInfo::Application(info) => {
            let mut out = failure::ApplicationFailureInfo {
                r#type: info.type_,
                non_retryable: info.non_retryable,
                details: some(info.details),
                next_retry_delay: info.next_retry_delay.map(time::duration_from_ns),
                ..Default::default()
            };
            if info.benign {
                out.set_category(ApplicationErrorCategory::Benign);
            }
            FailureInfo::ApplicationFailureInfo(out)
        }
        types::FailureInfo::Timeout(info) => {
            let mut out = failure::TimeoutFailureInfo {
                last_heartbeat_details: some(info.last_heartbeat_details),
                ..Default::default()
            };
            out.set_timeout_type(match info.type_ {
                types::TimeoutType::StartToClose => TimeoutType::StartToClose,
                types::TimeoutType::ScheduleToStart => TimeoutType::ScheduleToStart,
                types::TimeoutType::ScheduleToClose => TimeoutType::ScheduleToClose,
                types::TimeoutType::Heartbeat => TimeoutType::Heartbeat,
            });
            FailureInfo::TimeoutFailureInfo(out)
        }
        types::FailureInfo::Cancelled(details) => {
            FailureInfo::CanceledFailureInfo(failure::CanceledFailureInfo {
                details: some(details),
                ..Default::default()
            })
        }
        types::FailureInfo::Terminated => {
            FailureInfo::TerminatedFailureInfo(failure::TerminatedFailureInfo::default())
        }
        types::FailureInfo::Server(non_retryable) => {
            FailureInfo::ServerFailureInfo(failure::ServerFailureInfo { non_retryable })
        }
        types::FailureInfo::Reset(details) => {
            FailureInfo::ResetWorkflowFailureInfo(failure::ResetWorkflowFailureInfo {
                last_heartbeat_details: some(details),
            })
        }
        types::FailureInfo::Activity(info) => {
            FailureInfo::ActivityFailureInfo(failure::ActivityFailureInfo {
                scheduled_event_id: info.scheduled_event_id,
                started_event_id: info.started_event_id,
                identity: info.identity,
                activity_type: Some(common::ActivityType {
                    name: info.activity_type,
                }),
                activity_id: info.activity_id,
                retry_state: retry_state_out(info.retry_state) as i32,
            })
        }
        types::FailureInfo::ChildWorkflow(info) => {
            FailureInfo::ChildWorkflowExecutionFailureInfo(failure::ChildWorkflowExecutionFailureInfo {
                namespace: info.namespace,
                workflow_execution: Some(common::WorkflowExecution {
                    workflow_id: info.workflow_id,
                    run_id: info.run_id,
                }),
                workflow_type: Some(common::WorkflowType {
                    name: info.workflow_type,
                }),
                initiated_event_id: info.initiated_event_id,
                started_event_id: info.started_event_id,
                retry_state: retry_state_out(info.retry_state) as i32,
            })
        }
    })
}

fn retry_state_out(state: types::RetryState) -> RetryState {
    match state {
        types::RetryState::Unspecified => RetryState::Unspecified,
        types::RetryState::InProgress => RetryState::InProgress,
        types::RetryState::NonRetryableFailure => RetryState::NonRetryableFailure,
        types::RetryState::Timeout => RetryState::Timeout,
        types::RetryState::MaximumAttemptsReached => RetryState::MaximumAttemptsReached,
        types::RetryState::RetryPolicyNotSet => RetryState::RetryPolicyNotSet,
        types::RetryState::InternalServerError => RetryState::InternalServerError,
        types::RetryState::CancelRequested => RetryState::CancelRequested,
    }
}

/// An outcome for the guest.
pub(crate) fn outcome_in(outcome: Outcome) -> definition::Outcome {
    match outcome {
        Outcome::Completed(payloads) => {
            definition::Outcome::Completed(payloads.payloads.into_iter().map(payload_into).collect())
        }
        Outcome::Failed(failure) => definition::Outcome::Failed(failure_in(&failure)),
        Outcome::Cancelled(failure) => definition::Outcome::Cancelled(failure_in(&failure)),
        Outcome::TimedOut(failure) => definition::Outcome::TimedOut(failure_in(&failure)),
        Outcome::Backoff {
            attempt,
            delay_ns,
            original_schedule_ns,
        } => definition::Outcome::Backoff(definition::Backoff {
            attempt,
            delay: delay_ns,
            original_schedule_time: original_schedule_ns,
        }),
        Outcome::ChildStarted { run_id } => definition::Outcome::ChildStarted(run_id),
        Outcome::ChildStartFailed {
            workflow_id,
            workflow_type,
            cause,
        } => definition::Outcome::ChildStartFailed(definition::ChildStartFailure {
            workflow_id,
            workflow_type,
            cause: match cause {
                StartChildWorkflowExecutionFailedCause::NamespaceNotFound => {
                    definition::ChildStartFailedCause::NamespaceNotFound
                }
                // The contract knows no other reason, and a child whose start fails for one is as little there.
                StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists
                | StartChildWorkflowExecutionFailedCause::InvalidVersioningOverride
                | StartChildWorkflowExecutionFailedCause::Unspecified => {
                    definition::ChildStartFailedCause::WorkflowAlreadyExists
                }
            },
        }),
    }
}

/// A command of the guest. `Err`: the guest fails its task. `round` is the round of its task, and counts each side effect.
pub(crate) fn command_out(issued: sandbox::Issued, round: &mut u64) -> Result<Call, Box<failure::Failure>> {
    use sandbox::Command as C;
    let command = match issued.command {
        C::StartTimer {
            seq,
            duration,
            summary,
        } => Command::StartTimer {
            seq,
            duration_ns: duration,
            summary,
        },
        C::CancelTimer { seq } => Command::CancelTimer { seq },
        C::ScheduleActivity { seq, options } => Command::ScheduleActivity {
            seq,
            options: Box::new(activity_out(options)),
        },
        C::CancelActivity { seq } => Command::CancelActivity { seq },
        C::CompleteUpdate { id, outcome } => Command::CompleteUpdate {
            id,
            outcome: outcome
                .map(payloads_out)
                .map_err(|failure| Box::new(failure_out(failure))),
        },
        C::Complete { output } => Command::Complete(payloads_out(output)),
        C::Fail { failure } => Command::Fail(Box::new(failure_out(failure))),
        C::Cancelled { details } => Command::Cancelled(payloads_out(details)),
        C::FailTask { failure } => return Err(Box::new(failure_out(failure))),
        C::SetCurrentDetails { details } => Command::SetCurrentDetails(details),
        C::ScheduleLocalActivity { seq, options } => Command::ScheduleLocalActivity {
            seq,
            options: Arc::new(local_activity_out(options)),
        },
        C::CancelLocalActivity { seq } => Command::CancelLocalActivity { seq },
        C::StartChild { seq, options } => Command::StartChild {
            seq,
            options: Box::new(child_out(options)),
        },
        C::CancelChild { seq, reason } => Command::CancelChild { seq, reason },
        C::SignalChild {
            seq,
            child,
            name,
            input,
            header,
        } => Command::SignalChild {
            seq,
            child,
            signal: Box::new(signal_out(name, input, header)),
        },
        C::SignalExternal {
            seq,
            target,
            name,
            input,
            header,
        } => Command::SignalExternal {
            seq,
            target: target_out(target),
            signal: Box::new(signal_out(name, input, header)),
        },
        C::CancelSignalExternal { seq } => Command::CancelSignalExternal { seq },
        C::CancelExternal { seq, target, reason } => Command::CancelExternal {
            seq,
            target: target_out(target),
            reason,
        },
        C::Patched { id, deprecated } => Command::Patched { id, deprecated },
        C::SideEffect {
            seq,
            value,
            summary,
            time_ns,
        } => {
            *round += 1;
            let marker = LocalMarker::of_side_effect(seq, payload_out(value), summary, time_ns, *round);
            Command::SideEffect(Box::new(marker))
        }
        C::UpsertMemo { fields } => Command::UpsertMemo(fields_out(fields)),
        C::UpsertSearchAttributes { attributes } => Command::UpsertSearchAttributes(fields_out(attributes)),
        C::ContinueAsNew { options } => Command::ContinueAsNew(Box::new(continue_out(options))),
    };
    Ok(Call {
        index: Some(issued.index),
        command,
    })
}

fn local_activity_out(options: commands::LocalActivityOptions) -> LocalActivityOptions {
    LocalActivityOptions {
        activity_type: options.activity_type,
        activity_id: options.activity_id,
        input: payloads_out(options.input),
        header: header_out(options.header),
        schedule_to_close_ns: options.schedule_to_close,
        schedule_to_start_ns: options.schedule_to_start,
        start_to_close_ns: options.start_to_close,
        retry_policy: options.retry_policy.map(retry_policy_out),
        cancellation_type: cancellation_type_out(options.cancellation_type),
        local_retry_threshold_ns: options.local_retry_threshold,
        attempt: options.attempt,
        original_schedule_ns: options.original_schedule_time,
        summary: options.summary,
    }
}

fn cancellation_type_out(cancellation_type: commands::ActivityCancellationType) -> CancellationType {
    match cancellation_type {
        commands::ActivityCancellationType::TryCancel => CancellationType::TryCancel,
        commands::ActivityCancellationType::WaitCancellationCompleted => CancellationType::WaitCompleted,
        commands::ActivityCancellationType::Abandon => CancellationType::Abandon,
    }
}

fn activity_out(options: commands::ActivityOptions) -> ActivityOptions {
    ActivityOptions {
        activity_type: options.activity_type,
        activity_id: options.activity_id,
        task_queue: options.task_queue,
        input: payloads_out(options.input),
        header: header_out(options.header),
        schedule_to_close_ns: options.schedule_to_close,
        schedule_to_start_ns: options.schedule_to_start,
        start_to_close_ns: options.start_to_close,
        heartbeat_ns: options.heartbeat,
        retry_policy: options.retry_policy.map(retry_policy_out),
        cancellation_type: cancellation_type_out(options.cancellation_type),
        summary: options.summary,
    }
}

fn child_out(options: commands::ChildOptions) -> ChildOptions {
    ChildOptions {
        workflow_type: options.workflow_type,
        workflow_id: options.workflow_id,
        task_queue: options.task_queue,
        input: payloads_out(options.input),
        header: header_out(options.header),
        memo: memo_out(options.memo),
        search_attributes: search_attributes_out(options.search_attributes),
        execution_timeout_ns: options.execution_timeout,
        run_timeout_ns: options.run_timeout,
        task_timeout_ns: options.task_timeout,
        id_reuse_policy: match options.id_reuse_policy {
            commands::IdReusePolicy::AllowDuplicate => WorkflowIdReusePolicy::AllowDuplicate,
            commands::IdReusePolicy::AllowDuplicateFailedOnly => {
                WorkflowIdReusePolicy::AllowDuplicateFailedOnly
            }
            commands::IdReusePolicy::RejectDuplicate => WorkflowIdReusePolicy::RejectDuplicate,
        },
        retry_policy: options.retry_policy.map(retry_policy_out),
        cron_schedule: options.cron_schedule,
        parent_close_policy: match options.parent_close_policy {
            commands::ParentClosePolicy::Terminate => ParentClosePolicy::Terminate,
            commands::ParentClosePolicy::Abandon => ParentClosePolicy::Abandon,
            commands::ParentClosePolicy::RequestCancel => ParentClosePolicy::RequestCancel,
        },
        cancellation_type: match options.cancellation_type {
            commands::ChildCancellationType::Abandon => ChildCancellationType::Abandon,
            commands::ChildCancellationType::TryCancel => ChildCancellationType::TryCancel,
            commands::ChildCancellationType::WaitCancellationCompleted => {
                ChildCancellationType::WaitCompleted
            }
            commands::ChildCancellationType::WaitCancellationRequested => {
                ChildCancellationType::WaitRequested
            }
        },
        summary: options.summary,
    }
}

fn signal_out(name: String, input: types::Payloads, header: types::Header) -> SignalOptions {
    SignalOptions {
        name,
        input: payloads_out(input),
        header: header_out(header),
    }
}

fn target_out(target: commands::ExternalExecution) -> Target {
    Target {
        workflow_id: target.workflow_id,
        run_id: target.run_id.filter(|run_id| !run_id.is_empty()),
    }
}

fn continue_out(options: commands::ContinueAsNewOptions) -> ContinueOptions {
    ContinueOptions {
        workflow_type: options.workflow_type,
        task_queue: options.task_queue,
        input: payloads_out(options.input),
        header: header_out(options.header),
        run_timeout_ns: options.run_timeout,
        task_timeout_ns: options.task_timeout,
        // Given and empty is not the same as carried over.
        memo: options.memo.map(|memo| memo_out(memo).unwrap_or_default()),
        search_attributes: options
            .search_attributes
            .map(|attributes| search_attributes_out(attributes).unwrap_or_default()),
        retry_policy: options.retry_policy.map(retry_policy_out),
    }
}

fn memo_out(fields: Vec<(String, types::Payload)>) -> Option<common::Memo> {
    (!fields.is_empty()).then(|| common::Memo {
        fields: named_out(fields),
    })
}

fn search_attributes_out(attributes: Vec<(String, types::Payload)>) -> Option<common::SearchAttributes> {
    (!attributes.is_empty()).then(|| common::SearchAttributes {
        indexed_fields: named_out(attributes),
    })
}

fn named_out(fields: Vec<(String, types::Payload)>) -> HashMap<String, common::Payload> {
    fields
        .into_iter()
        .map(|(name, value)| (name, payload_out(value)))
        .collect()
}

fn fields_out(fields: Vec<(String, Option<types::Payload>)>) -> Vec<(String, Option<common::Payload>)> {
    fields
        .into_iter()
        .map(|(name, value)| (name, value.map(payload_out)))
        .collect()
}
