//! What is printed: results to standard output in the form that `-o` asks for, everything else to standard error.

use std::io::{self, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use crate::{
    Error,
    args::{Color, Format},
};

const HEADING: Style = Style::new().bold();
const NAME: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BUSY: Style = AnsiColor::Cyan.on_default();
const NOTE: Style = AnsiColor::Yellow.on_default();

/// Where results and messages go.
pub struct Output {
    format: Format,
    /// Takes results. Strips styles where they are not wanted.
    out: Box<dyn Write>,
    /// Takes messages. Strips styles where they are not wanted.
    err: Box<dyn Write>,
    /// Whether tables may be fitted to a terminal's width.
    out_is_terminal: bool,
    err_is_terminal: bool,
    coloured: bool,
}

impl Output {
    /// The process's standard output and standard error.
    pub fn standard(format: Format, color: Color) -> Self {
        match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        let out = anstream::stdout();
        Self {
            format,
            coloured: out.current_choice() != anstream::ColorChoice::Never,
            out: Box::new(out),
            err: Box::new(anstream::stderr()),
            out_is_terminal: io::stdout().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Writers of the caller, which get no styles: for tests.
    pub fn plain(format: Format, out: impl Write + 'static, err: impl Write + 'static) -> Self {
        Self {
            format,
            out: Box::new(anstream::StripStream::new(Box::new(out) as Box<dyn Write>)),
            err: Box::new(anstream::StripStream::new(Box::new(err) as Box<dyn Write>)),
            out_is_terminal: false,
            err_is_terminal: false,
            coloured: false,
        }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether a progress bar on standard error has a reader.
    pub(crate) fn shows_progress(&self) -> bool {
        self.err_is_terminal && self.format != Format::None
    }

    /// A result as one JSON document; the caller has checked that JSON is asked for.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text = pretty(value)?;
        self.out
            .write_all(&text)
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(Error::Output)
    }

    /// Start a JSON array, after `before`, whose items come one by one.
    pub(crate) fn json_array(&mut self, before: &str) -> Result<JsonArray<'_>, Error> {
        write!(self.out, "{before}[").map_err(Error::Output)?;
        Ok(JsonArray {
            output: self,
            empty: true,
        })
    }

    /// A line of a result for people.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Error> {
        writeln!(self.out, "{line}").map_err(Error::Output)
    }

    /// A heading above a part of a result.
    pub(crate) fn heading(&mut self, text: &str) -> Result<(), Error> {
        writeln!(self.out, "{HEADING}{text}{HEADING:#}").map_err(Error::Output)
    }

    /// Names and values, aligned. Further lines of a value are indented; empty values are left out.
    pub(crate) fn card(&mut self, indent: usize, rows: &[(&str, String)]) -> Result<(), Error> {
        let rows = || rows.iter().filter(|(_, value)| !value.is_empty());
        let width = rows().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in rows() {
            let mut lines = value.lines();
            let first = lines.next().unwrap_or_default();
            let (pad, rest) = (indent, width - name.len());
            writeln!(self.out, "{:pad$}{NAME}{name}{NAME:#}{:rest$}  {first}", "", "")
                .map_err(Error::Output)?;
            for line in lines {
                writeln!(self.out, "{:1$}{line}", "", indent + width + 2).map_err(Error::Output)?;
            }
        }
        Ok(())
    }

    /// Rows under headings; fitted to the terminal, plain when piped.
    pub(crate) fn table(&mut self, headings: &[&str], rows: Vec<Vec<String>>) -> Result<(), Error> {
        use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        if self.out_is_terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty();
        }
        if self.coloured {
            table.enforce_styling();
        }
        table.set_header(
            headings
                .iter()
                .map(|text| Cell::new(text).add_attribute(Attribute::Bold)),
        );
        for row in rows {
            table.add_row(row.into_iter().map(|text| {
                let color = status_color(&text);
                let cell = Cell::new(text);
                if let Some(color) = color {
                    cell.fg(color)
                } else {
                    cell
                }
            }));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end()).map_err(Error::Output)?;
        }
        Ok(())
    }

    /// Bytes as they are, for example a script.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(Error::Output)
    }

    /// Tell on standard error what was done; only where people read.
    pub(crate) fn note(&mut self, text: &str) {
        if self.format == Format::Text {
            // A message that cannot be written has nobody to complain to.
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// An error on standard error, with what can be done about it.
    pub fn error(&mut self, error: &Error) {
        if error.exit_code() == 0 {
            return;
        }
        // As above: there is no other place to complain to.
        let _ = writeln!(self.err, "{BAD}Error:{BAD:#} {error}");
        if let Some(hint) = error.hint() {
            let _ = writeln!(self.err, "{NOTE}Hint:{NOTE:#} {hint}");
        }
    }
}

/// A JSON array that is written item by item, so that its length has no limit.
pub(crate) struct JsonArray<'a> {
    output: &'a mut Output,
    empty: bool,
}

impl JsonArray<'_> {
    pub(crate) fn push(&mut self, value: &Value) -> Result<(), Error> {
        // Printed JSON has line breaks between its tokens only, never within a string.
        let text = format!("{value:#}").replace('\n', "\n  ").into_bytes();
        let out = &mut self.output.out;
        let before: &[u8] = if self.empty { b"\n  " } else { b",\n  " };
        self.empty = false;
        out.write_all(before)
            .and_then(|()| out.write_all(&text))
            .and_then(|()| out.flush())
            .map_err(Error::Output)
    }

    /// Close the array; `after` ends the document.
    pub(crate) fn finish(self, after: &str) -> Result<(), Error> {
        let newline = if self.empty { "" } else { "\n" };
        writeln!(self.output.out, "{newline}]{after}").map_err(Error::Output)
    }
}

fn pretty(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec_pretty(value).map_err(|error| Error::Json {
        what: "the result",
        reason: error.to_string(),
    })
}

/// A status name in its colour, for lines and cards.
pub(crate) fn status(name: &str) -> String {
    let style = match name {
        "COMPLETED" => GOOD,
        "RUNNING" | "CONTINUED_AS_NEW" | "PAUSED" => BUSY,
        "FAILED" | "TIMED_OUT" | "TERMINATED" | "CANCELED" => BAD,
        _ => Style::new(),
    };
    format!("{style}{name}{style:#}")
}

fn status_color(name: &str) -> Option<comfy_table::Color> {
    match name {
        "COMPLETED" => Some(comfy_table::Color::Green),
        "RUNNING" | "CONTINUED_AS_NEW" | "PAUSED" => Some(comfy_table::Color::Cyan),
        "FAILED" | "TIMED_OUT" | "TERMINATED" | "CANCELED" => Some(comfy_table::Color::Red),
        _ => None,
    }
}

/// A number of bytes for people.
pub(crate) fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}

/// A moment for people, in UTC and to the millisecond; empty if there is none.
pub(crate) fn time(timestamp: Option<prost_wkt_types::Timestamp>) -> String {
    timestamp
        .and_then(|at| std::time::SystemTime::try_from(at).ok())
        .map(|at| humantime::format_rfc3339_millis(at).to_string())
        .unwrap_or_default()
}

/// A span of time for people; empty if there is none or it is zero.
pub(crate) fn span(duration: Option<prost_wkt_types::Duration>) -> String {
    duration
        .and_then(|span| std::time::Duration::try_from(span).ok())
        .filter(|span| !span.is_zero())
        .map(|span| humantime::format_duration(span).to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    /// A writer whose text the test can read.
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_card_is_aligned_and_leaves_out_what_is_empty() {
        let out = Buffer::default();
        let mut output = Output::plain(Format::Text, out.clone(), io::sink());
        let rows = [
            ("Status", status("FAILED")),
            ("Id", "a\nb".to_owned()),
            ("Parent", String::new()),
        ];
        output.card(2, &rows).unwrap();
        assert_eq!(out.text(), "  Status  FAILED\n  Id      a\n          b\n");
    }

    #[test]
    fn a_piped_table_is_plain_and_whole() {
        let out = Buffer::default();
        let mut output = Output::plain(Format::Text, out.clone(), io::sink());
        let long = "x".repeat(300);
        output
            .table(
                &["Name", "Size"],
                vec![
                    vec![long.clone(), "1".into()],
                    vec!["COMPLETED".into(), "2".into()],
                ],
            )
            .unwrap();
        let text = out.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[1], format!("{long}  1"));
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_streamed_array_is_json() {
        for items in [vec![], vec![json!(1)], vec![json!({"a": 1}), json!(2)]] {
            let out = Buffer::default();
            let mut output = Output::plain(Format::Json, out.clone(), io::sink());
            let mut array = output.json_array("{\"events\": ").unwrap();
            for item in &items {
                array.push(item).unwrap();
            }
            array.finish("}").unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(&out.text()).unwrap(),
                json!({"events": items})
            );
        }
    }

    #[test]
    fn notes_are_for_people_only() {
        for (format, expected) in [(Format::Text, "done\n"), (Format::Json, ""), (Format::None, "")] {
            let err = Buffer::default();
            Output::plain(format, io::sink(), err.clone()).note("done");
            assert_eq!(err.text(), expected);
        }
    }

    #[test]
    fn an_error_comes_with_its_hint() {
        let err = Buffer::default();
        Output::plain(Format::None, io::sink(), err.clone())
            .error(&Error::CommandTimeout(std::time::Duration::from_secs(90)));
        assert_eq!(
            err.text(),
            "Error: gave up after 1m 30s\nHint: --command-timeout sets the limit\n"
        );
    }
}
