//! The process's log, on standard error.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::Error;

/// What the log shows and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Logs {
    /// Form of the log
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORM")]
    log_format: LogFormat,
    /// What to log: trace, debug, info, warn, error, or by part: info,longhaul_runtime=debug; what guests log is part `guest`
    /// [default: info; for `run`: warn,guest=info; for `replay`: warn,guest=off]
    #[arg(long, env = "LONGHAUL_LOG", value_name = "LEVELS")]
    log_level: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// An object a line
    Json,
}

/// Log from here on, at `default_level` unless told otherwise. What logs already, for example in a test, goes on as it is.
pub(crate) fn install(args: &Logs, default_level: &str) -> Result<(), Error> {
    let level = args.log_level.as_deref().unwrap_or(default_level);
    let filter =
        EnvFilter::try_new(level).map_err(|error| Error::Usage(format!("--log-level {level:?}: {error}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second subscriber is refused, and the first one stays: that is what we want.
    let _ = match args.log_format {
        LogFormat::Json => log.json().try_init(),
        LogFormat::Text => {
            let ansi = anstream::stderr().current_choice() != anstream::ColorChoice::Never;
            log.with_ansi(ansi).try_init()
        }
    };
    Ok(())
}
