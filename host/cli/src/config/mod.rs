//! The server's configuration file: every setting, its default, and what is wrong with a file.

mod error;
mod keys;
mod kinds;

use std::path::{Path, PathBuf};

pub(crate) use error::Error;

/// Everything that a server is started with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The database.
    pub(crate) db: PathBuf,
    /// Of the listeners.
    pub(crate) server: longhaul_server::Options,
    /// Of the engine. Its paths come from `db`.
    pub(crate) runtime: longhaul_runtime::Options,
}

impl Default for Settings {
    fn default() -> Self {
        let db = PathBuf::from("longhaul.redb");
        Self {
            server: longhaul_server::Options::default(),
            runtime: longhaul_runtime::Options::new(&db),
            db,
        }
    }
}

/// The defaults, changed by a file if there is one.
pub(crate) fn read(file: Option<&Path>) -> Result<Settings, Error> {
    let mut settings = Settings::default();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?;
        parse(&text, &mut settings).map_err(|wrong| Error::Wrong {
            path: path.to_owned(),
            wrong,
        })?;
    }
    Ok(settings)
}

fn parse(text: &str, settings: &mut Settings) -> Result<(), error::Wrong> {
    let file: keys::File =
        toml::from_str(text).map_err(|error| error::Wrong::of(&error, text, &keys::NAMES))?;
    file.apply(settings);
    Ok(())
}

/// A file that sets nothing: every key with its default, behind a `#`.
pub(crate) fn example() -> String {
    let mut text = String::from(
        "# The configuration of `longhaul server start --config FILE`. Flags win over it.\n\
         # Every key is here with its default: remove the # before those that you change.\n\
         # Times are texts as \"10s\", \"5m\" or \"2h 30m\"; sizes are texts as \"64 MiB\", or bytes.\n",
    );
    keys::describe(&Settings::default(), &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uncommented() -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            _ => format!("{line}\n"),
        };
        example().lines().map(line).collect()
    }

    #[test]
    fn the_example_is_the_defaults() {
        let mut settings = Settings::default();
        parse(&example(), &mut settings).unwrap();
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
        let text = uncommented();
        for (section, keys) in keys::NAMES {
            assert!(text.contains(&format!("\n[{section}]\n")), "{section}");
            for key in keys {
                assert!(text.contains(&format!("\n{key} = ")), "{section}.{key}");
            }
        }
        parse(&text, &mut settings).unwrap();
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn what_is_given_is_set_and_the_rest_stays() {
        let mut settings = Settings::default();
        let text = "[server]\nport = 0\n[runtime]\ntask_retry_initial = \"250ms\"\nlist_page = 7\n\
                    [workflows]\nmemory = \"8 MiB\"\n[history]\nstop_size = 1000\n";
        parse(text, &mut settings).unwrap();
        assert_eq!(settings.server.grpc_port, 0);
        assert_eq!(settings.server.http_port, 8233);
        assert_eq!(settings.runtime.task_retry_initial.as_millis(), 250);
        assert_eq!(settings.runtime.list_page, 7);
        assert_eq!(settings.runtime.sandbox.memory_max_bytes, 8 << 20);
        assert_eq!(settings.runtime.limits.history.stop_bytes, 1_000);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_key() {
        let wrong = |text: &str| parse(text, &mut Settings::default()).unwrap_err().to_string();
        for (text, expected) in [
            (
                "[runtime]\n\nlist_pages = 7\n",
                "line 3: runtime.list_pages is no setting; the nearest is runtime.list_page",
            ),
            (
                "[runtim]\n",
                "line 1: runtim is no section; the nearest is runtime",
            ),
            (
                "[runtime]\nlong_poll = 20\n",
                "line 2: runtime.long_poll: invalid type: integer `20`, expected a time as \"10s\" or \"2h 30m\"",
            ),
            (
                "[workflows]\nmemory = \"much\"\n",
                "line 2: workflows.memory: \"much\" is no size: write bytes, or a number with KiB, MiB or GiB",
            ),
            (
                "[runtime]\nmailbox = 0\n",
                "line 2: runtime.mailbox: it is 0, but must be at least 1",
            ),
            (
                "[runtime]\nlong_poll = \"soon\"\n",
                "line 2: runtime.long_poll: \"soon\" is no time: ",
            ),
        ] {
            let found = wrong(text);
            assert!(found.starts_with(expected), "{found}\n{expected}");
        }
        assert!(
            wrong("[runtime\n").starts_with("line 1: "),
            "{}",
            wrong("[runtime\n")
        );
    }
}
