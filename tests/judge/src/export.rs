//! Histories that the end-to-end tests have left in a folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use longhaul_history::json;
use prost::Message;
use temporalio_protos::temporal::api::history::v1::History;

/// The environment variable that names the folder.
pub const ENV_HISTORIES: &str = "LONGHAUL_HISTORIES";

/// The command that fills the folder; named in errors.
const EXPORTED_BY: &str = "cargo xtask test";

/// One exported history.
#[derive(Debug, Clone)]
pub struct Export {
    /// The file's name.
    pub name: String,
    /// The history.
    pub history: History,
}

/// A folder of histories that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such folder, or it has no histories.
    #[error("no exported histories in {}: `{EXPORTED_BY}` writes them and runs the judge after it; for a folder of your own set {ENV_HISTORIES}", folder.display())]
    Nothing {
        /// The folder that was looked into.
        folder: PathBuf,
    },
    /// A folder or a file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold a history.
    #[error("{} does not hold a history: {problem}", path.display())]
    NoHistory {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        problem: String,
    },
}

impl Export {
    /// The folder that [`ENV_HISTORIES`] names, else `target/histories` of the main workspace.
    #[must_use]
    pub fn default_folder() -> PathBuf {
        if let Some(folder) = env::var_os(ENV_HISTORIES) {
            return folder.into();
        }
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/histories")
    }

    /// Reads every history in `folder`, in order of name.
    ///
    /// # Errors
    /// [`ExportError`] where there are none, or where one of them does not decode.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, ExportError> {
        let unreadable = |source| ExportError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ExportError::Nothing {
                    folder: folder.to_owned(),
                });
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|e| e == "pb" || e == "json") {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            return Err(ExportError::Nothing {
                folder: folder.to_owned(),
            });
        }
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Result<Self, ExportError> {
        let bytes = fs::read(path).map_err(|source| ExportError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let no_history = |problem: String| ExportError::NoHistory {
            path: path.to_owned(),
            problem,
        };
        let history = if path.extension().is_some_and(|e| e == "json") {
            let text = str::from_utf8(&bytes).map_err(|error| no_history(error.to_string()))?;
            json::parse_history(text).map_err(|error| no_history(error.to_string()))?
        } else {
            History::decode(bytes.as_slice()).map_err(|error| no_history(error.to_string()))?
        };
        if history.events.is_empty() {
            return Err(no_history("it has no events".to_owned()));
        }
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ok(Self { name, history })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for a test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("longhaul-judge-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // What stays behind in the system's temporary folder harms nobody.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_missing_or_empty_folder_is_an_error_that_names_the_command() {
        let folder = Folder::new("empty");
        fs::write(folder.0.join("notes.txt"), "no history").unwrap();
        for path in [folder.0.clone(), folder.0.join("missing")] {
            let error = Export::read_all(&path).unwrap_err();
            assert!(matches!(error, ExportError::Nothing { .. }), "{error}");
            assert!(error.to_string().contains("cargo xtask test"), "{error}");
        }
    }

    #[test]
    fn both_forms_of_a_history_are_read_in_order_of_name() {
        let folder = Folder::new("order");
        let json = r#"{"events": [{
            "eventId": "1",
            "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
            "workflowExecutionStartedEventAttributes": {"workflowType": {"name": "Order"}}
        }]}"#;
        fs::write(folder.0.join("b.json"), json).unwrap();
        let bytes = json::parse_history(json).unwrap().encode_to_vec();
        fs::write(folder.0.join("a.pb"), bytes).unwrap();

        let exports = Export::read_all(&folder.0).unwrap();
        let names: Vec<_> = exports.iter().map(|export| export.name.as_str()).collect();
        assert_eq!(names, ["a.pb", "b.json"]);
        assert_eq!(exports[0].history, exports[1].history);
        assert_eq!(exports[0].history.events.len(), 1);
    }

    #[test]
    fn a_file_that_holds_no_history_is_an_error_that_names_it() {
        let broken = [
            ("not-protobuf.pb", &b"\xff\xff"[..]),
            ("empty.pb", b""),
            ("not-json.json", b"{"),
        ];
        for (name, bytes) in broken {
            let folder = Folder::new(name);
            fs::write(folder.0.join(name), bytes).unwrap();
            let error = Export::read_all(&folder.0).unwrap_err();
            assert!(
                matches!(&error, ExportError::NoHistory { path, .. } if path.ends_with(name)),
                "{error}"
            );
        }
    }
}
