//! What no command may ask for: it fails the workflow task.

use longhaul_history::{limits::MAX_ID_CHARS, proto::common::v1 as common};
use prost::Message;

use crate::{
    ActivityOptions, ChildOptions, ContinueOptions, LocalActivityOptions, SignalOptions, Target, Violation,
    command::summary_payload, cron, execution::Limits, local::LocalMarker, retry,
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
    if !options.timeouts().end_attempts() {
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
    if let Some(queue) = &options.task_queue {
        if queue.is_empty() {
            return Err(bad(
                "its task queue has no name: name one, or leave it out to use the workflow's own",
            ));
        }
        if queue.chars().count() > MAX_ID_CHARS {
            return Err(too_long("task queue"));
        }
    }
    if let Some(policy) = options.retry_policy.as_ref().filter(|_| !limits.accepted_before) {
        retry::check(policy).map_err(|why| bad(&format!("its retry policy is not valid: {why}")))?;
    }
    let of = |part: &str| format!("the {part} of activity {:?} (seq {seq})", options.activity_type);
    check_size(|| of("input"), &options.input, limits)?;
    check_header(|| of("header"), options.header.as_ref(), limits)?;
    check_summary(|| of("summary"), options.summary.as_deref(), limits)
}

pub(super) fn check_local_activity(
    seq: u32,
    options: &LocalActivityOptions,
    limits: &Limits,
) -> Result<(), Violation> {
    let bad = |why: String| Violation::BadActivity {
        activity_type: excerpt(&options.activity_type),
        seq,
        why,
    };
    if options.activity_type.is_empty() {
        return Err(bad("it has no type".into()));
    }
    let set = |limit: Option<u64>| limit.is_some_and(|ns| ns > 0);
    if !set(options.schedule_to_close_ns) && !set(options.start_to_close_ns) {
        let why = "set schedule-to-close or start-to-close: one of the two limits is required";
        return Err(bad(why.into()));
    }
    let id = options.activity_id.as_deref().unwrap_or("");
    for (what, text) in [("type", options.activity_type.as_str()), ("id", id)] {
        if text.chars().count() > MAX_ID_CHARS {
            return Err(bad(format!("its {what} has more than {MAX_ID_CHARS} characters")));
        }
    }
    let of = |part: &str| {
        format!(
            "the {part} of local activity {:?} (seq {seq})",
            options.activity_type
        )
    };
    check_size(|| of("input"), &options.input, limits)?;
    check_header(|| of("header"), options.header.as_ref(), limits)?;
    check_summary(|| of("summary"), options.summary.as_deref(), limits)
}

/// Its value counts like the result of a local activity.
pub(super) fn check_side_effect(marker: &LocalMarker, limits: &Limits) -> Result<(), Violation> {
    let of = |part: &str| format!("the {part} of side effect {}", marker.seq);
    if let Ok(value) = &marker.result {
        check_size(|| of("value"), value, limits)?;
    }
    check_summary(|| of("summary"), marker.summary.as_deref(), limits)
}

/// A timer has nothing else that could be too large.
pub(super) fn check_timer(seq: u32, summary: Option<&str>, limits: &Limits) -> Result<(), Violation> {
    check_summary(|| format!("the summary of timer {seq}"), summary, limits)
}

pub(super) fn check_size(
    what: impl FnOnce() -> String,
    message: &impl Message,
    limits: &Limits,
) -> Result<(), Violation> {
    check_bytes(what, message.encoded_len(), limits.history.payload_bytes)
}

/// A header counts like arguments, as it does where a client sends it.
fn check_header(
    what: impl FnOnce() -> String,
    header: Option<&common::Header>,
    limits: &Limits,
) -> Result<(), Violation> {
    header.map_or(Ok(()), |header| check_size(what, header, limits))
}

/// A summary is measured as the payload that its event holds.
fn check_summary(
    what: impl FnOnce() -> String,
    summary: Option<&str>,
    limits: &Limits,
) -> Result<(), Violation> {
    let Some(summary) = summary else { return Ok(()) };
    let size = summary_payload(summary).encoded_len();
    check_bytes(what, size, limits.history.summary_bytes)
}

/// Search attributes count like a memo, as they do where a client sends them.
fn check_search_attributes(
    what: impl FnOnce() -> String,
    attributes: Option<&common::SearchAttributes>,
    limits: &Limits,
) -> Result<(), Violation> {
    let size = attributes.map_or(0, Message::encoded_len);
    check_bytes(what, size, limits.history.memo_bytes)
}

/// Why something is cancelled: text that the other execution's history takes, so it counts like arguments.
pub(super) fn check_reason(
    what: impl FnOnce() -> String,
    reason: &str,
    limits: &Limits,
) -> Result<(), Violation> {
    check_bytes(what, reason.len(), limits.history.payload_bytes)
}

fn check_bytes(what: impl FnOnce() -> String, size: usize, limit: usize) -> Result<(), Violation> {
    if size > limit {
        return Err(Violation::TooLarge {
            what: what(),
            size,
            limit,
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
    let of = |part: &str| format!("{part} of child workflow {:?} (seq {seq})", options.workflow_id);
    let attributes = options.search_attributes.as_ref();
    check_search_attributes(|| of("the search attributes"), attributes, limits)?;
    check_size(|| of("the input"), &options.input, limits)?;
    check_header(|| of("the header"), options.header.as_ref(), limits)?;
    check_summary(|| of("the summary"), options.summary.as_deref(), limits)
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
    let of = |part: &str| {
        format!(
            "the {part} of signal {:?} to workflow {:?} (seq {seq})",
            signal.name, target.workflow_id
        )
    };
    check_size(|| of("input"), &signal.input, limits)?;
    check_header(|| of("header"), signal.header.as_ref(), limits)
}

pub(super) fn check_cancel(
    seq: u32,
    target: &Target,
    reason: &str,
    limits: &Limits,
) -> Result<(), Violation> {
    check_target(target).map_err(|why| Violation::BadCancel {
        workflow_id: excerpt(&target.workflow_id),
        seq,
        why,
    })?;
    let what = || {
        format!(
            "the reason for cancelling workflow {:?} (seq {seq})",
            target.workflow_id
        )
    };
    check_reason(what, reason, limits)
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
    let of = |part: &str| format!("the {part} of the next run");
    let attributes = options.search_attributes.as_ref();
    check_search_attributes(|| of("search attributes"), attributes, limits)?;
    check_size(|| of("input"), &options.input, limits)?;
    check_header(|| of("header"), options.header.as_ref(), limits)
}

pub(super) fn check_memo(
    fields: &[(String, Option<common::Payload>)],
    limits: &Limits,
) -> Result<(), Violation> {
    for (name, _) in fields {
        check_name("name of a memo field", name).map_err(Violation::BadMemo)?;
    }
    let size = fields_bytes(fields);
    let limit = limits.history.memo_bytes;
    if size > limit {
        return Err(Violation::BadMemo(format!(
            "the fields have {size} bytes; the limit is {limit} bytes"
        )));
    }
    Ok(())
}

pub(super) fn check_upserted(
    attributes: &[(String, Option<common::Payload>)],
    limits: &Limits,
) -> Result<(), Violation> {
    for (name, _) in attributes {
        check_name("name of a search attribute", name).map_err(Violation::BadSearchAttributes)?;
    }
    let what = || "what is upserted of the search attributes".to_owned();
    check_bytes(what, fields_bytes(attributes), limits.history.memo_bytes)
}

fn fields_bytes(fields: &[(String, Option<common::Payload>)]) -> usize {
    let bytes =
        |(name, value): &(String, Option<_>)| name.len() + value.as_ref().map_or(0, Message::encoded_len);
    fields.iter().map(bytes).sum()
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
