//! Signals that are waited for.

use std::time::UNIX_EPOCH;

use super::host::Driver;
use crate::{SignalDelivery, WaitSignalError, WorkflowContext, workflow, workflow_methods};

/// Looks for a signal, then waits for it, then looks again.
#[workflow(signals("approval"))]
#[derive(Default)]
struct Looker;

fn told(delivery: Option<Result<SignalDelivery<u64>, WaitSignalError>>) -> String {
    match delivery {
        None => "nothing".to_owned(),
        Some(Err(error)) => error.to_string(),
        Some(Ok(delivery)) => {
            let time = delivery.time.duration_since(UNIX_EPOCH).unwrap_or_default();
            let (value, event_id) = (delivery.value, delivery.event_id);
            format!("{value} of event {event_id} at {}", time.as_secs())
        }
    }
}

#[workflow_methods]
impl Looker {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> Result<Vec<String>, WaitSignalError> {
        let before = ctx.wait_signal("approval").peek();
        let waited = ctx.wait_signal("approval").await;
        let after = ctx.wait_signal("approval").peek();
        Ok([before, Some(waited), after].map(told).into())
    }
}

// E8
#[test]
fn a_look_does_not_wait_and_a_delivery_tells_its_event_and_its_time() {
    let driver = Driver::start::<Looker>(&[]);
    assert!(driver.advance().is_empty(), "it waits");
    let commands = driver.signal("approval", &["5"]).advance();
    let five = "5 of event 1 at 1";
    assert_eq!(
        commands,
        [format!("complete [[\"nothing\",\"{five}\",\"{five}\"]]")]
    );
    let driver = Driver::start::<Looker>(&[]);
    driver.signal("approval", &["5"]).signal("approval", &["7"]);
    let seven = "7 of event 2 at 1";
    assert_eq!(
        driver.advance(),
        [format!("complete [[\"{seven}\",\"{seven}\",\"{seven}\"]]")]
    );
}
