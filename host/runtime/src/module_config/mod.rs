//! A module's settings: limits that it sets for itself, and what its activities may use.

mod keys;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use longhaul_sandbox::{BadDestination, Destination, Folder, Grants, Limits, Reach, SECRET_PREFIX};
use serde::Deserialize;

/// The JSON schema of the settings, which also says in words what each one means.
pub const SCHEMA: &str = include_str!("schema.json");

/// Settings of a module, as the user writes them in TOML; the schema describes them, and has an example.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Config {
    /// Within those of the server.
    pub(crate) limits: Limits,
    /// Attempts of its activities that run at once; none: as many as the server runs.
    pub(crate) activity_concurrency: Option<NonZeroU32>,
    /// What its activities may use.
    pub(crate) grants: Grants,
}

/// Settings that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the module's settings are not valid: {0}")]
pub(crate) struct BadConfig(Problem);

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Syntax(String),
    #[error(
        "{place}there is no key {key:?} in {table}; known keys: {known} (`longhaul module config-schema` describes them)"
    )]
    UnknownKey {
        place: String,
        key: String,
        table: String,
        known: String,
    },
    #[error("{key} = {value} must be at least 1; leave it out for the server's own limit")]
    Zero { key: &'static str, value: u64 },
    #[error(
        "the folder {path:?} (`{key}`) is not an absolute path; write where it is from `/` on, because the server's own folder is not \
         the uploader's"
    )]
    Relative { key: &'static str, path: PathBuf },
    #[error("the folder {path:?} (`{key}`) contains `..`; write the path that it leads to")]
    Escaping { key: &'static str, path: PathBuf },
    #[error("two folders have the guest path {0:?}; give each its own")]
    SameFolder(String),
    #[error(
        "{name:?} is no name of an environment variable; it takes letters, digits and `_`, and does not begin with a digit"
    )]
    Variable { name: String },
    #[error("{name:?} is both in `env` and in `secrets`, or twice in `secrets`; name it once")]
    SameVariable { name: String },
    #[error(
        "write the secret {name:?} as {short:?}: `{SECRET_PREFIX}` belongs to the server's variable only"
    )]
    SecretPrefix { name: String, short: String },
    #[error("`{key}` under `[{table}]`: {source}")]
    Destination {
        table: &'static str,
        key: &'static str,
        source: BadDestination,
    },
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    limits: FileLimits,
    grants: FileGrants,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileLimits {
    fuel_per_activation: Option<u64>,
    memory_bytes: Option<usize>,
    table_elements: Option<usize>,
    activity_memory_bytes: Option<usize>,
    activity_fuel: Option<u64>,
    activity_timeout_s: Option<u64>,
    activity_concurrency: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileGrants {
    env: BTreeMap<String, String>,
    secrets: Vec<String>,
    folders: Vec<FileFolder>,
    http: FileHttp,
    sockets: FileSockets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFolder {
    host: PathBuf,
    guest: String,
    #[serde(default)]
    write: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileHttp {
    hosts: Vec<String>,
    private: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileSockets {
    connect: Vec<String>,
    private: bool,
}

/// Read a module's settings; an empty text stands for the defaults.
pub(crate) fn parse(text: &str) -> Result<Config, BadConfig> {
    let file: File = toml::from_str(text).map_err(|error| BadConfig(unreadable(text, &error)))?;
    file.check().map_err(BadConfig)
}

/// Say what is wrong with a text that is not of the right form: an unknown key by its nearest neighbours, the rest as the parser does.
fn unreadable(text: &str, error: &toml::de::Error) -> Problem {
    let Some(unknown) = keys::unknown(text) else {
        return Problem::Syntax(error.to_string());
    };
    let line = |span: std::ops::Range<usize>| {
        let lines = text
            .get(..span.start)
            .map_or(0, |before| before.matches('\n').count());
        format!("line {}: ", lines + 1)
    };
    let place = error
        .span()
        .filter(|span| text.get(span.clone()).is_some_and(|at| at.contains(&unknown.key)));
    Problem::UnknownKey {
        place: place.map(line).unwrap_or_default(),
        key: unknown.key,
        table: unknown.table,
        known: unknown.known,
    }
}

impl File {
    fn check(self) -> Result<Config, Problem> {
        let limits = self.limits;
        let not_zero = |key: &'static str, value: Option<u64>| match value {
            Some(0) => Err(Problem::Zero { key, value: 0 }),
            value => Ok(value),
        };
        let activity_timeout_s = not_zero("activity_timeout_s", limits.activity_timeout_s)?;
        not_zero("activity_concurrency", limits.activity_concurrency.map(u64::from))?;
        Ok(Config {
            limits: Limits {
                fuel_per_activation: limits.fuel_per_activation,
                memory_max_bytes: limits.memory_bytes,
                table_elements_max: limits.table_elements,
                activity_memory_max_bytes: limits.activity_memory_bytes,
                activity_fuel: limits.activity_fuel,
                activity_timeout: activity_timeout_s.map(Duration::from_secs),
            },
            activity_concurrency: limits.activity_concurrency.and_then(NonZeroU32::new),
            grants: self.grants.check()?,
        })
    }
}

impl FileGrants {
    fn check(self) -> Result<Grants, Problem> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for name in self.env.keys().chain(&self.secrets) {
            let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.is_empty() || !name.bytes().all(letter) || name.as_bytes()[0].is_ascii_digit() {
                return Err(Problem::Variable { name: name.clone() });
            }
            if !names.insert(name) {
                return Err(Problem::SameVariable { name: name.clone() });
            }
        }
        for name in &self.secrets {
            if let Some(short) = name.strip_prefix(SECRET_PREFIX) {
                return Err(Problem::SecretPrefix {
                    name: name.clone(),
                    short: short.to_owned(),
                });
            }
        }
        let mut guests: BTreeSet<&str> = BTreeSet::new();
        for folder in &self.folders {
            check_path("host", &folder.host)?;
            check_path("guest", Path::new(&folder.guest))?;
            if !guests.insert(folder.guest.trim_end_matches('/')) {
                return Err(Problem::SameFolder(folder.guest.clone()));
            }
        }
        let read = |table, key, texts: &[String], one: fn(&str) -> Result<Destination, BadDestination>| {
            let destinations = texts.iter().map(|text| one(text)).collect::<Result<_, _>>();
            destinations.map_err(|source| Problem::Destination { table, key, source })
        };
        let http = Reach {
            destinations: read("grants.http", "hosts", &self.http.hosts, Destination::http)?,
            private: self.http.private,
        };
        let sockets = Reach {
            destinations: read(
                "grants.sockets",
                "connect",
                &self.sockets.connect,
                Destination::socket,
            )?,
            private: self.sockets.private,
        };
        Ok(Grants {
            env: self.env.into_iter().collect(),
            secrets: self.secrets,
            folders: self
                .folders
                .into_iter()
                .map(|folder| Folder {
                    host: folder.host,
                    guest: folder.guest,
                    write: folder.write,
                })
                .collect(),
            http,
            sockets,
        })
    }
}

fn check_path(key: &'static str, path: &Path) -> Result<(), Problem> {
    let path_of = || path.to_owned();
    if !path.is_absolute() {
        return Err(Problem::Relative { key, path: path_of() });
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(Problem::Escaping { key, path: path_of() });
    }
    Ok(())
}

impl Config {
    /// Whether it asks for anything of the machine.
    pub(crate) fn asks_for_grants(&self) -> bool {
        let grants = &self.grants;
        !(grants.env.is_empty()
            && grants.secrets.is_empty()
            && grants.folders.is_empty()
            && grants.http.is_empty()
            && grants.sockets.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn settings_are_read() {
        let config = parse(
            "[limits]\nfuel_per_activation = 7\nactivity_timeout_s = 2\n[grants]\nenv = { A = \"b\" }\n",
        )
        .unwrap();
        assert_eq!(config.limits.fuel_per_activation, Some(7));
        assert_eq!(config.limits.activity_timeout, Some(Duration::from_secs(2)));
        assert!(config.asks_for_grants());
        for nothing in ["", "[grants]", "[grants.http]\nhosts = []\nprivate = true"] {
            assert!(!parse(nothing).unwrap().asks_for_grants(), "{nothing}");
        }
        for something in [
            "[grants]\nsecrets = [\"A\"]",
            "[grants]\nfolders = [{ host = \"/a\", guest = \"/b\" }]",
            "[grants.http]\nhosts = [\"a\"]",
            "[grants.sockets]\nconnect = [\"a:1\"]",
        ] {
            assert!(parse(something).unwrap().asks_for_grants(), "{something}");
        }
    }

    // B1
    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest() {
        for (text, parts) in [
            (
                "[limits]\nfule_per_activation = 7\n",
                &[
                    "line 2: ",
                    "\"fule_per_activation\" in `[limits]`",
                    "known keys: fuel_per_activation,",
                ][..],
            ),
            ("[grant]\n", &["\"grant\"", "known keys: grants,"]),
            (
                "[grants]\nnetwork = true\n",
                &["\"network\" in `[grants]`", "sockets"],
            ),
            (
                "[grants.http]\nhost = [\"a\"]\n",
                &["\"host\" in `[grants.http]`", "known keys: hosts,"],
            ),
            (
                "[grants]\nfolders = [{ host = \"/a\", guest = \"/b\", writable = true }]\n",
                &["\"writable\" in `[grants.folders]`", "known keys: write,"],
            ),
            ("[limits]\nmemory_bytes = \"much\"\n", &["line 2", "memory_bytes"]),
            ("[limits\n", &["line 1"]),
        ] {
            let error = error(text);
            for part in parts {
                assert!(error.contains(part), "{part:?} is missing: {error}");
            }
        }
    }

    // B1
    #[test]
    fn what_cannot_be_granted_is_refused() {
        for (text, part) in [
            (
                "[grants]\nfolders = [{ host = \"data\", guest = \"/b\" }]",
                "not an absolute path",
            ),
            (
                "[grants]\nfolders = [{ host = \"/a\", guest = \"b\" }]",
                "not an absolute path",
            ),
            (
                "[grants]\nfolders = [{ host = \"/a/../etc\", guest = \"/b\" }]",
                "contains `..`",
            ),
            (
                "[grants]\nfolders = [{ host = \"/a\", guest = \"/b/..\" }]",
                "contains `..`",
            ),
            (
                "[grants]\nfolders = [{ host = \"/a\", guest = \"/b\" }, { host = \"/c\", guest = \"/b/\" }]",
                "two folders",
            ),
            (
                "[grants]\nenv = { \"A=B\" = \"c\" }",
                "no name of an environment variable",
            ),
            (
                "[grants]\nsecrets = [\"1A\"]",
                "no name of an environment variable",
            ),
            ("[grants]\nsecrets = [\"\"]", "no name of an environment variable"),
            ("[grants]\nsecrets = [\"A\", \"A\"]", "name it once"),
            ("[grants]\nenv = { A = \"b\" }\nsecrets = [\"A\"]", "name it once"),
            ("[grants]\nsecrets = [\"LONGHAUL_SECRET_A\"]", "as \"A\""),
            (
                "[grants.http]\nhosts = [\"https://a\"]",
                "`hosts` under `[grants.http]`",
            ),
            ("[grants.sockets]\nconnect = [\"a\"]", "needs a port"),
            ("[limits]\nactivity_timeout_s = 0", "at least 1"),
            ("[limits]\nactivity_concurrency = 0", "at least 1"),
        ] {
            let error = error(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn the_schema_and_the_reader_know_the_same_keys() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let example = schema["examples"][0].clone();
        // The example has every key, and the reader takes it whole.
        let missing = keys::not_in(&schema, &example);
        assert_eq!(missing, [""; 0]);
        let text = toml_of(&example);
        let config = parse(&text).unwrap();
        assert_ne!(config.grants.http, Reach::default());
        assert!(config.activity_concurrency.is_some());
        // And what the schema does not know, the reader does not either.
        assert!(keys::unknown(&text).is_none());
    }

    fn toml_of(value: &serde_json::Value) -> String {
        // Tables of one level, with inline values: enough for the example.
        let mut text = String::new();
        for (table, content) in value.as_object().unwrap() {
            for (key, value) in content.as_object().unwrap() {
                text += &format!("{table}.{key} = {}\n", inline(value));
            }
        }
        text
    }

    fn inline(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(k, v)| format!("{k} = {}", inline(v)))
                    .collect();
                format!("{{ {} }}", fields.join(", "))
            }
            serde_json::Value::Array(items) => {
                format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
            }
            other => other.to_string(),
        }
    }
}
