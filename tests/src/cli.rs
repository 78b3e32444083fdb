//! Running the command line and reading its answer.

use std::process::{Command, Output};

use serde_json::Value;

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// The command, for messages.
    command: String,
    /// The exit code; -1 if a signal ended the command.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// Messages.
    pub stderr: String,
}

impl Answer {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let text = format!("{command:?}");
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap_or_else(|error| panic!("{text}: {error}"));
        let utf8 =
            |bytes| String::from_utf8(bytes).unwrap_or_else(|_| panic!("{text}: the output is not UTF-8"));
        let answer = Self {
            code: status.code().unwrap_or(-1),
            stdout: utf8(stdout),
            stderr: utf8(stderr),
            command: text,
        };
        // B1: whatever is wrong, no command panics.
        assert!(!answer.stderr.contains("panicked at"), "{answer:#?}");
        answer
    }

    /// Standard output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.stdout
    }

    /// The JSON document that a successful command printed.
    #[track_caller]
    pub fn json(self) -> Value {
        let command = self.command.clone();
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"))
    }

    /// The messages of a command that must have ended with exit code 1; each of `words` must be in them.
    #[track_caller]
    pub fn refused(self, words: &[&str]) -> String {
        self.failed(1, words)
    }

    /// The messages of a command that must have ended with exit code 2; each of `words` must be in them.
    #[track_caller]
    pub fn wrong_usage(self, words: &[&str]) -> String {
        self.failed(2, words)
    }

    #[track_caller]
    fn failed(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, code, "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing: {self:#?}");
        }
        self.stderr
    }
}

/// Asserts that these names stand in the text in this order: the nearest one first.
#[track_caller]
pub fn assert_in_order(text: &str, names: &[&str]) {
    let mut rest = text;
    for name in names {
        let Some(at) = rest.find(name) else {
            panic!("{name:?} is missing, or not in the order {names:?}: {text}")
        };
        rest = &rest[at + name.len()..];
    }
}
