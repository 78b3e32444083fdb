//! `workflow stack` and `workflow metadata`: the queries that every workflow answers.

use crate::{
    Error, Output,
    args::{Format, Global, Target},
    client::Client,
    payload,
    proto::{query::v1::WorkflowQuery, workflowservice::v1::QueryWorkflowRequest},
    workflow::status_name,
};
use serde::Serialize;

/// Show where each task of a workflow waits
///
/// One entry a task: the main function, each handler that has not ended, each spawned task; with what it waits for, and the file and line where
/// the component was built with debug information.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  longhaul workflow stack -w order-1")]
pub(crate) struct Stack {
    #[command(flatten)]
    target: Target,
}

/// List a workflow's signals, queries and updates with their descriptions
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longhaul workflow metadata -w order-1\n  longhaul workflow metadata -w order-1 -o json"
)]
pub(crate) struct Metadata {
    #[command(flatten)]
    target: Target,
}

/// The JSON form of a stack.
#[derive(Debug, Serialize)]
struct StackJson {
    stack: String,
}

pub(crate) async fn stack(args: &Stack, global: &Global, output: &mut Output) -> Result<(), Error> {
    let answer = ask(&args.target, "__stack_trace", global).await?;
    let stack: String = serde_json::from_str(answer.get()).map_err(|_| Error::Answer {
        operation: "query_workflow",
        what: "holds a stack trace that is no text",
    })?;
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&StackJson { stack }),
        Format::Text => stack.lines().try_for_each(|line| output.line(line)),
    }
}

pub(crate) async fn metadata(args: &Metadata, global: &Global, output: &mut Output) -> Result<(), Error> {
    let answer = ask(&args.target, "__temporal_workflow_metadata", global).await?;
    match output.format() {
        Format::None => Ok(()),
        Format::Json => {
            let metadata: serde_json::Value = serde_json::from_str(answer.get()).map_err(|_| OTHER_FORM)?;
            output.json(&metadata)
        }
        Format::Text => print(answer.get(), output),
    }
}

const OTHER_FORM: Error = Error::Answer {
    operation: "query_workflow",
    what: "holds metadata of another form",
};

/// What the metadata query answers, as far as it is shown: Temporal's `WorkflowMetadata` as JSON.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WorkflowMetadata {
    definition: Definition,
    current_details: String,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Definition {
    r#type: String,
    query_definitions: Vec<Handler>,
    signal_definitions: Vec<Handler>,
    update_definitions: Vec<Handler>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Handler {
    name: String,
    description: String,
}

fn print(json: &str, output: &mut Output) -> Result<(), Error> {
    let metadata: WorkflowMetadata = serde_json::from_str(json).map_err(|_| OTHER_FORM)?;
    let definition = metadata.definition;
    output.card(
        0,
        &[
            ("Type", definition.r#type),
            ("CurrentDetails", metadata.current_details),
        ],
    )?;
    let kinds = [
        ("signal", definition.signal_definitions),
        ("query", definition.query_definitions),
        ("update", definition.update_definitions),
    ];
    let rows = kinds.into_iter().flat_map(|(kind, handlers)| {
        handlers
            .into_iter()
            .map(move |handler| vec![kind.to_owned(), handler.name, handler.description])
    });
    output.table(&["Kind", "Name", "Description"], rows.collect())
}

/// The only value that a query answers.
async fn ask(target: &Target, name: &str, global: &Global) -> Result<payload::Json, Error> {
    let mut client = Client::connect(global).await?;
    let answer = client
        .query_workflow(QueryWorkflowRequest {
            namespace: client.namespace.clone(),
            execution: Some(target.execution()),
            query: Some(WorkflowQuery {
                query_type: name.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        })
        .await?;
    if let Some(rejected) = answer.query_rejected {
        return Err(Error::QueryRejected(status_name(rejected.status())));
    }
    Ok(payload::result(answer.query_result.as_ref()))
}
