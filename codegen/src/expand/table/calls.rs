//! The calls of a table: what yields its pages, and what makes a row of a record.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use super::Table;
use crate::attributes::{ColumnField, option_item};
use crate::expand::{sdk, texts, tidy};
use crate::source::calls;

impl Table<'_> {
    /// The names of the calls that rows come from.
    pub(super) fn origin(&self) -> String {
        let calls: Vec<String> = [&self.attribute.list, &self.attribute.get]
            .into_iter()
            .flatten()
            .map(|expr| match calls(expr).first() {
                Some(call) => call.unraw().to_string(),
                None => tidy(&quote!(#expr)),
            })
            .collect();
        calls.join(" + ")
    }

    pub(super) fn pages(&self) -> TokenStream {
        let sdk = sdk();
        let ignore = texts(&self.attribute.ignore);
        let names = names_in_scope();
        let pages = match (&self.attribute.list, &self.attribute.get) {
            (Some(list), None) => quote_spanned!(list.span()=> ::#sdk::fetch::list(cx, #list, #ignore)),
            (None, Some(get)) => quote_spanned!(get.span()=> ::#sdk::fetch::single(cx, #get, #ignore)),
            (Some(list), Some(get)) => quote_spanned! {list.span()=>
                ::#sdk::fetch::list_get(cx, #list, #ignore, |cx, row| {
                    #names
                    #get
                })
            },
            (None, None) => quote!(::std::unimplemented!()),
        };
        quote!(#names #pages)
    }

    pub(super) fn row(&self) -> TokenStream {
        let sdk = sdk();
        let names = names_in_scope();
        let gets: Vec<&ColumnField> = self.columns.iter().filter(|column| column.attribute.get.is_some()).collect();
        let fetched_names: Vec<Ident> = gets.iter().map(|column| got(&column.ident)).collect();
        let futures = gets.iter().map(|column| self.get(column));
        let fetched = (!gets.is_empty()).then(|| {
            quote! {
                let (#(#fetched_names,)*) = ::#sdk::futures::join!(#(#futures),*);
                #(let #fetched_names = #fetched_names?;)*
            }
        });
        let own = self.attribute.of.is_none();
        let values = self.columns.iter().filter_map(|column| {
            let ident = &column.ident;
            let value = match (&column.attribute.value, &column.attribute.get) {
                (Some(value), _) => quote!(#value),
                (None, Some(_)) => {
                    let got = got(ident);
                    quote!(#got)
                }
                (None, None) if own => return None,
                (None, None) => quote_spanned!(ident.span()=> ::std::clone::Clone::clone(&row.#ident)),
            };
            Some((ident, value))
        });
        let (idents, values): (Vec<&Ident>, Vec<TokenStream>) = values.unzip();
        let made = if own {
            let made: Vec<Ident> = idents.iter().map(|ident| format_ident!("made_{}", ident.unraw())).collect();
            quote! {
                let (#(#made,)*) = { let row = &record; (#(#values,)*) };
                let mut record = record;
                #(record.#idents = #made;)*
                let columns = ();
            }
        } else {
            quote!(let columns = { let row = &record; Self { #(#idents: #values),* } };)
        };
        quote! {
            #names
            let problems: ::std::sync::Mutex<::std::vec::Vec<::#sdk::Error>> = ::std::default::Default::default();
            let row = &record;
            #fetched
            #made
            let row = ::#sdk::Row { record, columns, parent: ::std::sync::Arc::clone(&cx.parent) };
            ::std::result::Result::Ok((row, problems.into_inner().unwrap_or_default()))
        }
    }

    fn get(&self, column: &ColumnField) -> TokenStream {
        let sdk = sdk();
        let name = column.name();
        let ignore = texts(&column.attribute.ignore);
        let get: &Option<Expr> = &column.attribute.get;
        let item = option_item(&column.ty);
        quote_spanned! {get.span()=>
            ::#sdk::fetch::column::<Self, #item, _>(cx, #name, #get, #ignore, &problems)
        }
    }
}

fn got(ident: &Ident) -> Ident {
    format_ident!("got_{}", ident.unraw())
}

/// Binds the names that the expressions of an annotation may use.
fn names_in_scope() -> TokenStream {
    quote! {
        let client = &cx.client;
        let scope = &*cx.scope;
        let parent = &*cx.parent;
    }
}
