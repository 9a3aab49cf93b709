//! The derive's door: an annotated struct becomes impls of the traits in the contract crate.

mod record;
mod table;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Fields, FieldsNamed, Ident};

pub use record::record;
pub use table::table;

use crate::attributes::Mistakes;

/// The contract crate's name as a token.
fn sdk() -> Ident {
    Ident::new(crate::SDK, Span::call_site())
}

/// The named fields of a struct, or none with the mistake reported.
fn named_fields<'a>(input: &'a DeriveInput, what: &str, mistakes: &mut Mistakes) -> Option<&'a FieldsNamed> {
    if let Some(generic) = input.generics.params.first() {
        mistakes.at(syn::spanned::Spanned::span(generic), format!("{what} has no generic parameters"));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            // A unit struct adds no columns of its own: the record has all of them.
            Fields::Unit => {}
            Fields::Unnamed(fields) => {
                mistakes.at(syn::spanned::Spanned::span(fields), format!("{what} needs named fields"));
            }
        },
        _ => mistakes.at(input.ident.span(), format!("{what} is a struct")),
    }
    None
}

/// An expression or type as text for the documentation, without the spaces that printing tokens puts in.
fn tidy(tokens: &TokenStream) -> String {
    let mut text = tokens.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [
        (" . ", "."),
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" ,", ","),
        (" ?", "?"),
        (" .", "."),
        (". ", "."),
        (" < ", "<"),
        (" >", ">"),
        (" !", "!"),
        ("! ", "!"),
        (" ;", ";"),
    ] {
        text = text.replace(from, to);
    }
    text
}

/// The tokens of a list of texts.
fn texts<T: quote::ToTokens>(items: &[T]) -> TokenStream {
    quote!(&[#(#items),*])
}
