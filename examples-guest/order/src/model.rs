//! What goes over the wire. Amounts may be JSON strings or numbers.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// How far an order has come.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrderStatus {
    #[default]
    Pending,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
}

impl OrderStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct OrderItem {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: i64,
    pub(crate) price: Decimal,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct PaymentInfo {
    pub(crate) payment_method: String,
    pub(crate) amount: Decimal,
    pub(crate) card_token: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ShippingInfo {
    pub(crate) address: String,
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
}

/// What the query `get_progress` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct OrderProgress {
    pub(crate) status: OrderStatus,
    pub(crate) items_count: usize,
    pub(crate) total_amount: String,
    pub(crate) payment_status: String,
    pub(crate) shipping_status: String,
}

/// What the update `add_item` returns.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Added {
    pub(crate) items: usize,
    pub(crate) total: String,
}
