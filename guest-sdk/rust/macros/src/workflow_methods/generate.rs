//! What `#[workflow_methods]` generates.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{ItemImpl, Type};

use super::{Handler, Validator, Workflow};
use crate::methods::decode;

pub(super) fn expand(workflow: &Workflow, item: &ItemImpl) -> TokenStream {
    let this = &workflow.this;
    let consts = constants(workflow);
    let specs = specs(workflow);
    let name = workflow.run.options.name.as_ref().map_or_else(
        || quote!(<#this as ::longhaul_sdk::__private::WorkflowType>::NAME),
        |name| quote!(#name),
    );
    let own_name = (!workflow.has_name).then(|| {
        quote! {
            /// The workflow type.
            #[allow(dead_code)]
            pub const fn name() -> &'static str {
                #name
            }
        }
    });
    let run = &workflow.run.method;
    let (input, output) = match &workflow.init {
        Some(init) if run.arguments.is_empty() => (init.input(), &run.output.value),
        _ => (run.input(), &run.output.value),
    };
    let implementation = implementation(workflow, &name);
    quote! {
        #item

        impl #this {
            #own_name
            #(#consts)*
        }

        impl ::longhaul_sdk::WorkflowDefinition for #this {
            type Input = #input;
            type Output = #output;

            fn name(&self) -> &str {
                #name
            }
        }

        impl ::longhaul_sdk::HasWorkflowDefinition for #this {
            type Run = ::longhaul_sdk::__private::Run<#this>;
        }

        #(#specs)*

        #implementation
    }
}

/// The constants by which calls name the handlers.
fn constants(workflow: &Workflow) -> Vec<TokenStream> {
    let this = &workflow.this;
    let mut consts = vec![
        workflow
            .run
            .method
            .constant(&quote!(::longhaul_sdk::__private::Run<#this>)),
    ];
    let kinds = [
        ("Signal", &workflow.signals),
        ("Query", &workflow.queries),
        ("Update", &workflow.updates),
    ];
    for (kind, handlers) in kinds {
        let kind = format_ident!("{kind}");
        for (id, handler) in handlers.iter().enumerate() {
            let marker = quote!(::longhaul_sdk::__private::#kind<#this, #id>);
            consts.push(handler.method.constant(&marker));
        }
    }
    consts
}

/// Names and types of the handlers.
fn specs(workflow: &Workflow) -> Vec<TokenStream> {
    let this = &workflow.this;
    let mut specs = Vec::new();
    let kinds = [
        ("SignalSpec", &workflow.signals, false),
        ("QuerySpec", &workflow.queries, true),
        ("UpdateSpec", &workflow.updates, true),
    ];
    for (kind, handlers, has_output) in kinds {
        let kind = format_ident!("{kind}");
        for (id, handler) in handlers.iter().enumerate() {
            let (name, input) = (handler.name(), handler.method.input());
            let output = has_output.then(|| {
                let output = &handler.method.output.value;
                quote!(type Output = #output;)
            });
            specs.push(quote! {
                impl ::longhaul_sdk::__private::#kind<#id> for #this {
                    const NAME: &'static str = #name;
                    type Input = #input;
                    #output
                }
            });
        }
    }
    specs
}

fn implementation(workflow: &Workflow, name: &TokenStream) -> TokenStream {
    let this = &workflow.this;
    let descriptor = descriptor(workflow, name);
    let init = init(workflow);
    let run = run(workflow);
    let signals = workflow.signals.iter().map(signal);
    let queries = workflow.queries.iter().map(query);
    let updates = workflow.updates.iter().map(update);
    let validators = workflow.updates.iter().map(|update| validator(workflow, update));
    quote! {
        #[allow(unused_variables, clippy::all, clippy::pedantic)]
        impl ::longhaul_sdk::__private::WorkflowImplementation for #this {
            #descriptor
            #init
            #run

            fn signal(
                context: &::longhaul_sdk::WorkflowContext<Self>,
                name: &str,
                arguments: &::longhaul_sdk::__private::Arguments,
            ) -> ::std::option::Option<::std::result::Result<
                ::longhaul_sdk::__private::SignalCall,
                ::longhaul_sdk::__private::ArgumentError,
            >> {
                #(#signals)*
                ::std::option::Option::None
            }

            fn query(
                &self,
                view: &::longhaul_sdk::WorkflowContextView,
                name: &str,
                arguments: &::longhaul_sdk::__private::Arguments,
            ) -> ::std::option::Option<::std::result::Result<
                ::longhaul_sdk::data_converters::Payload,
                ::longhaul_sdk::__private::HandlerError,
            >> {
                #(#queries)*
                ::std::option::Option::None
            }

            fn validate_update(
                &self,
                view: &::longhaul_sdk::WorkflowContextView,
                name: &str,
                arguments: &::longhaul_sdk::__private::Arguments,
            ) -> ::std::option::Option<::std::result::Result<(), ::longhaul_sdk::__private::HandlerError>> {
                #(#validators)*
                ::std::option::Option::None
            }

            fn update(
                context: &::longhaul_sdk::WorkflowContext<Self>,
                name: &str,
                arguments: &::longhaul_sdk::__private::Arguments,
            ) -> ::std::option::Option<::std::result::Result<
                ::longhaul_sdk::__private::UpdateCall,
                ::longhaul_sdk::__private::ArgumentError,
            >> {
                #(#updates)*
                ::std::option::Option::None
            }
        }
    }
}

fn descriptor(workflow: &Workflow, name: &TokenStream) -> TokenStream {
    let signals = workflow.signals.iter().map(handler_descriptor);
    let queries = workflow.queries.iter().map(handler_descriptor);
    let updates = workflow.updates.iter().map(|update| {
        let handler = handler_descriptor(update);
        let has_validator = workflow.validator_of(update).is_some();
        quote!(::longhaul_sdk::__private::UpdateDescriptor { handler: #handler, has_validator: #has_validator })
    });
    quote! {
        fn descriptor() -> ::longhaul_sdk::__private::WorkflowDescriptor {
            const SIGNALS: &[::longhaul_sdk::__private::HandlerDescriptor] = &[#(#signals),*];
            const QUERIES: &[::longhaul_sdk::__private::HandlerDescriptor] = &[#(#queries),*];
            const UPDATES: &[::longhaul_sdk::__private::UpdateDescriptor] = &[#(#updates),*];
            ::longhaul_sdk::__private::WorkflowDescriptor {
                name: #name,
                description: <Self as ::longhaul_sdk::__private::WorkflowType>::DESCRIPTION,
                signals: SIGNALS,
                queries: QUERIES,
                updates: UPDATES,
            }
        }
    }
}

fn handler_descriptor(handler: &Handler) -> TokenStream {
    let (name, description) = (handler.name(), &handler.method.description);
    let policy = handler.options.unfinished_policy.as_ref().map_or_else(
        || quote!(::longhaul_sdk::HandlerUnfinishedPolicy::WarnAndAbandon),
        |policy| quote!(#policy),
    );
    quote! {
        ::longhaul_sdk::__private::HandlerDescriptor {
            name: #name,
            description: #description,
            unfinished_policy: #policy,
        }
    }
}

fn init(workflow: &Workflow) -> TokenStream {
    let this = &workflow.this;
    let body = match &workflow.init {
        Some(init) => {
            let (decode, names, inner) = (init.decode(), init.argument_names(), &init.inner);
            quote_spanned! {init.span=>
                #decode
                ::std::result::Result::Ok(Self::#inner(view, #(#names),*))
            }
        }
        None => {
            let span = syn::spanned::Spanned::span(this);
            quote_spanned!(span=> ::std::result::Result::Ok(<#this as ::longhaul_sdk::__private::InitialState>::initial()))
        }
    };
    quote! {
        fn init(
            view: &::longhaul_sdk::WorkflowContextView,
            arguments: &::longhaul_sdk::__private::Arguments,
        ) -> ::std::result::Result<Self, ::longhaul_sdk::__private::ArgumentError> {
            #body
        }
    }
}

fn run(workflow: &Workflow) -> TokenStream {
    let run = &workflow.run.method;
    let (decode, names, inner) = (run.decode(), run.argument_names(), &run.inner);
    let call = quote_spanned!(run.span=> Self::#inner(&mut context, #(#names),*).await);
    quote! {
        fn run(
            mut context: ::longhaul_sdk::WorkflowContext<Self>,
            arguments: &::longhaul_sdk::__private::Arguments,
        ) -> ::std::result::Result<
            ::longhaul_sdk::__private::RunFuture,
            ::longhaul_sdk::__private::ArgumentError,
        > {
            #decode
            ::std::result::Result::Ok(::std::boxed::Box::pin(async move {
                let output = #call?;
                ::std::result::Result::Ok(::longhaul_sdk::__private::encode_output(&output)?)
            }))
        }
    }
}

fn signal(handler: &Handler) -> TokenStream {
    let result = |call: TokenStream| {
        if handler.method.output.fallible {
            quote!(#call.map_err(::std::convert::Into::<::longhaul_sdk::__private::BoxedError>::into))
        } else {
            quote!({ #call; ::std::result::Result::Ok(()) })
        }
    };
    begin(handler, &quote!(::longhaul_sdk::__private::SignalCall), &result)
}

fn update(handler: &Handler) -> TokenStream {
    let result = |call: TokenStream| {
        let encoded = quote! {
            |output| ::longhaul_sdk::__private::encode_output(&output)
                .map_err(::std::convert::Into::<::longhaul_sdk::__private::BoxedError>::into)
        };
        if handler.method.output.fallible {
            quote! {
                #call
                    .map_err(::std::convert::Into::<::longhaul_sdk::__private::BoxedError>::into)
                    .and_then(#encoded)
            }
        } else {
            quote!((#encoded)(#call))
        }
    };
    begin(handler, &quote!(::longhaul_sdk::__private::UpdateCall), &result)
}

/// Decode the arguments and call the handler: a plain one at once, of an async one its future.
fn begin(handler: &Handler, call: &TokenStream, result: &dyn Fn(TokenStream) -> TokenStream) -> TokenStream {
    let method = &handler.method;
    let (name, decode, names, inner) = (
        handler.name(),
        method.decode(),
        method.argument_names(),
        &method.inner,
    );
    let begun = if method.is_async {
        let result = result(quote_spanned!(method.span=> Self::#inner(&mut context, #(#names),*).await));
        quote! {
            let mut context = context.clone();
            ::std::result::Result::Ok(#call::Running(::std::boxed::Box::pin(async move { #result })))
        }
    } else {
        let result = result(quote_spanned!(method.span=> state.#inner(&mut context, #(#names),*)));
        quote! {
            let full = context;
            let mut context = full.sync_context();
            ::std::result::Result::Ok(#call::Done(full.state_mut(|state| #result)))
        }
    };
    quote! {
        if name == #name {
            return ::std::option::Option::Some((|| {
                #decode
                #begun
            })());
        }
    }
}

fn query(handler: &Handler) -> TokenStream {
    let method = &handler.method;
    let (name, decode, names, inner) = (
        handler.name(),
        method.decode(),
        method.argument_names(),
        &method.inner,
    );
    let call = quote_spanned!(method.span=> self.#inner(view, #(#names),*));
    let output = if method.output.fallible {
        quote! {
            #call.map_err(|error| ::longhaul_sdk::__private::HandlerError::Failed(error.into()))?
        }
    } else {
        call
    };
    quote! {
        if name == #name {
            return ::std::option::Option::Some((|| {
                #decode
                let output = #output;
                ::longhaul_sdk::__private::encode_output(&output)
                    .map_err(|error| ::longhaul_sdk::__private::HandlerError::Failed(error.into()))
            })());
        }
    }
}

/// What validates an update: without a validator, that its arguments decode.
fn validator(workflow: &Workflow, update: &Handler) -> TokenStream {
    let name = update.name();
    let body = match workflow.validator_of(update) {
        Some(validator) => {
            let names: Vec<_> = (0..validator.arguments.len())
                .map(|index| format_ident!("argument_{index}"))
                .collect();
            let types: Vec<Type> = validator
                .arguments
                .iter()
                .map(|(argument, _)| argument.clone())
                .collect();
            let decode = decode(&names, &types);
            let passed = names
                .iter()
                .zip(&validator.arguments)
                .map(|(name, (_, by_reference))| {
                    if *by_reference {
                        quote!(&#name)
                    } else {
                        quote!(#name)
                    }
                });
            let inner = &validator.inner;
            let call = quote_spanned!(validator.fallible_span=> self.#inner(view, #(#passed),*));
            quote! {
                #decode
                #call.map_err(|error| ::longhaul_sdk::__private::HandlerError::Failed(error.into()))
            }
        }
        None => {
            let decode = update.method.decode();
            quote!(#decode ::std::result::Result::Ok(()))
        }
    };
    quote! {
        if name == #name {
            return ::std::option::Option::Some((|| { #body })());
        }
    }
}

impl Handler {
    /// The name that clients use, as an expression.
    fn name(&self) -> TokenStream {
        self.options.name_or(&self.method.ident.to_string())
    }
}

impl Workflow {
    fn validator_of(&self, update: &Handler) -> Option<&Validator> {
        self.validators
            .iter()
            .find(|validator| validator.target == update.method.ident)
    }
}
