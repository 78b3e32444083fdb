//! The messages of the example `order`.

use serde_json::{Value, json};

/// The workflow type.
pub const TYPE: &str = "OrderWorkflow";
/// The task queue of its activities.
pub const QUEUE: &str = "orders";
/// A card that is charged as `txn_tok_1234`.
pub const CARD: &str = "tok_1234567890abcdef";

/// An item for the update `add_item`.
pub fn item(sku: &str, quantity: i64, price: &str) -> String {
    json!({"sku": sku, "name": sku.to_lowercase(), "quantity": quantity, "price": price}).to_string()
}

/// A payment for the update `process_payment`.
pub fn payment(amount: &str, card_token: &str) -> String {
    json!({"payment_method": "credit_card", "amount": amount, "card_token": card_token}).to_string()
}

/// A shipment for the signal `mark_shipped`.
pub fn shipping(carrier: &str) -> String {
    json!({"address": "123 Main St, City, State 12345", "carrier": carrier, "tracking_number": "1Z999AA10123456784"})
        .to_string()
}

/// What the query `get_progress` answers.
pub fn progress(status: &str, items: u32, total: &str, payment: &str, shipping: &str) -> Value {
    json!({
        "status": status,
        "items_count": items,
        "total_amount": total,
        "payment_status": payment,
        "shipping_status": shipping,
    })
}
