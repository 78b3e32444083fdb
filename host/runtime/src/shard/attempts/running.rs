//! An attempt runs to its end, whatever that is.

use std::sync::Arc;

use longhaul_engine::execution::AttemptEnd;
use longhaul_sandbox::{ActivityCall, ExecuteError};

use super::Dispatch;
use crate::{
    activities::{self, Server, size},
    core::Core,
    guest,
    registry::Version,
    shard::{ShardMailbox, message::Notice},
};

/// Run an attempt, and tell its shard how it ended.
pub(super) async fn run_attempt(core: Arc<Core>, mailbox: Arc<ShardMailbox>, dispatch: Dispatch) {
    let Dispatch {
        key,
        place,
        server,
        call,
        host,
    } = dispatch;
    let run = async {
        match &server {
            Server::Module(version) => execute(&core, version, call).await,
            Server::Native(activity) => activities::run(activity, call, host.cancellations()).await,
        }
    };
    let end = tokio::select! {
        biased;
        end = run => end,
        end = host.pass_on() => end,
    };
    // What is too large was the end of the attempt, whatever its code has done since.
    let end = host.refused().unwrap_or(end);
    host.flush();
    let end = size::within(&core.options.limits.history, end);
    mailbox.notice(Notice::AttemptEnded { key, place, end });
}

/// Run the code of an attempt to its end, whatever that is.
pub(in crate::shard) async fn execute(
    core: &Arc<Core>,
    version: &Arc<Version>,
    call: ActivityCall,
) -> AttemptEnd {
    let activity_type = call.info.activity_type.clone();
    let module = match core.module(version).await {
        Ok(module) => module,
        Err(error) => return failed(&error.to_string(), "ModuleUnavailable"),
    };
    match module.execute(call).await {
        Ok(Ok(result)) => AttemptEnd::Completed(guest::payloads_out(result)),
        Ok(Err(ExecuteError::Failed(failure))) => AttemptEnd::Failed(Box::new(guest::failure_out(failure))),
        Ok(Err(ExecuteError::Cancelled(details))) => AttemptEnd::Cancelled(guest::payloads_out(details)),
        Ok(Err(ExecuteError::WillCompleteAsync)) => AttemptEnd::HandedOver,
        Err(trap) => {
            let mut failure = longhaul_history::failure::application(
                format!("activity {activity_type:?} did not return: {trap}"),
                "ActivityTrap",
                false,
            );
            failure.stack_trace = trap
                .backtrace
                .iter()
                .map(|frame| format!("  at {frame}\n"))
                .collect();
            AttemptEnd::Failed(Box::new(failure))
        }
    }
}

fn failed(message: &str, kind: &str) -> AttemptEnd {
    AttemptEnd::Failed(Box::new(longhaul_history::failure::application(
        message, kind, false,
    )))
}
