//! The exports of the world `activities`.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::activities::{self, ActivityContext, ActivityDefinitions};
use crate::bindings::activities::exports::longhaul::workflow::activity_definition::{
    Description, ExecuteError, Guest,
};
use crate::bindings::workflow::longhaul::workflow::types::Handler;
use crate::data_converters::Payload;
use crate::failure::Failure;

/// The activities of a component. `export_activities!` implements it.
pub trait ActivityModule {
    /// The activities.
    fn activities() -> ActivityDefinitions;
}

/// The exports of the world `activities`, for the activities of a module.
pub struct ExportedActivities<M>(PhantomData<M>);

impl<M: ActivityModule> Guest for ExportedActivities<M> {
    fn describe() -> Description {
        let activities = M::activities();
        let handlers = activities.entries().map(|(name, description)| Handler {
            name: name.to_owned(),
            description: description.to_owned(),
            input_schema: None,
            output_schema: None,
        });
        Description {
            sdk: super::workflows::sdk(),
            activities: handlers.collect(),
        }
    }

    fn execute(activity_type: String, input: Vec<Payload>) -> Result<Vec<Payload>, ExecuteError> {
        super::report_panics();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time();
        let context = ActivityContext::new(Arc::new(activities::imports()));
        let attempt = activities::run(&M::activities(), &activity_type, context, input);
        let attempt = activities::attempt(&mut runtime, attempt);
        let runtime = runtime.build().map_err(|error| {
            let message = format!("the activity's runtime could not be started: {error}");
            ExecuteError::Failed(Failure::application("RuntimeError", message).into_wit())
        })?;
        runtime.block_on(attempt)
    }
}
