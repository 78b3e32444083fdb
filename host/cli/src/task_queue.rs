//! `longhaul task-queue`: what is set for a task queue.

use clap::{Subcommand, ValueEnum};

use crate::{
    Error, Output,
    args::{Format, Global},
    client::Client,
    json, output,
    proto::{
        enums::v1::{RateLimitSource, TaskQueueType},
        taskqueue::v1::{ConfigMetadata, RateLimit, TaskQueue, TaskQueueConfig},
        workflowservice::v1::{
            self as wire, describe_task_queue_response::EffectiveRateLimit,
            update_task_queue_config_request::RateLimitUpdate,
        },
    },
};

/// Limit how fast a task queue hands out activities
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  longhaul task-queue config set -t billing --queue-rps-limit 5 --queue-rps-limit-reason 'the bank is slow'
  longhaul task-queue config get -t billing
  longhaul task-queue config set -t billing --queue-rps-limit default")]
pub(crate) struct Args {
    #[command(subcommand)]
    group: Group,
}

#[derive(Debug, Subcommand)]
enum Group {
    /// See and change what is set for a task queue
    #[command(subcommand, subcommand_required = true, arg_required_else_help = true)]
    Config(Verb),
}

#[derive(Debug, Subcommand)]
enum Verb {
    Get(Get),
    Set(Set),
}

/// Names a task queue.
#[derive(Debug, clap::Args)]
struct Named {
    /// Name of the task queue
    #[arg(long, short = 't', value_name = "QUEUE")]
    task_queue: String,
    /// What it is for: activity or workflow. Only task queues of activities have settings
    #[arg(long, value_enum, default_value_t = Kind::Activity, hide_possible_values = true, value_name = "TYPE")]
    task_queue_type: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Activity,
    Workflow,
}

impl Kind {
    fn on_the_wire(self) -> i32 {
        let kind = match self {
            Self::Activity => TaskQueueType::Activity,
            Self::Workflow => TaskQueueType::Workflow,
        };
        kind as i32
    }
}

/// Show what is set for a task queue, and which limit holds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul task-queue config get -t billing
  longhaul task-queue config get -t billing -o json | jq .queueRateLimit.rateLimit.requestsPerSecond")]
pub(crate) struct Get {
    #[command(flatten)]
    queue: Named,
}

/// Set or unset the rate limit of a task queue
///
/// The limit holds for all workers of the queue together, and with them for what modules serve within the server; it is stronger than the
/// rate that workers ask for themselves, and stays until it is unset, over restarts of the server as well. Prints what is set then.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul task-queue config set -t billing --queue-rps-limit 5 --queue-rps-limit-reason 'the bank is slow'
  longhaul task-queue config set -t billing --queue-rps-limit 0        Hand out nothing for now
  longhaul task-queue config set -t billing --queue-rps-limit default  As the workers ask")]
pub(crate) struct Set {
    #[command(flatten)]
    queue: Named,
    /// Attempts that are handed out in a second at most; `default`: as many as the workers ask for
    #[arg(long, value_parser = rate, allow_hyphen_values = true, value_name = "NUMBER")]
    queue_rps_limit: Rate,
    /// Why; `task-queue config get` shows it
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    queue_rps_limit_reason: String,
    /// Who wants it [default: this user]
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
}

/// A rate, or that there is to be none.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate(Option<f32>);

/// Why a text is no [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 0 on, or `default` for what the workers ask for")]
struct InvalidRate;

fn rate(text: &str) -> Result<Rate, InvalidRate> {
    if text.eq_ignore_ascii_case("default") {
        return Ok(Rate(None));
    }
    match text.parse::<f32>() {
        Ok(rate) if rate.is_finite() && rate >= 0.0 => Ok(Rate(Some(rate))),
        _ => Err(InvalidRate),
    }
}

pub(crate) async fn execute(args: Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    let Group::Config(verb) = args.group;
    match verb {
        Verb::Get(args) => get(args, global, output).await,
        Verb::Set(args) => set(args, global, output).await,
    }
}

async fn get(args: Get, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let request = wire::DescribeTaskQueueRequest {
        namespace: client.namespace.clone(),
        task_queue: Some(TaskQueue {
            name: args.queue.task_queue,
            ..Default::default()
        }),
        task_queue_type: args.queue.task_queue_type.on_the_wire(),
        report_config: true,
        ..Default::default()
    };
    let described = client.describe_task_queue(request).await?;
    let config = described.config.unwrap_or_default();
    if output.format() == Format::Json {
        return output.json(&json::message(&config)?);
    }
    show(config, described.effective_rate_limit.as_ref(), output)
}

async fn set(args: Set, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let Rate(rate) = args.queue_rps_limit;
    let request = wire::UpdateTaskQueueConfigRequest {
        namespace: client.namespace.clone(),
        identity: args.identity.unwrap_or_else(|| client.identity.clone()),
        task_queue: args.queue.task_queue,
        task_queue_type: args.queue.task_queue_type.on_the_wire(),
        update_queue_rate_limit: Some(RateLimitUpdate {
            rate_limit: rate.map(|requests_per_second| RateLimit { requests_per_second }),
            reason: args.queue_rps_limit_reason,
        }),
        ..Default::default()
    };
    let answer = client.update_task_queue_config(request).await?;
    if output.format() == Format::Json {
        return output.json(&json::message(&answer)?);
    }
    output.note("Task queue configured");
    if rate == Some(0.0) {
        output.note("No worker gets an activity from this task queue until its limit is changed");
    }
    show(answer.config.unwrap_or_default(), None, output)
}

/// For people. `effective`: the limit that holds, where that is known.
fn show(
    config: TaskQueueConfig,
    effective: Option<&EffectiveRateLimit>,
    output: &mut Output,
) -> Result<(), Error> {
    let set = config.queue_rate_limit.unwrap_or_default();
    let rate = set
        .rate_limit
        .map_or_else(|| "not set".into(), |limit| a_second(limit.requests_per_second));
    let ConfigMetadata {
        reason,
        update_identity,
        update_time,
    } = set.metadata.unwrap_or_default();
    let by_workers = effective
        .filter(|limit| limit.rate_limit_source() == RateLimitSource::Worker)
        .map(|limit| a_second(limit.requests_per_second));
    output.card(
        0,
        &[
            ("Queue rate limit", rate),
            ("Reason", reason),
            ("Set by", update_identity),
            ("Set at", output::time(update_time)),
            ("Workers ask for", by_workers.unwrap_or_default()),
        ],
    )
}

fn a_second(rate: f32) -> String {
    format!("{rate} a second")
}

#[cfg(test)]
mod tests {
    use super::*;

    // B1
    #[test]
    fn a_rate_is_a_number_from_nothing_on_or_the_default() {
        assert_eq!(rate("default"), Ok(Rate(None)));
        assert_eq!(rate("DEFAULT"), Ok(Rate(None)));
        assert_eq!(rate("2.5"), Ok(Rate(Some(2.5))));
        assert_eq!(rate("0"), Ok(Rate(Some(0.0))));
        for text in ["", "-1", "NaN", "inf", "1e99", "many", "5/s"] {
            assert_eq!(rate(text), Err(InvalidRate), "{text}");
        }
    }
}
