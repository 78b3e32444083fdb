//! The figures of two runs of a case, side by side.

use serde_json::Value;

/// One line of the table: what was measured, and what it is in each run.
#[derive(Debug, PartialEq)]
struct Row {
    what: String,
    unit: Unit,
    values: [Option<f64>; 2],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Seconds,
    Bytes,
    PerSecond,
    Other,
}

/// A table of what `longhaul bench -o json` has printed with each of the two components: the median time and the rate of each load, and
/// each figure. What only one of them has stands alone.
pub(super) fn table(names: [&str; 2], documents: [&Value; 2]) -> String {
    let mut rows: Vec<Row> = Vec::new();
    for (run, document) in documents.into_iter().enumerate() {
        for (what, unit, value) in measured(document) {
            match rows.iter_mut().find(|row| row.what == what && row.unit == unit) {
                Some(row) => row.values[run] = Some(value),
                None => {
                    let mut values = [None; 2];
                    values[run] = Some(value);
                    rows.push(Row { what, unit, values });
                }
            }
        }
    }
    let width = rows.iter().map(|row| row.what.len()).max().unwrap_or_default();
    let [first, second] = names;
    let mut lines = vec![format!("{:width$} {first:>14} {second:>14}  RATIO", "")];
    for row in &rows {
        let [first, second] = row
            .values
            .map(|value| value.map_or_else(|| "-".to_owned(), |value| row.unit.text(value)));
        let ratio = match row.values {
            [Some(first), Some(second)] if first != 0.0 => format!("{:.2}", second / first),
            _ => "-".to_owned(),
        };
        lines.push(format!("{:width$} {first:>14} {second:>14}  {ratio}", row.what));
    }
    lines.join("\n")
}

/// What a document says, in its order.
fn measured(document: &Value) -> Vec<(String, Unit, f64)> {
    let list = |name: &str| document[name].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for load in list("loads") {
        let case = text(&load["case"]);
        if let Some(us) = load["p50Us"].as_f64() {
            all.push((format!("{case}, median"), Unit::Seconds, us / 1e6));
        }
        if let Some(rate) = load["perSecond"].as_f64() {
            all.push((format!("{case}, {}", text(&load["unit"])), Unit::PerSecond, rate));
        }
    }
    for figure in list("figures") {
        let unit = match figure["unit"].as_str() {
            Some("seconds") => Unit::Seconds,
            Some("bytes") => Unit::Bytes,
            Some("perSecond") => Unit::PerSecond,
            _ => Unit::Other,
        };
        if let Some(value) = figure["value"].as_f64() {
            all.push((text(&figure["what"]), unit, value));
        }
    }
    all
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Seconds if value < 1e-6 => format!("{:.0} ns", value * 1e9),
            Self::Seconds if value < 1e-3 => format!("{:.2} us", value * 1e6),
            Self::Seconds if value < 1.0 => format!("{:.2} ms", value * 1e3),
            Self::Seconds => format!("{value:.2} s"),
            Self::Bytes if value < f64::from(10 << 20) => format!("{:.0} KiB", value / 1024.0),
            Self::Bytes => format!("{:.0} MiB", value / f64::from(1 << 20)),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Other => format!("{value:.2}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_both_have_measured_stands_in_one_line() {
        let rust = json!({
            "loads": [{"case": "start", "unit": "starts", "p50Us": 10.7, "perSecond": 87_563.0}],
            "figures": [
                {"case": "instantiate", "what": "a call", "unit": "seconds", "value": 2.0e-7},
                {"case": "instantiate", "what": "only here", "unit": "times", "value": 1.5},
            ],
        });
        let go = json!({
            "loads": [{"case": "start", "unit": "starts", "p50Us": 92.0, "perSecond": 10_379.0}],
            "figures": [
                {"case": "instantiate", "what": "a call", "unit": "seconds", "value": 4.0e-7},
                {"case": "instantiate", "what": "size", "unit": "bytes", "value": 2_097_152.0},
            ],
        });
        let table = table(["Rust", "Go"], [&rust, &go]);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines,
            [
                vec!["Rust", "Go", "RATIO"],
                vec!["start,", "median", "10.70", "us", "92.00", "us", "8.60"],
                vec!["start,", "starts", "87563/s", "10379/s", "0.12"],
                vec!["a", "call", "200", "ns", "400", "ns", "2.00"],
                vec!["only", "here", "1.50", "-", "-"],
                vec!["size", "-", "2048", "KiB", "-"],
            ]
        );
    }

    #[test]
    fn a_document_that_says_nothing_gives_the_heading_alone() {
        assert_eq!(
            table(["Rust", "Go"], [&json!({}), &json!(null)]).lines().count(),
            1
        );
    }
}
