//! `longhaul workflow`: start workflows, talk to them and look at them.

mod delete;
mod describe;
mod introspect;
mod list;
mod options;
mod query;
mod reset;
pub(crate) mod result;
mod show;
mod signal;
pub(crate) mod start;
mod stop;
mod update;
mod with_start;

use clap::Subcommand;

use crate::{Error, Output, args::Global, args::Target, proto::enums::v1::WorkflowExecutionStatus};

/// Start workflows, talk to them and look at them
///
/// A workflow execution has a workflow id, which you choose, and a run id, which the server chooses. Commands that take
/// --workflow-id mean the open run, else the last one; --run-id names another.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  longhaul workflow execute --type Order -i '{\"item\":\"tea\"}'     Start and wait for the result
  longhaul workflow start --type Order -w order-1 -i '{\"item\":\"tea\"}'
  longhaul workflow signal -w order-1 --name pay -i '{\"amount\":5}'
  longhaul workflow show -w order-1 --follow                     Watch its events
  longhaul workflow list --query 'ExecutionStatus = \"Running\"'")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// A verb's help is on its arguments, where it has some of its own.
#[derive(Debug, Subcommand)]
enum Verb {
    Start(start::Start),
    Execute(start::Execute),
    Signal(signal::Args),
    SignalWithStart(with_start::SignalWithStart),
    ExecuteUpdateWithStart(with_start::ExecuteUpdateWithStart),
    StartUpdateWithStart(with_start::StartUpdateWithStart),
    Query(query::Args),
    Update(update::Args),
    /// Show the state of a workflow: status, limits, pending activities, trouble
    #[command(
        after_help = "Examples:\n  longhaul workflow describe -w order-1\n  longhaul workflow describe -w order-1 -o json"
    )]
    Describe(Target),
    Show(show::Args),
    /// Wait for a workflow's end and print its result
    ///
    /// Continue-as-new, retries and cron are followed to the run that ends the chain. The exit code is 1 unless it completed.
    #[command(
        after_help = "Examples:\n  longhaul workflow result -w order-1\n  longhaul workflow result -w order-1 -o json | jq .result"
    )]
    Result(Target),
    List(list::List),
    Count(list::Count),
    Stack(introspect::Stack),
    Metadata(introspect::Metadata),
    Cancel(stop::Cancel),
    Terminate(stop::Terminate),
    Reset(reset::Args),
    Delete(delete::Args),
    UpdateOptions(options::Args),
}

pub(crate) async fn execute(args: Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    match args.verb {
        Verb::Start(args) => start::start(&args, global, output).await,
        Verb::Execute(args) => start::execute(&args, global, output).await,
        Verb::Signal(args) => signal::execute(&args, global, output).await,
        Verb::SignalWithStart(args) => with_start::signal(&args, global, output).await,
        Verb::ExecuteUpdateWithStart(args) => with_start::execute(&args, global, output).await,
        Verb::StartUpdateWithStart(args) => with_start::start(&args, global, output).await,
        Verb::Query(args) => query::execute(&args, global, output).await,
        Verb::Update(args) => update::execute(args, global, output).await,
        Verb::Describe(target) => describe::execute(&target, global, output).await,
        Verb::Show(args) => show::execute(&args, global, output).await,
        Verb::Result(target) => result::execute(&target, global, output).await,
        Verb::List(args) => list::list(&args, global, output).await,
        Verb::Count(args) => list::count(&args, global, output).await,
        Verb::Stack(args) => introspect::stack(&args, global, output).await,
        Verb::Metadata(args) => introspect::metadata(&args, global, output).await,
        Verb::Reset(args) => reset::execute(&args, global, output).await,
        Verb::Delete(args) => delete::execute(&args, global, output).await,
        Verb::UpdateOptions(args) => options::execute(&args, global, output).await,
        Verb::Cancel(args) => stop::cancel(&args, global, output).await,
        Verb::Terminate(args) => stop::terminate(&args, global, output).await,
    }
}

/// `COMPLETED`, `TIMED_OUT`, ...
fn status_name(status: WorkflowExecutionStatus) -> &'static str {
    let name = status.as_str_name();
    name.strip_prefix("WORKFLOW_EXECUTION_STATUS_").unwrap_or(name)
}
