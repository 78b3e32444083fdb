//! What the macros share: methods, their attributes, arguments and results.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericArgument, Ident, ImplItemFn, ItemImpl, Lit, Meta, PathArguments,
    ReturnType, Type,
};

/// The largest number of arguments, because that is what `MultiArgs6` holds.
const MAX_ARGUMENTS: usize = 6;

/// The doc text of an item.
pub(crate) fn description(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text), ..
            }) => {
                let text = text.value();
                Some(text.strip_prefix(' ').unwrap_or(&text).trim_end().to_owned())
            }
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// An error about an impl block that the macros cannot take.
pub(crate) fn check_impl(item: &ItemImpl) -> syn::Result<()> {
    if let Some((_, path, _)) = &item.trait_ {
        return Err(syn::Error::new_spanned(
            path,
            "this belongs on an inherent impl block, `impl Type { ... }`",
        ));
    }
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &item.generics,
            "handlers have fixed types: the impl block cannot be generic",
        ));
    }
    Ok(())
}

/// What stands in the parentheses of a handler's attribute.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<Expr>,
    pub(crate) unfinished_policy: Option<Expr>,
}

impl Options {
    /// Read them. `known` are the keys that this attribute takes.
    pub(crate) fn parse(attribute: &Attribute, known: &[&str]) -> syn::Result<Self> {
        let mut options = Self::default();
        if matches!(attribute.meta, Meta::Path(_)) {
            return Ok(options);
        }
        attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
            if !known.contains(&key.as_str()) {
                let known = known
                    .iter()
                    .map(|key| format!("`{key} = ...`"))
                    .collect::<Vec<_>>()
                    .join(" and ");
                return Err(meta.error(format!(
                    "this attribute takes {}",
                    if known.is_empty() { "nothing" } else { &known }
                )));
            }
            let value = Some(meta.value()?.parse()?);
            match key.as_str() {
                "name" => options.name = value,
                _ => options.unfinished_policy = value,
            }
            Ok(())
        })?;
        Ok(options)
    }

    /// The name as an expression; the default is the method's.
    pub(crate) fn name_or(&self, default: &str) -> TokenStream {
        self.name
            .as_ref()
            .map_or_else(|| quote!(#default), |name| quote!(#name))
    }
}

/// A method with the types of its arguments after the context.
pub(crate) struct Method {
    pub(crate) ident: Ident,
    /// The name under which the method itself goes on.
    pub(crate) inner: Ident,
    pub(crate) description: String,
    pub(crate) is_async: bool,
    pub(crate) has_self: bool,
    pub(crate) visibility: syn::Visibility,
    pub(crate) arguments: Vec<Type>,
    pub(crate) output: Output,
    pub(crate) span: Span,
}

/// A method's result.
pub(crate) struct Output {
    /// Of a `Result`, the first type.
    pub(crate) value: Type,
    pub(crate) fallible: bool,
}

impl Method {
    /// Read a method whose context is of one of these types.
    pub(crate) fn parse(method: &ImplItemFn, context: Option<&str>) -> syn::Result<Self> {
        let signature = &method.sig;
        if !signature.generics.params.is_empty() {
            let message = "a handler has fixed types: it cannot be generic";
            return Err(syn::Error::new_spanned(&signature.generics, message));
        }
        let mut types = Vec::new();
        let mut has_self = false;
        for argument in &signature.inputs {
            match argument {
                FnArg::Receiver(_) => has_self = true,
                FnArg::Typed(argument) => types.push((*argument.ty).clone()),
            }
        }
        if let Some(context) = context {
            if types
                .first()
                .and_then(type_name)
                .is_none_or(|name| name != type_ident(context))
            {
                let span = types.first().map_or_else(|| signature.span(), Spanned::span);
                let message = format!("the first argument has to be the context, `{context}`");
                return Err(syn::Error::new(span, message));
            }
            types.remove(0);
        }
        if types.len() > MAX_ARGUMENTS {
            let message = format!("a handler takes at most {MAX_ARGUMENTS} arguments after the context");
            return Err(syn::Error::new_spanned(&signature.inputs, message));
        }
        Ok(Self {
            ident: signature.ident.clone(),
            inner: inner_name(&signature.ident),
            description: description(&method.attrs),
            is_async: signature.asyncness.is_some(),
            has_self,
            visibility: method.vis.clone(),
            arguments: types,
            output: output(&signature.output),
            span: signature.ident.span(),
        })
    }

    /// The type that stands for all arguments.
    pub(crate) fn input(&self) -> TokenStream {
        match self.arguments.as_slice() {
            [] => quote!(()),
            [only] => quote!(#only),
            several => {
                let name = format_ident!("MultiArgs{}", several.len());
                quote!(::longhaul_sdk::data_converters::#name<#(#several),*>)
            }
        }
    }

    /// Names for the arguments.
    pub(crate) fn argument_names(&self) -> Vec<Ident> {
        (0..self.arguments.len())
            .map(|index| format_ident!("argument_{index}"))
            .collect()
    }

    /// Statements that decode the arguments from `arguments`, with `?`.
    pub(crate) fn decode(&self) -> TokenStream {
        decode(&self.argument_names(), &self.arguments)
    }

    /// A constant that stands for the handler in calls.
    pub(crate) fn constant(&self, marker: &TokenStream) -> TokenStream {
        let (visibility, ident) = (&self.visibility, &self.ident);
        let doc = if self.description.is_empty() {
            format!("Names `{ident}` in calls.")
        } else {
            self.description.clone()
        };
        quote! {
            #[doc = #doc]
            #[allow(non_upper_case_globals, dead_code)]
            #visibility const #ident: #marker = <#marker>::NEW;
        }
    }
}

/// Statements that decode arguments of these types.
pub(crate) fn decode(names: &[Ident], types: &[Type]) -> TokenStream {
    match (names, types) {
        ([name], [only]) => quote!(let #name = arguments.only::<#only>()?;),
        _ => {
            let indices = 0..names.len();
            quote!(#(let #names = arguments.get::<#types>(#indices)?;)*)
        }
    }
}

/// The name under which a method goes on when a constant has taken its own.
pub(crate) fn inner_name(ident: &Ident) -> Ident {
    Ident::new(&format!("__{ident}"), ident.span())
}

/// The last part of a type's path, through references.
fn type_name(argument: &Type) -> Option<String> {
    match argument {
        Type::Reference(reference) => type_name(&reference.elem),
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// `WorkflowContext` of `&mut WorkflowContext<Self>`.
fn type_ident(text: &str) -> &str {
    let text = text.trim_start_matches("&mut ").trim_start_matches('&');
    text.split('<').next().unwrap_or(text)
}

fn output(output: &ReturnType) -> Output {
    let ReturnType::Type(_, returned) = output else {
        return Output {
            value: syn::parse_quote!(()),
            fallible: false,
        };
    };
    if let Type::Path(path) = &**returned
        && let Some(segment) = path.path.segments.last()
        && (segment.ident == "Result" || segment.ident == "WorkflowResult")
        && let PathArguments::AngleBracketed(arguments) = &segment.arguments
        && let Some(GenericArgument::Type(value)) = arguments.args.first()
    {
        return Output {
            value: value.clone(),
            fallible: true,
        };
    }
    Output {
        value: (**returned).clone(),
        fallible: false,
    }
}
