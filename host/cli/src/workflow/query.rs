//! `workflow query`.

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    Error, Output,
    args::{Format, Global, Inputs, Target},
    client::Client,
    input, payload,
    proto::{
        enums::v1::QueryRejectCondition, query::v1::WorkflowQuery, workflowservice::v1::QueryWorkflowRequest,
    },
    workflow::status_name,
};

/// Ask a workflow a question
///
/// A query sees all that was acknowledged before it, changes nothing, and works on closed workflows too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow query -w order-1 --name status
  longhaul workflow query -w order-1 --name price --input '\"tea\"' -o json")]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Name of the query
    #[arg(long, alias = "type", value_name = "NAME")]
    name: String,
    #[command(flatten)]
    inputs: Inputs,
    /// Refuse the query if the workflow has this status
    #[arg(long, value_enum, value_name = "CONDITION")]
    reject_condition: Option<RejectCondition>,
}

/// When a query is refused.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RejectCondition {
    /// It has closed
    #[value(name = "not_open", alias = "not-open")]
    NotOpen,
    /// It has closed, but not by completing
    #[value(name = "not_completed_cleanly", alias = "not-completed-cleanly")]
    NotCompletedCleanly,
}

/// The JSON form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    query_result: Vec<payload::Json>,
}

pub(crate) async fn execute(args: &Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    let query_args = input::payloads(&args.inputs)?;
    let condition = match args.reject_condition {
        None => QueryRejectCondition::None,
        Some(RejectCondition::NotOpen) => QueryRejectCondition::NotOpen,
        Some(RejectCondition::NotCompletedCleanly) => QueryRejectCondition::NotCompletedCleanly,
    };
    let mut client = Client::connect(global).await?;
    let request = QueryWorkflowRequest {
        namespace: client.namespace.clone(),
        execution: Some(args.target.execution()),
        query: Some(WorkflowQuery {
            query_type: args.name.clone(),
            query_args,
            ..Default::default()
        }),
        query_reject_condition: condition.into(),
    };
    let answer = client.query_workflow(request).await?;
    if let Some(rejected) = answer.query_rejected {
        return Err(Error::QueryRejected(status_name(rejected.status())));
    }
    let values = payload::values(answer.query_result.as_ref());
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&Answer { query_result: values }),
        Format::Text => {
            output.heading("Query result:")?;
            values
                .iter()
                .try_for_each(|value| output.line(&format!("  {}", value.get())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_is_a_list_of_values() {
        let answer = Answer {
            query_result: vec![serde_json::from_str("{\"b\":1,\"a\":2}").unwrap()],
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"queryResult":[{"b":1,"a":2}]}"#
        );
    }
}
