//! Leaving the histories of a test for the judge, which replays each through Temporal's Core.

use std::{collections::HashMap, fs};

use longhaul_history::History;
use prost::Message;

use crate::{Client, Server, artifacts};

/// Writes the history of every execution of a server as `TEST-WORKFLOW_ID-NUMBER.pb`: a `temporal.api.history.v1.History`.
///
/// Call it at the end of a test. It panics where there is nothing to export.
pub fn histories(server: &Server, test: &str) {
    block_on(async { histories_async(&mut Client::new(server.address()), test).await });
}

/// The history of an execution's last run, as the judge would get it.
pub fn history(server: &Server, workflow_id: &str) -> Vec<u8> {
    let events = block_on(async { Client::new(server.address()).history(workflow_id, "").await });
    let events = events.unwrap_or_else(|status| panic!("{workflow_id}: {status}"));
    History { events }.encode_to_vec()
}

/// Runs a future to its end on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// The same for tests that run in tokio.
pub async fn histories_async(client: &mut Client, test: &str) {
    let folder = artifacts::histories();
    fs::create_dir_all(&folder).unwrap();
    let executions = client.executions().await.unwrap();
    assert!(!executions.is_empty(), "{test} has no executions to export");
    let mut runs: HashMap<String, u32> = HashMap::new();
    for (workflow_id, run_id) in &executions {
        let events = client.history(workflow_id, run_id).await.unwrap();
        // A number instead of the run id, so that a later run of the test replaces this file.
        let name = file_name(workflow_id);
        let number = runs.entry(name.clone()).or_default();
        *number += 1;
        let file = folder.join(format!("{test}-{name}-{number}.pb"));
        // In one step, because a judge may be reading.
        let new = file.with_extension("new");
        fs::write(&new, History { events }.encode_to_vec()).unwrap();
        fs::rename(&new, &file).unwrap();
    }
}

/// A workflow id as a part of a file's name.
fn file_name(id: &str) -> String {
    id.chars()
        .take(80)
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}
