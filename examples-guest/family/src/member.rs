//! What all members of a family do.

use std::pin::pin;

use longhaul_sdk::workflows::{join_all, select};
use longhaul_sdk::{
    ChildWorkflowOptions, FamilySignalError, FamilySignalOptions, MessageSender, SignalDelivery,
    WorkflowContext, WorkflowResult,
};
use serde::{Deserialize, Serialize};

use crate::{FamilyWorkflow, QuietFamilyWorkflow};

/// The signal that goes through the family. It has no handler: the run method waits for it.
const NEWS: &str = "news";

/// A member and its children.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Member {
    /// The part of the workflow id that follows the parent's.
    pub(crate) name: String,
    /// Does it keep from its parent what it knows?
    pub(crate) quiet: bool,
    pub(crate) children: Vec<Member>,
}

/// Some news that came.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Heard {
    pub(crate) news: String,
    /// The workflow id of the relative, or the identity of the client, who has told it.
    pub(crate) from: String,
    /// The workflow id of the relative who began it; none if a client did.
    pub(crate) origin: Option<String>,
}

impl From<&SignalDelivery<String>> for Heard {
    fn from(delivery: &SignalDelivery<String>) -> Self {
        Self {
            news: delivery.value.clone(),
            from: match &delivery.sender {
                MessageSender::Client(identity) => identity.clone(),
                MessageSender::Workflow { workflow_id, .. } => workflow_id.clone(),
            },
            origin: delivery
                .family
                .as_ref()
                .map(|family| family.origin.workflow_id().to_owned()),
        }
    }
}

/// The state of a member.
#[derive(Default)]
pub(crate) struct Life {
    pub(crate) heard: Vec<Heard>,
    pub(crate) has_left: bool,
}

/// A workflow that is a member of a family.
pub(crate) trait Relative {
    fn life(&self) -> &Life;
    fn life_mut(&mut self) -> &mut Life;
}

/// Have children, and hear the news until it is time to leave. Returns how much was heard.
pub(crate) async fn live<W: Relative>(ctx: &WorkflowContext<W>, member: Member) -> WorkflowResult<usize> {
    let child_options =
        |child: &Member| ChildWorkflowOptions::workflow_id(format!("{}/{}", ctx.workflow_id(), child.name));
    // All are started by these calls; then their starts are awaited.
    let (quiet, others): (Vec<_>, Vec<_>) = member.children.into_iter().partition(|child| child.quiet);
    let quiet = quiet.into_iter().map(|child| {
        let options = child_options(&child);
        ctx.start_child_workflow(QuietFamilyWorkflow::run, Some(child), options)
    });
    let others = others.into_iter().map(|child| {
        let options = child_options(&child);
        ctx.start_child_workflow(FamilyWorkflow::run, Some(child), options)
    });
    let (quiet, others) = (join_all(quiet), join_all(others));
    for started in quiet.await {
        started?;
    }
    for started in others.await {
        started?;
    }

    let mut has_left = pin!(ctx.wait_condition(|relative| relative.life().has_left));
    let mut news = ctx.wait_signal::<String>(NEWS);
    loop {
        select! {
            delivery = news => {
                let delivery = delivery?;
                ctx.state_mut(|relative| relative.life_mut().heard.push(Heard::from(&delivery)));
                // Only the newest counts. It stays where it is, so the next wait is for one that comes after it.
                news = ctx.wait_signal(NEWS).after(&delivery);
            }
            left = has_left => {
                left?;
                return Ok(ctx.state(|relative| relative.life().heard.len()));
            }
        }
    }
}

/// Tell the family. Ends as soon as one relative, who may be oneself, has heard it.
pub(crate) async fn tell<W>(
    ctx: &WorkflowContext<W>,
    news: String,
    propagate: Option<bool>,
) -> Result<(), FamilySignalError> {
    let options = FamilySignalOptions::builder()
        .propagate(propagate.unwrap_or_default())
        .build();
    ctx.signal_family(NEWS, news, options).await
}
