//! Running other programs.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use crate::error::Error;

/// Prints a line. A closed pipe (`cargo xtask guests | head -1`) is no reason to fail.
pub(crate) fn say(line: impl AsRef<str>) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", line.as_ref()).and_then(|()| stdout.flush());
}

/// Runs a program to its end with this process's terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| Error::Start {
        command: text(command),
        source,
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Failed {
            command: text(command),
            status,
        })
    }
}

/// Runs a program and returns what it wrote to standard output; its standard error is this process's.
pub(crate) fn capture(command: &mut Command) -> Result<String, Error> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Error::Start {
            command: text(command),
            source,
        })?;
    if !output.status.success() {
        return Err(Error::Failed {
            command: text(command),
            status: output.status,
        });
    }
    String::from_utf8(output.stdout).map_err(|_| Error::Answer {
        command: text(command),
        problem: "it is not UTF-8".to_owned(),
    })
}

/// Runs a program, prints its standard output as it comes and shows each line to `see`. Returns whether it succeeded.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool, Error> {
    let name = text(command);
    let start = |source| Error::Start {
        command: name.clone(),
        source,
    };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(start)?;
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        // Bytes, not text: a test may print anything.
        while lines.read_until(b'\n', &mut line).map_err(start)? > 0 {
            let shown = String::from_utf8_lossy(&line);
            see(shown.trim_end());
            say(shown.trim_end_matches('\n'));
            line.clear();
        }
    }
    Ok(child.wait().map_err(start)?.success())
}

/// The command as one would type it.
pub(crate) fn text(command: &Command) -> String {
    let mut words = vec![shell_word(&command.get_program().to_string_lossy())];
    words.extend(command.get_args().map(|word| shell_word(&word.to_string_lossy())));
    words.join(" ")
}

/// Quotes a word for a POSIX shell where it needs that.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_what_needs_it() {
        assert_eq!(shell_word("--workflow-id"), "--workflow-id");
        assert_eq!(shell_word(r#"{"a": 1}"#), r#"'{"a": 1}'"#);
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn says_which_program_is_missing() {
        let error = run(&mut Command::new("longhaul-no-such-program")).unwrap_err();
        assert!(error.to_string().contains("longhaul-no-such-program"), "{error}");
    }
}
