//! What no command may ask for: it fails the workflow task.

use longhaul_history::{limits::MAX_ID_CHARS, proto::common::v1 as common};
use prost::Message;

use crate::{
    ActivityOptions, ChildOptions, ContinueOptions, SignalOptions, Target, Violation, cron,
    execution::Limits, retry,
};

/// Characters of a name that an error quotes.
const EXCERPT_CHARS: usize = 100;

pub(super) fn check_activity(seq: u32, options: &ActivityOptions, limits: &Limits) -> Result<(), Violation> {
    let bad = |why: &str| Violation::BadActivity {
        activity_type: excerpt(&options.activity_type),
        seq,
        why: why.to_owned(),
    };
    if options.activity_type.is_empty() {
        return Err(bad("it has no type"));
    }
    let set = |limit: Option<u64>| limit.is_some_and(|ns| ns > 0);
    if !set(options.schedule_to_close_ns) && !set(options.start_to_close_ns) {
        return Err(bad(
            "set schedule-to-close or start-to-close: one of the two limits is required",
        ));
    }
    let too_long = |what: &str| Violation::BadActivity {
        activity_type: excerpt(&options.activity_type),
        seq,
        why: format!("its {what} has more than {} characters", MAX_ID_CHARS),
    };
    if options.activity_type.chars().count() > MAX_ID_CHARS {
        return Err(too_long("type"));
    }
    if options
        .activity_id
        .as_ref()
        .is_some_and(|id| id.chars().count() > MAX_ID_CHARS)
    {
        return Err(too_long("id"));
    }
    check_size(
        || format!("the input of activity {:?} (seq {seq})", options.activity_type),
        &options.input,
        limits,
    )
}

pub(super) fn check_size(
    what: impl FnOnce() -> String,
    message: &impl Message,
    limits: &Limits,
) -> Result<(), Violation> {
    let size = message.encoded_len();
    if size > limits.history.payload_bytes {
        return Err(Violation::TooLarge {
            what: what(),
            size,
            limit: limits.history.payload_bytes,
        });
    }
    Ok(())
}

pub(super) fn check_child(seq: u32, options: &ChildOptions, limits: &Limits) -> Result<(), Violation> {
    let bad = |why: String| Violation::BadChild {
        workflow_id: excerpt(&options.workflow_id),
        seq,
        why,
    };
    check_name("workflow id", &options.workflow_id).map_err(bad)?;
    check_name("workflow type", &options.workflow_type).map_err(bad)?;
    if let Some(queue) = &options.task_queue {
        check_name("task queue", queue).map_err(bad)?;
    }
    if let Some(policy) = &options.retry_policy {
        retry::check(policy).map_err(|why| bad(format!("the retry policy is not valid: {why}")))?;
    }
    if let Some(schedule) = options
        .cron_schedule
        .as_deref()
        .filter(|schedule| !schedule.is_empty())
    {
        cron::Schedule::parse(schedule).map_err(|why| bad(why.to_string()))?;
    }
    if let Some(memo) = &options.memo {
        limits
            .history
            .check_memo(memo)
            .map_err(|why| bad(why.to_string()))?;
    }
    check_size(
        || {
            format!(
                "the input of child workflow {:?} (seq {seq})",
                options.workflow_id
            )
        },
        &options.input,
        limits,
    )
}

pub(super) fn check_signal(
    seq: u32,
    target: &Target,
    signal: &SignalOptions,
    limits: &Limits,
) -> Result<(), Violation> {
    let bad = |why: String| Violation::BadSignal {
        name: excerpt(&signal.name),
        workflow_id: excerpt(&target.workflow_id),
        seq,
        why,
    };
    check_name("signal name", &signal.name).map_err(bad)?;
    check_target(target).map_err(bad)?;
    check_size(
        || {
            format!(
                "the input of signal {:?} to workflow {:?} (seq {seq})",
                signal.name, target.workflow_id
            )
        },
        &signal.input,
        limits,
    )
}

pub(super) fn check_cancel(seq: u32, target: &Target) -> Result<(), Violation> {
    check_target(target).map_err(|why| Violation::BadCancel {
        workflow_id: excerpt(&target.workflow_id),
        seq,
        why,
    })
}

fn check_target(target: &Target) -> Result<(), String> {
    check_name("workflow id", &target.workflow_id)?;
    match &target.run_id {
        Some(run_id) if !is_uuid(run_id) => Err(format!("{run_id:?} is no run id: it is not a UUID")),
        _ => Ok(()),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

pub(super) fn check_continue(options: &ContinueOptions, limits: &Limits) -> Result<(), Violation> {
    if let Some(workflow_type) = &options.workflow_type {
        check_name("workflow type", workflow_type).map_err(Violation::BadContinue)?;
    }
    if let Some(queue) = &options.task_queue {
        check_name("task queue", queue).map_err(Violation::BadContinue)?;
    }
    if let Some(policy) = &options.retry_policy {
        retry::check(policy)
            .map_err(|why| Violation::BadContinue(format!("the retry policy is not valid: {why}")))?;
    }
    if let Some(memo) = &options.memo {
        limits
            .history
            .check_memo(memo)
            .map_err(|why| Violation::BadContinue(why.to_string()))?;
    }
    check_size(|| "the input of the next run".into(), &options.input, limits)
}

pub(super) fn check_memo(
    fields: &[(String, Option<common::Payload>)],
    limits: &Limits,
) -> Result<(), Violation> {
    for (name, _) in fields {
        check_name("name of a memo field", name).map_err(Violation::BadMemo)?;
    }
    let size: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.as_ref().map_or(0, Message::encoded_len))
        .sum();
    let limit = limits.history.memo_bytes;
    if size > limit {
        return Err(Violation::BadMemo(format!(
            "the fields have {size} bytes; the limit is {limit} bytes"
        )));
    }
    Ok(())
}

pub(super) fn check_patch(id: &str) -> Result<(), Violation> {
    check_name("patch id", id).map_err(Violation::BadPatch)
}

/// A name as an error quotes it: one that is too long would hide why it was refused.
fn excerpt(name: &str) -> String {
    match name.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("the {what} is empty"));
    }
    if name.chars().count() > MAX_ID_CHARS {
        return Err(format!("the {what} has more than {MAX_ID_CHARS} characters"));
    }
    Ok(())
}
