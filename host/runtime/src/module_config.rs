//! A module's settings: limits that it sets for itself, and what its activities may use.

use std::{collections::BTreeMap, path::PathBuf};

use longhaul_sandbox::{Folder, Grants, Limits};
use serde::Deserialize;

/// Settings of a module, as the user writes them in TOML.
///
/// ```toml
/// [limits]
/// fuel_per_activation = 5_000_000_000
/// memory_bytes = 33554432
///
/// [grants]
/// network = true
/// env = { REGION = "eu" }
/// folders = [{ host = "/srv/in", guest = "/in", write = false }]
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Config {
    /// Within those of the server.
    pub(crate) limits: Limits,
    /// What its activities may use.
    pub(crate) grants: Grants,
}

/// Settings that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the module's settings are not valid: {0}")]
pub(crate) struct BadConfig(String);

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
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileGrants {
    network: bool,
    env: BTreeMap<String, String>,
    folders: Vec<FileFolder>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFolder {
    host: PathBuf,
    guest: String,
    #[serde(default)]
    write: bool,
}

/// Read a module's settings; an empty text stands for the defaults.
pub(crate) fn parse(text: &str) -> Result<Config, BadConfig> {
    let file: File = toml::from_str(text).map_err(|error| BadConfig(error.to_string()))?;
    Ok(Config {
        limits: Limits {
            fuel_per_activation: file.limits.fuel_per_activation,
            memory_max_bytes: file.limits.memory_bytes,
            table_elements_max: file.limits.table_elements,
            activity_memory_max_bytes: file.limits.activity_memory_bytes,
        },
        grants: Grants {
            env: file.grants.env.into_iter().collect(),
            folders: file
                .grants
                .folders
                .into_iter()
                .map(|folder| Folder {
                    host: folder.host,
                    guest: folder.guest,
                    write: folder.write,
                })
                .collect(),
            network: file.grants.network,
        },
    })
}

impl Config {
    /// Whether it asks for anything of the machine.
    pub(crate) fn asks_for_grants(&self) -> bool {
        self.grants != Grants::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_mistakes_are_named() {
        let config = parse("[limits]\nfuel_per_activation = 7\n[grants]\nenv = { A = \"b\" }\n").unwrap();
        assert_eq!(config.limits.fuel_per_activation, Some(7));
        assert!(config.asks_for_grants());
        assert!(!parse("").unwrap().asks_for_grants());
        let error = parse("[limits]\nfule = 7\n").unwrap_err().to_string();
        assert!(error.contains("fule"), "{error}");
    }
}
