//! `workflow list` and `workflow count`.

use serde::Serialize;

use crate::{
    Error, Output,
    args::{Format, Global},
    client::Client,
    json, output, payload,
    proto::{
        workflow::v1::WorkflowExecutionInfo,
        workflowservice::v1::{
            CountWorkflowExecutionsRequest, CountWorkflowExecutionsResponse, ListWorkflowExecutionsRequest,
        },
    },
    workflow::status_name,
};

const FILTERS: &str = "\
A filter compares fields with values: WorkflowId, WorkflowType, ExecutionStatus, StartTime, CloseTime, TaskQueue and others.

Examples:
  --query 'ExecutionStatus = \"Running\"'
  --query 'WorkflowType = \"Order\" AND StartTime > \"2026-01-01T00:00:00Z\"'";

/// List workflows, the newest first
#[derive(Debug, clap::Args)]
#[command(after_help = FILTERS)]
pub(crate) struct List {
    /// Only those that fit this filter
    #[arg(
        long,
        short = 'q',
        default_value = "",
        hide_default_value = true,
        value_name = "FILTER"
    )]
    query: String,
    /// At most this many [default: all]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    limit: Option<u64>,
    /// How many to ask for at a time
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i32).range(1..=10_000), value_name = "N")]
    page_size: i32,
}

/// Count workflows
#[derive(Debug, clap::Args)]
#[command(after_help = FILTERS)]
pub(crate) struct Count {
    /// Only those that fit this filter
    #[arg(
        long,
        short = 'q',
        default_value = "",
        hide_default_value = true,
        value_name = "FILTER"
    )]
    query: String,
}

pub(crate) async fn list(args: &List, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let mut pages = Pages {
        args,
        left: args.limit.unwrap_or(u64::MAX),
        token: Vec::new(),
        done: false,
    };
    match output.format() {
        Format::None => while pages.next(&mut client).await?.is_some() {},
        Format::Json => {
            // The first page comes first, so that a refused request leaves no half of an array.
            let mut page = pages.next(&mut client).await?;
            let mut array = output.json_array("")?;
            while let Some(executions) = page {
                for info in &executions {
                    array.push(&json::message(info)?)?;
                }
                page = pages.next(&mut client).await?;
            }
            array.finish("")?;
        }
        Format::Text => {
            let mut any = false;
            while let Some(executions) = pages.next(&mut client).await? {
                if !executions.is_empty() {
                    any = true;
                    output.table(
                        &["Status", "WorkflowId", "Type", "StartTime"],
                        executions.iter().map(row).collect(),
                    )?;
                }
            }
            if !any {
                output.note("No workflows.");
            }
        }
    }
    Ok(())
}

/// The pages of a list, up to its limit.
struct Pages<'a> {
    args: &'a List,
    left: u64,
    token: Vec<u8>,
    done: bool,
}

impl Pages<'_> {
    async fn next(&mut self, client: &mut Client) -> Result<Option<Vec<WorkflowExecutionInfo>>, Error> {
        if self.done {
            return Ok(None);
        }
        let page_size = i32::try_from(self.left)
            .unwrap_or(i32::MAX)
            .min(self.args.page_size);
        let request = ListWorkflowExecutionsRequest {
            namespace: client.namespace.clone(),
            page_size,
            next_page_token: std::mem::take(&mut self.token),
            query: self.args.query.clone(),
        };
        let mut answer = client.list_workflow_executions(request).await?;
        answer
            .executions
            .truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= answer.executions.len() as u64;
        self.done = self.left == 0 || answer.next_page_token.is_empty();
        self.token = answer.next_page_token;
        Ok(Some(answer.executions))
    }
}

fn row(info: &WorkflowExecutionInfo) -> Vec<String> {
    vec![
        status_name(info.status()).to_owned(),
        info.execution
            .as_ref()
            .map(|e| e.workflow_id.clone())
            .unwrap_or_default(),
        info.r#type.as_ref().map(|t| t.name.clone()).unwrap_or_default(),
        output::time(info.start_time),
    ]
}

pub(crate) async fn count(args: &Count, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let request = CountWorkflowExecutionsRequest {
        namespace: client.namespace.clone(),
        query: args.query.clone(),
    };
    let answer = client.count_workflow_executions(request).await?;
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&Counted::of(&answer)),
        Format::Text => {
            output.line(&format!("Total: {}", answer.count))?;
            Counted::of(&answer).groups.iter().try_for_each(|group| {
                let values: Vec<_> = group.group_values.iter().map(|value| value.get()).collect();
                output.line(&format!(
                    "Group total: {}, values: {}",
                    group.count,
                    values.join(", ")
                ))
            })
        }
    }
}

/// `{"count": "N"}`, and groups if the filter makes some; 64-bit numbers are strings in Protobuf's JSON.
#[derive(Debug, Serialize)]
struct Counted {
    count: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    group_values: Vec<payload::Json>,
    count: String,
}

impl Counted {
    fn of(answer: &CountWorkflowExecutionsResponse) -> Self {
        let groups = answer.groups.iter().map(|group| Group {
            group_values: group.group_values.iter().map(payload::value).collect(),
            count: group.count.to_string(),
        });
        Self {
            count: answer.count.to_string(),
            groups: groups.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_string() {
        let answer = CountWorkflowExecutionsResponse {
            count: 12,
            groups: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&Counted::of(&answer)).unwrap(),
            r#"{"count":"12"}"#
        );
    }
}
