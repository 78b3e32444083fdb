//! Log lines of guests: their own, and what they write to standard output and standard error.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::options::LogOptions;
pub use crate::wit::types::LogLevel;

/// Receives the log lines of guests. Called on the thread that runs the guest: it must not block.
pub trait LogSink: Send + Sync {
    /// Take one line.
    fn log(&self, line: LogLine);

    /// Whether it also wants the lines of tasks that are replayed. They were taken when the task ran, so the default is no.
    fn wants_replayed(&self) -> bool {
        false
    }
}

/// A sink that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLog;

impl LogSink for NoLog {
    fn log(&self, _: LogLine) {}
}

/// One line that a guest has logged.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// How much it matters. Standard output is `info`, standard error is `warn`.
    pub level: LogLevel,
    /// Where it came from.
    pub source: LogSource,
    /// The text, without a line break at its end.
    pub message: String,
    /// Named values.
    pub fields: Vec<(String, String)>,
}

/// How a line was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSource {
    /// Through the contract's `log`.
    Log,
    /// Written to standard output.
    Stdout,
    /// Written to standard error.
    Stderr,
    /// By the host about the guest: lines were dropped, or something that it may not use was denied.
    Host,
}

/// Cuts a guest's output into lines, within limits, and hands them on.
pub(crate) struct Logs {
    sink: Arc<dyn LogSink>,
    limits: LogOptions,
    /// Lines go nowhere: during replay, and while `prepare` runs.
    pub(crate) muted: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    tails: Tails,
    lines: u32,
    dropped: u32,
}

impl Logs {
    pub(crate) fn new(sink: Arc<dyn LogSink>, limits: LogOptions) -> Self {
        let tails = Tails {
            max: limits.tail_max_bytes,
            ..Tails::default()
        };
        Self {
            sink,
            limits,
            muted: false,
            stdout: vec![],
            stderr: vec![],
            tails,
            lines: 0,
            dropped: 0,
        }
    }

    pub(crate) fn sink(&self) -> Arc<dyn LogSink> {
        self.sink.clone()
    }

    pub(crate) fn tails(&self) -> &Tails {
        &self.tails
    }

    /// A new activation: count from zero, forget old output. What a task logs in replay is dropped, unless the sink wants it.
    pub(crate) fn begin(&mut self, replaying: bool) {
        self.muted = replaying && !self.sink.wants_replayed();
        self.lines = 0;
        self.dropped = 0;
        self.tails.clear();
    }

    /// The activation is over: unfinished lines are lines, and what was dropped is told.
    pub(crate) fn end(&mut self) {
        for source in [LogSource::Stdout, LogSource::Stderr] {
            let rest = std::mem::take(self.pending(source));
            if !rest.is_empty() {
                self.emit_bytes(source, &rest);
            }
        }
        if self.dropped > 0 && !self.muted {
            let message = format!(
                "{} log lines dropped: over {} lines in one call",
                self.dropped, self.limits.lines_max
            );
            self.sink.log(LogLine {
                level: LogLevel::Warn,
                source: LogSource::Host,
                message,
                fields: vec![],
            });
        }
        self.dropped = 0;
    }

    /// What `prepare` has written is not for anyone.
    pub(crate) fn discard(&mut self) {
        self.stdout.clear();
        self.stderr.clear();
        self.tails.clear();
    }

    pub(crate) fn log(&mut self, level: LogLevel, message: String, mut fields: Vec<(String, String)>) {
        fields.truncate(self.limits.fields_max);
        for (name, value) in &mut fields {
            cut(name, self.limits.line_max_bytes);
            cut(value, self.limits.line_max_bytes);
        }
        self.emit(LogLine {
            level,
            source: LogSource::Log,
            message,
            fields,
        });
    }

    /// A line by the host about the guest.
    pub(crate) fn tell(&mut self, message: String) {
        self.emit(LogLine {
            level: LogLevel::Warn,
            source: LogSource::Host,
            message,
            fields: vec![],
        });
    }

    /// Bytes for standard output or standard error.
    pub(crate) fn write(&mut self, source: LogSource, bytes: &[u8]) {
        self.tails.push(source, bytes);
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let max = self.limits.line_max_bytes;
            let pending = self.pending(source);
            let room = max.saturating_sub(pending.len());
            pending.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                let line = std::mem::take(pending);
                self.emit_bytes(source, line.strip_suffix(b"\n").unwrap_or(&line));
            }
        }
    }

    fn pending(&mut self, source: LogSource) -> &mut Vec<u8> {
        if source == LogSource::Stderr {
            &mut self.stderr
        } else {
            &mut self.stdout
        }
    }

    fn emit_bytes(&mut self, source: LogSource, bytes: &[u8]) {
        let level = if source == LogSource::Stderr {
            LogLevel::Warn
        } else {
            LogLevel::Info
        };
        let message = String::from_utf8_lossy(bytes).trim_end_matches('\r').to_owned();
        self.emit(LogLine {
            level,
            source,
            message,
            fields: vec![],
        });
    }

    fn emit(&mut self, mut line: LogLine) {
        if self.muted {
            return;
        }
        if self.lines >= self.limits.lines_max {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines += 1;
        cut(&mut line.message, self.limits.line_max_bytes);
        self.sink.log(line);
    }
}

/// Shorten a text to at most `max` bytes, between characters.
fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
    }
}

/// The last bytes of standard output and standard error: a panic's text and place are there.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    max: usize,
    stdout: VecDeque<u8>,
    stderr: VecDeque<u8>,
}

impl Tails {
    fn push(&mut self, source: LogSource, bytes: &[u8]) {
        let tail = if source == LogSource::Stderr {
            &mut self.stderr
        } else {
            &mut self.stdout
        };
        tail.extend(&bytes[bytes.len().saturating_sub(self.max)..]);
        let over = tail.len().saturating_sub(self.max);
        tail.drain(..over);
    }

    fn clear(&mut self) {
        self.stdout.clear();
        self.stderr.clear();
    }

    pub(crate) fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// The message and the place of a panic, in the forms in which Rust and TinyGo print them.
    pub(crate) fn panic(&self) -> Option<(String, String)> {
        rust_panic(&text(&self.stderr))
            .or_else(|| go_panic(&text(&self.stderr)))
            .or_else(|| go_panic(&text(&self.stdout)))
    }
}

fn text(tail: &VecDeque<u8>) -> String {
    let bytes: Vec<u8> = tail.iter().copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `panicked at src/lib.rs:10:5:`, with the thread's name before it or without, and then the message, up to the `note:`.
fn rust_panic(stderr: &str) -> Option<(String, String)> {
    const MARK: &str = "panicked at ";
    let at = stderr.rfind(MARK)?;
    let (place, rest) = stderr[at + MARK.len()..].split_once('\n')?;
    let message = rest.split("\nnote: ").next().unwrap_or_default().trim_end();
    Some((message.to_owned(), place.trim_end_matches(':').to_owned()))
}

/// `panic: message`, sometimes with a place: `panic: runtime error at 0x...: message`.
fn go_panic(output: &str) -> Option<(String, String)> {
    let at = output.rfind("panic: ")?;
    let message = output[at + "panic: ".len()..].lines().next().unwrap_or_default();
    Some((message.to_owned(), String::new()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<LogLine>>);

    impl LogSink for Kept {
        fn log(&self, line: LogLine) {
            self.0.lock().unwrap().push(line);
        }
    }

    fn logs(limits: LogOptions) -> (Arc<Kept>, Logs) {
        let kept = Arc::new(Kept::default());
        (kept.clone(), Logs::new(kept, limits))
    }

    fn messages(kept: &Kept) -> Vec<String> {
        kept.0.lock().unwrap().iter().map(|l| l.message.clone()).collect()
    }

    #[test]
    fn output_becomes_lines_across_writes() {
        let (kept, mut logs) = logs(LogOptions::default());
        logs.write(LogSource::Stdout, b"one\ntw");
        logs.write(LogSource::Stdout, b"o\nrest");
        assert_eq!(messages(&kept), ["one", "two"]);
        logs.end();
        assert_eq!(messages(&kept), ["one", "two", "rest"]);
    }

    #[test]
    fn lines_over_the_limit_are_counted_and_long_ones_are_cut_between_characters() {
        let (kept, mut logs) = logs(LogOptions {
            lines_max: 2,
            line_max_bytes: 4,
            ..LogOptions::default()
        });
        logs.log(LogLevel::Info, "äöü".into(), vec![]);
        logs.write(LogSource::Stderr, b"123456789\n3\n4\n");
        logs.end();
        assert_eq!(
            messages(&kept),
            ["äö", "1234", "2 log lines dropped: over 2 lines in one call"]
        );
    }

    #[test]
    fn names_and_values_of_fields_are_cut() {
        let (kept, mut logs) = logs(LogOptions {
            fields_max: 1,
            line_max_bytes: 4,
            ..LogOptions::default()
        });
        let field = |text: &str| (text.to_owned(), text.to_owned());
        logs.log(LogLevel::Info, String::new(), vec![field("123456"), field("7")]);
        assert_eq!(kept.0.lock().unwrap()[0].fields, [field("1234")]);
    }

    #[test]
    fn muted_lines_go_nowhere_but_a_panic_is_still_found() {
        let (kept, mut logs) = logs(LogOptions::default());
        logs.begin(true);
        logs.write(
            LogSource::Stderr,
            b"\nthread 'main' (1) panicked at src/lib.rs:7:9:\nno such\norder\nnote: run with `RUST_BACKTRACE=1`\n",
        );
        assert_eq!(messages(&kept), [""; 0]);
        assert_eq!(
            logs.tails().panic(),
            Some(("no such\norder".into(), "src/lib.rs:7:9".into()))
        );
    }

    #[test]
    fn a_panic_without_a_thread_is_found() {
        let (_, mut logs) = logs(LogOptions::default());
        logs.write(LogSource::Stderr, b"panicked at src/lib.rs:1:2:\nno such order\n");
        assert_eq!(
            logs.tails().panic(),
            Some(("no such order".into(), "src/lib.rs:1:2".into()))
        );
    }

    #[test]
    fn a_go_panic_is_found_on_standard_output() {
        let (_, mut logs) = logs(LogOptions::default());
        logs.write(LogSource::Stdout, b"panic: no such order\n");
        assert_eq!(
            logs.tails().panic(),
            Some(("no such order".into(), String::new()))
        );
    }

    #[test]
    fn the_tail_keeps_the_last_bytes() {
        let (_, mut logs) = logs(LogOptions {
            tail_max_bytes: 4,
            ..LogOptions::default()
        });
        logs.write(LogSource::Stderr, b"abc");
        logs.write(LogSource::Stderr, b"def");
        assert_eq!(logs.tails().stderr(), "cdef");
    }
}
