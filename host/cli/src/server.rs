//! `longhaul server`: the server in this process.

use std::{net::IpAddr, path::PathBuf};

use clap::Subcommand;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Output,
    args::Format,
    config::{self, Settings},
    embedded::{self, Database},
    limits::Limits,
    logs,
};

/// Start a server
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a server and serve until SIGINT or SIGTERM
    ///
    /// Once it takes requests it prints one line with its addresses and its database. At the first signal it stops in order:
    /// requests in hand may finish. At the second it exits at once; nothing that was acknowledged is lost either way.
    #[command(after_help = "\
Examples:
  longhaul server start
  longhaul server start --db /var/lib/longhaul/orders.redb --log-format json
  longhaul server start --port 0 --http-port 0 -o json   Free ports, told as JSON
  longhaul server start --db /tmp/try.redb --time-skipping")]
    Start(Box<Start>),
    /// Print a configuration file with every setting and its default
    #[command(after_help = "\
Examples:
  longhaul server config > longhaul.toml
  longhaul server start --config longhaul.toml")]
    Config,
}

#[derive(Debug, clap::Args)]
struct Start {
    /// Configuration file; flags win over it. `longhaul server config` prints one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database file; it is made if it does not exist [default: longhaul.redb]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// Port of gRPC; 0 takes a free one [default: 7233]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Port of HTTP (/metrics, /health); 0 takes a free one [default: 8233]
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Let the clock jump to the next timer whenever nothing can run and a client waits for a result; for tests and demos
    #[arg(long)]
    time_skipping: bool,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    logs: logs::Logs,
}

impl Start {
    /// The defaults, changed by the file, changed by the flags.
    fn settings(&self) -> Result<Settings, Error> {
        let mut settings = config::read(self.config.as_deref())?;
        if let Some(db) = &self.db {
            settings.db.clone_from(db);
        }
        let server = &mut settings.server;
        server.ip = self.ip.unwrap_or(server.ip);
        server.grpc_port = self.port.unwrap_or(server.grpc_port);
        server.http_port = self.http_port.unwrap_or(server.http_port);
        settings.runtime.time_skipping |= self.time_skipping;
        self.limits.apply(&mut settings.runtime);
        Ok(settings)
    }
}

pub(crate) fn execute(args: Args, output: &mut Output) -> Result<(), Error> {
    let args = match args.verb {
        Verb::Start(args) => args,
        Verb::Config => return output.line(config::example().trim_end()),
    };
    let settings = args.settings()?;
    logs::install(&args.logs, "info")?;
    raise_open_files();
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    threads.block_on(serve(settings, output))
}

async fn serve(settings: Settings, output: &mut Output) -> Result<(), Error> {
    // Signals first: one that comes while the database opens must not kill the process half-way.
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    // Before anything counts.
    longhaul_server::install_metrics();
    let Settings { db, server, runtime } = settings;
    let runtime = embedded::open(Database::File(&db), |options| {
        // The paths follow from the database's.
        let (store, cache_dir) = (options.store.clone(), options.sandbox.cache_dir.clone());
        *options = runtime;
        options.store = store;
        options.sandbox.cache_dir = cache_dir;
    })
    .await?;
    let served = async {
        let server = longhaul_server::Server::bind(server, runtime.clone()).await?;
        let (grpc, http) = (server.grpc_addr(), server.http_addr());
        let database = std::fs::canonicalize(&db).unwrap_or_else(|_| db.clone());
        let database = database.display();
        match output.format() {
            Format::None => {}
            Format::Json => output.json(&json!({
                "address": grpc.to_string(), "httpAddress": http.to_string(), "database": database.to_string(),
            }))?,
            Format::Text => output.line(&format!("Longhaul serves gRPC on {grpc}, HTTP on {http}, from {database}"))?,
        }
        server.run(stop).await.map_err(Error::from)
    }
    .await;
    // What the server took in is settled and synced, however it ended.
    let closed = embedded::close(runtime).await;
    served.and(closed)
}

/// Have as many files and connections open as the system allows. What it gives at first is little, for the sake of old programs, and a
/// server has a connection for every client and for whatever its activities connect to.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let wanted = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(%error, limit = ?limit.current, "the limit of open files stays as it is");
    }
}

/// The first SIGINT or SIGTERM cancels `stop`, the second ends the process.
fn stop_on_signals(stop: CancellationToken) -> Result<(), Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    tokio::spawn(async move {
        for exits in [false, true] {
            let number = tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
            };
            if exits {
                // As a shell reports a process that a signal ended.
                std::process::exit(128 + number);
            }
            tracing::info!("stopping; a second signal exits at once");
            stop.cancel();
        }
    });
    Ok(())
}
