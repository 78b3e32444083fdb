//! Several steps, each with what undoes it: generic over activities.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use longhaul_sdk::{
    ActivityDefinition, ActivityExecutionError, ActivityOptions, WorkflowContext, WorkflowResult, log,
    workflow, workflow_methods,
};

use crate::activities::Booking;

/// Books a whole trip or nothing.
#[workflow]
#[derive(Default)]
pub struct Trip;

#[workflow_methods]
impl Trip {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, trip: String) -> WorkflowResult<Vec<String>> {
        let mut bookings = Bookings::new(ctx);
        match Self::book(&mut bookings, trip).await {
            Ok(booked) => Ok(booked),
            Err(error) => {
                bookings.undo().await;
                Err(error.into())
            }
        }
    }

    async fn book(bookings: &mut Bookings, trip: String) -> Result<Vec<String>, ActivityExecutionError> {
        let undo = || Booking::cancel_booking;
        Ok(vec![
            bookings.add(Booking::book_room, trip.clone(), undo()).await?,
            bookings.add(Booking::book_train, trip.clone(), undo()).await?,
            bookings.add(Booking::book_bicycle, trip, undo()).await?,
        ])
    }
}

/// What was done, as what undoes it.
struct Bookings {
    ctx: WorkflowContext<Trip>,
    undo: Vec<LocalBoxFuture<'static, ()>>,
}

impl Bookings {
    fn new(ctx: &WorkflowContext<Trip>) -> Self {
        Self {
            ctx: ctx.clone(),
            undo: Vec::new(),
        }
    }

    async fn add<Step, Undo>(
        &mut self,
        step: Step,
        input: impl Into<Step::Input>,
        undo: Undo,
    ) -> Result<Step::Output, ActivityExecutionError>
    where
        Step: ActivityDefinition,
        Step::Output: Clone + Into<Undo::Input>,
        Undo: ActivityDefinition<Output = ()> + 'static,
    {
        let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(10));
        let output = self.ctx.execute_activity(step, input, options.clone()).await?;
        let (ctx, input) = (self.ctx.clone(), output.clone().into());
        self.undo.push(Box::pin(async move {
            let name = undo.name().to_owned();
            if let Err(error) = ctx.execute_activity(undo, input, options).await {
                log::error!("{name} failed: {error}");
            }
        }));
        Ok(output)
    }

    /// The last booking first.
    async fn undo(self) {
        for undo in self.undo.into_iter().rev() {
            undo.await;
        }
    }
}
