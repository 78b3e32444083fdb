//! A family of workflows, of parents and children, in which news go from one to the others.

mod member;

use longhaul_sdk::{
    FamilySignalError, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};

use member::{Heard, Life, Member, Relative};

/// A member of the family, with children of its own.
#[workflow(signals("news"))]
#[derive(Default)]
struct FamilyWorkflow {
    life: Life,
}

impl Relative for FamilyWorkflow {
    fn life(&self) -> &Life {
        &self.life
    }

    fn life_mut(&mut self) -> &mut Life {
        &mut self.life
    }
}

#[workflow_methods]
impl FamilyWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, member: Option<Member>) -> WorkflowResult<usize> {
        member::live(ctx, member.unwrap_or_default()).await
    }

    /// Tell the parent, the children and oneself some news; if they shall pass it on, all their relatives, too
    #[signal]
    async fn tell(
        ctx: &mut WorkflowContext<Self>,
        news: String,
        propagate: Option<bool>,
    ) -> Result<(), FamilySignalError> {
        member::tell(ctx, news, propagate).await
    }

    /// Leave the family
    #[signal]
    fn leave(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.life.has_left = true;
    }

    /// What was heard, from whom and by whom it began
    #[query]
    fn get_heard(&self, _: &WorkflowContextView) -> Vec<Heard> {
        self.life.heard.clone()
    }
}

/// A member that hears everything and tells its parent nothing.
#[workflow(signals("news"), propagate_signals_to_parent = false)]
#[derive(Default)]
struct QuietFamilyWorkflow {
    life: Life,
}

impl Relative for QuietFamilyWorkflow {
    fn life(&self) -> &Life {
        &self.life
    }

    fn life_mut(&mut self) -> &mut Life {
        &mut self.life
    }
}

#[workflow_methods]
impl QuietFamilyWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, member: Option<Member>) -> WorkflowResult<usize> {
        member::live(ctx, member.unwrap_or_default()).await
    }

    /// Tell the children and oneself some news
    #[signal]
    async fn tell(
        ctx: &mut WorkflowContext<Self>,
        news: String,
        propagate: Option<bool>,
    ) -> Result<(), FamilySignalError> {
        member::tell(ctx, news, propagate).await
    }

    /// Leave the family
    #[signal]
    fn leave(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.life.has_left = true;
    }

    /// What was heard, from whom and by whom it began
    #[query]
    fn get_heard(&self, _: &WorkflowContextView) -> Vec<Heard> {
        self.life.heard.clone()
    }
}

longhaul_sdk::export!(FamilyWorkflow, QuietFamilyWorkflow);
