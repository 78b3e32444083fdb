//! What a workflow, an activity and their messages are called and what they take: the types behind
//! `MyWorkflow::run` or `MyActivities::charge` in a call.

use crate::data_converters::{RawValue, TemporalDeserializable, TemporalSerializable};

/// A workflow type: its name, what it takes and what it returns. `#[workflow_methods]` implements it.
pub trait WorkflowDefinition {
    /// The arguments.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;
    /// The result.
    type Output: TemporalDeserializable + TemporalSerializable + 'static;

    /// The workflow type.
    fn name(&self) -> &str;
}

/// A type that belongs to a [`WorkflowDefinition`].
pub trait HasWorkflowDefinition: WorkflowDefinition {
    /// The definition that signals, queries and updates name as theirs.
    type Run: WorkflowDefinition;
}

/// An activity type: its name, what it takes and what it returns. `#[activities]` implements it.
pub trait ActivityDefinition {
    /// The arguments.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;
    /// The result.
    type Output: TemporalDeserializable + TemporalSerializable + 'static;

    /// The activity type.
    fn name(&self) -> &str;
}

/// A query of a workflow.
pub trait QueryDefinition {
    /// The workflow that answers it.
    type Workflow: WorkflowDefinition;
    /// The arguments.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;
    /// The answer.
    type Output: TemporalDeserializable + TemporalSerializable + 'static;

    /// The query's name.
    fn name(&self) -> &str;
}

/// A signal of a workflow.
pub trait SignalDefinition {
    /// The workflow that takes it.
    type Workflow: WorkflowDefinition;
    /// The arguments.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;

    /// The signal's name.
    fn name(&self) -> &str;
}

/// An update of a workflow.
pub trait UpdateDefinition {
    /// The workflow that takes it.
    type Workflow: WorkflowDefinition;
    /// The arguments.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;
    /// The result.
    type Output: TemporalDeserializable + TemporalSerializable + 'static;

    /// The update's name.
    fn name(&self) -> &str;
}

/// An activity known by its name only.
pub struct UntypedActivity {
    name: String,
}

impl UntypedActivity {
    /// The activity of this type name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl ActivityDefinition for UntypedActivity {
    type Input = RawValue;
    type Output = RawValue;

    fn name(&self) -> &str {
        &self.name
    }
}

/// A workflow known by its name only.
pub struct UntypedWorkflow {
    name: String,
}

impl UntypedWorkflow {
    /// The workflow of this type name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl WorkflowDefinition for UntypedWorkflow {
    type Input = RawValue;
    type Output = RawValue;

    fn name(&self) -> &str {
        &self.name
    }
}

impl HasWorkflowDefinition for UntypedWorkflow {
    type Run = Self;
}

/// A signal known by its name only.
pub struct UntypedSignal {
    name: String,
}

impl UntypedSignal {
    /// The signal of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl SignalDefinition for UntypedSignal {
    type Workflow = UntypedWorkflow;
    type Input = RawValue;

    fn name(&self) -> &str {
        &self.name
    }
}
