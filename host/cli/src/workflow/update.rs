//! `workflow update`: change an execution and learn the outcome.

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use crate::{
    Error, Output,
    args::{Format, Global, Inputs, Target},
    client::Client,
    failure, input, json, payload,
    proto::{
        enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage,
        failure::v1::Failure,
        update::v1::{Input, Meta, Outcome, Request, UpdateRef, WaitPolicy},
        workflowservice::v1::{PollWorkflowExecutionUpdateRequest, UpdateWorkflowExecutionRequest},
    },
};

pub(super) use crate::proto::update::v1::outcome::Value;

/// Change a workflow and learn the outcome
///
/// The workflow's validator may refuse an update; then nothing of it is kept. An accepted one is in the history, and its outcome
/// can be asked for by its id, also after the workflow has closed. The same id is executed once.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Send an update, wait for its outcome and print it
    #[command(after_help = "\
Examples:
  longhaul workflow update execute -w order-1 --name set_address --input '\"1 Main St\"'
  longhaul workflow update execute -w order-1 --name set_address -i '\"1 Main St\"' --update-id u1 -o json")]
    Execute(Send),
    /// Send an update and return once it is accepted
    #[command(after_help = "\
Examples:
  longhaul workflow update start -w order-1 --name set_address -i '\"1 Main St\"' --update-id u1
  longhaul workflow update result -w order-1 --update-id u1")]
    Start {
        #[command(flatten)]
        send: Send,
        /// Which stage to wait for
        #[arg(long, value_enum, default_value_t = WaitFor::Accepted, value_name = "STAGE")]
        wait_for_stage: WaitFor,
    },
    /// Wait for an update's outcome and print it
    Result(Sent),
    /// Print an update's stage, and its outcome if there is one
    Describe(Sent),
}

/// An update to send.
#[derive(Debug, clap::Args)]
struct Send {
    #[command(flatten)]
    target: Target,
    /// Name of the update
    #[arg(long, alias = "type", value_name = "NAME")]
    name: String,
    #[command(flatten)]
    inputs: Inputs,
    /// Id of the update, unique in its run [default: a new UUID]
    #[arg(long, value_name = "ID")]
    update_id: Option<String>,
    /// Refuse unless the run belongs to the chain of this first run
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ID")]
    first_execution_run_id: String,
}

/// An update that was sent.
#[derive(Debug, clap::Args)]
struct Sent {
    #[command(flatten)]
    target: Target,
    /// Id of the update
    #[arg(long, value_name = "ID")]
    update_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum WaitFor {
    /// The validator has let it in
    Accepted,
    /// Its handler has ended
    Completed,
}

impl From<WaitFor> for Stage {
    fn from(stage: WaitFor) -> Self {
        match stage {
            WaitFor::Accepted => Self::Accepted,
            WaitFor::Completed => Self::Completed,
        }
    }
}

pub(crate) async fn execute(args: Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    match args.verb {
        Verb::Execute(args) => run(&args, global, output).await,
        Verb::Start { send, wait_for_stage } => start(&send, wait_for_stage, global, output).await,
        Verb::Result(args) => result(&args, global, output).await,
        Verb::Describe(args) => describe(&args, global, output).await,
    }
}

async fn run(args: &Send, global: &Global, output: &mut Output) -> Result<(), Error> {
    let request = request(args, Stage::Completed, global)?;
    let mut client = Client::connect(global).await?;
    let (reference, outcome) = send(request, &mut client).await?;
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => wait(&reference, &mut client).await?,
    };
    sent(&args.name, reference, Some(outcome), true, output)
}

/// Print what became of an update that was sent; a failed one, and a rejection, which is an outcome at once, is an error.
pub(super) fn sent(
    name: &str,
    reference: UpdateRef,
    outcome: Option<Value>,
    shows_result: bool,
    output: &mut Output,
) -> Result<(), Error> {
    let result = match outcome {
        Some(Value::Failure(failure)) => return Err(failed(name, &failure)),
        Some(Value::Success(payloads)) if shows_result => Some(payload::result(Some(&payloads))),
        Some(Value::Success(_)) | None => None,
    };
    match output.format() {
        Format::None => Ok(()),
        Format::Text => {
            let mut rows = vec![("Name", name.to_owned()), ("UpdateId", reference.update_id)];
            rows.extend(result.map(|result| ("Result", result.get().to_owned())));
            output.card(0, &rows)
        }
        Format::Json => output.json(&SentJson {
            name,
            update_id: &reference.update_id,
            result,
        }),
    }
}

async fn start(args: &Send, stage: WaitFor, global: &Global, output: &mut Output) -> Result<(), Error> {
    let request = request(args, stage.into(), global)?;
    let mut client = Client::connect(global).await?;
    let (reference, mut outcome) = send(request, &mut client).await?;
    if outcome.is_none() && stage == WaitFor::Completed {
        outcome = Some(wait(&reference, &mut client).await?);
    }
    sent(&args.name, reference, outcome, false, output)
}

async fn result(args: &Sent, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let outcome = wait(&args.reference(), &mut client).await?;
    print(&args.update_id, None, Some(&outcome), output)?;
    match outcome {
        Value::Success(_) => Ok(()),
        Value::Failure(failure) => Err(failed(&args.update_id, &failure)),
    }
}

async fn describe(args: &Sent, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    // Without a stage to wait for, the answer is what is known now.
    let answer = client
        .poll_workflow_execution_update(PollWorkflowExecutionUpdateRequest {
            namespace: client.namespace.clone(),
            update_ref: Some(args.reference()),
            identity: client.identity.clone(),
            wait_policy: None,
        })
        .await?;
    let stage = answer.stage();
    print(
        &args.update_id,
        Some(stage),
        value(answer.outcome).as_ref(),
        output,
    )
}

impl Sent {
    fn reference(&self) -> UpdateRef {
        UpdateRef {
            workflow_execution: Some(self.target.execution()),
            update_id: self.update_id.clone(),
        }
    }
}

fn request(args: &Send, stage: Stage, global: &Global) -> Result<UpdateWorkflowExecutionRequest, Error> {
    let update_id = args
        .update_id
        .clone()
        .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    Ok(UpdateWorkflowExecutionRequest {
        namespace: global.namespace.clone(),
        workflow_execution: Some(args.target.execution()),
        first_execution_run_id: args.first_execution_run_id.clone(),
        wait_policy: Some(WaitPolicy {
            lifecycle_stage: stage.into(),
        }),
        request: Some(Request {
            meta: Some(Meta {
                update_id,
                ..Default::default()
            }),
            input: Some(Input {
                name: args.name.clone(),
                args: input::payloads(&args.inputs)?,
                ..Default::default()
            }),
            ..Default::default()
        }),
    })
}

/// Send until the update is at least accepted: the server answers after its long poll, whatever the stage. Its id keeps it one.
async fn send(
    mut request: UpdateWorkflowExecutionRequest,
    client: &mut Client,
) -> Result<(UpdateRef, Option<Value>), Error> {
    if let Some(meta) = request.request.as_mut().and_then(|request| request.meta.as_mut()) {
        meta.identity.clone_from(&client.identity);
    }
    loop {
        let answer = client.update_workflow_execution(request.clone()).await?;
        let reached = answer.stage();
        let outcome = value(answer.outcome);
        if outcome.is_some() || reached >= Stage::Accepted {
            let reference = answer.update_ref.ok_or(Error::Answer {
                operation: "update_workflow_execution",
                what: "lacks the update's reference",
            })?;
            return Ok((reference, outcome));
        }
    }
}

/// Wait for the outcome, one long poll after the other.
pub(super) async fn wait(reference: &UpdateRef, client: &mut Client) -> Result<Value, Error> {
    loop {
        let request = PollWorkflowExecutionUpdateRequest {
            namespace: client.namespace.clone(),
            update_ref: Some(reference.clone()),
            identity: client.identity.clone(),
            wait_policy: Some(WaitPolicy {
                lifecycle_stage: Stage::Completed.into(),
            }),
        };
        if let Some(outcome) = value(client.poll_workflow_execution_update(request).await?.outcome) {
            return Ok(outcome);
        }
    }
}

pub(super) fn value(outcome: Option<Outcome>) -> Option<Value> {
    outcome.and_then(|outcome| outcome.value)
}

fn failed(name: &str, failure: &Failure) -> Error {
    Error::UpdateFailed {
        name: name.to_owned(),
        message: failure::headline(failure),
    }
}

/// The JSON form of an update that this command sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SentJson<'a> {
    name: &'a str,
    update_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<payload::Json>,
}

/// The JSON form of what is known of an update.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KnownJson<'a> {
    update_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<payload::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
}

fn known<'a>(
    update_id: &'a str,
    stage: Option<Stage>,
    outcome: Option<&Value>,
) -> Result<KnownJson<'a>, Error> {
    let (result, failure) = match outcome {
        None => (None, None),
        Some(Value::Success(payloads)) => (Some(payload::result(Some(payloads))), None),
        Some(Value::Failure(failure)) => (None, Some(json::message(failure)?)),
    };
    Ok(KnownJson {
        update_id,
        result,
        failure,
        stage: stage.map(stage_name),
    })
}

fn stage_name(stage: Stage) -> &'static str {
    let name = stage.as_str_name();
    name.strip_prefix("UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_")
        .unwrap_or(name)
}

fn print(
    update_id: &str,
    stage: Option<Stage>,
    outcome: Option<&Value>,
    output: &mut Output,
) -> Result<(), Error> {
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&known(update_id, stage, outcome)?),
        Format::Text => {
            let (result, failure) = match outcome {
                None => (String::new(), String::new()),
                Some(Value::Success(payloads)) => {
                    (payload::result(Some(payloads)).get().to_owned(), String::new())
                }
                Some(Value::Failure(failure)) => {
                    (String::new(), failure::chain(failure).join("\ncaused by: "))
                }
            };
            let stage = stage.map(stage_name).unwrap_or_default().to_owned();
            output.card(
                0,
                &[
                    ("UpdateId", update_id.to_owned()),
                    ("Stage", stage),
                    ("Result", result),
                    ("Failure", failure),
                ],
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::common::v1::Payloads;

    #[test]
    fn json_forms_have_the_keys_of_the_temporal_cli() {
        let success = Value::Success(Payloads {
            payloads: vec![crate::input::payload("", "3").unwrap()],
        });
        let failure = Value::Failure(Failure {
            message: "no".to_owned(),
            ..Default::default()
        });
        let text = |known: KnownJson| serde_json::to_string(&known).unwrap();
        assert_eq!(
            text(known("u", None, Some(&success)).unwrap()),
            r#"{"updateId":"u","result":3}"#
        );
        assert_eq!(
            text(known("u", Some(Stage::Accepted), None).unwrap()),
            r#"{"updateId":"u","stage":"ACCEPTED"}"#
        );
        assert_eq!(
            known("u", None, Some(&failure)).unwrap().failure.unwrap()["message"],
            "no"
        );
        let sent = SentJson {
            name: "n",
            update_id: "u",
            result: Some(payload::result(None)),
        };
        assert_eq!(
            serde_json::to_string(&sent).unwrap(),
            r#"{"name":"n","updateId":"u","result":null}"#
        );
    }

    #[test]
    fn a_failed_update_tells_the_whole_chain() {
        let failure = Failure {
            message: "outer".to_owned(),
            cause: Some(Box::new(Failure {
                message: "inner".to_owned(),
                ..Default::default()
            })),
            ..Default::default()
        };
        assert_eq!(
            failed("set", &failure).to_string(),
            "update set failed: outer: inner"
        );
    }
}
