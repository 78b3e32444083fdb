//! The case `list`: how long one page of a list takes when there are many closed executions.
//!
//! They are made by running them: by the same requests, and through the same way, as the pages are asked for afterwards. So the
//! database is one that use has made, and the case works on a server elsewhere, too.
//!
//! Every filter is asked for its first page. The two that lie deep, behind half of the executions, are a page that a token leads to,
//! and one that begins with an upper bound of the close time.

use longhaul_history::time::ns_from_timestamp;

use super::{
    cases::{Bench, flawless, prefix},
    load::{self, Plan},
    report::{Load, Report},
};
use crate::Error;

/// Closed executions, unless told otherwise.
const CLOSED: u64 = 1_000_000;
/// Callers that run them.
const FILLERS: usize = 256;
/// One execution of so many is of the rarer type.
const TYPE_EVERY: u64 = 100;
/// One execution of so many has the value that is looked for.
const VALUE_EVERY: u64 = 1_000;
/// The search attribute. A server elsewhere knows it from then on.
const ATTRIBUTE: &str = "LonghaulBenchGroup";
/// Executions of one page.
const PAGE: u64 = 100;
/// Pages of each filter, always the same one, and no more of them than executions; a warm-up comes before.
const PAGES: u64 = 1_000;
/// Executions of a page on the way to a deep one: a full page of the server's.
const STRIDE: u64 = 1_000;
/// One execution of so many, at most about as many again, has an id that begins as the one that is looked for.
const BEGINNING_EVERY: u64 = 1_000;
/// What the executions are asked for by where nothing else matters.
const COMPLETED: &str = "ExecutionStatus = 'Completed'";
const OPERATION: &str = "list_workflow_executions";

/// A filter, and how many of the executions it takes.
struct Filter {
    name: &'static str,
    query: String,
    /// What the page is behind; empty for the first page.
    after: Vec<u8>,
    matching: u64,
}

/// A place in the list of the executions.
#[derive(Debug, Default)]
struct Depth {
    /// Executions before it.
    passed: u64,
    /// The token of the page behind it.
    next: Vec<u8>,
    /// When the last execution before it closed, in nanoseconds since 1970.
    close_ns: u64,
}

impl Bench<'_> {
    pub(super) async fn list(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let closed = self.session.count(CLOSED);
        let ids = prefix(self.case);
        self.fill(&ids, closed, report).await?;
        let deep = self.deep(closed / 2, report).await?;
        let plan = Plan {
            count: closed.min(PAGES),
            callers: self.session.callers(1),
        };
        for filter in filters(closed, &ids, &deep) {
            let least = filter.matching.min(PAGE);
            let (load, measured) = self
                .run(plan, "pages", report, async || {
                    let (query, after) = (filter.query.clone(), filter.after.clone());
                    Ok(self.each_caller(move |caller, _| {
                        let (query, after) = (query.clone(), after.clone());
                        Box::pin(async move {
                            let page = caller.list(&query, PAGE as i32, after).await?;
                            full(page.executions.len() as u64, least)
                        })
                    }))
                })
                .await?;
            report.load(load.named(format!("{} {}", self.case, filter.name)), &measured)?;
        }
        Ok(())
    }

    /// The place behind at least so many of the executions; read from the list's top.
    async fn deep(&self, count: u64, report: &Report<'_>) -> Result<Depth, Error> {
        let missing = |what| Error::Answer {
            operation: OPERATION,
            what,
        };
        let callers = self.target.callers();
        let caller = callers.first().ok_or_else(|| missing("has nobody to go to"))?;
        let progress = report.progress("paging", count);
        let mut deep = Depth::default();
        while deep.passed < count.max(1) {
            let page_size = (count - deep.passed).clamp(1, STRIDE);
            let page = caller.list(COMPLETED, page_size as i32, deep.next).await?;
            let last = page.executions.last().and_then(|info| info.close_time);
            deep = Depth {
                passed: deep.passed + page.executions.len() as u64,
                next: page.next_page_token,
                close_ns: last
                    .as_ref()
                    .and_then(ns_from_timestamp)
                    .ok_or_else(|| missing("has fewer executions than were closed"))?,
            };
            progress.set_position(deep.passed);
        }
        Ok(deep)
    }

    /// Run so many executions to their ends, with ids that begin so.
    async fn fill(&self, ids: &str, count: u64, report: &mut Report<'_>) -> Result<(), Error> {
        let plan = Plan {
            count,
            callers: self.session.callers(FILLERS),
        };
        let ids = ids.to_owned();
        let fill = self.each_caller(move |caller, turn| {
            let id = format!("{ids}-{}", turn.number);
            let (workflow_type, argument) = match turn.number % TYPE_EVERY {
                0 => ("Steps", Some(0)),
                _ => ("Empty", None),
            };
            let value = value(turn.number);
            Box::pin(async move {
                let attribute = Some((ATTRIBUTE, value.as_str()));
                caller.execute_with(&id, workflow_type, argument, attribute).await
            })
        });
        let progress = report.progress("filling", count);
        let writes = self.target.writes();
        let filled = load::run(plan, &progress, fill).await?;
        drop(progress);
        let line =
            Load::new("list filling", "executions", plan.callers, &filled).writes(self.written_since(writes));
        report.load(line, &filled)?;
        flawless(filled)
    }
}

/// What is asked for after so many executions, whose ids begin so.
fn filters(closed: u64, ids: &str, deep: &Depth) -> [Filter; 6] {
    let first = |name, query, matching| Filter {
        name,
        query,
        after: Vec::new(),
        matching,
    };
    let beginning = closed / BEGINNING_EVERY;
    let behind = closed.saturating_sub(deep.passed);
    [
        first("status", COMPLETED.to_owned(), closed),
        first(
            "type",
            "WorkflowType = 'Steps'".to_owned(),
            closed.div_ceil(TYPE_EVERY),
        ),
        first(
            "attribute",
            format!("{ATTRIBUTE} = '{}'", value(0)),
            closed.div_ceil(VALUE_EVERY),
        ),
        first(
            "prefix",
            format!("WorkflowId STARTS_WITH '{ids}-{beginning}'"),
            beginning_with(beginning, closed),
        ),
        first(
            "close time",
            format!("CloseTime <= {}", deep.close_ns),
            // The last one before it has that time itself.
            behind + 1,
        ),
        Filter {
            after: deep.next.clone(),
            ..first("deep", COMPLETED.to_owned(), behind)
        },
    ]
}

/// How many of the numbers below another are written with these digits first.
fn beginning_with(first: u64, below: u64) -> u64 {
    if first == 0 {
        // No other number begins with it.
        return below.min(1);
    }
    let (mut from, mut size, mut sum) = (first, 1, 0);
    while from < below {
        sum += size.min(below - from);
        (from, size) = (from.saturating_mul(10), size.saturating_mul(10));
    }
    sum
}

/// The attribute's value of an execution.
fn value(number: u64) -> String {
    format!("group-{}", number % VALUE_EVERY)
}

/// A page that lacks executions was quick for a bad reason.
fn full(found: u64, least: u64) -> Result<(), Error> {
    match found >= least {
        true => Ok(()),
        false => Err(Error::Answer {
            operation: OPERATION,
            what: "has fewer executions than were closed",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_knows_how_many_it_takes() {
        for closed in [1, 99, 100, 101, 1_000, 1_001, 2_500] {
            let deep = Depth {
                passed: closed / 2,
                ..Depth::default()
            };
            let [status, workflow_type, attribute, prefix, close_time, behind] =
                filters(closed, "ids", &deep);
            assert_eq!(status.matching, closed);
            let steps = (0..closed).filter(|number| number % TYPE_EVERY == 0).count();
            assert_eq!(workflow_type.matching, steps as u64, "{closed}");
            let valued = (0..closed).filter(|number| value(*number) == value(0)).count();
            assert_eq!(attribute.matching, valued as u64, "{closed}");
            let beginning = prefix.query.split('\'').nth(1).unwrap();
            let begin = (0..closed).filter(|number| format!("ids-{number}").starts_with(beginning));
            assert_eq!(prefix.matching, begin.count() as u64, "{closed}");
            assert_eq!(behind.matching, closed - closed / 2);
            assert_eq!(close_time.matching, behind.matching + 1);
        }
    }

    #[test]
    fn a_short_page_is_a_failure() {
        assert!(full(100, 100).is_ok());
        let error = full(99, 100).unwrap_err().to_string();
        assert!(error.contains("list_workflow_executions"), "{error}");
    }
}
