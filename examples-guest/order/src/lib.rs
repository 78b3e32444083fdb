//! An order from its creation to its delivery, with signals, queries and updates.

mod model;

use std::time::Duration;

use longhaul_sdk::activities::ActivityError;
use longhaul_sdk::workflows::Mutex;
use longhaul_sdk::{
    ActivityExecutionError, ActivityOptions, ApplicationFailure, SyncWorkflowContext, TimerResult,
    WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination, activity_definitions, log,
    workflow, workflow_methods,
};
use rust_decimal::Decimal;

use model::{Added, OrderItem, OrderProgress, OrderStatus, PaymentInfo, ShippingInfo};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_ITEMS: usize = 50;
const MIN_CARD_TOKEN: usize = 10;

/// The activities, which another component defines: see `order-activities`.
struct Activities;

#[activity_definitions]
impl Activities {
    #[activity(name = "check_inventory")]
    fn check_inventory(item: OrderItem) -> Result<bool, ActivityError> {
        unimplemented!()
    }

    #[activity(name = "charge_payment")]
    fn charge_payment(payment: PaymentInfo) -> Result<String, ActivityError> {
        unimplemented!()
    }

    #[activity(name = "update_shipping_system")]
    fn update_shipping_system(order_id: String, shipping: ShippingInfo) -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "send_delivery_confirmation")]
    fn send_delivery_confirmation(customer_id: String, order_id: String) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

fn within(seconds: u64) -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(Duration::from_secs(seconds))
}

/// The failure that clients see as a `ValueError`.
fn value_error(message: impl Into<String>) -> ApplicationFailure {
    ApplicationFailure::builder(message.into())
        .type_name("ValueError".to_owned())
        .build()
}

/// What a handler that runs activities can fail with.
type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// E-commerce order with signals, queries and updates.
#[workflow]
struct OrderWorkflow {
    /// One update or signal at a time changes the order.
    lock: Mutex,
    order_id: String,
    customer_id: String,
    status: OrderStatus,
    items: Vec<OrderItem>,
    total: Decimal,
    payment_transaction_id: Option<String>,
    shipping_info: Option<ShippingInfo>,
}

#[workflow_methods]
impl OrderWorkflow {
    #[init]
    fn new(_: &WorkflowContextView) -> Self {
        Self {
            lock: Mutex::new(),
            order_id: String::new(),
            customer_id: String::new(),
            status: OrderStatus::Pending,
            items: Vec::new(),
            // Two decimals from the start: sums keep the larger number of decimals.
            total: Decimal::new(0, 2),
            payment_transaction_id: None,
            shipping_info: None,
        }
    }

    #[run]
    async fn run(
        ctx: &mut WorkflowContext<Self>,
        order_id: String,
        customer_id: String,
    ) -> WorkflowResult<String> {
        ctx.state_mut(|order| {
            order.order_id.clone_from(&order_id);
            order.customer_id.clone_from(&customer_id);
        });
        log::info!("Order {order_id} created for customer {customer_id}");

        if !ctx
            .wait_condition_timeout(|order| order.status == OrderStatus::Paid, 7 * DAY)
            .await?
        {
            ctx.state_mut(|order| order.status = OrderStatus::Cancelled);
            return Ok(format!("Order {order_id} cancelled - payment timeout"));
        }
        if !ctx
            .wait_condition_timeout(|order| order.status == OrderStatus::Shipped, 30 * DAY)
            .await?
        {
            log::error!("Shipment timeout!");
            return Ok(format!("Order {order_id} paid but not shipped"));
        }

        // The delivery is simulated.
        if ctx.timer(3 * DAY).await == TimerResult::Cancelled {
            return Err(WorkflowTermination::cancelled());
        }
        ctx.state_mut(|order| order.status = OrderStatus::Delivered);
        ctx.execute_activity(
            Activities::send_delivery_confirmation,
            (customer_id, order_id.clone()),
            within(30),
        )
        .await?;
        log::info!("Order {order_id} delivered successfully");
        Ok(format!(
            "Order {order_id} completed - ${} charged",
            ctx.state(|order| order.total)
        ))
    }

    /// Current order status
    #[query]
    fn get_status(&self, _: &WorkflowContextView) -> String {
        self.status.as_str().to_owned()
    }

    /// Current total amount
    #[query]
    fn get_total(&self, _: &WorkflowContextView) -> String {
        self.total.to_string()
    }

    /// Detailed progress
    #[query]
    fn get_progress(&self, _: &WorkflowContextView) -> OrderProgress {
        OrderProgress {
            status: self.status,
            items_count: self.items.len(),
            total_amount: self.total.to_string(),
            payment_status: if self.payment_transaction_id.is_some() {
                "paid"
            } else {
                "pending"
            }
            .to_owned(),
            shipping_status: match &self.shipping_info {
                Some(shipping) => format!("shipped via {}", shipping.carrier),
                None => "not shipped".to_owned(),
            },
        }
    }

    /// Add an item (validated)
    #[update]
    async fn add_item(ctx: &mut WorkflowContext<Self>, item: OrderItem) -> Result<Added, HandlerError> {
        let lock = ctx.state(|order| order.lock.clone());
        let _guard = lock.lock().await;
        let available = ctx
            .execute_activity(Activities::check_inventory, item.clone(), within(10))
            .await?;
        if !available {
            return Err(value_error(format!("Item {} out of stock", item.sku)).into());
        }
        let added = ctx.state_mut(|order| {
            order.total += item.price * Decimal::from(item.quantity);
            order.items.push(item.clone());
            Added {
                items: order.items.len(),
                total: order.total.to_string(),
            }
        });
        log::info!("Added {}x {} - Total: ${}", item.quantity, item.name, added.total);
        Ok(added)
    }

    /// Items can be added while the order is pending.
    #[update_validator(add_item)]
    fn validate_add_item(&self, _: &WorkflowContextView, item: &OrderItem) -> Result<(), ApplicationFailure> {
        if self.status != OrderStatus::Pending {
            return Err(value_error(format!(
                "Cannot add items in status: {}",
                self.status.as_str()
            )));
        }
        if item.quantity <= 0 {
            return Err(value_error("Quantity must be positive"));
        }
        if self.items.len() >= MAX_ITEMS {
            return Err(value_error("Maximum 50 items per order"));
        }
        Ok(())
    }

    /// Process the payment (validated)
    #[update]
    async fn process_payment(
        ctx: &mut WorkflowContext<Self>,
        payment: PaymentInfo,
    ) -> Result<String, HandlerError> {
        let lock = ctx.state(|order| order.lock.clone());
        let _guard = lock.lock().await;
        let total = ctx.state(|order| order.total);
        if payment.amount != total {
            let message = format!("Payment amount {} != order total {total}", payment.amount);
            return Err(value_error(message).into());
        }
        let transaction_id = ctx
            .execute_activity(Activities::charge_payment, payment, within(30))
            .await?;
        ctx.state_mut(|order| {
            order.payment_transaction_id = Some(transaction_id.clone());
            order.status = OrderStatus::Paid;
        });
        log::info!("Payment successful: {transaction_id}");
        Ok(transaction_id)
    }

    /// An order is paid while it is pending and has items.
    #[update_validator(process_payment)]
    fn validate_payment(
        &self,
        _: &WorkflowContextView,
        payment: &PaymentInfo,
    ) -> Result<(), ApplicationFailure> {
        if self.status != OrderStatus::Pending {
            return Err(value_error(format!(
                "Cannot process payment in status: {}",
                self.status.as_str()
            )));
        }
        if self.items.is_empty() {
            return Err(value_error("Cannot pay for empty order"));
        }
        if payment.card_token.chars().count() < MIN_CARD_TOKEN {
            return Err(value_error("Invalid card token"));
        }
        Ok(())
    }

    /// Mark the order as shipped
    #[signal]
    async fn mark_shipped(
        ctx: &mut WorkflowContext<Self>,
        shipping: ShippingInfo,
    ) -> Result<(), ActivityExecutionError> {
        let lock = ctx.state(|order| order.lock.clone());
        let _guard = lock.lock().await;
        let (status, order_id) = ctx.state(|order| (order.status, order.order_id.clone()));
        if status != OrderStatus::Paid {
            log::warn!("Cannot ship order in status: {}", status.as_str());
            return Ok(());
        }
        ctx.execute_activity(
            Activities::update_shipping_system,
            (order_id, shipping.clone()),
            within(10),
        )
        .await?;
        log::info!(
            "Order shipped via {} - Tracking: {}",
            shipping.carrier,
            shipping.tracking_number
        );
        ctx.state_mut(|order| {
            order.shipping_info = Some(shipping);
            order.status = OrderStatus::Shipped;
        });
        Ok(())
    }

    /// Cancel the order
    #[signal]
    fn cancel_order(&mut self, _: &mut SyncWorkflowContext<Self>, reason: String) {
        if matches!(self.status, OrderStatus::Shipped | OrderStatus::Delivered) {
            log::warn!("Cannot cancel order in status: {}", self.status.as_str());
            return;
        }
        self.status = OrderStatus::Cancelled;
        log::info!("Order cancelled: {reason}");
    }
}

longhaul_sdk::export!(OrderWorkflow);
