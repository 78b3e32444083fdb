//! A shopping cart that its first item starts, and that is checked out after a day.

mod model;

use std::time::Duration;

use longhaul_sdk::activities::ActivityError;
use longhaul_sdk::{
    ActivityOptions, ApplicationFailure, SyncWorkflowContext, TimerResult, WorkflowContext,
    WorkflowContextView, WorkflowResult, WorkflowTermination, activity_definitions, log, workflow,
    workflow_methods,
};
use rust_decimal::Decimal;

use model::{CartItem, CheckedOut, Checkout};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_ITEMS: usize = 100;

/// The activity, which another component defines: see `cart-activities`.
struct Activities;

#[activity_definitions]
impl Activities {
    #[activity(name = "process_checkout")]
    fn process_checkout(checkout: Checkout) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

/// The failure that clients see as a `ValueError`.
fn value_error(message: impl Into<String>) -> ApplicationFailure {
    ApplicationFailure::builder(message.into())
        .type_name("ValueError".to_owned())
        .build()
}

/// The shopping cart of one user, open for a day.
#[workflow]
struct ShoppingCartWorkflow {
    items: Vec<CartItem>,
    total: Decimal,
    closed: bool,
}

impl ShoppingCartWorkflow {
    fn check(&self, item: &CartItem) -> Result<(), ApplicationFailure> {
        if self.closed {
            return Err(value_error("Cart is checked out"));
        }
        if self.items.len() >= MAX_ITEMS {
            return Err(value_error(format!("Cart is full (max {MAX_ITEMS} items)")));
        }
        if item.price < Decimal::ZERO {
            return Err(value_error("Invalid price"));
        }
        Ok(())
    }

    fn push(&mut self, item: CartItem) {
        self.total += item.price;
        // Two decimals, also where a price came as the number 7.5.
        self.total.rescale(2);
        log::info!("Added {} - Total: ${}", item.label(), self.total);
        self.items.push(item);
    }
}

#[workflow_methods]
impl ShoppingCartWorkflow {
    #[init]
    fn new(_: &WorkflowContextView) -> Self {
        Self {
            items: Vec::new(),
            total: Decimal::new(0, 2),
            closed: false,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<CheckedOut> {
        // Of a cart that is given up nothing is checked out.
        if ctx.timer(DAY).await == TimerResult::Cancelled {
            return Err(WorkflowTermination::cancelled());
        }
        // From here on no item is taken: what is checked out is what the result says.
        let checkout = ctx.state_mut(|cart| {
            cart.closed = true;
            Checkout {
                items: cart.items.clone(),
                total: cart.total,
            }
        });
        let done = CheckedOut {
            items: checkout.items.len(),
            total: checkout.total,
        };
        if !checkout.items.is_empty() {
            ctx.execute_activity(
                Activities::process_checkout,
                checkout,
                ActivityOptions::start_to_close_timeout(5 * MINUTE),
            )
            .await?;
        }
        Ok(done)
    }

    /// Add an item; nobody learns whether it was taken
    #[signal]
    fn add_item(&mut self, _: &mut SyncWorkflowContext<Self>, item: CartItem) {
        match self.check(&item) {
            Ok(()) => self.push(item),
            Err(reason) => log::warn!("{} was not added: {reason}", item.label()),
        }
    }

    /// Add an item with a SKU that is not in the cart yet; returns the total
    #[update(name = "add_item")]
    fn add_item_and_get_total(&mut self, _: &mut SyncWorkflowContext<Self>, item: CartItem) -> Decimal {
        self.push(item);
        self.total
    }

    /// A refusal reaches the caller and leaves nothing in history.
    #[update_validator(add_item_and_get_total)]
    fn validate_add_item(&self, _: &WorkflowContextView, item: &CartItem) -> Result<(), ApplicationFailure> {
        if item.sku.is_empty() {
            return Err(value_error("Item SKU is required"));
        }
        self.check(item)?;
        if self.items.iter().any(|other| other.sku == item.sku) {
            return Err(value_error(format!("Item {} already in cart", item.sku)));
        }
        Ok(())
    }

    /// The items
    #[query]
    fn get_items(&self, _: &WorkflowContextView) -> Vec<CartItem> {
        self.items.clone()
    }

    /// The total
    #[query]
    fn get_total(&self, _: &WorkflowContextView) -> Decimal {
        self.total
    }
}

longhaul_sdk::export!(ShoppingCartWorkflow);
