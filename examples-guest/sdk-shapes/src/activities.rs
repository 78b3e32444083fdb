//! What the workflows do to the world; nothing of it is real.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError, activities};
use longhaul_sdk::{ApplicationFailure, log};

pub struct Greeter;

#[activities]
impl Greeter {
    /// Greet somebody
    #[activity]
    pub async fn greet(_ctx: ActivityContext, name: String) -> Result<String, ActivityError> {
        Ok(format!("Good morning, {name}"))
    }

    /// Is the parcel there? From the third look on it is
    #[activity]
    pub async fn look(_ctx: ActivityContext, attempt: u32) -> Result<bool, ActivityError> {
        Ok(attempt >= 3)
    }

    /// Works until it is cancelled, and says so with each heartbeat
    #[activity]
    pub async fn work(ctx: ActivityContext) -> Result<String, ActivityError> {
        for step in 0_u32.. {
            if ctx.is_cancelled() {
                return Err(ActivityError::cancelled());
            }
            ctx.record_heartbeat(step).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok("never".to_owned())
    }

    /// Tidies up
    #[activity]
    pub async fn tidy(_ctx: ActivityContext, what: String) -> Result<String, ActivityError> {
        Ok(format!("{what} is tidy"))
    }
}

pub struct Booking;

#[activities]
impl Booking {
    #[activity]
    pub async fn book_room(_ctx: ActivityContext, trip: String) -> Result<String, ActivityError> {
        Ok(format!("room for {trip}"))
    }

    #[activity]
    pub async fn book_train(_ctx: ActivityContext, trip: String) -> Result<String, ActivityError> {
        Ok(format!("train for {trip}"))
    }

    /// There are no bicycles on the moon
    #[activity]
    pub async fn book_bicycle(_ctx: ActivityContext, trip: String) -> Result<String, ActivityError> {
        if trip == "moon" {
            let failure = ApplicationFailure::non_retryable(format!("no bicycle for {trip}"));
            return Err(ActivityError::application(failure));
        }
        Ok(format!("bicycle for {trip}"))
    }

    #[activity]
    pub async fn cancel_booking(_ctx: ActivityContext, booking: String) -> Result<(), ActivityError> {
        log::info!("cancelled: {booking}");
        Ok(())
    }
}
