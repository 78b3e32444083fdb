//! `activity pause`, `unpause`, `reset` and `update-options`.

use std::time::Duration;

use crate::{
    Error, Output,
    args::{Format, Global, Target, duration},
    client::Client,
    json,
    proto::{
        activity::v1::ActivityOptions,
        common::v1::RetryPolicy,
        taskqueue::v1::TaskQueue,
        workflowservice::v1::{
            self as wire, pause_activity_request, reset_activity_request, unpause_activity_request,
            update_activity_options_request,
        },
    },
};

/// Names one pending activity, or all of a type.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct OneOrType {
    /// Id of the activity
    #[arg(long, short = 'a', value_name = "ID")]
    activity_id: Option<String>,
    /// All pending activities of this type
    #[arg(long, value_name = "TYPE")]
    activity_type: Option<String>,
}

/// Names one pending activity, all of a type, or all.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Selected {
    /// Id of the activity
    #[arg(long, short = 'a', value_name = "ID")]
    activity_id: Option<String>,
    /// All pending activities of this type
    #[arg(long, value_name = "TYPE")]
    activity_type: Option<String>,
    /// All pending activities
    #[arg(long, alias = "unpause-all")]
    match_all: bool,
}

impl OneOrType {
    /// As a request says it, by the variants of its own for an id and for a type.
    fn named<A>(self, id: fn(String) -> A, of_type: fn(String) -> A) -> Option<A> {
        self.activity_id
            .map(id)
            .or_else(|| self.activity_type.map(of_type))
    }
}

impl Selected {
    /// As [`OneOrType::named`], with the variant for all.
    fn named<A>(self, id: fn(String) -> A, of_type: fn(String) -> A, all: fn(bool) -> A) -> Option<A> {
        let Self {
            activity_id,
            activity_type,
            match_all,
        } = self;
        let one_or_type = OneOrType {
            activity_id,
            activity_type,
        };
        one_or_type
            .named(id, of_type)
            .or_else(|| match_all.then(|| all(true)))
    }
}

/// Pause an activity
///
/// No attempt of it starts until it is unpaused. One that runs may end, and hears of it with its next heartbeat.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul activity pause -w order-1 --activity-id 1 --reason 'the bank is down'
  longhaul activity pause -w order-1 --activity-type charge")]
pub(crate) struct Pause {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    activity: OneOrType,
    /// Why; `workflow describe` shows it
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
    /// Who wants it [default: this user]
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
}

/// Let a paused activity go on
///
/// What waits for its next attempt starts at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul activity unpause -w order-1 --activity-id 1
  longhaul activity unpause -w order-1 --match-all --reset-attempts")]
pub(crate) struct Unpause {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    activity: Selected,
    /// Count attempts from 1
    #[arg(long)]
    reset_attempts: bool,
    /// Forget the details of the last heartbeat
    #[arg(long)]
    reset_heartbeats: bool,
    /// Start at a random time within this span, for example 30s
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    jitter: Option<Duration>,
}

/// Let an activity begin anew, with its first attempt
///
/// What waits starts at once. An attempt that runs may end; if another follows, it is the first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul activity reset -w order-1 --activity-id 1
  longhaul activity reset -w order-1 --match-all --keep-paused --reset-heartbeats")]
pub(crate) struct Reset {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    activity: Selected,
    /// What is paused stays so
    #[arg(long)]
    keep_paused: bool,
    /// Forget the details of the last heartbeat
    #[arg(long)]
    reset_heartbeats: bool,
    /// Back to the options that the workflow has asked for
    #[arg(long)]
    restore_original_options: bool,
    /// Start at a random time within this span, for example 30s
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    jitter: Option<Duration>,
}

/// Change the options of a pending activity
///
/// What is not named stays as it is. Prints the options as they are then.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul activity update-options -w order-1 --activity-id 1 --start-to-close-timeout 5m
  longhaul activity update-options -w order-1 --activity-type charge --task-queue bank-2 --retry-maximum-attempts 20
  longhaul activity update-options -w order-1 --activity-id 1 --restore-original-options")]
pub(crate) struct UpdateOptions {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    activity: Selected,
    #[command(flatten)]
    options: Options,
    /// Back to the options that the workflow has asked for
    #[arg(long, conflicts_with = "Options", required_unless_present = "Options")]
    restore_original_options: bool,
    /// Who wants it [default: this user]
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
}

/// Options that can be changed.
#[derive(Debug, clap::Args)]
#[group(id = "Options", multiple = true)]
struct Options {
    /// Queue whose workers may run it
    #[arg(long, short = 't', value_name = "QUEUE")]
    task_queue: Option<String>,
    /// Limit of all attempts together; 0s: none
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    schedule_to_close_timeout: Option<Duration>,
    /// Limit of the wait for a worker; 0s: none
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    schedule_to_start_timeout: Option<Duration>,
    /// Limit of one attempt; 0s: none
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    start_to_close_timeout: Option<Duration>,
    /// Longest time between two heartbeats; 0s: none are needed
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    heartbeat_timeout: Option<Duration>,
    /// Wait before the second attempt
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    retry_initial_interval: Option<Duration>,
    /// Longest wait between two attempts
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    retry_maximum_interval: Option<Duration>,
    /// Each wait is the last one times this; at least 1
    #[arg(long, value_name = "NUMBER")]
    retry_backoff_coefficient: Option<f64>,
    /// Attempts in all; 0: no limit
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    retry_maximum_attempts: Option<i32>,
}

pub(crate) async fn pause(args: Pause, global: &Global, output: &mut Output) -> Result<(), Error> {
    use pause_activity_request::Activity;
    let mut client = Client::connect(global).await?;
    let request = wire::PauseActivityRequest {
        namespace: client.namespace.clone(),
        execution: Some(args.target.execution()),
        identity: args.identity.unwrap_or_else(|| client.identity.clone()),
        activity: args.activity.named(Activity::Id, Activity::Type),
        reason: args.reason,
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    client.pause_activity(request).await?;
    output.note("Activity paused");
    Ok(())
}

pub(crate) async fn unpause(args: Unpause, global: &Global, output: &mut Output) -> Result<(), Error> {
    use unpause_activity_request::Activity;
    let mut client = Client::connect(global).await?;
    let request = wire::UnpauseActivityRequest {
        namespace: client.namespace.clone(),
        execution: Some(args.target.execution()),
        identity: client.identity.clone(),
        activity: args
            .activity
            .named(Activity::Id, Activity::Type, Activity::UnpauseAll),
        reset_attempts: args.reset_attempts,
        reset_heartbeat: args.reset_heartbeats,
        jitter: args.jitter.map(span),
    };
    client.unpause_activity(request).await?;
    output.note("Activity unpaused");
    Ok(())
}

pub(crate) async fn reset(args: Reset, global: &Global, output: &mut Output) -> Result<(), Error> {
    use reset_activity_request::Activity;
    let mut client = Client::connect(global).await?;
    let request = wire::ResetActivityRequest {
        namespace: client.namespace.clone(),
        execution: Some(args.target.execution()),
        identity: client.identity.clone(),
        activity: args
            .activity
            .named(Activity::Id, Activity::Type, Activity::MatchAll),
        reset_heartbeat: args.reset_heartbeats,
        keep_paused: args.keep_paused,
        jitter: args.jitter.map(span),
        restore_original_options: args.restore_original_options,
    };
    client.reset_activity(request).await?;
    output.note("Activity reset");
    Ok(())
}

pub(crate) async fn update_options(
    args: UpdateOptions,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    use update_activity_options_request::Activity;
    let mut client = Client::connect(global).await?;
    let (options, paths) = args.options.changes();
    let request = wire::UpdateActivityOptionsRequest {
        namespace: client.namespace.clone(),
        execution: Some(args.target.execution()),
        identity: args.identity.unwrap_or_else(|| client.identity.clone()),
        activity: args
            .activity
            .named(Activity::Id, Activity::Type, Activity::MatchAll),
        activity_options: (!args.restore_original_options).then_some(options),
        update_mask: (!paths.is_empty()).then_some(prost_wkt_types::FieldMask { paths }),
        restore_original: args.restore_original_options,
    };
    let updated = client.update_activity_options(request).await?;
    match output.format() {
        Format::Json => output.json(&json::message(&updated.activity_options.unwrap_or_default())?),
        _ => {
            let options = updated.activity_options.unwrap_or_default();
            let policy = options.retry_policy.clone().unwrap_or_default();
            let limit = crate::output::span;
            output.card(
                0,
                &[
                    (
                        "Task queue",
                        options.task_queue.map(|queue| queue.name).unwrap_or_default(),
                    ),
                    ("Schedule to close", limit(options.schedule_to_close_timeout)),
                    ("Schedule to start", limit(options.schedule_to_start_timeout)),
                    ("Start to close", limit(options.start_to_close_timeout)),
                    ("Heartbeat", limit(options.heartbeat_timeout)),
                    ("Initial interval", limit(policy.initial_interval)),
                    ("Maximum interval", limit(policy.maximum_interval)),
                    ("Coefficient", policy.backoff_coefficient.to_string()),
                    ("Maximum attempts", policy.maximum_attempts.to_string()),
                ],
            )
        }
    }
}

impl Options {
    /// What is to change, and the paths of it.
    fn changes(self) -> (ActivityOptions, Vec<String>) {
        let mut paths = Vec::new();
        let mut path = |is_set: bool, path: &str| {
            if is_set {
                paths.push(path.to_owned());
            }
        };
        path(self.task_queue.is_some(), "task_queue.name");
        path(
            self.schedule_to_close_timeout.is_some(),
            "schedule_to_close_timeout",
        );
        path(
            self.schedule_to_start_timeout.is_some(),
            "schedule_to_start_timeout",
        );
        path(self.start_to_close_timeout.is_some(), "start_to_close_timeout");
        path(self.heartbeat_timeout.is_some(), "heartbeat_timeout");
        path(
            self.retry_initial_interval.is_some(),
            "retry_policy.initial_interval",
        );
        path(
            self.retry_maximum_interval.is_some(),
            "retry_policy.maximum_interval",
        );
        path(
            self.retry_backoff_coefficient.is_some(),
            "retry_policy.backoff_coefficient",
        );
        path(
            self.retry_maximum_attempts.is_some(),
            "retry_policy.maximum_attempts",
        );
        let options = ActivityOptions {
            task_queue: self.task_queue.map(|name| TaskQueue {
                name,
                ..Default::default()
            }),
            schedule_to_close_timeout: self.schedule_to_close_timeout.map(span),
            schedule_to_start_timeout: self.schedule_to_start_timeout.map(span),
            start_to_close_timeout: self.start_to_close_timeout.map(span),
            heartbeat_timeout: self.heartbeat_timeout.map(span),
            retry_policy: Some(RetryPolicy {
                initial_interval: self.retry_initial_interval.map(span),
                maximum_interval: self.retry_maximum_interval.map(span),
                backoff_coefficient: self.retry_backoff_coefficient.unwrap_or_default(),
                maximum_attempts: self.retry_maximum_attempts.unwrap_or_default(),
                ..Default::default()
            }),
            ..Default::default()
        };
        (options, paths)
    }
}

/// As the wire has it.
fn span(duration: Duration) -> prost_wkt_types::Duration {
    prost_wkt_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        // Below 10^9, so it always fits.
        nanos: duration.subsec_nanos() as i32,
    }
}
