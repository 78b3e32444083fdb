//! `longhaul run`: one workflow, without a server.

use std::path::PathBuf;

use longhaul_runtime::{Runtime, modules};

use crate::{
    Error, Output,
    args::{Format, Global, Inputs},
    embedded::{self, Database},
    failure, logs, module,
    proto::{
        common::v1::WorkflowExecution,
        failure::v1::Failure,
        history::v1::history_event::Attributes,
        workflowservice::v1::{
            GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
            StartWorkflowExecutionRequest,
        },
    },
    workflow::{result, start},
};

/// Run one workflow of a component without a server and print its result
///
/// The whole engine runs in this process with a database that is thrown away at the end. Time is skipped: a workflow that sleeps
/// for a week ends at once. Give the component that defines the workflow, and those that define its activities.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exit code is 0 if the workflow completed and 1 otherwise.

Examples:
  longhaul run order.wasm order-activities.wasm --type Order --input '{\"item\":\"tea\"}'
  longhaul run greet.wasm --type Greet -i '\"Ada\"' -o json | jq .result")]
pub(crate) struct Args {
    /// Components
    #[arg(required = true, value_name = "FILE.wasm")]
    files: Vec<PathBuf>,
    /// Workflow type
    #[arg(long, value_name = "TYPE")]
    r#type: String,
    /// Workflow id [default: a new UUID]
    #[arg(long, short = 'w', value_name = "ID")]
    workflow_id: Option<String>,
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    logs: logs::Logs,
}

pub(crate) fn execute(args: Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    logs::install(&args.logs, "warn,guest=info")?;
    let request = start::simple_request(&args.r#type, args.workflow_id.as_deref(), &args.inputs, global)?;
    let uploads = args
        .files
        .iter()
        .map(|file| upload(file, global))
        .collect::<Result<Vec<_>, _>>()?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    threads.block_on(async {
        let folder = tempfile::tempdir().map_err(Error::TemporaryFolder)?;
        let runtime = embedded::open(Database::Temporary(folder.path()), |options| {
            options.time_skipping = true
        })
        .await?;
        let play = play(&runtime, uploads, request, output);
        let played = match global.command_timeout {
            None => play.await,
            Some(limit) => tokio::time::timeout(limit, play)
                .await
                .unwrap_or(Err(Error::CommandTimeout(limit))),
        };
        let closed = embedded::close(runtime).await;
        played.and(closed)
    })
}

fn upload(file: &PathBuf, global: &Global) -> Result<modules::Upload, Error> {
    let bytes = std::fs::read(file).map_err(|source| Error::File {
        path: file.clone(),
        source,
    })?;
    Ok(modules::Upload {
        namespace: global.namespace.clone(),
        name: module::name_of(file),
        queue: String::new(),
        config: String::new(),
        bytes,
    })
}

async fn play(
    runtime: &Runtime,
    uploads: Vec<modules::Upload>,
    request: StartWorkflowExecutionRequest,
    output: &mut Output,
) -> Result<(), Error> {
    for upload in uploads {
        runtime.upload_module(upload).await?;
    }
    let (namespace, workflow_id) = (request.namespace.clone(), request.workflow_id.clone());
    let run_id = runtime.start_workflow(request).await?.run_id;
    let execution = WorkflowExecution { workflow_id, run_id };
    let mut histories = Embedded(runtime);
    let closed = tokio::select! {
        closed = result::wait(&execution, &namespace, &mut histories) => closed?,
        // The same code fails again and again, and nobody is there to mend it.
        error = trouble(runtime, &namespace, &execution) => return Err(error),
    };
    match output.format() {
        Format::Text => closed.print_bare(output),
        Format::Json | Format::None => closed.print(&execution, output),
    }
}

/// Wait for a workflow task that fails; does not end otherwise.
async fn trouble(runtime: &Runtime, namespace: &str, execution: &WorkflowExecution) -> Error {
    let mut next_page_token = Vec::new();
    loop {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: namespace.to_owned(),
            execution: Some(execution.clone()),
            wait_new_event: true,
            next_page_token,
            ..Default::default()
        };
        let page = match runtime.history(request).await {
            Ok(page) => page,
            Err(error) => return error.into(),
        };
        for event in page.history.unwrap_or_default().events {
            if let Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) = event.attributes {
                let failure = failed.failure.as_ref();
                return Error::TaskFailed(failure.map(task_failure).unwrap_or_default());
            }
        }
        if page.next_page_token.is_empty() {
            // This run has closed: the other wait tells how, and what comes after it.
            return std::future::pending().await;
        }
        next_page_token = page.next_page_token;
    }
}

/// What went wrong, and below it where in the guest's code.
fn task_failure(failure: &Failure) -> String {
    let mut text = failure::headline(failure);
    if !failure.stack_trace.trim().is_empty() {
        text = format!("{text}\n{}", failure.stack_trace.trim_end());
    }
    text
}

/// The engine of this process as a source of histories.
struct Embedded<'a>(&'a Runtime);

impl result::Histories for Embedded<'_> {
    async fn page(
        &mut self,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<GetWorkflowExecutionHistoryResponse, Error> {
        Ok(self.0.history(request).await?)
    }
}
