//! The runtime in a program of one's own, with activities in Rust beside it.
//!
//!     cargo xtask guests
//!     cargo run -p longhaul-runtime --example embed
//!
//! It opens a database in a temporary folder, uploads the example workflow `bank`, serves that workflow's activities itself, and plays
//! one withdrawal. No port is opened.

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use longhaul_history::{
    payload,
    proto::{
        common::v1::{WorkflowExecution, WorkflowType},
        enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage,
        taskqueue::v1::TaskQueue,
        update::v1::{Input, Meta, Request, WaitPolicy, outcome},
        workflowservice::v1::{StartWorkflowExecutionRequest, UpdateWorkflowExecutionRequest},
    },
};
use longhaul_runtime::{
    Options, Runtime,
    activities::{self, Context},
    modules::Upload,
};
use serde_json::json;
use tokio::sync::Mutex;

const QUEUE: &str = "bank";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let component = env::args_os().nth(1).map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../target/guests/bank.wasm"
            ))
        },
        PathBuf::from,
    );
    let bytes = fs::read(&component).map_err(|error| {
        format!(
            "{}: {error}; `cargo xtask guests` builds it, or name another place",
            component.display()
        )
    })?;
    let end = play(bytes).await?;
    writeln!(io::stdout(), "{end}")?;
    Ok(())
}

/// How the withdrawal ended, in words. `bytes` are those of the component.
pub(crate) async fn play(bytes: Vec<u8>) -> Result<String, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::open(Options::new(folder.path().join("embedded.redb")))?;

    // Activities have what the program has: here a ledger in memory.
    let ledger = Arc::new(Mutex::new(Vec::new()));
    runtime.register_activity(
        QUEUE,
        "get_current_balance",
        activities::json(async |context: Context, last_known: String| {
            context.heartbeat_json(&"asking the ledger")?;
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(last_known)
        }),
    )?;
    let written = ledger.clone();
    runtime.register_activity(
        QUEUE,
        "update_balance",
        activities::json(move |_: Context, balance: String| {
            let ledger = written.clone();
            async move {
                ledger.lock().await.push(balance);
                Ok(())
            }
        }),
    )?;

    runtime
        .upload_module(Upload {
            namespace: "default".into(),
            name: "bank".into(),
            queue: QUEUE.into(),
            config: String::new(),
            bytes,
        })
        .await?;

    runtime
        .start_workflow(StartWorkflowExecutionRequest {
            namespace: "default".into(),
            workflow_id: "account".into(),
            workflow_type: Some(WorkflowType {
                name: "BankAccountWorkflow".into(),
            }),
            task_queue: Some(TaskQueue {
                name: QUEUE.into(),
                ..Default::default()
            }),
            request_id: "start".into(),
            ..Default::default()
        })
        .await?;
    let updated = runtime
        .update_workflow(UpdateWorkflowExecutionRequest {
            namespace: "default".into(),
            workflow_execution: Some(WorkflowExecution {
                workflow_id: "account".into(),
                run_id: String::new(),
            }),
            wait_policy: Some(WaitPolicy {
                lifecycle_stage: Stage::Completed.into(),
            }),
            request: Some(Request {
                meta: Some(Meta {
                    update_id: "withdrawal-1".into(),
                    identity: "embed".into(),
                }),
                input: Some(Input {
                    name: "withdraw".into(),
                    args: Some(payload::from_values(&[json!("99.50")])),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        })
        .await?;
    let end = match updated.outcome.and_then(|outcome| outcome.value) {
        Some(outcome::Value::Success(result)) => {
            let balance = result.payloads.first().and_then(payload::to_json);
            let ledger = ledger.lock().await;
            Ok(format!(
                "balance {}, ledger {ledger:?}",
                balance.unwrap_or_default()
            ))
        }
        other => Err(format!("the withdrawal was not made: {other:?}").into()),
    };
    // Waits for what is on its way to the disk.
    tokio::task::spawn_blocking(move || runtime.stop()).await?;
    end
}
