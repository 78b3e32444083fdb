//! `longhaul activity`: say how an activity goes, in place of the worker that has it; pause it, reset it, change its options.

mod answer;
mod operate;

use clap::Subcommand;

use crate::{Error, Output, args::Global};

/// Complete, fail, pause or reset activities from outside
///
/// An activity that was handed over (its worker said that it completes asynchronously) waits until somebody says how it ended; these
/// commands do, by the activity's id, which `longhaul workflow describe` shows.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  longhaul activity complete -w order-1 --activity-id 1 --result '{\"approved\":true}'
  longhaul activity fail -w order-1 --activity-id 1 --reason 'no answer'
  longhaul activity heartbeat -w order-1 --activity-id 1 --details 40
  longhaul activity pause -w order-1 --activity-type charge --reason 'the bank is down'
  longhaul activity update-options -w order-1 --activity-id 1 --start-to-close-timeout 5m")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Complete(answer::Complete),
    Fail(answer::Fail),
    Heartbeat(answer::Heartbeat),
    Cancel(answer::Cancel),
    Pause(operate::Pause),
    Unpause(operate::Unpause),
    Reset(operate::Reset),
    UpdateOptions(operate::UpdateOptions),
}

pub(crate) async fn execute(args: Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    match args.verb {
        Verb::Complete(args) => answer::complete(args, global, output).await,
        Verb::Fail(args) => answer::fail(args, global, output).await,
        Verb::Heartbeat(args) => answer::heartbeat(args, global, output).await,
        Verb::Cancel(args) => answer::cancel(args, global, output).await,
        Verb::Pause(args) => operate::pause(args, global, output).await,
        Verb::Unpause(args) => operate::unpause(args, global, output).await,
        Verb::Reset(args) => operate::reset(args, global, output).await,
        Verb::UpdateOptions(args) => operate::update_options(args, global, output).await,
    }
}
