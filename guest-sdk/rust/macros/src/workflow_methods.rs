//! `#[workflow_methods]`.

mod generate;

use proc_macro2::TokenStream;
use syn::{Attribute, Expr, ExprLit, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Lit, Type};

use crate::methods::{Method, Options, check_impl, inner_name};

const ATTRIBUTES: [&str; 6] = ["init", "run", "signal", "query", "update", "update_validator"];

const SYNC: &str = "&mut SyncWorkflowContext<Self>";
const ASYNC: &str = "&mut WorkflowContext<Self>";
const VIEW: &str = "&WorkflowContextView";

/// A signal, query or update.
struct Handler {
    method: Method,
    options: Options,
}

/// A validator, which may take its arguments by reference.
struct Validator {
    target: Ident,
    inner: Ident,
    arguments: Vec<(Type, bool)>,
    fallible_span: proc_macro2::Span,
}

/// What an impl block defines.
struct Workflow {
    this: Type,
    init: Option<Method>,
    run: Handler,
    signals: Vec<Handler>,
    queries: Vec<Handler>,
    updates: Vec<Handler>,
    validators: Vec<Validator>,
    /// The user has a method `name` of its own.
    has_name: bool,
}

pub(crate) fn expand(attributes: &TokenStream, mut item: ItemImpl) -> syn::Result<TokenStream> {
    if !attributes.is_empty() {
        return Err(syn::Error::new_spanned(
            attributes,
            "`#[workflow_methods]` takes nothing",
        ));
    }
    check_impl(&item)?;
    let workflow = Workflow::parse(&item)?;
    rename(&mut item);
    Ok(generate::expand(&workflow, &item))
}

/// The handler attribute of a method, if it has one.
fn attribute(method: &ImplItemFn) -> syn::Result<Option<(&'static str, &Attribute)>> {
    let mut found: Option<(&'static str, &Attribute)> = None;
    for attribute in &method.attrs {
        let last = attribute
            .path()
            .segments
            .last()
            .map(|segment| segment.ident.to_string());
        let Some(name) = ATTRIBUTES.into_iter().find(|name| last.as_deref() == Some(name)) else {
            continue;
        };
        if found.is_some() {
            return Err(syn::Error::new_spanned(
                attribute,
                "a method has one of these attributes only",
            ));
        }
        found = Some((name, attribute));
    }
    Ok(found)
}

/// Strip the attributes, and give the names of the methods up to the constants.
fn rename(item: &mut ItemImpl) {
    for item in &mut item.items {
        if let ImplItem::Fn(method) = item
            && matches!(attribute(method), Ok(Some(_)))
        {
            method.attrs.retain(|attribute| {
                let last = attribute
                    .path()
                    .segments
                    .last()
                    .map(|segment| segment.ident.to_string());
                !ATTRIBUTES.iter().any(|name| last.as_deref() == Some(name))
            });
            method.sig.ident = inner_name(&method.sig.ident);
        }
    }
}

impl Workflow {
    fn parse(item: &ItemImpl) -> syn::Result<Self> {
        let mut init = None;
        let mut run = None;
        let (mut signals, mut queries, mut updates) = (Vec::new(), Vec::new(), Vec::new());
        let mut validators: Vec<Validator> = Vec::new();
        let mut has_name = false;
        for item in &item.items {
            let ImplItem::Fn(method) = item else { continue };
            has_name |= method.sig.ident == "name";
            let Some((kind, attribute)) = attribute(method)? else {
                continue;
            };
            match kind {
                "init" => {
                    Options::parse(attribute, &[])?;
                    if init.replace(parse_init(method)?).is_some() {
                        return Err(syn::Error::new_spanned(
                            attribute,
                            "there is one `#[init]` method only",
                        ));
                    }
                }
                "run" => {
                    let handler = Handler {
                        method: parse_run(method)?,
                        options: Options::parse(attribute, &["name"])?,
                    };
                    if run.replace(handler).is_some() {
                        return Err(syn::Error::new_spanned(
                            attribute,
                            "there is one `#[run]` method only",
                        ));
                    }
                }
                "signal" => signals.push(parse_handler(method, attribute, "a signal handler")?),
                "query" => queries.push(parse_query(method, attribute)?),
                "update" => updates.push(parse_handler(method, attribute, "an update handler")?),
                _ => validators.push(parse_validator(method, attribute)?),
            }
        }
        let Some(run) = run else {
            let message = "a workflow needs a run method: `#[run] async fn run(ctx: &mut WorkflowContext<Self>) -> \
                           WorkflowResult<T>`";
            return Err(syn::Error::new_spanned(&item.self_ty, message));
        };
        for (index, validator) in validators.iter().enumerate() {
            if !updates
                .iter()
                .any(|update| update.method.ident == validator.target)
            {
                let message = format!("there is no `#[update]` method `{}` here", validator.target);
                return Err(syn::Error::new(validator.target.span(), message));
            }
            if validators
                .iter()
                .take(index)
                .any(|other| other.target == validator.target)
            {
                return Err(syn::Error::new(
                    validator.target.span(),
                    "an update has one validator only",
                ));
            }
        }
        for handlers in [&signals, &queries, &updates] {
            check_names(handlers)?;
        }
        Ok(Self {
            this: (*item.self_ty).clone(),
            init,
            run,
            signals,
            queries,
            updates,
            validators,
            has_name,
        })
    }
}

fn parse_init(method: &ImplItemFn) -> syn::Result<Method> {
    if let Some(token) = &method.sig.asyncness {
        return Err(syn::Error::new_spanned(
            token,
            "an `#[init]` method constructs the state: it cannot be async",
        ));
    }
    let parsed = Method::parse(method, Some(VIEW))?;
    no_receiver(method, "an `#[init]` method constructs the state")?;
    if matches!(method.sig.output, syn::ReturnType::Default) {
        return Err(syn::Error::new_spanned(
            &method.sig.ident,
            "an `#[init]` method returns `Self`",
        ));
    }
    Ok(parsed)
}

fn parse_run(method: &ImplItemFn) -> syn::Result<Method> {
    if method.sig.asyncness.is_none() {
        return Err(syn::Error::new_spanned(
            method.sig.fn_token,
            "the `#[run]` method has to be async",
        ));
    }
    no_receiver(
        method,
        "the `#[run]` method has the state through `ctx.state` and `ctx.state_mut`",
    )?;
    let parsed = Method::parse(method, Some(ASYNC))?;
    if !parsed.output.fallible {
        let message = "the `#[run]` method returns `WorkflowResult<T>`";
        return match &method.sig.output {
            syn::ReturnType::Default => Err(syn::Error::new_spanned(&method.sig.ident, message)),
            returned => Err(syn::Error::new_spanned(returned, message)),
        };
    }
    Ok(parsed)
}

fn parse_handler(method: &ImplItemFn, attribute: &Attribute, what: &str) -> syn::Result<Handler> {
    let options = Options::parse(attribute, &["name", "unfinished_policy"])?;
    let method = if method.sig.asyncness.is_some() {
        no_receiver(
            method,
            &format!("{what} that is async has the state through `ctx.state` and `ctx.state_mut`"),
        )?;
        Method::parse(method, Some(ASYNC))?
    } else {
        receiver(method, true, what)?;
        Method::parse(method, Some(SYNC))?
    };
    Ok(Handler { method, options })
}

fn parse_query(method: &ImplItemFn, attribute: &Attribute) -> syn::Result<Handler> {
    if let Some(token) = &method.sig.asyncness {
        return Err(syn::Error::new_spanned(
            token,
            "a query answers at once: it cannot be async. Use an update for what has to wait",
        ));
    }
    receiver(
        method,
        false,
        "a query cannot change the workflow, as an update can: it",
    )?;
    Ok(Handler {
        method: Method::parse(method, Some(VIEW))?,
        options: Options::parse(attribute, &["name"])?,
    })
}

fn parse_validator(method: &ImplItemFn, attribute: &Attribute) -> syn::Result<Validator> {
    let target: Ident = attribute.parse_args().map_err(|_| {
        let message = "name the update that this validates: `#[update_validator(update)]`";
        syn::Error::new_spanned(attribute, message)
    })?;
    if let Some(token) = &method.sig.asyncness {
        return Err(syn::Error::new_spanned(
            token,
            "a validator answers at once: it cannot be async",
        ));
    }
    receiver(method, false, "a validator")?;
    let parsed = Method::parse(method, Some(VIEW))?;
    if !parsed.output.fallible {
        let message = "a validator returns `Result<(), E>`";
        return Err(syn::Error::new_spanned(&method.sig.ident, message));
    }
    let arguments = parsed.arguments.into_iter().map(|argument| match argument {
        Type::Reference(reference) => match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => (syn::parse_quote!(::std::string::String), true),
            Type::Slice(slice) => {
                let element = &slice.elem;
                (syn::parse_quote!(::std::vec::Vec<#element>), true)
            }
            other => (other.clone(), true),
        },
        other => (other, false),
    });
    Ok(Validator {
        target,
        inner: parsed.inner,
        arguments: arguments.collect(),
        fallible_span: parsed.span,
    })
}

fn no_receiver(method: &ImplItemFn, why: &str) -> syn::Result<()> {
    match method.sig.receiver() {
        Some(receiver) => Err(syn::Error::new_spanned(
            receiver,
            format!("{why}: it takes no `self`"),
        )),
        None => Ok(()),
    }
}

fn receiver(method: &ImplItemFn, mutable: bool, what: &str) -> syn::Result<()> {
    let wanted = if mutable { "&mut self" } else { "&self" };
    let message = format!("{what} takes `{wanted}`");
    match method.sig.inputs.first() {
        Some(FnArg::Receiver(receiver))
            if receiver.reference.is_some() && receiver.mutability.is_some() == mutable =>
        {
            Ok(())
        }
        Some(FnArg::Receiver(receiver)) => Err(syn::Error::new_spanned(receiver, message)),
        _ => Err(syn::Error::new_spanned(&method.sig.ident, message)),
    }
}

/// Two handlers of one kind cannot have one name. Names that are not literals are not known here.
fn check_names(handlers: &[Handler]) -> syn::Result<()> {
    let mut seen = Vec::new();
    for handler in handlers {
        let (name, span) = match &handler.options.name {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Str(name), ..
            })) => (name.value(), name.span()),
            Some(_) => continue,
            None => (handler.method.ident.to_string(), handler.method.span),
        };
        if seen.contains(&name) {
            return Err(syn::Error::new(
                span,
                format!("there is another handler `{name}` of this kind"),
            ));
        }
        seen.push(name);
    }
    Ok(())
}
