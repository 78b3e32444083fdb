//! The parts of a line: keys, words, payloads.

use std::{collections::HashMap, fmt::Write as _};

use serde_json::Value;

use super::Options;
use crate::{
    failure,
    payload::{self, ENCODING_PLAIN},
    proto::{
        common::v1::{Header, Payload, Payloads, RetryPolicy, WorkflowExecution},
        failure::v1::Failure,
    },
    time,
};

/// A line that grows.
pub(super) struct Line {
    text: String,
    options: Options,
}

impl Line {
    pub(super) fn new(options: Options) -> Self {
        Self {
            text: String::new(),
            options,
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn options(&self) -> Options {
        self.options
    }

    /// `key=value`, the value as it is.
    pub(super) fn pair(&mut self, key: &str, value: &str) {
        let _ = write!(self.text, " {key}={value}"); // writing to a String cannot fail
    }

    /// `key=value`, in quotes where it is more than a word; nothing if it is empty.
    pub(super) fn word(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            let value = quoted(value, self.options.value_chars);
            self.pair(key, &value);
        }
    }

    /// A word that differs from run to run: shown only if the options say so.
    pub(super) fn volatile(&mut self, key: &str, value: &str) {
        if self.options.volatile {
            self.word(key, value);
        }
    }

    /// A number, or nothing if it is zero.
    pub(super) fn number(&mut self, key: &str, value: i64) {
        if value != 0 {
            self.pair(key, &value.to_string());
        }
    }

    /// A span of time, or nothing if there is none or it is zero.
    pub(super) fn duration(&mut self, key: &str, value: &Option<time::Duration>) {
        if let Some(duration) = value
            .as_ref()
            .filter(|duration| time::ns_from_duration(duration) != Some(0))
        {
            self.pair(key, &time::format_duration(duration));
        }
    }

    /// Arguments, in parentheses; nothing if there are none.
    pub(super) fn arguments(&mut self, key: &str, value: &Option<Payloads>) {
        let list = payload::slice(value);
        if !list.is_empty() {
            let text = arguments(list, self.options.value_chars);
            self.pair(key, &text);
        }
    }

    /// A result: one value stands alone, several in parentheses; nothing if there are none.
    pub(super) fn result(&mut self, key: &str, value: &Option<Payloads>) {
        match payload::slice(value) {
            [one] => {
                let text = self::payload(one, self.options.value_chars);
                self.pair(key, &text);
            }
            _ => self.arguments(key, value),
        }
    }

    /// Named payloads, sorted; nothing if there are none.
    pub(super) fn fields(&mut self, key: &str, fields: &HashMap<String, Payload>) {
        self.map(
            key,
            fields
                .iter()
                .map(|(key, value)| (key.as_str(), std::slice::from_ref(value))),
        );
    }

    /// Named lists of payloads, sorted; nothing if there are none.
    pub(super) fn lists(&mut self, key: &str, lists: &HashMap<String, Payloads>) {
        self.map(
            key,
            lists
                .iter()
                .map(|(key, value)| (key.as_str(), value.payloads.as_slice())),
        );
    }

    fn map<'a>(&mut self, key: &str, entries: impl Iterator<Item = (&'a str, &'a [Payload])>) {
        let max_chars = self.options.value_chars;
        let mut entries: Vec<_> = entries.collect();
        if entries.is_empty() {
            return;
        }
        entries.sort_by_key(|(key, _)| *key);
        let entries: Vec<String> = entries
            .into_iter()
            .map(|(key, values)| match values {
                [one] => format!("{}:{}", quoted(key, max_chars), payload(one, usize::MAX)),
                several => format!("{}:{}", quoted(key, max_chars), arguments(several, usize::MAX)),
            })
            .collect();
        let text = cut(&entries.join(","), max_chars);
        self.pair(key, &format!("{{{text}}}"));
    }

    pub(super) fn header(&mut self, header: &Option<Header>) {
        if let Some(header) = header {
            self.fields("header", &header.fields);
        }
    }

    /// A failure, to the end of the line.
    pub(super) fn failure(&mut self, key: &str, value: &Option<Failure>) {
        if let Some(failure) = value {
            let text = Value::String(cut(&failure::one_line(failure), self.options.value_chars)).to_string();
            self.pair(key, &text);
        }
    }

    /// An execution by its workflow id; the run id differs from run to run.
    pub(super) fn execution(&mut self, key: &str, value: &Option<WorkflowExecution>) {
        if let Some(execution) = value {
            self.word(key, &execution.workflow_id);
            self.volatile("run", &execution.run_id);
        }
    }

    /// A retry policy, as far as it differs from the default one (1 s, times 2, at most 100 s, no end).
    pub(super) fn retry_policy(&mut self, value: &Option<RetryPolicy>) {
        let Some(policy) = value else { return };
        let ns = |duration: &Option<time::Duration>| {
            duration.as_ref().and_then(time::ns_from_duration).unwrap_or(0)
        };
        let initial_ns = ns(&policy.initial_interval);
        let mut parts = Vec::new();
        if initial_ns != 0 && initial_ns != time::NS_PER_SECOND {
            parts.push(format!("first:{}", time::format_duration_ns(initial_ns)));
        }
        if policy.backoff_coefficient != 0.0 && policy.backoff_coefficient != 2.0 {
            parts.push(format!("times:{}", policy.backoff_coefficient));
        }
        let maximum_ns = ns(&policy.maximum_interval);
        let default_maximum_ns = initial_ns.max(time::NS_PER_SECOND).saturating_mul(100);
        if maximum_ns != 0 && maximum_ns != default_maximum_ns {
            parts.push(format!("most:{}", time::format_duration_ns(maximum_ns)));
        }
        if policy.maximum_attempts != 0 {
            parts.push(format!("attempts:{}", policy.maximum_attempts));
        }
        if !policy.non_retryable_error_types.is_empty() {
            parts.push(format!("not:{}", policy.non_retryable_error_types.join("|")));
        }
        if !parts.is_empty() {
            self.pair("retry", &format!("{{{}}}", parts.join(",")));
        }
    }
}

/// Payloads in parentheses.
pub(super) fn arguments(payloads: &[Payload], max_chars: usize) -> String {
    // Cut once, as a whole: a value that was cut before would be counted wrong.
    let values: Vec<String> = payloads.iter().map(|value| payload(value, usize::MAX)).collect();
    format!("({})", cut(&values.join(","), max_chars))
}

/// A payload as JSON with sorted keys; one that holds no JSON as its encoding and size.
pub(super) fn payload(value: &Payload, max_chars: usize) -> String {
    if let Some(json) = payload::to_json(value) {
        let mut text = String::new();
        write_sorted(&json, &mut text);
        return cut(&text, max_chars);
    }
    let bytes = value.data.len();
    match payload::encoding(value) {
        Some(ENCODING_PLAIN) => match std::str::from_utf8(&value.data) {
            Ok(text) if !text.contains(char::is_control) => {
                format!("<{bytes} bytes {}>", quoted(text, max_chars))
            }
            _ => format!("<{bytes} bytes>"),
        },
        Some(encoding) => format!("<{} {bytes} bytes>", cut(encoding, max_chars).escape_debug()),
        None => format!("<no encoding, {bytes} bytes>"),
    }
}

/// Compact JSON with the keys of every object sorted, so that two languages' output can be compared.
pub(super) fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_sorted(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::String(key.clone())); // writing to a String cannot fail
                write_sorted(item, out);
            }
            out.push('}');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

/// A word as it is; anything else in JSON's quotes.
pub(super) fn quoted(text: &str, max_chars: usize) -> String {
    let text = cut(text, max_chars);
    let is_word = |c: char| c.is_alphanumeric() || "_-.:/@+#".contains(c);
    if !text.is_empty() && text.chars().all(is_word) {
        text
    } else {
        Value::String(text).to_string()
    }
}

/// At most `max_chars` characters; says how many were cut off.
pub(super) fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...(+{})", &text[..end], text[end..].chars().count()),
    }
}
