//! The root of the command line's grammar, and the flags that several verbs share.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{activity, bench, completion, module, replay, run, server, task_queue, workflow};

/// What `longhaul` was asked to do.
#[derive(Debug, Parser)]
#[command(
    name = "longhaul",
    version,
    about = "Durable workflows as WebAssembly components: server and client in one binary",
    long_about = "Longhaul runs durable workflows whose code is a WebAssembly component. `longhaul server start` is the whole \
                  server: API, database and sandbox. The other commands talk to a running server, as the `temporal` CLI does, \
                  with the same verbs and flags.",
    after_help = "\
Examples:
  longhaul server start --db orders.redb                     Start a server
  longhaul module upload order.wasm                          Give it a component
  longhaul workflow start --type Order -w order-1 -i '{\"item\":\"tea\"}'
  longhaul workflow query -w order-1 --name status           Look into a workflow
  longhaul workflow result -w order-1                        Wait for its end
  longhaul run order.wasm --type Order -i '{\"item\":\"tea\"}'   Try it without a server

`longhaul COMMAND --help` explains a command. Results go to standard output, messages to standard error; the exit code is 1 for \
a failed workflow or request and 2 for wrong usage.",
    arg_required_else_help = true,
    infer_long_args = false
)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The groups of verbs; each group's help is on its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Server(server::Args),
    Module(module::Args),
    Workflow(Box<workflow::Args>),
    Activity(activity::Args),
    TaskQueue(task_queue::Args),
    Run(run::Args),
    Replay(replay::Args),
    Bench(bench::Args),
    Completion(completion::Args),
}

/// Flags that stand before or after any verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Server to talk to, as HOST:PORT
    #[arg(
        long,
        global = true,
        env = "TEMPORAL_ADDRESS",
        default_value = "127.0.0.1:7233",
        value_name = "HOST:PORT"
    )]
    pub(crate) address: Address,

    /// Namespace of the workflows and modules
    #[arg(
        long,
        short = 'n',
        global = true,
        env = "TEMPORAL_NAMESPACE",
        default_value = "default"
    )]
    pub(crate) namespace: String,

    /// Form of what is printed to standard output: text, json or none
    #[arg(long, short = 'o', global = true, value_enum, default_value_t = Format::Text, hide_possible_values = true, value_name = "FORM")]
    pub(crate) output: Format,

    /// Give up after this time, for example 30s or 5m [default: no limit]
    #[arg(long, global = true, value_parser = duration, value_name = "DURATION")]
    pub(crate) command_timeout: Option<Duration>,

    /// Whether to colour what is printed: always, never, or auto (on a terminal, unless NO_COLOR is set)
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, hide_possible_values = true, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// Nothing: only the exit code tells
    None,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Also when piped
    Always,
    /// Not at all
    Never,
}

/// A server's host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

/// Why a text is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT, for example 127.0.0.1:7233 or [::1]:7233")]
pub struct InvalidAddress;

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let bad_host = host.is_empty()
            || host.contains(|c: char| c == '/' || c == '@' || c.is_whitespace())
            || (host.contains(':') && !bracketed);
        match port.parse::<u16>() {
            Ok(1..) if !bad_host => Ok(Self(text.to_owned())),
            _ => Err(InvalidAddress),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parse a span of time: `500ms`, `10s`, `1h 30m`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// Names one execution.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// Workflow id
    #[arg(long, short = 'w', value_name = "ID")]
    pub(crate) workflow_id: String,
    /// Run id [default: the run that is open, else the last one]
    #[arg(
        long,
        short = 'r',
        value_name = "ID",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) run_id: String,
}

impl Target {
    /// As the wire names it.
    pub(crate) fn execution(&self) -> crate::proto::common::v1::WorkflowExecution {
        crate::proto::common::v1::WorkflowExecution {
            workflow_id: self.workflow_id.clone(),
            run_id: self.run_id.clone(),
        }
    }
}

/// Arguments of a workflow or of one of its handlers.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Inputs {
    /// An argument as JSON; repeat it for several arguments. A string needs its quotes: --input '"text"'
    #[arg(long, short = 'i', value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) input: Vec<String>,
    /// A file that holds an argument as JSON; repeat it for several arguments
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    pub(crate) input_file: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(arguments: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(arguments.split(' '))
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_has_a_help_text() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} has no help text");
            for argument in command
                .get_arguments()
                .filter(|a| !["help", "version"].contains(&a.get_id().as_str()))
            {
                assert!(
                    argument.get_help().is_some(),
                    "{path} {} has no help text",
                    argument.get_id()
                );
            }
            for verb in command.get_subcommands() {
                check(verb, &path);
            }
        }
        check(&Cli::command(), "");
    }

    #[test]
    fn global_flags_stand_before_or_after_the_verb() {
        for line in [
            "longhaul --address h:1 -n space -o json --command-timeout 90s --color never workflow count",
            "longhaul workflow --address h:1 -n space -o json --command-timeout 90s --color never count",
            "longhaul workflow count --address h:1 --namespace space --output json --command-timeout 90s --color never",
        ] {
            let global = parse(line).unwrap().global;
            assert_eq!(global.address.to_string(), "h:1", "{line}");
            assert_eq!(global.namespace, "space", "{line}");
            assert_eq!(global.output, Format::Json, "{line}");
            assert_eq!(global.command_timeout, Some(Duration::from_secs(90)), "{line}");
            assert_eq!(global.color, Color::Never, "{line}");
        }
    }

    #[test]
    fn the_flags_of_the_temporal_cli_are_taken() {
        for line in [
            "longhaul workflow start --type T --workflow-id w --task-queue q --input 1 --id-reuse-policy AllowDuplicate",
            "longhaul workflow execute --type T -w w -t q -i 1 -i -2 --id-conflict-policy UseExisting --detailed",
            "longhaul workflow signal -w w -r r --name n -i 1",
            "longhaul workflow signal -w w --type n",
            "longhaul workflow query -w w --type n --reject-condition not_open",
            "longhaul workflow query -w w --name n --input-file f.json",
            "longhaul workflow update execute -w w --name n -i 1 --update-id u",
            "longhaul workflow update start -w w --name n --wait-for-stage accepted",
            "longhaul workflow update result -w w --update-id u",
            "longhaul workflow update describe -w w --update-id u",
            "longhaul workflow describe -w w",
            "longhaul workflow show -w w --follow --detailed",
            "longhaul workflow result -w w -r r",
            "longhaul workflow list --query q --limit 3 --page-size 2",
            "longhaul workflow count --query q",
            "longhaul workflow cancel -w w --reason r",
            "longhaul workflow terminate -w w --reason r",
            "longhaul workflow start --type T --start-delay 1h",
            "longhaul workflow start --type T --cron @hourly",
            "longhaul workflow signal-with-start --type T -w w --signal-name s --signal-input 1 -i 2",
            "longhaul workflow execute-update-with-start --type T -w w --update-name u --update-input 1 --update-id x",
            "longhaul workflow start-update-with-start --type T -w w --update-name u --update-wait-for-stage accepted",
            "longhaul workflow reset -w w --event-id 4 --reason r --reapply-exclude Signal --reapply-exclude update",
            "longhaul workflow reset -w w --type LastWorkflowTask --reason r",
            "longhaul workflow delete -w w",
            "longhaul workflow stack -w w",
            "longhaul workflow metadata -w w",
            "longhaul workflow update-options -w w --module m@2",
            "longhaul activity complete --activity-id a --workflow-id w -r r --result 1 --identity me",
            "longhaul activity fail --activity-id a -w w --detail 1 --reason r --identity me",
            "longhaul activity heartbeat -a a -w w --details -1",
            "longhaul activity cancel -a a -w w --details 1",
            "longhaul activity pause --activity-id a --workflow-id w --run-id r --reason r --identity me",
            "longhaul activity pause --activity-type t -w w",
            "longhaul activity unpause -a a -w w --reset-attempts --reset-heartbeats --jitter 5s",
            "longhaul activity unpause --match-all -w w",
            "longhaul activity reset -a a -w w --keep-paused --reset-heartbeats --restore-original-options",
            "longhaul activity update-options -a a -w w --task-queue q --schedule-to-close-timeout 1h --heartbeat-timeout 0s",
            "longhaul activity update-options -a a -w w --retry-maximum-attempts 3 --retry-backoff-coefficient 1.5",
            "longhaul activity update-options --match-all -w w --restore-original-options",
            "longhaul server start --db f --port 0 --http-port 0 --ip :: --time-skipping --log-format json",
            "longhaul module upload f.wasm --name n --queue q --config c.toml",
            "longhaul module describe n@3",
            "longhaul run a.wasm b.wasm --type T -i 1",
            "longhaul replay a.wasm --history h.json",
        ] {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in [
            "longhaul workflow",
            "longhaul workflow start",
            "longhaul workflow signal --name n",
            "longhaul workflow query -w w --name n --input 1 --input-file f.json",
            "longhaul workflow list --limit 0",
            "longhaul workflow update start -w w --name n --wait-for-stage admitted",
            "longhaul module describe n@0",
            "longhaul activity complete --activity-id a",
            "longhaul activity fail -w w",
            "longhaul activity pause -w w",
            "longhaul activity pause -w w -a a --activity-type t",
            "longhaul activity update-options -w w -a a",
            "longhaul activity update-options -w w -a a --task-queue q --restore-original-options",
            "longhaul workflow reset -w w --reason r",
            "longhaul workflow reset -w w --event-id 4 --type LastWorkflowTask --reason r",
            "longhaul workflow reset -w w --event-id 0 --reason r",
            "longhaul workflow start --type T --start-delay 1h --cron @hourly",
            "longhaul workflow update-options -w w --module m@0",
            "longhaul --address nowhere workflow count",
            "longhaul --command-timeout soon workflow count",
            "longhaul run --type T",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn addresses_are_host_and_port() {
        for good in [
            "127.0.0.1:7233",
            "localhost:1",
            "[::1]:65535",
            "temporal.example.com:443",
        ] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "localhost",
            ":7233",
            "h:0",
            "h:65536",
            "h:x",
            "::1:7233",
            "http://h:1",
            "a b:1",
            "h:-1",
        ] {
            assert_eq!(bad.parse::<Address>(), Err(InvalidAddress), "{bad}");
        }
    }
}
