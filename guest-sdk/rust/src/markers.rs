//! The values behind `MyWorkflow::run` and `MyActivities::charge` in a call: the handlers of a type, by their number.

use std::marker::PhantomData;

use crate::data_converters::{TemporalDeserializable, TemporalSerializable};
use crate::definition::{
    ActivityDefinition, HasWorkflowDefinition, QueryDefinition, SignalDefinition, UpdateDefinition,
    WorkflowDefinition,
};
use crate::definitions::WorkflowImplementation;

macro_rules! marker {
    ($(#[$doc:meta])* $name:ident<$owner:ident $(, $id:ident)?>) => {
        $(#[$doc])*
        pub struct $name<$owner $(, const $id: usize)?>(PhantomData<fn() -> $owner>);

        impl<$owner $(, const $id: usize)?> $name<$owner $(, $id)?> {
            /// The handler.
            #[doc(hidden)]
            pub const NEW: Self = Self(PhantomData);
        }

        impl<$owner $(, const $id: usize)?> Clone for $name<$owner $(, $id)?> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$owner $(, const $id: usize)?> Copy for $name<$owner $(, $id)?> {}
    };
}

marker! {
    /// The run method of a workflow.
    Run<W>
}
marker! {
    /// A signal of a workflow.
    Signal<W, ID>
}
marker! {
    /// A query of a workflow.
    Query<W, ID>
}
marker! {
    /// An update of a workflow.
    Update<W, ID>
}
marker! {
    /// An activity.
    Activity<A, ID>
}

impl<W: WorkflowImplementation> WorkflowDefinition for Run<W> {
    type Input = W::Input;
    type Output = W::Output;

    fn name(&self) -> &str {
        W::descriptor().name
    }
}

impl<W: WorkflowImplementation> HasWorkflowDefinition for Run<W> {
    type Run = Self;
}

/// A signal of a workflow.
pub trait SignalSpec<const ID: usize>: WorkflowImplementation {
    /// Its name.
    const NAME: &'static str;
    /// What it takes.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;
}

impl<W: SignalSpec<ID>, const ID: usize> SignalDefinition for Signal<W, ID> {
    type Workflow = Run<W>;
    type Input = <W as SignalSpec<ID>>::Input;

    fn name(&self) -> &str {
        <W as SignalSpec<ID>>::NAME
    }
}

/// A query of a workflow.
pub trait QuerySpec<const ID: usize>: WorkflowImplementation {
    /// Its name.
    const NAME: &'static str;
    /// What it takes.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;
    /// What it returns.
    type Output: TemporalDeserializable + TemporalSerializable + 'static;
}

impl<W: QuerySpec<ID>, const ID: usize> QueryDefinition for Query<W, ID> {
    type Workflow = Run<W>;
    type Input = <W as QuerySpec<ID>>::Input;
    type Output = <W as QuerySpec<ID>>::Output;

    fn name(&self) -> &str {
        <W as QuerySpec<ID>>::NAME
    }
}

/// An update of a workflow.
pub trait UpdateSpec<const ID: usize>: WorkflowImplementation {
    /// Its name.
    const NAME: &'static str;
    /// What it takes.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;
    /// What it returns.
    type Output: TemporalDeserializable + TemporalSerializable + 'static;
}

impl<W: UpdateSpec<ID>, const ID: usize> UpdateDefinition for Update<W, ID> {
    type Workflow = Run<W>;
    type Input = <W as UpdateSpec<ID>>::Input;
    type Output = <W as UpdateSpec<ID>>::Output;

    fn name(&self) -> &str {
        <W as UpdateSpec<ID>>::NAME
    }
}

/// An activity.
pub trait ActivitySpec<const ID: usize>: Sized + 'static {
    /// Its type.
    const NAME: &'static str;
    /// What it takes.
    type Input: TemporalDeserializable + TemporalSerializable + 'static;
    /// What it returns.
    type Output: TemporalDeserializable + TemporalSerializable + 'static;
}

impl<A: ActivitySpec<ID>, const ID: usize> ActivityDefinition for Activity<A, ID> {
    type Input = A::Input;
    type Output = A::Output;

    fn name(&self) -> &str {
        A::NAME
    }
}
