//! `#[workflow]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, ItemStruct, LitBool, LitStr, Token, parenthesized};

use crate::methods::description;

pub(crate) fn expand(attributes: TokenStream, item: ItemStruct) -> syn::Result<TokenStream> {
    let mut name: Option<Expr> = None;
    let mut dynamic = false;
    let mut propagate_to_parent = true;
    let mut signals: Vec<LitStr> = Vec::new();
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            name = Some(meta.value()?.parse()?);
            Ok(())
        } else if meta.path.is_ident("dynamic") {
            dynamic = true;
            Ok(())
        } else if meta.path.is_ident("signals") {
            let list;
            parenthesized!(list in meta.input);
            signals.extend(Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?);
            Ok(())
        } else if meta.path.is_ident("propagate_signals_to_parent") {
            propagate_to_parent = meta.value()?.parse::<LitBool>()?.value();
            Ok(())
        } else {
            Err(meta.error(
                "`#[workflow]` takes `name = \"...\"`, `signals(\"...\")`, `dynamic` and \
                 `propagate_signals_to_parent = false`",
            ))
        }
    });
    parser.parse2(attributes)?;
    if !item.generics.params.is_empty() {
        let message = "a workflow type has a name that clients use: it cannot be generic";
        return Err(syn::Error::new_spanned(&item.generics, message));
    }
    let ident = &item.ident;
    let name = name.map_or_else(
        || {
            let name = ident.to_string();
            quote!(#name)
        },
        |name| quote!(#name),
    );
    let description = description(&item.attrs);
    Ok(quote! {
        #item

        impl ::longhaul_sdk::__private::WorkflowType for #ident {
            const NAME: &'static str = #name;
            const DESCRIPTION: &'static str = #description;
            const DYNAMIC: bool = #dynamic;
            const SIGNALS: &'static [&'static str] = &[#(#signals),*];
            const PROPAGATE_SIGNALS_TO_PARENT: bool = #propagate_to_parent;
        }
    })
}
