//! Modules, and what is pending in a run, in the words of `module.proto`.

use longhaul_runtime::{Description, modules};
use prost_wkt_types::Timestamp;

use crate::module_proto::{
    DescribeExecutionResponse, Handler, Module, PendingTimer, PendingUpdate, WorkflowType,
};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// From nanoseconds since 1970.
fn timestamp(ns: u64) -> Timestamp {
    Timestamp {
        // Both fit: 2^64 ns are less than 2^63 s, and a remainder is below 10^9.
        seconds: (ns / NANOS_PER_SECOND) as i64,
        nanos: (ns % NANOS_PER_SECOND) as i32,
    }
}

impl From<modules::Info> for Module {
    fn from(info: modules::Info) -> Self {
        Self {
            name: info.name,
            version: info.version,
            digest: info.digest,
            queue: info.queue,
            size: info.size,
            uploaded_at: Some(timestamp(info.uploaded_at_ns)),
            sdk: info.sdk,
            workflow_types: into_all(info.workflow_types),
            activity_types: into_all(info.activity_types),
            config: info.config,
            fork_refusal: info.fork_refusal,
        }
    }
}

impl From<modules::WorkflowType> for WorkflowType {
    fn from(kind: modules::WorkflowType) -> Self {
        Self {
            name: kind.name,
            description: kind.description,
            dynamic_handlers: kind.dynamic_handlers,
            signals: into_all(kind.signals),
            queries: into_all(kind.queries),
            updates: into_all(kind.updates),
        }
    }
}

impl From<modules::Handler> for Handler {
    fn from(handler: modules::Handler) -> Self {
        Self {
            name: handler.name,
            description: handler.description,
            input_schema: handler.input_schema,
            output_schema: handler.output_schema,
            has_validator: handler.has_validator,
        }
    }
}

impl From<Description> for DescribeExecutionResponse {
    fn from(description: Description) -> Self {
        let timers = description.timers.into_iter().map(|timer| PendingTimer {
            timer_id: timer.timer_id,
            started_event_id: timer.started_event_id,
            due_time: Some(timestamp(timer.due_ns)),
        });
        let updates = description.updates.into_iter().map(|update| PendingUpdate {
            update_id: update.update_id,
            accepted: update.accepted,
        });
        Self {
            timers: timers.collect(),
            updates: updates.collect(),
        }
    }
}

fn into_all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_keeps_its_time_and_handlers() {
        let handler = |name: &str| modules::Handler {
            name: name.into(),
            has_validator: true,
            ..Default::default()
        };
        let module = Module::from(modules::Info {
            name: "orders".into(),
            version: 3,
            digest: "ab".into(),
            queue: "q".into(),
            size: 7,
            uploaded_at_ns: 1_500_000_000_000_000_042,
            sdk: "longhaul-rust 0.1.0".into(),
            workflow_types: vec![modules::WorkflowType {
                name: "Order".into(),
                signals: vec![handler("s")],
                queries: vec![handler("q")],
                updates: vec![handler("u")],
                ..Default::default()
            }],
            activity_types: vec![handler("charge")],
            config: String::new(),
            fork_refusal: "a second mutable global".into(),
        });
        assert_eq!(
            module.uploaded_at,
            Some(Timestamp {
                seconds: 1_500_000_000,
                nanos: 42
            })
        );
        assert_eq!(module.activity_types[0].name, "charge");
        let kind = &module.workflow_types[0];
        assert_eq!(
            [
                &kind.signals[0].name,
                &kind.queries[0].name,
                &kind.updates[0].name
            ],
            ["s", "q", "u"]
        );
        assert!(kind.updates[0].has_validator);
    }

    #[test]
    fn what_is_pending_keeps_its_order_and_times() {
        let response = DescribeExecutionResponse::from(Description {
            timers: [("soon", 5, 1_500_000_000), ("later", 4, 9_000_000_007)]
                .map(
                    |(timer_id, started_event_id, due_ns)| longhaul_runtime::PendingTimer {
                        timer_id: timer_id.into(),
                        started_event_id,
                        due_ns,
                    },
                )
                .into(),
            updates: vec![longhaul_runtime::PendingUpdate {
                update_id: "u".into(),
                accepted: true,
            }],
            ..Default::default()
        });
        let [soon, later] = response.timers.as_slice() else {
            panic!("{response:?}")
        };
        let at = |seconds, nanos| Some(Timestamp { seconds, nanos });
        assert_eq!(
            (soon.timer_id.as_str(), soon.started_event_id, soon.due_time),
            ("soon", 5, at(1, 500_000_000))
        );
        assert_eq!(
            (later.timer_id.as_str(), later.started_event_id, later.due_time),
            ("later", 4, at(9, 7))
        );
        assert_eq!(
            (
                response.updates[0].update_id.as_str(),
                response.updates[0].accepted
            ),
            ("u", true)
        );
    }
}
