//! The case `list`: how long one page of a list takes when there are many closed executions.
//!
//! They are made by running them: by the same requests, and through the same way, as the pages are asked for afterwards. So the
//! database is one that use has made, and the case works on a server elsewhere, too.

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
/// Pages of each filter, always the first one, and no more of them than executions; a warm-up comes before.
const PAGES: u64 = 1_000;

/// A filter, and how many of the executions it takes.
struct Filter {
    name: &'static str,
    query: String,
    matching: u64,
}

impl Bench<'_> {
    pub(super) async fn list(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let closed = self.session.count(CLOSED);
        self.fill(closed, report).await?;
        let plan = Plan {
            count: closed.min(PAGES),
            callers: self.session.callers(1),
        };
        for filter in filters(closed) {
            let least = filter.matching.min(PAGE);
            let (load, measured) = self
                .run(plan, "pages", report, async || {
                    let query = filter.query.clone();
                    Ok(self.each_caller(move |caller, _| {
                        let query = query.clone();
                        Box::pin(async move { full(caller.list(&query, PAGE as i32).await?, least) })
                    }))
                })
                .await?;
            report.load(load.named(format!("{} {}", self.case, filter.name)), &measured)?;
        }
        Ok(())
    }

    /// Run so many executions to their ends.
    async fn fill(&self, count: u64, report: &mut Report<'_>) -> Result<(), Error> {
        let plan = Plan {
            count,
            callers: self.session.callers(FILLERS),
        };
        let prefix = prefix(self.case);
        let fill = self.each_caller(move |caller, turn| {
            let id = format!("{prefix}-{}", turn.number);
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

/// What is asked for after so many executions.
fn filters(closed: u64) -> [Filter; 3] {
    [
        Filter {
            name: "status",
            query: "ExecutionStatus = 'Completed'".to_owned(),
            matching: closed,
        },
        Filter {
            name: "type",
            query: "WorkflowType = 'Steps'".to_owned(),
            matching: closed.div_ceil(TYPE_EVERY),
        },
        Filter {
            name: "attribute",
            query: format!("{ATTRIBUTE} = '{}'", value(0)),
            matching: closed.div_ceil(VALUE_EVERY),
        },
    ]
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
            operation: "list_workflow_executions",
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
            let [status, workflow_type, attribute] = filters(closed);
            assert_eq!(status.matching, closed);
            let steps = (0..closed).filter(|number| number % TYPE_EVERY == 0).count();
            assert_eq!(workflow_type.matching, steps as u64, "{closed}");
            let valued = (0..closed).filter(|number| value(*number) == value(0)).count();
            assert_eq!(attribute.matching, valued as u64, "{closed}");
        }
    }

    #[test]
    fn a_short_page_is_a_failure() {
        assert!(full(100, 100).is_ok());
        let error = full(99, 100).unwrap_err().to_string();
        assert!(error.contains("list_workflow_executions"), "{error}");
    }
}
