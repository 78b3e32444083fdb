//! Limits that a server is started with.

use std::time::Duration;

use longhaul_runtime::Options;

/// Settings of a server that have a default and rarely need another value.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Let modules ask for folders, network and environment; whoever can upload then gets them
    #[arg(long)]
    allow_grants: bool,
    /// Fuel of one workflow activation, about one unit an instruction [default: 1000000000]
    #[arg(long, value_name = "UNITS")]
    fuel_per_activation: Option<u64>,
    /// Fuel of one query or validator [default: 1000000000]
    #[arg(long, value_name = "UNITS")]
    fuel_per_query: Option<u64>,
    /// Time that a workflow may run within one activation [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    activation_timeout: Option<Duration>,
    /// Memory of one workflow execution, in bytes [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    workflow_memory: Option<usize>,
    /// Elements of all tables of one execution [default: 100000]
    #[arg(long, value_name = "N")]
    table_elements: Option<usize>,
    /// Bytes that one call between host and guest may copy [default: 33554432]
    #[arg(long, value_name = "BYTES")]
    hostcall_bytes: Option<usize>,
    /// Memory of one activity attempt, in bytes [default: 268435456]
    #[arg(long, value_name = "BYTES")]
    activity_memory: Option<usize>,
    /// Activity attempts that run at once [default: 1000]
    #[arg(long, value_name = "N")]
    activity_slots: Option<usize>,
    /// Memory of all live executions, in bytes; above it the least recently used are dropped, and replayed when they are needed
    /// [default: 2147483648]
    #[arg(long, value_name = "BYTES")]
    instance_memory: Option<usize>,
    /// Live executions [default: 50000]
    #[arg(long, value_name = "N")]
    instances: Option<usize>,
    /// Requests that may wait in one shard [default: 10000]
    #[arg(long, value_name = "N")]
    mailbox: Option<usize>,
    /// Events in a run's history from which on it is told to continue as new [default: 4096]
    #[arg(long, value_name = "N")]
    history_suggest_events: Option<u64>,
    /// Events in a run's history from which on each of its tasks is warned about [default: 51200]
    #[arg(long, value_name = "N")]
    history_warn_events: Option<u64>,
    /// How long closed executions are kept before they are deleted [default: 3d]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    retention: Option<Duration>,
    /// Longest wait of a long poll [default: 20s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    long_poll: Option<Duration>,
}

impl Limits {
    /// Put what was given into the options.
    pub(crate) fn apply(&self, options: &mut Options) {
        fn set<T: Copy>(option: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *option = given;
            }
        }
        options.allow_grants |= self.allow_grants;
        let sandbox = &mut options.sandbox;
        set(&mut sandbox.fuel_per_activation, self.fuel_per_activation);
        set(&mut sandbox.fuel_per_read, self.fuel_per_query);
        set(&mut sandbox.activation_timeout, self.activation_timeout);
        set(&mut sandbox.memory_max_bytes, self.workflow_memory);
        set(&mut sandbox.table_elements_max, self.table_elements);
        set(&mut sandbox.hostcall_max_bytes, self.hostcall_bytes);
        set(&mut sandbox.activity_memory_max_bytes, self.activity_memory);
        set(&mut options.activity_slots, self.activity_slots);
        set(&mut options.instance_bytes, self.instance_memory);
        set(&mut options.instances, self.instances);
        set(&mut options.mailbox_capacity, self.mailbox);
        let history = &mut options.limits.history;
        set(&mut history.suggest_events, self.history_suggest_events);
        set(&mut history.warn_events, self.history_warn_events);
        set(&mut options.retention, self.retention);
        set(&mut options.long_poll, self.long_poll);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_replaces_the_default_and_the_rest_stays() {
        let limits = Limits {
            allow_grants: true,
            fuel_per_activation: Some(7),
            long_poll: Some(Duration::from_secs(3)),
            ..Limits::default()
        };
        let mut options = Options::new("x.redb");
        let defaults = options.clone();
        limits.apply(&mut options);
        assert!(options.allow_grants);
        assert_eq!(options.sandbox.fuel_per_activation, 7);
        assert_eq!(options.long_poll, Duration::from_secs(3));
        assert_eq!(options.instances, defaults.instances);
        assert_eq!(
            options.sandbox.memory_max_bytes,
            defaults.sandbox.memory_max_bytes
        );
    }
}
