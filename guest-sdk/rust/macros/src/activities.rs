//! `#[activities]` and `#[activity_definitions]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Expr, FnArg, ImplItem, ImplItemFn, ItemImpl, Stmt, Type};

use crate::methods::{Method, Options, check_impl, inner_name};

struct Activity {
    method: Method,
    options: Options,
}

pub(crate) fn expand(
    attributes: &TokenStream,
    mut item: ItemImpl,
    declared: bool,
) -> syn::Result<TokenStream> {
    if !attributes.is_empty() {
        return Err(syn::Error::new_spanned(
            attributes,
            "this attribute takes nothing",
        ));
    }
    check_impl(&item)?;
    let mut activities = Vec::new();
    for item in &item.items {
        if let ImplItem::Fn(method) = item
            && let Some(attribute) = method.attrs.iter().find(|attribute| is_activity(attribute))
        {
            activities.push(parse(method, attribute, declared)?);
        }
    }
    if activities.is_empty() {
        return Err(syn::Error::new_spanned(
            &item.self_ty,
            "no method here has `#[activity]`",
        ));
    }
    let generated = generate(&item.self_ty, &activities, declared)?;
    for item in &mut item.items {
        if let ImplItem::Fn(method) = item
            && method.attrs.iter().any(is_activity)
        {
            method.attrs.retain(|attribute| !is_activity(attribute));
            method.sig.ident = inner_name(&method.sig.ident);
            if declared {
                method
                    .attrs
                    .push(syn::parse_quote!(#[allow(dead_code, unused_variables, clippy::unimplemented)]));
            }
        }
    }
    Ok(quote!(#item #generated))
}

fn is_activity(attribute: &Attribute) -> bool {
    attribute
        .path()
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "activity")
}

fn parse(method: &ImplItemFn, attribute: &Attribute, declared: bool) -> syn::Result<Activity> {
    let options = Options::parse(attribute, &["name"])?;
    if let Some(FnArg::Receiver(receiver)) = method.sig.inputs.first() {
        let is_arc = matches!(&*receiver.ty, Type::Path(path)
            if path.path.segments.last().is_some_and(|segment| segment.ident == "Arc"));
        if declared {
            return Err(syn::Error::new_spanned(
                receiver,
                "a declared activity takes no `self`",
            ));
        }
        if receiver.colon_token.is_none() || !is_arc {
            let message = "an activity takes no `self`, or `self: Arc<Self>`";
            return Err(syn::Error::new_spanned(receiver, message));
        }
    }
    if declared {
        let body = match method.block.stmts.as_slice() {
            [Stmt::Macro(statement)] => Some(&statement.mac),
            [Stmt::Expr(Expr::Macro(expression), _)] => Some(&expression.mac),
            _ => None,
        };
        if !body.is_some_and(|body| body.path.is_ident("unimplemented")) {
            let message = "the body of a declared activity is `unimplemented!()`: it runs elsewhere";
            return Err(syn::Error::new_spanned(&method.block, message));
        }
    }
    Ok(Activity {
        method: Method::parse(method, (!declared).then_some("ActivityContext"))?,
        options,
    })
}

fn generate(this: &Type, activities: &[Activity], declared: bool) -> syn::Result<TokenStream> {
    let type_name = match this {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    };
    let type_name =
        type_name.ok_or_else(|| syn::Error::new_spanned(this, "this has to be the name of a type"))?;
    let mut constants = Vec::new();
    let mut specs = Vec::new();
    let mut registrations = Vec::new();
    for (id, activity) in activities.iter().enumerate() {
        let method = &activity.method;
        let name = activity
            .options
            .name_or(&format!("{type_name}::{}", method.ident));
        constants.push(method.constant(&quote!(::longhaul_sdk::__private::Activity<#this, #id>)));
        let (input, output) = (method.input(), &method.output.value);
        specs.push(quote! {
            impl ::longhaul_sdk::__private::ActivitySpec<#id> for #this {
                const NAME: &'static str = #name;
                type Input = #input;
                type Output = #output;
            }
        });
        registrations.push(registration(this, method, &name));
    }
    let implementer = (!declared).then(|| {
        quote! {
            #[allow(clippy::all, clippy::pedantic)]
            impl ::longhaul_sdk::__private::ActivityImplementer for #this {
                fn register_all(definitions: &mut ::longhaul_sdk::__private::ActivityDefinitions) {
                    #(#registrations)*
                }
            }
        }
    });
    Ok(quote! {
        impl #this {
            #(#constants)*
        }

        #(#specs)*
        #implementer
    })
}

fn registration(this: &Type, method: &Method, name: &TokenStream) -> TokenStream {
    let (description, decode, names, inner) = (
        &method.description,
        method.decode(),
        method.argument_names(),
        &method.inner,
    );
    let receiver = method.has_self.then(|| {
        let span = syn::spanned::Spanned::span(this);
        quote_spanned!(span=> ::std::sync::Arc::new(<#this as ::std::default::Default>::default()),)
    });
    let awaited = method.is_async.then(|| quote!(.await));
    let call = quote_spanned!(method.span=> <#this>::#inner(#receiver context, #(#names),*)#awaited);
    let output = if method.output.fallible {
        quote!(#call.map_err(::std::convert::Into::<::longhaul_sdk::activities::ActivityError>::into)?)
    } else {
        call
    };
    quote! {
        definitions.add(#name, #description, |context, arguments| {
            #decode
            ::std::result::Result::Ok(::std::boxed::Box::pin(async move {
                let output = #output;
                ::longhaul_sdk::__private::encode_result(&output)
            }))
        });
    }
}
