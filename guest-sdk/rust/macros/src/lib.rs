//! Attribute macros of `longhaul-sdk`. Use them through that crate: what they generate names it.

mod activities;
mod methods;
mod workflow;
mod workflow_methods;

use proc_macro::TokenStream;
use syn::{ItemImpl, ItemStruct, parse_macro_input};

/// Makes a workflow type of a struct.
///
/// * `name = "..."`: the workflow type; the default is the struct's name.
/// * `signals("a", "b")`: signals that the workflow awaits with `wait_signal` and that have no handler.
/// * `dynamic`: let every signal, query and update name through.
///
/// The doc text of the struct is the type's description.
#[proc_macro_attribute]
pub fn workflow(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as ItemStruct);
    workflow::expand(attributes.into(), item)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes the methods of an impl block the handlers of a workflow type.
///
/// * `#[init]` `fn(&WorkflowContextView, args...) -> Self`: constructs the state. Without one the state is `Default`.
/// * `#[run]` `async fn(&mut WorkflowContext<Self>, args...) -> WorkflowResult<T>`: the main routine.
/// * `#[signal]` `fn(&mut self, &mut SyncWorkflowContext<Self>, args...)`, or
///   `async fn(&mut WorkflowContext<Self>, args...)`.
/// * `#[query]` `fn(&self, &WorkflowContextView, args...) -> T`.
/// * `#[update]` like a signal, with a result.
/// * `#[update_validator(update)]` `fn(&self, &WorkflowContextView, args...) -> Result<(), E>`.
///
/// `run`, `signal`, `query` and `update` take `name = "..."`, signals and updates `unfinished_policy = ...` too. Each
/// argument is a payload of its own. Doc texts are descriptions.
#[proc_macro_attribute]
pub fn workflow_methods(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as ItemImpl);
    workflow_methods::expand(&attributes.into(), item)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes the methods of an impl block activities.
///
/// `#[activity]` `async fn(ActivityContext, args...) -> Result<T, ActivityError>`, or a plain function, or one with
/// `self: Arc<Self>` before the context, for types that are `Default`. The activity's type is `Type::method`, or what
/// `#[activity(name = "...")]` says.
#[proc_macro_attribute]
pub fn activities(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as ItemImpl);
    activities::expand(&attributes.into(), item, false)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Declares activities that are implemented elsewhere.
///
/// `#[activity]` `fn(args...) -> Result<T, ActivityError> { unimplemented!() }`
#[proc_macro_attribute]
pub fn activity_definitions(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as ItemImpl);
    activities::expand(&attributes.into(), item, true)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

macro_rules! inner {
    ($($(#[$doc:meta])* $name:ident in $outer:literal;)+) => {
        $(
            $(#[$doc])*
            #[proc_macro_attribute]
            pub fn $name(_: TokenStream, item: TokenStream) -> TokenStream {
                let message = concat!(
                    "`#[", stringify!($name), "]` belongs on a method of an impl block with `#[", $outer, "]`"
                );
                let error = syn::Error::new(proc_macro2::Span::call_site(), message).into_compile_error();
                let mut tokens = TokenStream::from(error);
                tokens.extend(item);
                tokens
            }
        )+
    };
}

inner! {
    /// Marks the method that constructs a workflow's state. See [`macro@workflow_methods`].
    init in "workflow_methods";
    /// Marks the main routine. See [`macro@workflow_methods`].
    run in "workflow_methods";
    /// Marks a signal handler. See [`macro@workflow_methods`].
    signal in "workflow_methods";
    /// Marks a query handler. See [`macro@workflow_methods`].
    query in "workflow_methods";
    /// Marks an update handler. See [`macro@workflow_methods`].
    update in "workflow_methods";
    /// Marks an update's validator. See [`macro@workflow_methods`].
    update_validator in "workflow_methods";
    /// Marks an activity. See [`macro@activities`].
    activity in "activities";
}
