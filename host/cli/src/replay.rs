//! `longhaul replay`: does a component still do what a history says?

use std::path::PathBuf;

use serde_json::json;

use crate::{Error, Output, args::Format, embedded, json, logs};

/// Replay a recorded history against a component
///
/// The component is fed the history's events, and each of its commands is compared with the event that the recorded run wrote for
/// it. Use it before an upload: what differs would stop running workflows if they were moved to this version. What the code logs is
/// not shown unless it is asked for, as with --log-level guest=info.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exit code is 0 if they agree; else it is 1 and the message says where they differ.

Examples:
  longhaul workflow show -w order-1 -o json > order-1.json
  longhaul replay order.wasm --history order-1.json
  longhaul replay order.wasm --history order-1.json --log-level guest=info")]
pub(crate) struct Args {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// The history, as `workflow show -o json` or `temporal workflow show -o json` prints it
    #[arg(long, value_name = "FILE.json")]
    history: PathBuf,
    #[command(flatten)]
    logs: logs::Logs,
}

pub(crate) fn execute(args: &Args, output: &mut Output) -> Result<(), Error> {
    logs::install(&args.logs, "warn,guest=off")?;
    let component = std::fs::read(&args.file).map_err(|source| Error::File {
        path: args.file.clone(),
        source,
    })?;
    let text = std::fs::read_to_string(&args.history).map_err(|source| Error::File {
        path: args.history.clone(),
        source,
    })?;
    let history = json::history(&text).map_err(|reason| Error::History {
        path: args.history.clone(),
        reason,
    })?;
    let report = embedded::replay(&component, history)?;
    match output.format() {
        Format::None => Ok(()),
        Format::Json => {
            let hash: String = report
                .memory_hash
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            output.json(&json!({
                "events": report.events,
                "workflowTasks": report.tasks,
                "commands": report.commands,
                "memoryHash": hash,
            }))
        }
        Format::Text => output.line(&format!(
            "No difference: {} events, {} workflow tasks, {} commands",
            report.events, report.tasks, report.commands
        )),
    }
}
