//! Instances that begin prepared.
//!
//! What an instance does before its run begins is the same for all of them: the runtime of its language sets itself up, and the SDK
//! registers what the component defines. For Go that takes longer than all the rest of a short run. So it is done once for each
//! module: its memory is kept, a second component is made that expects to begin with it ([`crate::rewrite`]), and the instances are
//! made of that; they share what they do not write to ([`crate::raw::image`]). That is the same state only where nothing but memory
//! changes while an instance lives, as for forks ([`crate::eligibility`]), and it is looked at before it is used: the first instance
//! of the second component must have the memory and the handles of the first one's.
//!
//! In practice these are the components that TinyGo makes. Handles that are open by then, such as standard output, must be opened again
//! by the second component's start, which is written over the code of `_initialize` and so must fit there. TinyGo's sets its runtime up
//! and is long enough; that of Rust is too short, so components in Rust are prepared instance by instance, which takes them little.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::eligibility::Eligibility;
use crate::error::{CompileError, Error};
use crate::instance;
use crate::log::NoLog;
use crate::module::{self, Inner};
use crate::raw::image::Image;
use crate::raw::tenant::Tenant;
use crate::rewrite::{Unfit, rewrite};
use crate::state::{Limiter, State};

/// Why a component's instances do not begin prepared.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("{0}")]
    NotEligible(String),
    #[error("it opens handles that cannot be opened again in the same order")]
    Handles,
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("its memory cannot be kept: {0}")]
    Image(std::io::Error),
    #[error("it cannot be prepared: {0}")]
    Prepare(Box<Error>),
    #[error("what was made of it is not accepted: {0}")]
    Compile(Box<CompileError>),
    #[error("an instance of what was made of it is not the same")]
    Differs,
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Self::Prepare(Box::new(error))
    }
}

impl From<CompileError> for Reason {
    fn from(error: CompileError) -> Self {
        Self::Compile(Box::new(error))
    }
}

/// Let the module's instances begin prepared, where that is possible. Where it is not they are prepared one by one.
pub(crate) fn begin_prepared(module: &mut Inner, component: &[u8]) {
    if !module.sandbox.options().snapshots {
        return;
    }
    if let Err(reason) = try_to(module, component) {
        tracing::debug!(%reason, "each instance of a component is prepared by itself");
    }
}

fn try_to(module: &mut Inner, component: &[u8]) -> Result<(), Reason> {
    if let Eligibility::NotEligible(reason) = module.eligibility() {
        return Err(Reason::NotEligible(reason.clone()));
    }
    let first = prepared(module)?;
    let opened = first.store().data().handles.openers().ok_or(Reason::Handles)?;
    let Some(memory) = first.memories().next() else {
        return Err(Reason::Differs);
    };
    let rewritten = rewrite(component, memory.len(), &opened)?;
    let image = Image::new(&module.sandbox.0.arena, memory).map_err(Reason::Image)?;
    let digest: [u8; 32] = Sha256::digest(&rewritten).into();
    let sandbox = module.sandbox.clone();
    let component = module::load(&sandbox.0.workflows, &rewritten, &digest)?;
    let begins_prepared = module::workflow_pre(&sandbox, &component)?;

    let begins_at_start = module.workflow.replace(begins_prepared);
    module.image = Some(image);
    let same = prepared(module).is_ok_and(|second| {
        second.memories().eq(first.memories())
            && second.store().data().handles.same(&first.store().data().handles)
    });
    if !same {
        module.workflow = begins_at_start;
        module.image = None;
        return Err(Reason::Differs);
    }
    Ok(())
}

fn prepared(module: &Inner) -> Result<Tenant<State>, Error> {
    let options = module.sandbox.options();
    let limiter = Limiter::new(options.slot_bytes(), options.table_elements_max);
    let state = State::new(
        module.sandbox.0.options.clone(),
        limiter,
        [0; 32],
        Arc::new(NoLog),
    );
    let (tenant, ..) = instance::prepare(module, state, options.fuel_per_describe, 0)?;
    Ok(tenant)
}
