//! The language of the lab's programs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The task queue of the lab and of its activities.
pub(crate) const QUEUE: &str = "lab";

/// What an execution of the lab does.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "Value", into = "Value")]
pub(crate) struct Program {
    pub(crate) parts: Parts,
    /// What it was read from: a run goes on with a program as it came.
    source: Value,
}

impl Program {
    /// Takes a log along.
    pub(crate) fn carry(&mut self, log: Vec<String>) {
        self.source["log"] = log.into();
    }
}

impl TryFrom<Value> for Program {
    type Error = serde_json::Error;

    fn try_from(source: Value) -> Result<Self, Self::Error> {
        let parts = Parts::deserialize(&source)?;
        Ok(Self { parts, source })
    }
}

impl From<Program> for Value {
    fn from(program: Program) -> Self {
        program.source
    }
}

/// The parts of a program.
#[derive(Clone, Deserialize)]
pub(crate) struct Parts {
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    /// What is done, before the workflow ends as cancelled, when it is cancelled.
    #[serde(default)]
    pub(crate) on_cancel: Option<Vec<Step>>,
    /// What the log begins with: the log of the run before.
    #[serde(default)]
    pub(crate) log: Vec<String>,
}

/// One step. All times are in milliseconds.
#[derive(Clone, Deserialize, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Step {
    Log {
        text: String,
    },
    Sleep {
        ms: u64,
    },
    Activity(Call),
    LocalActivity(Call),
    /// Wait until so many notes have come.
    Wait {
        notes: u64,
        #[serde(default)]
        timeout_ms: Option<u64>,
    },
    /// All branches; the first that fails ends it.
    Parallel {
        branches: Vec<Vec<Step>>,
    },
    /// The first branch that ends cancels the others.
    Race {
        branches: Vec<Vec<Step>>,
    },
    Child(Child),
    /// A signal to another execution.
    Signal {
        id: String,
        name: String,
        #[serde(default)]
        args: Vec<Value>,
    },
    /// A cancel request to another execution.
    Cancel {
        id: String,
    },
    /// Continue as new.
    Continue {
        program: Program,
        /// Take the log along.
        #[serde(default = "yes")]
        carry: bool,
    },
    Patch {
        id: String,
        #[serde(default)]
        then: Vec<Step>,
        #[serde(default)]
        r#else: Vec<Step>,
    },
    SideEffect {
        /// Default: the name of the language.
        #[serde(default)]
        value: Value,
        /// The value is a text of so many bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<usize>,
    },
    Fail {
        message: String,
        #[serde(default = "lab_error")]
        r#type: String,
        #[serde(default)]
        non_retryable: bool,
    },
    /// End the workflow with this result. Only for the main routine.
    Return {
        value: Value,
    },
    /// Set memo fields; null removes one.
    Memo {
        memo: Map<String, Value>,
    },
    /// Wait until no handler runs.
    Handlers {},
}

/// An activity, local or not.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Call {
    pub(crate) r#type: String,
    #[serde(default)]
    pub(crate) args: Vec<Value>,
    #[serde(default = "ten_seconds")]
    pub(crate) start_to_close_ms: Option<u64>,
    #[serde(default)]
    pub(crate) schedule_to_close_ms: Option<u64>,
    #[serde(default)]
    pub(crate) schedule_to_start_ms: Option<u64>,
    #[serde(default)]
    pub(crate) heartbeat_ms: Option<u64>,
    /// The wait before the second attempt.
    #[serde(default = "short_retry")]
    pub(crate) retry_ms: u64,
    /// 0: no limit.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// Failures of these types are not retried.
    #[serde(default)]
    pub(crate) fatal_types: Vec<String>,
    #[serde(default = "lab_queue")]
    pub(crate) queue: String,
}

/// A child workflow.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Child {
    #[serde(default = "lab_type")]
    pub(crate) r#type: String,
    pub(crate) id: String,
    /// The child's argument.
    pub(crate) program: Value,
    #[serde(default)]
    pub(crate) policy: Policy,
    /// Wait for the result.
    #[serde(default = "yes")]
    pub(crate) wait: bool,
}

/// What becomes of a child when its parent closes.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Policy {
    #[default]
    Terminate,
    Abandon,
    RequestCancel,
}

#[expect(clippy::unnecessary_wraps, reason = "null means: no limit")]
fn ten_seconds() -> Option<u64> {
    Some(10_000)
}

fn short_retry() -> u64 {
    20
}

fn yes() -> bool {
    true
}

fn lab_error() -> String {
    "LabError".to_owned()
}

fn lab_queue() -> String {
    QUEUE.to_owned()
}

fn lab_type() -> String {
    "Lab".to_owned()
}
