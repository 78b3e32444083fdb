//! What a history says of its activities, and whether that is sound.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use longhaul_history::proto::history::v1::history_event::Attributes;
use longhaul_history::{HistoryEvent, proto::common::v1::Payloads};
use serde_json::{Value, json};

use crate::{
    execution::{Execution, Kind},
    local,
};

/// An activity of a run.
#[derive(Debug)]
pub(crate) struct Activity {
    id: String,
    activity_type: String,
    /// The attempt that its started event names, if there is one.
    attempt: Option<i32>,
    /// Must be one in the end.
    pub(crate) outcomes: Vec<Outcome>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Completed(Value),
    Failed,
    TimedOut,
    Canceled,
}

/// The activities of a history, in the order in which they were scheduled.
pub(crate) fn of(events: &[HistoryEvent]) -> Vec<Activity> {
    let mut activities: BTreeMap<i64, Activity> = BTreeMap::new();
    for event in events {
        let ended = match event.attributes.as_ref().unwrap() {
            Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
                let activity = Activity {
                    id: scheduled.activity_id.clone(),
                    activity_type: scheduled.activity_type.clone().unwrap_or_default().name,
                    attempt: None,
                    outcomes: Vec::new(),
                };
                activities.insert(event.event_id, activity);
                continue;
            }
            Attributes::ActivityTaskStartedEventAttributes(started) => {
                let activity = activities.get_mut(&started.scheduled_event_id).unwrap();
                let before = activity.attempt.replace(started.attempt);
                assert_eq!(before, None, "started twice: {events:?}");
                continue;
            }
            Attributes::ActivityTaskCompletedEventAttributes(end) => (
                end.scheduled_event_id,
                Outcome::Completed(value(end.result.as_ref())),
            ),
            Attributes::ActivityTaskFailedEventAttributes(end) => (end.scheduled_event_id, Outcome::Failed),
            Attributes::ActivityTaskTimedOutEventAttributes(end) => {
                (end.scheduled_event_id, Outcome::TimedOut)
            }
            Attributes::ActivityTaskCanceledEventAttributes(end) => {
                (end.scheduled_event_id, Outcome::Canceled)
            }
            _ => continue,
        };
        activities.get_mut(&ended.0).unwrap().outcomes.push(ended.1);
    }
    activities.into_values().collect()
}

pub(crate) fn value(payloads: Option<&Payloads>) -> Value {
    let payload = &payloads.unwrap().payloads[0];
    serde_json::from_slice(&payload.data).unwrap()
}

/// The attempts that workers in Python have begun, by workflow id and activity id.
pub(crate) struct Attempts(BTreeMap<(String, String), BTreeSet<i32>>);

impl Attempts {
    /// Reads what the workers have noted. No attempt may begin twice.
    pub(crate) fn noted_in(folder: &Path) -> Self {
        let mut noted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for line in fs::read_to_string(folder.join("attempts")).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [workflow, activity, attempt] = words[..] else {
                panic!("{line:?}")
            };
            let of_activity = noted
                .entry((workflow.to_owned(), activity.to_owned()))
                .or_default();
            assert!(
                of_activity.insert(attempt.parse().unwrap()),
                "it began twice: {line}"
            );
        }
        Self(noted)
    }

    fn of(&self, execution: &Execution, activity: &Activity) -> BTreeSet<i32> {
        let key = (execution.id.clone(), activity.id.clone());
        self.0.get(&key).cloned().unwrap_or_default()
    }
}

/// What was counted over all executions.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    activities: usize,
    attempts: usize,
    /// Attempts beyond those that an activity needs when nobody is killed.
    lost: usize,
    cancelled_before_start: usize,
    /// Completions by a client whose acknowledgement was lost.
    unacknowledged: usize,
    /// Ends of local activities, and the attempts that they count.
    local_ends: usize,
    local_attempts: usize,
    /// Workflow tasks of those with local activities.
    local_tasks: usize,
}

impl Figures {
    /// Checks an execution that has ended.
    pub(crate) fn add(&mut self, execution: &Execution, events: &[HistoryEvent], attempts: &Attempts) {
        let activities = of(events);
        let expected: &[&str] = match execution.kind {
            Kind::Wasm => &["echo", "flaky", "beat", "slow"],
            Kind::Python => &["quick", "fails", "beats", "never"],
            Kind::Later | Kind::LaterById => &["later"],
            Kind::Cancelled => &["until_cancelled"],
            Kind::CancelledWasm => &["Beat"],
            Kind::Local => &["quick"],
        };
        let types: Vec<&str> = activities
            .iter()
            .map(|activity| activity.activity_type.as_str())
            .collect();
        assert_eq!(types, expected, "{}", execution.id);
        let mut log = Vec::new();
        for activity in &activities {
            log.extend(self.check(execution, activity, &attempts.of(execution, activity)));
        }
        if execution.kind == Kind::Local {
            let ends = local::of(events);
            self.local_ends += ends.len();
            self.local_attempts += ends.iter().map(|end| end.attempt as usize).sum::<usize>();
            self.local_tasks += local::tasks(events);
            log.extend(local::check(&execution.id, &ends));
            log.extend(["note:2".to_owned(), "waited".to_owned()]);
            assert_eq!(local::signals(events), 1, "{}", execution.id);
        }
        match execution.kind {
            Kind::Cancelled | Kind::CancelledWasm => {
                assert_eq!(
                    execution.log,
                    ["note:1", "waited", "won=1", "note:2", "waited"],
                    "{}",
                    execution.id
                );
            }
            _ => {
                let sorted = |mut lines: Vec<String>| {
                    lines.sort();
                    lines
                };
                assert_eq!(sorted(execution.log.clone()), sorted(log), "{}", execution.id);
            }
        }
    }

    /// Checks an activity. What the workflow has seen of it, unless it was cancelled.
    fn check(&mut self, execution: &Execution, activity: &Activity, noted: &BTreeSet<i32>) -> Option<String> {
        let about = format!("{} {activity:?}, begun: {noted:?}", execution.id);
        let [outcome] = &activity.outcomes[..] else {
            panic!("not one outcome: {about}")
        };
        // What has begun is counted.
        let attempt = activity.attempt.unwrap_or_default();
        assert!(noted.iter().all(|begun| (1..=attempt).contains(begun)), "{about}");
        self.activities += 1;
        self.attempts += attempt as usize;
        let attempt_value = json!(attempt);
        let needed = match (activity.activity_type.as_str(), outcome) {
            ("echo", Outcome::Completed(result)) => {
                assert_eq!(result, "x", "{about}");
                1
            }
            ("quick", Outcome::Completed(result)) => {
                assert_eq!(*result, attempt_value, "{about}");
                assert!(noted.contains(&attempt), "{about}");
                1
            }
            ("flaky", Outcome::Completed(result)) => {
                assert_eq!(*result, attempt_value, "{about}");
                3
            }
            ("fails", Outcome::Completed(result)) => {
                assert_eq!(*result, attempt_value, "{about}");
                assert!(noted.contains(&attempt), "{about}");
                3
            }
            ("beat", Outcome::Completed(result)) => {
                let done = result[0].as_i64().unwrap();
                assert!((0..=6).contains(&done) && result[1] == 6, "{about}");
                2
            }
            ("beats", Outcome::Completed(result)) => {
                let done = result[0].as_i64().unwrap();
                assert!((0..=10).contains(&done) && result[1] == attempt_value, "{about}");
                assert!(noted.contains(&attempt), "{about}");
                1
            }
            ("slow" | "never", Outcome::TimedOut) => {
                assert_eq!(attempt, 2, "{about}");
                2
            }
            ("later", Outcome::Completed(result)) => {
                let given = result.as_i64().unwrap();
                match &execution.given {
                    Some(acknowledged) => assert_eq!(result, acknowledged, "{about}"),
                    None => self.unacknowledged += 1,
                }
                // A token is good for its own attempt only, an id for whichever there is.
                assert!(noted.contains(&i32::try_from(given).unwrap()), "{about}");
                assert!(
                    execution.kind == Kind::LaterById || *result == attempt_value,
                    "{about}"
                );
                1
            }
            ("until_cancelled" | "Beat", Outcome::Canceled | Outcome::TimedOut) => {
                if activity.attempt.is_none() {
                    assert_eq!(*outcome, Outcome::Canceled, "{about}");
                    self.cancelled_before_start += 1;
                }
                attempt.min(1)
            }
            _ => panic!("{about}"),
        };
        assert!(attempt >= needed, "{about}");
        self.lost += (attempt - needed) as usize;
        match outcome {
            Outcome::Completed(result) => Some(format!("{}={}", activity.activity_type, python_json(result))),
            Outcome::TimedOut => Some(format!(
                "{} failed: timeout START_TO_CLOSE",
                activity.activity_type
            )),
            Outcome::Failed | Outcome::Canceled => None,
        }
    }

    /// There were as many activities as there should be, so that all that was checked is something.
    pub(crate) fn assert_plausible(&self, executions: usize) {
        let cycles = executions / Kind::ALL.len();
        assert_eq!(self.activities, cycles * 13, "{self:?}");
        assert_eq!(self.local_ends, cycles * local::EACH, "{self:?}");
        assert!(
            self.local_tasks >= cycles * 3,
            "some took longer than a task may: {self:?}"
        );
    }
}

/// Numbers, strings and lists of them, as the lab writes them to its log.
pub(crate) fn python_json(value: &Value) -> String {
    value.to_string().replace(',', ", ")
}
