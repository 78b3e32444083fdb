//! What goes over the wire. Amounts may be JSON strings or numbers.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What is to be booked.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Trip {
    pub(crate) trip_id: String,
    pub(crate) hotel: String,
    pub(crate) flight: String,
    pub(crate) card_token: String,
    pub(crate) amount: Decimal,
}

/// The workflow's result: the number of each booking.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Booked {
    pub(crate) hotel: String,
    pub(crate) flight: String,
    pub(crate) payment: String,
}

/// How far a trip has come.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    #[default]
    Booking,
    Held,
    Paying,
    Booked,
    Undoing,
    Undone,
}
