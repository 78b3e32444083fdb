//! The `longhaul` command: it starts a server, and it is a client of Temporal's gRPC and of the module service beside it.
//!
//! Each group of verbs has a file that holds its flags, its help and what it does: `args` is the root of the grammar,
//! `workflow/`, `activity/`, `task_queue` and `module` are the client's verbs; `server`, `run`, `replay` and `bench` hold an engine of
//! their own, which `embedded` opens. What they share is in `client` (the connection), `input` (JSON to payloads), `payload`,
//! `failure` and `json` (the way back), and `output`.
//!
//! Data goes to standard output, everything else to standard error. The process ends with 0, with 1 for a failed workflow or
//! request, or with 2 for wrong usage.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

use std::process::ExitCode;

use clap::Parser as _;

pub mod activity;
mod args;
mod bench;
mod client;
mod completion;
mod config;
mod embedded;
mod error;
mod failure;
mod input;
mod json;
mod limits;
mod logs;
mod module;
mod output;
mod payload;
mod replay;
mod run;
mod server;
mod task_queue;
mod workflow;

pub use args::Cli;
pub use error::Error;
pub use output::Output;

pub(crate) use temporalio_protos::temporal::api as proto;

/// Parse the process's arguments, run the command and print its error, if any.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::standard(cli.global.output, cli.global.color);
    match execute(cli, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Run one command. Clients live on the calling thread; a server and the embedded engine get a thread for each core.
pub fn execute(cli: Cli, output: &mut Output) -> Result<(), Error> {
    let args::Cli { global, command } = cli;
    match command {
        args::Command::Server(args) => server::execute(args, output),
        args::Command::Run(args) => run::execute(args, &global, output),
        args::Command::Bench(args) => bench::execute(args, &global, output),
        args::Command::Replay(args) => replay::execute(&args, output),
        args::Command::Completion(args) => completion::execute(&args, output),
        args::Command::Module(args) => on_this_thread(&global, module::execute(args, &global, output)),
        args::Command::Activity(args) => on_this_thread(&global, activity::execute(args, &global, output)),
        args::Command::TaskQueue(args) => on_this_thread(&global, task_queue::execute(args, &global, output)),
        args::Command::Workflow(args) => on_this_thread(&global, workflow::execute(*args, &global, output)),
    }
}

/// Drive a client's command to its end, or to `--command-timeout`.
fn on_this_thread(
    global: &args::Global,
    command: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    runtime.block_on(async {
        match global.command_timeout {
            None => command.await,
            Some(limit) => tokio::time::timeout(limit, command)
                .await
                .unwrap_or(Err(Error::CommandTimeout(limit))),
        }
    })
}
