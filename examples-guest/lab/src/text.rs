//! How values and failures look in the log: as the lab of Temporal's Python SDK writes them.

use std::io;

use longhaul_sdk::error::{IncomingError, TimeoutType};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// A value as Python's `json.dumps` writes it: a space behind commas and colons, and ASCII only.
pub(crate) fn dump(value: &Value) -> String {
    let mut text = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut text, Python));
    assert!(written.is_ok(), "a JSON value can be written to memory");
    String::from_utf8_lossy(&text).into_owned()
}

struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for character in fragment.chars() {
            if character.is_ascii() && character != '\x7f' {
                write!(writer, "{character}")?;
                continue;
            }
            for unit in character.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    /// Python writes an exponent with a sign and two digits, below 1e-4 and from 1e16 on.
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let scientific = format!("{value:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        if value == 0.0 || (-4..16).contains(&exponent) {
            write!(writer, "{value:?}")
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(writer, "{digits}e{sign}{:02}", exponent.abs())
        }
    }
}

/// A failure in one line.
pub(crate) fn say(error: &IncomingError) -> String {
    match error {
        IncomingError::Activity(_) | IncomingError::ChildWorkflowExecution(_) => say_cause(error.cause()),
        IncomingError::Application(failure) => {
            format!("{}: {failure}", failure.type_name().unwrap_or("None"))
        }
        IncomingError::Timeout(timeout) => format!("timeout {}", limit(timeout.timeout_type())),
        IncomingError::Terminated(_) => "terminated".to_owned(),
        IncomingError::Cancelled(_) => "cancelled".to_owned(),
        other => other.to_string(),
    }
}

/// The cause of a failure in one line.
pub(crate) fn say_cause(cause: Option<&IncomingError>) -> String {
    cause.map_or_else(|| "NoneType".to_owned(), say)
}

fn limit(limit: TimeoutType) -> &'static str {
    match limit {
        TimeoutType::StartToClose => "START_TO_CLOSE",
        TimeoutType::ScheduleToStart => "SCHEDULE_TO_START",
        TimeoutType::ScheduleToClose => "SCHEDULE_TO_CLOSE",
        TimeoutType::Heartbeat => "HEARTBEAT",
        _ => "UNKNOWN",
    }
}
