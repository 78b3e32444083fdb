//! Commands and their answers, as a reader would see them in a terminal.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    error::Error,
    process::{say, shell_word},
};

/// Turns Ctrl-C and SIGTERM into an error at the next step, so that the clean-up runs.
#[derive(Debug, Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over both signals for the rest of this process.
    pub(super) fn install() -> Result<Self, Error> {
        let flag = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&flag);
        ctrlc::set_handler(move || set.store(true, Ordering::SeqCst))?;
        Ok(Self(flag))
    }

    fn raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a step must answer for the demo to go on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expect {
    /// Exit code 0.
    Success,
    /// Exit code 0, and this text on standard output.
    Contains(&'static str),
    /// Exit code 1, and this text on standard error.
    Refused(&'static str),
}

/// Where the demo plays.
#[derive(Debug)]
pub(super) struct Stage {
    longhaul: PathBuf,
    folder: PathBuf,
    address: String,
    interrupt: Interrupt,
}

impl Stage {
    /// Commands run in `folder` against the server at `address`.
    pub(super) fn new(longhaul: PathBuf, folder: PathBuf, address: &str, interrupt: Interrupt) -> Self {
        Self {
            longhaul,
            folder,
            address: address.to_owned(),
            interrupt,
        }
    }

    /// True once the demo was asked to stop.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupt.raised()
    }

    /// Says what comes next.
    pub(super) fn remark(&self, text: &str) {
        say(format!("\n# {text}"));
    }

    /// Shows and runs `longhaul WORDS --input INPUT...`, shows the answer and checks it.
    pub(super) fn longhaul(&self, words: &str, inputs: &[&str], expect: Expect) -> Result<(), Error> {
        let inputs: String = inputs
            .iter()
            .map(|input| format!(" --input {}", shell_word(input)))
            .collect();
        say(format!("$ longhaul {words}{inputs}"));
        let output = self.output(words, &inputs)?;
        let (answer, messages) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        for text in [&answer, &messages] {
            if !text.is_empty() {
                say(text.trim_end());
            }
        }
        let (met, expected) = match expect {
            Expect::Success => (output.status.success(), "success".to_owned()),
            Expect::Contains(text) => (
                output.status.success() && answer.contains(text),
                format!("success and {text:?}"),
            ),
            Expect::Refused(text) => (
                output.status.code() == Some(1) && messages.contains(text),
                format!("exit code 1 and {text:?}"),
            ),
        };
        if met {
            Ok(())
        } else {
            Err(self.unless_interrupted(Error::Demo { expected }))
        }
    }

    /// Shows and runs `longhaul WORDS > FILE`.
    pub(super) fn longhaul_to_file(&self, words: &str, file: &str) -> Result<(), Error> {
        say(format!("$ longhaul {words} > {file}"));
        let output = self.output(words, "")?;
        if !output.status.success() {
            say(String::from_utf8_lossy(&output.stderr).trim_end());
            return Err(self.unless_interrupted(Error::Demo {
                expected: "success".to_owned(),
            }));
        }
        let path = self.folder.join(file);
        fs::write(&path, output.stdout).map_err(Error::file("write", path))
    }

    /// Lets a shell run what the reader sees, so that it is true that it can be typed.
    fn output(&self, words: &str, inputs: &str) -> Result<Output, Error> {
        if self.interrupted() {
            return Err(Error::Interrupted);
        }
        Command::new("sh")
            .args(["-c", &format!("exec \"$LONGHAUL\" {words}{inputs}")])
            .current_dir(&self.folder)
            .env("LONGHAUL", &self.longhaul)
            .env("TEMPORAL_ADDRESS", &self.address)
            .env_remove("TEMPORAL_NAMESPACE")
            .output()
            .map_err(|source| Error::Start {
                command: format!("longhaul {words}"),
                source,
            })
    }

    /// A command that Ctrl-C has ended is no surprise.
    fn unless_interrupted(&self, error: Error) -> Error {
        if self.interrupted() {
            Error::Interrupted
        } else {
            error
        }
    }
}
