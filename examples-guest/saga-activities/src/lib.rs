//! Bookings, a payment, and how each is undone. They are simulated: a real one would call the hotel, the airline and the bank. To
//! undo what was not done does no harm, and neither does doing it twice: both happen.

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{ApplicationFailure, activities, log};
use rust_decimal::Decimal;

/// The name of a hotel or flight that has no room left.
const FULL: &str = "full";
/// A card that cannot be charged.
const DECLINED: &str = "declined";
/// How much of a card's token the transaction's id shows.
const TOKEN_PREFIX: usize = 8;

/// A failure that another attempt would not change.
fn refused(type_name: &str, message: String) -> ActivityError {
    ActivityError::application(
        ApplicationFailure::builder(message)
            .type_name(type_name.to_owned())
            .non_retryable(true)
            .build(),
    )
}

struct TripActivities;

#[activities]
impl TripActivities {
    /// Book a hotel; returns the booking's number
    #[activity(name = "book_hotel")]
    async fn book_hotel(_: ActivityContext, trip_id: String, hotel: String) -> Result<String, ActivityError> {
        if hotel == FULL {
            return Err(refused("HotelFull", format!("No room for trip {trip_id}")));
        }
        log::info!("Booked hotel {hotel} for trip {trip_id}");
        Ok(format!("hotel_{trip_id}"))
    }

    /// Cancel a trip's hotel
    #[activity(name = "cancel_hotel")]
    async fn cancel_hotel(_: ActivityContext, trip_id: String) -> Result<(), ActivityError> {
        log::info!("Cancelled the hotel of trip {trip_id}");
        Ok(())
    }

    /// Book a flight; returns the booking's number
    #[activity(name = "book_flight")]
    async fn book_flight(
        _: ActivityContext,
        trip_id: String,
        flight: String,
    ) -> Result<String, ActivityError> {
        if flight == FULL {
            return Err(refused("FlightFull", format!("No seat for trip {trip_id}")));
        }
        log::info!("Booked flight {flight} for trip {trip_id}");
        Ok(format!("flight_{trip_id}"))
    }

    /// Cancel a trip's flight
    #[activity(name = "cancel_flight")]
    async fn cancel_flight(_: ActivityContext, trip_id: String) -> Result<(), ActivityError> {
        log::info!("Cancelled the flight of trip {trip_id}");
        Ok(())
    }

    /// Charge a card; returns the transaction's id
    #[activity(name = "charge_card")]
    async fn charge_card(
        _: ActivityContext,
        trip_id: String,
        card_token: String,
        amount: Decimal,
    ) -> Result<String, ActivityError> {
        if card_token == DECLINED {
            let message = format!("The card for trip {trip_id} was declined");
            return Err(refused("CardDeclined", message));
        }
        log::info!("Charged {amount} for trip {trip_id}");
        let prefix: String = card_token.chars().take(TOKEN_PREFIX).collect();
        Ok(format!("txn_{prefix}"))
    }

    /// Pay a trip's money back
    #[activity(name = "refund_card")]
    async fn refund_card(_: ActivityContext, trip_id: String) -> Result<(), ActivityError> {
        log::info!("Refunded trip {trip_id}");
        Ok(())
    }
}

longhaul_sdk::export_activities!(TripActivities);
