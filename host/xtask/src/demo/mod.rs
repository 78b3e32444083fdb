//! `demo`: an order from creation to delivery, played with the command line, with a crash in the middle.

mod server;
mod stage;

use std::fs;

use crate::{
    error::Error,
    guests,
    process::{run as run_program, say},
    workspace::Workspace,
};

use self::{
    server::Server,
    stage::{Expect, Interrupt, Stage},
};

/// The workflow id of the demo's order.
const ORDER: &str = "order-12345";

/// Builds what is missing and plays the demo. The database, the server and everything else is gone afterwards.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    say("Building the server and the example guests ...");
    run_program(workspace.cargo("build").args(["--package", "longhaul"]))?;
    guests::build(workspace)?;

    let interrupt = Interrupt::install()?;
    let folder = tempfile::Builder::new()
        .prefix("longhaul-demo-")
        .tempdir()
        .map_err(Error::file("create a folder in", std::env::temp_dir()))?;
    for guest in ["order", "order-activities"] {
        let to = folder.path().join(format!("{guest}.wasm"));
        fs::copy(workspace.guest(guest), &to).map_err(Error::file("write", to))?;
    }

    say(format!("\n$ cd {}", folder.path().display()));
    let mut server = Server::start(&workspace.binary("debug"), folder.path())?;
    let stage = Stage::new(
        workspace.binary("debug"),
        folder.path().to_owned(),
        server.address(),
        interrupt,
    );
    say(format!("$ export TEMPORAL_ADDRESS={}", server.address()));
    let result = until_paid(&stage)
        .and_then(|()| crash(&stage, &mut server))
        .and_then(|()| until_delivered(&stage));
    if result.is_err() && !stage.interrupted() {
        server.print_log();
    }
    result
}

/// Upload, start, and the customer's part of the order.
fn until_paid(stage: &Stage) -> Result<(), Error> {
    stage.remark(
        "A workflow is a WebAssembly component. This one waits for an order's payment and delivery ...",
    );
    stage.longhaul(
        "module upload order.wasm --queue orders",
        &[],
        Expect::Contains("OrderWorkflow"),
    )?;
    stage.remark("... and this one holds its activities, the only code that may do input and output.");
    stage.longhaul(
        "module upload order-activities.wasm --queue orders",
        &[],
        Expect::Contains("check_inventory"),
    )?;

    stage.remark("Start an order. Its arguments are the order's and the customer's number.");
    let numbers = [r#""order-12345""#, r#""customer-789""#];
    stage.longhaul(
        "workflow start --type OrderWorkflow --workflow-id order-12345",
        &numbers,
        Expect::Contains(ORDER),
    )?;

    stage.remark("An update changes the order and answers.");
    let add = "workflow update execute --workflow-id order-12345 --name add_item";
    let laptop = r#"{"sku": "LAPTOP-001", "name": "Gaming Laptop", "quantity": 1, "price": "1299.99"}"#;
    stage.longhaul(add, &[laptop], Expect::Contains("1299.99"))?;
    let mice = r#"{"sku": "MOUSE-001", "name": "Wireless Mouse", "quantity": 2, "price": "29.99"}"#;
    stage.longhaul(add, &[mice], Expect::Contains("1359.97"))?;

    stage.remark("Its validator refuses what makes no sense; that leaves nothing in the history.");
    let nothing = r#"{"sku": "MOUSE-001", "name": "Wireless Mouse", "quantity": 0, "price": "29.99"}"#;
    stage.longhaul(add, &[nothing], Expect::Refused("Quantity must be positive"))?;

    stage.remark("A query looks, and cannot change anything.");
    stage.longhaul(
        "workflow query --workflow-id order-12345 --name get_progress",
        &[],
        Expect::Contains("1359.97"),
    )?;

    stage.remark("The wrong amount passes the validator, and its handler refuses it.");
    let pay = "workflow update execute --workflow-id order-12345 --name process_payment";
    let wrong =
        r#"{"payment_method": "credit_card", "amount": "1.00", "card_token": "tok_1234567890abcdef"}"#;
    stage.longhaul(pay, &[wrong], Expect::Refused("!= order total 1359.97"))?;
    let right =
        r#"{"payment_method": "credit_card", "amount": "1359.97", "card_token": "tok_1234567890abcdef"}"#;
    stage.longhaul(pay, &[right], Expect::Contains("txn_tok_1234"))
}

/// The server dies without warning and comes back.
fn crash(stage: &Stage, server: &mut Server) -> Result<(), Error> {
    stage.remark("Kill the server without warning, and start it again on the same database.");
    server.kill_and_restart()?;
    stage.remark("The order is where it was: what was acknowledged is durable.");
    stage.longhaul(
        "workflow query --workflow-id order-12345 --name get_status",
        &[],
        Expect::Contains("paid"),
    )
}

/// Shipment, delivery and a look at what is left.
fn until_delivered(stage: &Stage) -> Result<(), Error> {
    stage.remark("An order that is paid takes no further items.");
    let book = r#"{"sku": "BOOK-001", "name": "Manual", "quantity": 1, "price": "9.99"}"#;
    let add = "workflow update execute --workflow-id order-12345 --name add_item";
    stage.longhaul(add, &[book], Expect::Refused("Cannot add items in status: paid"))?;

    stage.remark("A signal tells something and waits for no answer.");
    let parcel = r#"{"address": "123 Main St", "carrier": "UPS", "tracking_number": "1Z999AA10123456784"}"#;
    let ship = "workflow signal --workflow-id order-12345 --name mark_shipped";
    stage.longhaul(ship, &[parcel], Expect::Success)?;

    stage.remark("Wait for the delivery. It takes three days, which --time-skipping lets pass at once.");
    let wait = "workflow result --workflow-id order-12345";
    stage.longhaul(wait, &[], Expect::Contains("completed - $1359.97 charged"))?;
    stage.remark("Queries still answer, and the order is in the list.");
    stage.longhaul(
        "workflow query --workflow-id order-12345 --name get_status",
        &[],
        Expect::Contains("delivered"),
    )?;
    stage.longhaul("workflow list", &[], Expect::Contains(ORDER))?;

    stage.remark("The history is the whole truth about the order. The crash is not in it.");
    stage.longhaul(
        "workflow show --workflow-id order-12345",
        &[],
        Expect::Contains("WorkflowExecutionCompleted"),
    )?;
    stage.remark("Replay it: does the component still do what it did?");
    stage.longhaul_to_file("workflow show --workflow-id order-12345 -o json", "order.json")?;
    stage.longhaul("replay order.wasm --history order.json", &[], Expect::Success)?;

    stage.remark("The result of the order:");
    stage.longhaul(wait, &[], Expect::Contains("completed - $1359.97 charged"))
}
