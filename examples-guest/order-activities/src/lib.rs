//! What the order workflow does to the world. It is simulated: a real one would call the warehouse, the payment gateway
//! and the carrier here.

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{activities, log};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// How much of a card's token the transaction's id shows.
const TOKEN_PREFIX: usize = 8;

#[derive(Deserialize, Serialize)]
struct OrderItem {
    sku: String,
    name: String,
    quantity: i64,
    price: Decimal,
}

#[derive(Deserialize, Serialize)]
struct PaymentInfo {
    payment_method: String,
    amount: Decimal,
    card_token: String,
}

#[derive(Deserialize, Serialize)]
struct ShippingInfo {
    address: String,
    carrier: String,
    tracking_number: String,
}

struct OrderActivities;

#[activities]
impl OrderActivities {
    /// Check that an item is available
    #[activity(name = "check_inventory")]
    async fn check_inventory(_: ActivityContext, item: OrderItem) -> Result<bool, ActivityError> {
        log::info!("Checking inventory for {}", item.sku);
        Ok(true)
    }

    /// Charge a payment
    #[activity(name = "charge_payment")]
    async fn charge_payment(_: ActivityContext, payment: PaymentInfo) -> Result<String, ActivityError> {
        log::info!("Charging {} via {}", payment.amount, payment.payment_method);
        let prefix: String = payment.card_token.chars().take(TOKEN_PREFIX).collect();
        Ok(format!("txn_{prefix}"))
    }

    /// Tell the shipping system
    #[activity(name = "update_shipping_system")]
    async fn update_shipping_system(
        _: ActivityContext,
        order_id: String,
        shipping: ShippingInfo,
    ) -> Result<(), ActivityError> {
        log::info!("Updating shipping for {order_id} - {}", shipping.carrier);
        Ok(())
    }

    /// Send the delivery confirmation
    #[activity(name = "send_delivery_confirmation")]
    async fn send_delivery_confirmation(
        _: ActivityContext,
        customer_id: String,
        order_id: String,
    ) -> Result<(), ActivityError> {
        log::info!("Sending delivery confirmation to {customer_id} for {order_id}");
        Ok(())
    }
}

longhaul_sdk::export_activities!(OrderActivities);
