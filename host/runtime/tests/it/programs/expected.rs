//! What must stand in an execution's log when everything has happened.
//!
//! A program's outcome is known when it is written, but for what depends on time: the order of branches that run beside each other, who
//! wins a race, how far the losers come. So the expectation says of each line how often it may stand there, and behind which others.

use std::collections::{BTreeMap, HashMap};

/// How often a line stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) min: usize,
    pub(crate) max: usize,
}

/// The log of one execution, all its runs together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    /// By the line, or the class of lines that are alike.
    lines: BTreeMap<String, Times>,
    /// A line, and those that come before it.
    behind: Vec<(String, Vec<String>)>,
    /// The last lines of the branches of each race that is run: one of them at least is there.
    races: Vec<Vec<String>>,
}

/// Lines that say the same although they differ: who wins, whether a wait ended in time, how many attempts there were.
fn class(line: &str) -> &str {
    const CLASSES: [&str; 4] = ["won=", "flaky=", "signal failed", "cancel failed"];
    match CLASSES.iter().find(|class| line.starts_with(*class)) {
        Some(class) => class,
        None if line == "timeout" => "waited",
        None => line,
    }
}

impl Expected {
    /// A line may be there once more, and must if the code that writes it cannot be cut off.
    pub(crate) fn line(&mut self, line: &str, must: bool) {
        let times = self.lines.entry(class(line).to_owned());
        let times = times.or_insert(Times { min: 0, max: 0 });
        times.min += usize::from(must);
        times.max += 1;
    }

    /// A line that is there nowhere else, behind others.
    pub(crate) fn ordered(&mut self, line: &str, must: bool, before: &[String]) {
        self.line(line, must);
        if !before.is_empty() {
            self.behind.push((line.to_owned(), before.to_vec()));
        }
    }

    pub(crate) fn race(&mut self, ends: Vec<String>) {
        self.races.push(ends);
    }

    /// A line may come so many times at most: the request behind it was sent again to an execution that may have gone on as another run,
    /// and a run knows only its own requests.
    pub(crate) fn allow(&mut self, line: &str, max: usize) {
        if let Some(times) = self.lines.get_mut(class(line)) {
            times.max = times.max.max(max);
        }
    }

    /// Whether all that must be there is.
    pub(crate) fn is_met_by(&self, log: &[String]) -> bool {
        let found = count(log);
        let enough =
            |(line, times): (&String, &Times)| found.get(line.as_str()).copied().unwrap_or(0) >= times.min;
        self.lines.iter().all(enough)
    }

    /// What is wrong with a log, one complaint a line; empty if nothing is. What is cut off from outside (`cut`) need not be complete.
    pub(crate) fn complaints(&self, log: &[String], cut: bool) -> Vec<String> {
        let mut complaints = Vec::new();
        let found = count(log);
        for (line, times) in &self.lines {
            let count = found.get(line.as_str()).copied().unwrap_or(0);
            if count > times.max || (count < times.min && !cut) {
                complaints.push(format!("{line:?} stands there {count} times, and not {times:?}"));
            }
        }
        for line in found.keys().filter(|line| !self.lines.contains_key(**line)) {
            complaints.push(format!("{line:?} comes from nowhere"));
        }
        let at: HashMap<&str, usize> = log
            .iter()
            .enumerate()
            .map(|(at, line)| (line.as_str(), at))
            .collect();
        for (line, before) in &self.behind {
            let Some(here) = at.get(line.as_str()) else {
                continue;
            };
            for before in before {
                if at.get(before.as_str()).is_none_or(|there| there >= here) {
                    complaints.push(format!("{line:?} does not stand behind {before:?}"));
                }
            }
        }
        for ends in &self.races {
            if !cut && !ends.iter().any(|end| at.contains_key(end.as_str())) {
                complaints.push(format!("a race without a branch that ended: {ends:?}"));
            }
        }
        complaints
    }
}

fn count(log: &[String]) -> HashMap<&str, usize> {
    let mut found = HashMap::new();
    for line in log {
        *found.entry(class(line)).or_default() += 1;
    }
    found
}

#[test]
fn a_log_that_lacks_doubles_invents_or_swaps_a_line_is_noticed() {
    let mut expected = Expected::default();
    expected.ordered("a", true, &[]);
    expected.ordered("b", true, &["a".to_owned()]);
    expected.line("won=", true);
    expected.line("loser", false);
    expected.race(vec!["b".to_owned(), "loser".to_owned()]);
    let complaints = |log: &[&str], cut| {
        let log: Vec<String> = log.iter().map(|line| (*line).to_owned()).collect();
        expected.complaints(&log, cut).len()
    };
    assert_eq!(complaints(&["a", "b", "won=1"], false), 0);
    assert_eq!(complaints(&["a", "loser", "b", "won=0"], false), 0);
    assert_eq!(complaints(&["a", "b"], false), 1, "who has won is not there");
    assert_eq!(complaints(&["a", "b"], true), 0, "it was cut off before");
    assert_eq!(complaints(&["a", "b", "won=0", "won=1"], false), 1, "twice");
    assert_eq!(complaints(&["a", "b", "won=0", "c"], false), 1, "from nowhere");
    assert_eq!(
        complaints(&["b", "a", "won=0"], false),
        1,
        "not behind what it must stand behind"
    );
    assert_eq!(
        complaints(&["b"], true),
        1,
        "cut off, and still not without what comes before it"
    );
    assert_eq!(
        complaints(&["a", "won=0"], false),
        2,
        "neither its last line nor the race's end"
    );
}
