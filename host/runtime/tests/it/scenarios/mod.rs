//! The scenarios of `examples-guest`, each played in the simulated world: without a disturbance, and with a crash after every commit.
//!
//! Whatever happens, the client sees the same, every run has the same history, which is compared whole with a golden file, and every
//! stored history replays.

mod acts;
mod approval;
mod bank;
mod batch;
mod cart;
mod endless;
mod family;
mod golden;
mod greeting;
mod migration;
mod multi_approval;
mod orchestrator;
mod order;
mod payment;
mod pipeline;
mod saga;
mod stages;

use std::time::Duration;

use longhaul_runtime::{Options, Runtime};

use self::acts::Act;
use crate::{
    common,
    crashes::{Comparison, Crash, Script, Step},
};

const MINUTE: Duration = Duration::from_secs(60);

/// What is played, and in which worlds.
struct Scenario {
    /// Of its golden file; it stands in [`NAMES`].
    name: &'static str,
    /// Modules, each with its queue.
    modules: &'static [(&'static str, &'static str)],
    executions: &'static [&'static str],
    /// How many shards the server has. More than one where several executions take part.
    shards: &'static [usize],
    options: fn(&mut Options),
    comparison: Comparison,
    acts: Vec<Act>,
    /// Commits that it takes at least: after each of them there is a crash.
    commits: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "",
            modules: &[],
            executions: &[],
            shards: &[1],
            options: |_| {},
            comparison: Comparison::Exact,
            acts: Vec::new(),
            commits: 1,
        }
    }
}

/// The golden files.
const NAMES: [&str; 26] = [
    "approval_approved",
    "approval_timeout",
    "bank_account",
    "bank_queue",
    "batch",
    "cart_signal_with_start",
    "cart_update_with_start",
    "endless_hours",
    "endless_payments",
    "family",
    "greeting",
    "migration",
    "multi_approval_approved",
    "multi_approval_rejected",
    "orchestrator_children",
    "orchestrator_external",
    "order_cancelled",
    "order_delivered",
    "order_unpaid",
    "payment",
    "payment_abandoned",
    "pipeline",
    "saga_booked",
    "saga_cancelled",
    "saga_declined",
    "stages",
];

/// Plays a scenario without a crash, and with one after each commit in turn.
async fn play(scenario: Scenario) {
    play_with(scenario, Crash::AfterCommit).await;
}

/// As [`play`], with the power going elsewhere.
async fn play_with(scenario: Scenario, crash_at: fn(u64) -> Crash) {
    let Scenario { name, acts, .. } = &scenario;
    assert!(NAMES.contains(name), "{name} is not listed");
    let steps =
        |rt: Runtime, number: usize| -> Option<Step> { Some(acts.get(number)?(rt, format!("act {number}"))) };
    let mut options = common::options();
    (scenario.options)(&mut options);
    for (index, shards) in scenario.shards.iter().enumerate() {
        let script = Script {
            modules: scenario.modules,
            shards: *shards,
            options: options.clone(),
            steps: &steps,
            executions: scenario.executions,
            comparison: scenario.comparison,
            export: Some(name),
        };
        let (outcome, crashes) = script.crash_everywhere(crash_at).await;
        // With more shards it is the same, which only the first one may write.
        golden::check(name, &outcome, scenario.comparison, index == 0);
        assert!(
            crashes >= scenario.commits,
            "{name}, {shards} shards: {crashes} crashes"
        );
    }
}

#[test]
fn every_golden_file_belongs_to_a_scenario() {
    golden::assert_no_others(&NAMES);
}
