//! `longhaul bench`: how fast this machine runs workflows, and how much memory and disk they take.
//!
//! [`cases`], [`activity`], [`across`] and [`list`] hold what is measured under load; [`suspend`], [`retries`], [`pollers`], [`replay`]
//! and [`instantiate`] what is measured otherwise. `load` is the load generator, `target` is what it drives, `caller` is one client of
//! that, `worker` serves activities, `population` is another process, and `report` prints.

mod across;
mod activity;
mod caller;
mod case;
mod cases;
mod error;
mod evictions;
mod instantiate;
mod latencies;
mod list;
mod load;
mod pollers;
mod population;
mod process;
mod replay;
mod report;
mod retries;
mod suspend;
mod target;
mod worker;

use std::path::{Path, PathBuf};

use clap::{ArgMatches, FromArgMatches, parser::ValueSource};

pub(crate) use error::Error;

use crate::{
    Output,
    args::{Address, Global},
};
use case::Case;
use report::Report;

/// Clients that wait at once, at most; a server's mailboxes take 10,000 requests each.
const CONCURRENCY_MAX: u64 = 10_000;

/// Measure how fast workflows run on this machine
///
/// Each case runs workflows of the component `bench`, which `cargo xtask guests` builds, on a server of its own with a new database
/// in the current folder, and prints rates, times and what the design aims at. The client runs in the same process as that server
/// and shares its cores. With --address, the server there is measured instead; it keeps what the cases leave behind.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Cases:
  empty              executions without a step, from the start to the client's knowledge of the end
  one, ten           executions of one and of ten activities
  sequential         one execution of many activities, one after the other: steps a second
  fan-out            executions of many activities at once, at three sizes
  activity           activities within the server, from the event that schedules one to that of its end: one at a time, and many
  remote-activity    the same with a worker, which polls and completes over gRPC
  sleep              executions of one timer of 1 ms
  signal             signals to one execution
  signal-many        signals spread over a thousand executions
  signal-with-start  signals of which every other one starts its execution
  query              queries to one live execution
  update             updates, from the request to the outcome
  children           parents that start many children and wait for all: children a second
  continue-as-new    one chain that continues as new many times: runs a second
  list               pages of 100 executions by status, type, search attribute, beginning of the id and close time, and one
                     deep in the list, after many have closed
  suspend            many idle executions: memory, disk, idle processor time, and reopening after kill -9
  pending-retries    many activities that are tried again in an hour: memory, disk, idle processor time, and reopening after kill -9
  pollers            many long polls of workers at once: memory, idle processor time, and the time of an activity among them
  replay             a long history, read from the database and replayed
  instantiate        the sandbox alone: new instances, forks and queries on them
  all                each of them

list runs the executions that it lists, 1,000,000 unless --count says otherwise: that takes minutes and gigabytes of disk, in `all`
as well. One in 100 is of the type asked for, one in 1,000 has the value. The page by close time and the deep one begin behind half of
the executions.

suspend, pending-retries, pollers, replay and instantiate are the same with and without --in-process.

remote-activity measures another worker with --no-worker: whoever serves the type Echo, which returns its argument, on the task queue
bench-remote.

Examples:
  longhaul bench all
  longhaul bench empty --concurrency 64 --count 50000 --in-process
  longhaul bench empty --after-closed 200000
  longhaul bench list --count 100000 --in-process
  longhaul bench suspend --count 100000 --instance-memory 536870912
  longhaul bench remote-activity --no-worker --address 127.0.0.1:7233
  longhaul bench query --address 127.0.0.1:7233 -o json")]
pub(crate) struct Args {
    /// What to measure
    #[arg(value_name = "CASE", hide_possible_values = true)]
    case: Case,
    /// Clients that wait at once [default: as the case suggests]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=CONCURRENCY_MAX))]
    concurrency: Option<u64>,
    /// Operations; for sequential, fan-out and replay: activities of one execution; for children: children of one parent; for
    /// continue-as-new: runs of one chain; for list: executions that close before; for activity and remote-activity: activities one at
    /// a time, and ten times as many for all clients; for pollers: polls [default: as the case suggests]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Polls that the worker of remote-activity has open at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=CONCURRENCY_MAX))]
    pollers: u64,
    /// Leave the activities of remote-activity to another worker
    #[arg(long)]
    no_worker: bool,
    /// Call the engine directly, without gRPC
    #[arg(long)]
    in_process: bool,
    /// The component `bench` [default: guests/bench.wasm beside the executable's folder, else target/guests/bench.wasm]
    #[arg(long, value_name = "FILE.wasm")]
    component: Option<PathBuf>,
    /// Database file, which is kept [default: a temporary one for each case, in the current folder]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// After the case empty, close this many executions, then measure it again and compare
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    after_closed: Option<u64>,
    /// Memory of all live executions of a server of bench's own, in bytes; above it some are evicted [default: 2147483648]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    instance_memory: Option<u64>,
    /// Use this database, print figures, and wait to be killed: the other process of a case
    #[arg(long, hide = true, value_name = "FILE", conflicts_with = "db")]
    populate: Option<PathBuf>,
    #[command(flatten)]
    address: AddressGiven,
}

/// Whether `--address` stands on the command line. Its default and TEMPORAL_ADDRESS do not count: nobody wants to load the server
/// that a shell happens to point at.
#[derive(Debug, Clone, Copy)]
struct AddressGiven(bool);

impl FromArgMatches for AddressGiven {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(
            matches.value_source("address") == Some(ValueSource::CommandLine),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for AddressGiven {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

/// What the load goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    /// The engine, called directly.
    InProcess,
    /// A server in this process, over gRPC.
    OwnServer,
    /// A server that runs already.
    Server(Address),
}

impl Mode {
    fn of(args: &Args, global: &Global) -> Result<Self, crate::Error> {
        let usage = |text: &str| Err(crate::Error::Usage(text.to_owned()));
        if args.no_worker && !args.address.0 {
            return usage("--no-worker needs --address: no other worker can reach a server of bench's own");
        }
        if !args.address.0 {
            return Ok(if args.in_process {
                Self::InProcess
            } else {
                Self::OwnServer
            });
        }
        if args.in_process {
            return usage("--in-process and --address exclude each other");
        }
        if args.db.is_some() {
            return usage("--db is for a server of bench's own; with --address leave it out");
        }
        if args.instance_memory.is_some() {
            return usage("--instance-memory is for a server of bench's own; with --address leave it out");
        }
        if args.case.is_local() {
            return usage("this case needs a database of its own; leave --address out");
        }
        Ok(Self::Server(global.address.clone()))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::OwnServer => "grpc",
            Self::Server(_) => "server",
        }
    }
}

/// What all cases need to know.
struct Session {
    mode: Mode,
    namespace: String,
    component_path: PathBuf,
    component: Vec<u8>,
    db: Option<PathBuf>,
    concurrency: Option<u64>,
    count: Option<u64>,
    /// Polls of the worker; none: somebody else works.
    pollers: Option<usize>,
    after_closed: Option<u64>,
    instance_memory: Option<u64>,
}

impl Session {
    /// Clients at once, given what the case suggests.
    fn callers(&self, suggested: usize) -> usize {
        self.concurrency
            .map_or(suggested, |n| usize::try_from(n).unwrap_or(suggested))
    }

    /// Operations, given what the case suggests.
    fn count(&self, suggested: u64) -> u64 {
        self.count.unwrap_or(suggested)
    }
}

pub(crate) fn execute(args: Args, global: &Global, output: &mut Output) -> Result<(), crate::Error> {
    let mode = Mode::of(&args, global)?;
    if args.after_closed.is_some() && !matches!(args.case, Case::Empty | Case::All) {
        return Err(crate::Error::Usage(
            "--after-closed belongs to the case empty".to_owned(),
        ));
    }
    let component_path = match args.component {
        Some(path) => path,
        None => found_component(
            std::env::var_os("LONGHAUL_GUESTS").as_deref().map(Path::new),
            std::env::current_exe().ok().as_deref(),
        ),
    };
    let component = std::fs::read(&component_path).map_err(|source| Error::Component {
        path: component_path.clone(),
        source,
    })?;
    let session = Session {
        mode,
        namespace: global.namespace.clone(),
        component_path,
        component,
        db: args.db,
        concurrency: args.concurrency,
        count: args.count,
        pollers: (!args.no_worker).then_some(usize::try_from(args.pollers).unwrap_or(usize::MAX)),
        after_closed: args.after_closed,
        instance_memory: args.instance_memory,
    };
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(crate::Error::Runtime)?;
    threads.block_on(async {
        let work = async {
            match &args.populate {
                Some(database) => match args.case {
                    Case::PendingRetries => retries::populate(&session, database, output).await,
                    Case::Pollers => pollers::serve(&session, database, output).await,
                    _ => suspend::populate(&session, database, output).await,
                },
                None => measure(args.case, &session, output).await,
            }
        };
        let limited = async {
            match global.command_timeout {
                None => work.await,
                Some(limit) => tokio::time::timeout(limit, work)
                    .await
                    .unwrap_or(Err(crate::Error::CommandTimeout(limit))),
            }
        };
        // Whatever ends the work drops it here, so that temporary databases and processes go with it.
        tokio::select! {
            ended = limited => ended,
            interrupt = tokio::signal::ctrl_c() => {
                interrupt.map_err(crate::Error::Runtime)?;
                Err(Error::Interrupted.into())
            }
        }
    })
}

async fn measure(case: Case, session: &Session, output: &mut Output) -> Result<(), crate::Error> {
    let mut report = Report::new(session.mode.name(), output)?;
    for case in case.each() {
        match case {
            case if case.is_local() && matches!(session.mode, Mode::Server(_)) => {
                report.note(&format!(
                    "{}: left out, for it needs a database of its own",
                    case.name()
                ));
            }
            Case::Suspend => suspend::measure(session, &mut report).await?,
            Case::PendingRetries => retries::measure(session, &mut report).await?,
            Case::Pollers => pollers::measure(session, &mut report).await?,
            Case::Replay => replay::measure(session, &mut report).await?,
            Case::Instantiate => instantiate::measure(session, &mut report).await?,
            case => cases::measure(case, session, &mut report).await?,
        }
    }
    report.finish()
}

/// Where the component is if nobody says: in the folder of guests that is named, in the one beside the executable's folder
/// (`target/release/longhaul` and `target/guests`), or in the one below the current folder.
fn found_component(guests: Option<&Path>, executable: Option<&Path>) -> PathBuf {
    const NAME: &str = "bench.wasm";
    if let Some(guests) = guests {
        return guests.join(NAME);
    }
    let beside = executable
        .and_then(Path::parent)
        .and_then(Path::parent)
        .map(|target| target.join("guests").join(NAME));
    match beside {
        Some(path) if path.exists() => path,
        _ => Path::new("target/guests").join(NAME),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser as _, ValueEnum as _};

    use super::*;
    use crate::{Cli, args::Command};

    fn parse(arguments: &str) -> Result<(Args, Global), clap::Error> {
        let cli = Cli::try_parse_from(arguments.split(' '))?;
        match cli.command {
            Command::Bench(args) => Ok((args, cli.global)),
            other => panic!("{other:?}"),
        }
    }

    fn mode(arguments: &str) -> Result<Mode, crate::Error> {
        let (args, global) = parse(arguments).unwrap();
        Mode::of(&args, &global)
    }

    #[test]
    fn a_server_is_measured_only_if_it_is_named_on_the_command_line() {
        assert_eq!(mode("longhaul bench empty").unwrap(), Mode::OwnServer);
        assert_eq!(
            mode("longhaul bench empty --in-process").unwrap(),
            Mode::InProcess
        );
        // The default's own text counts as well.
        for line in [
            "longhaul bench empty --address 127.0.0.1:7233",
            "longhaul --address 127.0.0.1:7233 bench empty",
        ] {
            let expected = Mode::Server("127.0.0.1:7233".parse().unwrap());
            assert_eq!(mode(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn flags_that_contradict_each_other_are_wrong_usage() {
        for line in [
            "longhaul bench empty --address h:1 --in-process",
            "longhaul bench empty --address h:1 --db f.redb",
            "longhaul bench suspend --address h:1",
            "longhaul bench empty --address h:1 --instance-memory 1",
            "longhaul bench remote-activity --no-worker",
            "longhaul bench pending-retries --address h:1",
            "longhaul bench pollers --address h:1",
        ] {
            assert_eq!(mode(line).unwrap_err().exit_code(), 2, "{line}");
        }
        for line in [
            "longhaul bench",
            "longhaul bench everything",
            "longhaul bench empty --count 0",
            "longhaul bench empty --concurrency 0",
            "longhaul bench empty --concurrency 10001",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn every_case_has_the_name_that_it_is_called_by() {
        for case in Case::value_variants() {
            let (args, _) = parse(&format!("longhaul bench {}", case.name())).unwrap();
            assert_eq!(args.case, *case);
        }
    }

    #[test]
    fn the_component_is_found_where_guests_are_built() {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("release/longhaul");
        let built = folder.path().join("guests/bench.wasm");
        assert_eq!(
            found_component(None, Some(&executable)),
            Path::new("target/guests/bench.wasm"),
            "what is not there is not taken"
        );
        std::fs::create_dir(folder.path().join("guests")).unwrap();
        std::fs::write(&built, b"").unwrap();
        assert_eq!(found_component(None, Some(&executable)), built);
        assert_eq!(
            found_component(Some(Path::new("named")), Some(&executable)),
            Path::new("named/bench.wasm")
        );
    }
}
