//! A trip of several bookings: either all of them stand and are paid for, or all are undone, the last first.

mod model;

use std::time::Duration;

use longhaul_sdk::activities::ActivityError;
use longhaul_sdk::{
    ActivityExecutionError, ActivityOptions, ApplicationFailure, RetryPolicy, SyncWorkflowContext,
    WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult, activity_definitions,
    log, workflow, workflow_methods,
};
use rust_decimal::Decimal;

use model::{Booked, Status, Trip};

/// Limit of one attempt of a booking.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts of a booking.
const STEP_ATTEMPTS: u32 = 3;
/// How long the bookings are held for the customer.
const HOLD: Duration = Duration::from_secs(15 * 60);

/// The activities, which another component defines: see `saga-activities`.
struct Activities;

#[activity_definitions]
impl Activities {
    #[activity(name = "book_hotel")]
    fn book_hotel(trip_id: String, hotel: String) -> Result<String, ActivityError> {
        unimplemented!()
    }

    #[activity(name = "cancel_hotel")]
    fn cancel_hotel(trip_id: String) -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "book_flight")]
    fn book_flight(trip_id: String, flight: String) -> Result<String, ActivityError> {
        unimplemented!()
    }

    #[activity(name = "cancel_flight")]
    fn cancel_flight(trip_id: String) -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "charge_card")]
    fn charge_card(trip_id: String, card_token: String, amount: Decimal) -> Result<String, ActivityError> {
        unimplemented!()
    }

    #[activity(name = "refund_card")]
    fn refund_card(trip_id: String) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

fn booking() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(STEP_TIMEOUT)
        .retry_policy(RetryPolicy::builder().maximum_attempts(STEP_ATTEMPTS).build())
        .build()
}

/// A step that can be undone.
#[derive(Clone, Copy, Debug)]
enum Step {
    Hotel,
    Flight,
    Payment,
}

/// Books a hotel and a flight, waits for the customer, and takes the payment.
#[workflow]
#[derive(Default)]
struct TripWorkflow {
    status: Status,
    confirmed: bool,
}

impl TripWorkflow {
    /// Book and pay. `begun` are the steps that may have happened, whatever the result is.
    async fn book(ctx: &WorkflowContext<Self>, trip: &Trip, begun: &mut Vec<Step>) -> WorkflowResult<Booked> {
        let id = || trip.trip_id.clone();

        // First noted, then tried: a booking whose answer was lost has to be undone, too.
        begun.push(Step::Hotel);
        let hotel = ctx
            .execute_activity(Activities::book_hotel, (id(), trip.hotel.clone()), booking())
            .await?;
        begun.push(Step::Flight);
        let flight = ctx
            .execute_activity(Activities::book_flight, (id(), trip.flight.clone()), booking())
            .await?;

        ctx.state_mut(|state| state.status = Status::Held);
        if !ctx.wait_condition_timeout(|state| state.confirmed, HOLD).await? {
            let expired = ApplicationFailure::builder("The trip was not confirmed in time")
                .type_name("HoldExpired".to_owned())
                .build();
            return Err(expired.into());
        }

        ctx.state_mut(|state| state.status = Status::Paying);
        begun.push(Step::Payment);
        let payment = ctx
            .execute_activity(
                Activities::charge_card,
                (id(), trip.card_token.clone(), trip.amount),
                booking(),
            )
            .await?;
        Ok(Booked {
            hotel,
            flight,
            payment,
        })
    }

    /// Undo a step. It is tried until it succeeds, also when the workflow is cancelled.
    async fn undo(
        ctx: &WorkflowContext<Self>,
        trip: &Trip,
        step: Step,
    ) -> Result<(), ActivityExecutionError> {
        let id = trip.trip_id.clone();
        let options = ActivityOptions::with_start_to_close_timeout(STEP_TIMEOUT)
            // A token of its own: the workflow's would cancel the clean-up, too.
            .cancellation_token(WorkflowCancellationToken::new())
            .build();
        match step {
            Step::Hotel => ctx.execute_activity(Activities::cancel_hotel, id, options).await,
            Step::Flight => ctx.execute_activity(Activities::cancel_flight, id, options).await,
            Step::Payment => ctx.execute_activity(Activities::refund_card, id, options).await,
        }
    }
}

#[workflow_methods]
impl TripWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, trip: Trip) -> WorkflowResult<Booked> {
        let mut begun = Vec::new();
        let result = Self::book(ctx, &trip, &mut begun).await;
        if let Err(error) = &result {
            log::warn!("Undoing trip {}: {error}", trip.trip_id);
            ctx.state_mut(|state| state.status = Status::Undoing);
            for step in begun.into_iter().rev() {
                Self::undo(ctx, &trip, step).await?;
            }
        }
        let status = if result.is_ok() {
            Status::Booked
        } else {
            Status::Undone
        };
        ctx.state_mut(|state| state.status = status);
        // The error that began it all: the workflow fails with it, or is cancelled.
        result
    }

    /// The customer wants the trip
    #[signal]
    fn confirm(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.confirmed = true;
    }

    /// booking, held, paying, booked, undoing or undone
    #[query]
    fn get_status(&self, _: &WorkflowContextView) -> Status {
        self.status
    }
}

longhaul_sdk::export!(TripWorkflow);
