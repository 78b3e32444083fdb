//! What is printed: a line for each measurement as soon as it is known, or one JSON document at the end.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Serialize, Serializer};

use super::{
    Error,
    latencies::{Latencies, nanoseconds},
    load::Measured,
    target::Writes,
};
use crate::{Output, args::Format, output};

/// A figure that the design aims at, on two cores with the client beside the server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Aim {
    /// Operations a second, at least.
    PerSecond(f64),
    /// The median, below this.
    #[serde(serialize_with = "as_us", rename = "p50Us")]
    P50(Duration),
}

/// Many operations of one kind.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Load {
    case: String,
    /// What `count` counts.
    unit: &'static str,
    count: u64,
    callers: usize,
    seconds: f64,
    per_second: f64,
    #[serde(flatten)]
    times: Option<Times>,
    errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    commits: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transitions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aim: Option<Aim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<bool>,
}

/// How long operations took.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    #[serde(serialize_with = "as_us", rename = "p50Us")]
    p50: Duration,
    #[serde(serialize_with = "as_us", rename = "p99Us")]
    p99: Duration,
    #[serde(serialize_with = "as_us", rename = "maxUs")]
    max: Duration,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Unit {
    Bytes,
    Seconds,
    PerSecond,
    Percent,
    Times,
}

/// Where a figure should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Bound {
    Below(f64),
    AtLeast(f64),
}

/// A single figure.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figure {
    pub(super) case: &'static str,
    pub(super) what: String,
    pub(super) value: f64,
    pub(super) unit: Unit,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aim: Option<Bound>,
}

/// The document for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: &'static str,
    optimised: bool,
    mode: &'static str,
    processors: usize,
    loads: &'a [Load],
    figures: &'a [Figure],
}

/// Collects and prints.
pub(super) struct Report<'a> {
    output: &'a mut Output,
    mode: &'static str,
    loads: Vec<Load>,
    figures: Vec<Figure>,
    failed: u64,
    first_failure: Option<String>,
}

impl Aim {
    fn is_reached(self, per_second: f64, latencies: &Latencies) -> bool {
        match self {
            Self::PerSecond(least) => per_second >= least,
            Self::P50(limit) => latencies.percentile(50) < limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::PerSecond(least) => format!("{}/s", rate(least)),
            Self::P50(limit) => format!("p50 < {}", span(limit)),
        }
    }
}

impl Bound {
    fn is_reached(self, value: f64) -> bool {
        match self {
            Self::Below(limit) => value < limit,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Bytes => output::bytes(value.max(0.0) as u64),
            Self::Seconds => span(Duration::from_secs_f64(value.max(0.0))),
            Self::PerSecond => format!("{}/s", rate(value)),
            Self::Percent => format!("{value:.2} %"),
            Self::Times => format!("{value:.2} times"),
        }
    }
}

impl Load {
    /// Operations, each of them one `unit`.
    pub(super) fn new(
        case: impl Into<String>,
        unit: &'static str,
        callers: usize,
        measured: &Measured,
    ) -> Self {
        let count = measured.latencies.count();
        Self {
            times: Some(Times {
                p50: measured.latencies.percentile(50),
                p99: measured.latencies.percentile(99),
                max: measured.latencies.max(),
            }),
            ..Self::of_parts(case, unit, callers, measured, count)
        }
    }

    /// Operations of which each is many `unit`s, `count` in all. How long one of these took is not known.
    pub(super) fn of_parts(
        case: impl Into<String>,
        unit: &'static str,
        callers: usize,
        measured: &Measured,
        count: u64,
    ) -> Self {
        let seconds = measured.elapsed.as_secs_f64();
        // What failed is no work done: only the rest is a rate.
        let operations = measured.latencies.count();
        let share = operations.saturating_sub(measured.errors) as f64 / operations.max(1) as f64;
        Self {
            case: case.into(),
            unit,
            count,
            // No more callers than operations had something to do.
            callers: callers.min(usize::try_from(measured.latencies.count()).unwrap_or(callers)),
            seconds,
            per_second: share * per_second(count, measured.elapsed),
            times: None,
            errors: measured.errors,
            commits: None,
            transitions: None,
            aim: None,
            reached: None,
        }
    }

    /// Under another name than the case's: one of several lines of it.
    pub(super) fn named(self, case: String) -> Self {
        Self { case, ..self }
    }

    /// With what the database wrote meanwhile.
    pub(super) fn writes(self, writes: Option<Writes>) -> Self {
        Self {
            commits: writes.map(|writes| writes.commits),
            transitions: writes.map(|writes| writes.transitions),
            ..self
        }
    }

    /// With what is aimed at.
    pub(super) fn aim(self, aim: Option<Aim>, measured: &Measured) -> Self {
        Self {
            aim,
            reached: aim.map(|aim| aim.is_reached(self.per_second, &measured.latencies)),
            ..self
        }
    }

    /// Operations a second.
    pub(super) fn rate(&self) -> f64 {
        self.per_second
    }

    fn line(&self) -> String {
        let times = self.times.as_ref();
        let time = |of: fn(&Times) -> Duration| times.map_or("-".to_owned(), |times| span(of(times)));
        let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
        let aim = match (self.aim, self.reached) {
            (Some(aim), Some(reached)) => judged(&aim.text(), reached),
            _ => String::new(),
        };
        line([
            &self.case,
            &self.count.to_string(),
            self.unit,
            &self.callers.to_string(),
            &format!("{}/s", rate(self.per_second)),
            &time(|times| times.p50),
            &time(|times| times.p99),
            &time(|times| times.max),
            &self.errors.to_string(),
            &number(self.commits),
            &number(self.transitions),
            &aim,
        ])
    }
}

impl Figure {
    fn line(&self) -> String {
        let value = self.unit.text(self.value);
        let aim = self.aim.map(|bound| {
            let text = match bound {
                Bound::Below(limit) => format!("< {}", self.unit.text(limit)),
                Bound::AtLeast(least) => self.unit.text(least),
            };
            judged(&text, bound.is_reached(self.value))
        });
        format!(
            "{:<20} {}: {value}  {}",
            self.case,
            self.what,
            aim.unwrap_or_default()
        )
        .trim_end()
        .to_owned()
    }
}

impl<'a> Report<'a> {
    /// Begin.
    pub(super) fn new(mode: &'static str, output: &'a mut Output) -> Result<Self, crate::Error> {
        let mut report = Self {
            output,
            mode,
            loads: Vec::new(),
            figures: Vec::new(),
            failed: 0,
            first_failure: None,
        };
        if cfg!(debug_assertions) {
            report.note("This is a debug build: its figures say nothing about a release build.");
        }
        if report.output.format() == Format::Text {
            report.output.heading(&line([
                "CASE",
                "N",
                "",
                "CALLERS",
                "RATE",
                "P50",
                "P99",
                "MAX",
                "ERRORS",
                "COMMITS",
                "TRANSITIONS",
                "AIM",
            ]))?;
        }
        Ok(report)
    }

    /// Add operations.
    pub(super) fn load(&mut self, load: Load, measured: &Measured) -> Result<(), crate::Error> {
        self.failed += measured.errors;
        if let Some(error) = &measured.first_error {
            self.first_failure
                .get_or_insert_with(|| format!("{}: {error}", load.case));
        }
        if self.output.format() == Format::Text {
            self.output.line(&load.line())?;
        }
        self.loads.push(load);
        Ok(())
    }

    /// Add a figure.
    pub(super) fn figure(&mut self, figure: Figure) -> Result<(), crate::Error> {
        if self.output.format() == Format::Text {
            self.output.line(&figure.line())?;
        }
        self.figures.push(figure);
        Ok(())
    }

    /// Tell people something.
    pub(super) fn note(&mut self, text: &str) {
        self.output.note(text);
    }

    /// A progress bar for what comes next, if somebody sees it. It goes away when the last handle is dropped.
    pub(super) fn progress(&self, what: &str, count: u64) -> ProgressBar {
        progress(self.output, what, count)
    }

    /// Print what is printed at the end.
    ///
    /// # Errors
    ///
    /// Operations have failed.
    pub(super) fn finish(self) -> Result<(), crate::Error> {
        if self.output.format() == Format::Json {
            self.output.json(&Document {
                version: env!("CARGO_PKG_VERSION"),
                optimised: !cfg!(debug_assertions),
                mode: self.mode,
                processors: std::thread::available_parallelism().map_or(0, usize::from),
                loads: &self.loads,
                figures: &self.figures,
            })?;
        }
        match self.first_failure {
            Some(first) => Err(Error::Failed {
                failed: self.failed,
                first,
            }
            .into()),
            None => Ok(()),
        }
    }
}

/// A bar on standard error, if somebody sees it.
pub(super) fn progress(output: &Output, what: &str, count: u64) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count).with_message(what.to_owned());
    // The template is a constant that parses; the default would do as well.
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {human_pos}/{human_len} {per_sec}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.with_finish(indicatif::ProgressFinish::AndClear)
}

/// Operations a second.
pub(super) fn per_second(count: u64, elapsed: Duration) -> f64 {
    // Nothing takes no time at all; the clock may say so.
    count as f64 / elapsed.as_secs_f64().max(1e-9)
}

/// The columns, with a space between them whatever their lengths.
fn line(columns: [&str; 12]) -> String {
    let [
        case,
        count,
        unit,
        callers,
        rate,
        p50,
        p99,
        max,
        errors,
        commits,
        transitions,
        aim,
    ] = columns;
    format!(
        "{case:<20} {count:>8} {unit:<10} {callers:>7} {rate:>12} {p50:>9} {p99:>9} {max:>9} {errors:>6} {commits:>8} {transitions:>11}  {aim}"
    )
    .trim_end()
    .to_owned()
}

fn judged(aim: &str, reached: bool) -> String {
    let verdict = if reached { "reached" } else { "missed" };
    format!("(aim {aim}: {verdict})")
}

/// A rate with three digits that say something.
fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate if rate >= 10.0 => format!("{rate:.1}"),
        rate => format!("{rate:.2}"),
    }
}

/// A span with three digits that say something.
fn span(span: Duration) -> String {
    let ns = nanoseconds(span) as f64;
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", rate(value))
}

fn as_us<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(nanoseconds(*span) as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(times_ns: Vec<u64>, elapsed: Duration) -> Measured {
        Measured {
            elapsed,
            latencies: Latencies::new(times_ns),
            errors: 0,
            first_error: None,
        }
    }

    #[test]
    fn a_line_tells_the_aim_and_whether_it_was_reached() {
        let times = measured(vec![1_000_000; 100], Duration::from_secs(1));
        let load = |aim| {
            Load::new("empty", "executions", 4, &times)
                .aim(Some(aim), &times)
                .line()
        };
        let line = load(Aim::PerSecond(99.0));
        assert!(line.ends_with("(aim 99.0/s: reached)"), "{line}");
        assert!(line.contains("1.00 ms"), "{line}");
        assert!(load(Aim::PerSecond(101.0)).ends_with("(aim 101/s: missed)"));
        assert!(load(Aim::P50(Duration::from_millis(2))).ends_with("(aim p50 < 2.00 ms: reached)"));
        assert!(load(Aim::P50(Duration::from_millis(1))).ends_with("(aim p50 < 1.00 ms: missed)"));
    }

    #[test]
    fn what_failed_is_no_part_of_the_rate() {
        let times = Measured {
            errors: 3,
            ..measured(vec![1; 4], Duration::from_secs(1))
        };
        assert!((Load::new("empty", "executions", 1, &times).rate() - 1.0).abs() < 1e-9);
        assert!((Load::of_parts("children", "children", 1, &times, 4_000).rate() - 1_000.0).abs() < 1e-9);
    }

    #[test]
    fn parts_are_counted_in_the_rate_and_have_no_times() {
        let times = measured(vec![1], Duration::from_secs(2));
        let load = Load::of_parts("sequential", "steps", 7, &times, 3_000);
        assert!((load.rate() - 1_500.0).abs() < 1e-9);
        let json = serde_json::to_value(&load).unwrap();
        assert_eq!((&json["count"], &json["callers"]), (&3_000.into(), &1.into()));
        assert!(json.get("p50Us").is_none());
    }

    #[test]
    fn programs_get_microseconds() {
        let times = measured(vec![1_500], Duration::from_secs(1));
        let aim = Some(Aim::P50(Duration::from_micros(120)));
        let json = serde_json::to_value(Load::new("query", "queries", 1, &times).aim(aim, &times)).unwrap();
        assert_eq!(json["p50Us"], 1.5);
        assert_eq!(json["aim"]["p50Us"], 120.0);
        assert_eq!(json["reached"], true);
    }

    #[test]
    fn figures_are_judged_by_their_bound() {
        let figure = |value, aim| {
            Figure {
                case: "suspend",
                what: "memory".into(),
                value,
                unit: Unit::Percent,
                aim: Some(aim),
            }
            .line()
        };
        assert!(figure(0.1, Bound::Below(0.2)).ends_with("(aim < 0.20 %: reached)"));
        assert!(figure(0.2, Bound::Below(0.2)).ends_with("missed)"));
        assert!(figure(90.0, Bound::AtLeast(90.0)).ends_with("(aim 90.00 %: reached)"));
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(rate(12_345.6), "12346");
        assert_eq!(rate(12.34), "12.3");
        assert_eq!(rate(1.234), "1.23");
        assert_eq!(span(Duration::from_nanos(83_400)), "83.4 us");
        assert_eq!(span(Duration::ZERO), "0.00 ns");
        assert_eq!(span(Duration::from_secs(75)), "75.0 s");
    }
}
