//! Comparing histories as text.

use super::history;
use crate::HistoryEvent;

/// Longest texts, in lines, that are aligned; of longer ones only the first difference is shown, to keep the cost bounded.
const MAX_ALIGNED_LINES: usize = 2_000;

/// How two texts of histories differ, or `None` if they do not.
///
/// White space around lines and empty lines do not count, so an expected history can be indented as its test is. Lines
/// that are only in `expected` begin with `-`, lines that are only in `actual` with `+`.
#[must_use]
pub fn diff(expected: &str, actual: &str) -> Option<String> {
    let expected = lines(expected);
    let actual = lines(actual);
    if expected == actual {
        return None;
    }
    if expected.len().max(actual.len()) > MAX_ALIGNED_LINES {
        return Some(first_difference(&expected, &actual));
    }
    Some(aligned(&expected, &actual))
}

/// For tests: check that events read as `expected` in the default text form.
///
/// # Panics
///
/// If they do not; the message shows where they differ, and all of the actual text so that it can be copied.
#[track_caller]
pub fn assert_history(events: &[HistoryEvent], expected: &str) {
    let actual = history(events);
    if let Some(diff) = diff(expected, &actual) {
        panic!("the history is not as expected (- expected, + actual):\n{diff}\nactual history:\n{actual}");
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

fn first_difference(expected: &[&str], actual: &[&str]) -> String {
    let same = expected.iter().zip(actual).take_while(|(a, b)| a == b).count();
    let show = |lines: &[&str]| lines.get(same).copied().unwrap_or("(end)").to_owned();
    format!(
        "after {same} equal lines:\n- {}\n+ {}\n",
        show(expected),
        show(actual)
    )
}

/// All lines, matched by their longest common subsequence.
fn aligned(expected: &[&str], actual: &[&str]) -> String {
    // common[i][j]: length of the longest common subsequence of expected[i..] and actual[j..].
    let mut common = vec![vec![0u32; actual.len() + 1]; expected.len() + 1];
    for i in (0..expected.len()).rev() {
        for j in (0..actual.len()).rev() {
            common[i][j] = if expected[i] == actual[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let mut text = String::new();
    let mut line = |mark: &str, line: &str| {
        text.push_str(mark);
        text.push_str(line);
        text.push('\n');
    };
    let (mut i, mut j) = (0, 0);
    while i < expected.len() || j < actual.len() {
        if i < expected.len() && j < actual.len() && expected[i] == actual[j] {
            line("  ", expected[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == actual.len() || (i < expected.len() && common[i + 1][j] >= common[i][j + 1]) {
            line("- ", expected[i]);
            i += 1;
        } else {
            line("+ ", actual[j]);
            j += 1;
        }
    }
    text
}
