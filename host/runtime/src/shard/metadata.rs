//! What a workflow says of itself: Temporal's `WorkflowMetadata`, as the answer to a query that every workflow has.

use longhaul_engine::proto::common::v1::Payload;
use serde_json::{Value, json};

use super::{
    query::{METADATA, STACK_TRACE},
    run::Run,
};
use crate::modules::Handler;

/// The message's name, which Temporal's SDKs put beside its JSON.
const MESSAGE_TYPE: &str = "temporal.api.sdk.v1.WorkflowMetadata";

/// The handlers of a run's type with their doc texts, and what its code last said about its state.
pub(super) fn metadata(run: &Run, current_details: &str) -> Payload {
    let workflow_type = run.version.workflow_types.get(run.execution.workflow_type());
    let handlers = |handlers: &dyn Fn(&crate::modules::WorkflowType) -> Vec<Handler>| {
        workflow_type.map(handlers).unwrap_or_default()
    };
    let mut queries = handlers(&|t| t.queries.clone());
    for (name, description) in [
        (STACK_TRACE, "Where each task of the workflow waits."),
        (
            METADATA,
            "The handlers of the workflow, and what it says of its present state.",
        ),
    ] {
        queries.push(Handler {
            name: name.into(),
            description: description.into(),
            ..Handler::default()
        });
    }
    let mut message = json!({
        "definition": {
            "type": run.execution.workflow_type(),
            "queryDefinitions": list(queries),
            "signalDefinitions": list(handlers(&|t| t.signals.clone())),
            "updateDefinitions": list(handlers(&|t| t.updates.clone())),
        },
    });
    if !current_details.is_empty() {
        message["currentDetails"] = current_details.into();
    }
    Payload {
        metadata: [
            ("encoding".to_owned(), b"json/protobuf".to_vec()),
            ("messageType".to_owned(), MESSAGE_TYPE.as_bytes().to_vec()),
        ]
        .into(),
        data: message.to_string().into_bytes(),
        ..Default::default()
    }
}

/// By name, as Temporal's SDKs sort them.
fn list(mut handlers: Vec<Handler>) -> Value {
    handlers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let entry = |handler: Handler| match handler.description.as_str() {
        "" => json!({ "name": handler.name }),
        description => json!({ "name": handler.name, "description": description }),
    };
    handlers.into_iter().map(entry).collect()
}
