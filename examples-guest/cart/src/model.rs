//! What goes over the wire. Amounts may be JSON strings or numbers; they are written as strings.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Something in the cart. The signal needs the price only, the update a SKU, too.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CartItem {
    #[serde(default)]
    pub(crate) sku: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) price: Decimal,
}

impl CartItem {
    /// What the item is called in logs.
    pub(crate) fn label(&self) -> &str {
        if self.name.is_empty() {
            &self.sku
        } else {
            &self.name
        }
    }
}

/// What the activity `process_checkout` gets.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Checkout {
    pub(crate) items: Vec<CartItem>,
    pub(crate) total: Decimal,
}

/// The workflow's result.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct CheckedOut {
    pub(crate) items: usize,
    pub(crate) total: Decimal,
}
