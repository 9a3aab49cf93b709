//! `#[derive(Table)]`: the calls, the columns and the checks of one table.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Ident, Path};

use super::{named_fields, sdk, texts, tidy};
use crate::attributes::{ColumnField, Mistakes, TableAttribute, option_item};
use crate::docs::{doc_comment, one_line};
use crate::source::calls;

mod calls;
mod columns;

/// The word in a key that stands for a hash of the record, for rows that have no name of their own.
const HASH: &str = "hash";

/// Expands `#[derive(Table)]`.
pub fn table(input: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let table = Table::read(input, &mut mistakes);
    match mistakes.finish() {
        Ok(()) => table.expand(),
        Err(error) => {
            let error = error.to_compile_error();
            let empty = table.empty();
            quote!(#error #empty)
        }
    }
}

struct Table<'a> {
    ident: &'a Ident,
    description: String,
    attribute: TableAttribute,
    columns: Vec<ColumnField>,
}

impl<'a> Table<'a> {
    fn read(input: &'a DeriveInput, mistakes: &mut Mistakes) -> Self {
        let attribute = TableAttribute::read(&input.attrs, mistakes);
        let fields = named_fields(input, "a table", mistakes);
        let columns = fields.into_iter().flat_map(|fields| &fields.named);
        let columns = columns.filter_map(|field| ColumnField::read(field, mistakes)).collect();
        let description = one_line(&doc_comment(&input.attrs));
        let table = Self { ident: &input.ident, description, attribute, columns };
        table.check(mistakes);
        table
    }

    fn check(&self, mistakes: &mut Mistakes) {
        let at = self.ident.span();
        if self.description.is_empty() {
            mistakes.at(at, "a table needs a doc comment: its first paragraph is the table's description");
        }
        if self.attribute.name.is_none() {
            mistakes.at(at, "a table needs a name: #[table(name = \"service_things\", list = client.list_things())]");
        }
        if self.attribute.list.is_none() && self.attribute.get.is_none() {
            mistakes.at(at, "a table needs a call: `list` for rows page by page, or `get` for a single row");
        }
        for column in &self.columns {
            if let Some(get) = column.attribute.get.as_ref().filter(|_| option_item(&column.ty).is_none()) {
                mistakes.at(
                    column.ty.span(),
                    format!(
                        "the call `{}` may find nothing, so the column can be missing: make it `Option<{}>`",
                        calls(get).pop().map_or_else(|| "get".to_owned(), |call| call.to_string()),
                        tidy(&quote::ToTokens::to_token_stream(&column.ty)),
                    ),
                );
            }
        }
        let mut names: Vec<String> = Vec::new();
        for column in self.columns.iter().filter(|column| !column.attribute.flatten) {
            if names.contains(&column.name()) {
                mistakes.at(column.ident.span(), format!("there is a column `{}` already", column.name()));
            }
            names.push(column.name());
        }
    }

    fn record(&self) -> TokenStream {
        match &self.attribute.of {
            Some(path) => quote!(#path),
            None => quote!(Self),
        }
    }

    /// The record outside of an impl, where `Self` has no meaning.
    fn record_path(&self) -> TokenStream {
        let ident = self.ident;
        self.attribute.of.as_ref().map_or_else(|| quote!(#ident), |path: &Path| quote!(#path))
    }

    fn parent(&self) -> TokenStream {
        let sdk = sdk();
        match &self.attribute.parent {
            Some(parent) => quote_spanned!(parent.span()=> ::#sdk::Row<#parent>),
            None => quote!(()),
        }
    }

    /// An impl that does nothing, beside the error messages: it keeps one mistake from becoming an error in every
    /// table that hangs from this one.
    fn empty(&self) -> TokenStream {
        let sdk = sdk();
        let ident = self.ident;
        let record = match &self.attribute.of {
            Some(path) => quote!(#path),
            None => quote!(()),
        };
        quote! {
            impl ::#sdk::Table for #ident {
                type Client = ();
                type Scope = ::#sdk::scope::Single;
                type Parent = ();
                type Record = #record;
                type Columns = ();
                const NAME: &'static str = "";
                const DESCRIPTION: &'static str = "";
                const KEY: &'static [&'static str] = &[];
                const SCOPES: ::#sdk::Scopes = ::#sdk::Scopes::SINGLE;
                const ORIGIN: &'static str = "";
                const GETS: bool = false;
                fn columns() -> ::std::vec::Vec<::#sdk::ColumnDef<::#sdk::Row<Self>>> {
                    ::std::unimplemented!()
                }
                fn pages(_: &::#sdk::Context<Self>) -> ::#sdk::fetch::Pages<#record> {
                    ::std::unimplemented!()
                }
                async fn row(
                    _: &::#sdk::Context<Self>,
                    _: #record,
                ) -> ::#sdk::Result<(::#sdk::Row<Self>, ::std::vec::Vec<::#sdk::Error>)> {
                    ::std::unimplemented!()
                }
            }
        }
    }

    fn expand(&self) -> TokenStream {
        let sdk = sdk();
        let ident = self.ident;
        let name = &self.attribute.name;
        let description = &self.description;
        let (record, parent) = (self.record(), self.parent());
        let key: Vec<String> = self.attribute.key.iter().map(|key| key.unraw().to_string()).collect();
        let key = texts(&key);
        let origin = self.origin();
        let gets = self.columns.iter().any(|column| column.attribute.get.is_some());
        let own_record = self.attribute.of.is_none().then(|| self.own_record());
        let columns_type = if self.attribute.of.is_some() { quote!(Self) } else { quote!(()) };
        let (columns, pages, row, checks) = (self.columns(), self.pages(), self.row(), self.checks());
        quote! {
            #own_record
            #[automatically_derived]
            impl ::#sdk::Table for #ident {
                type Client = Client;
                type Scope = Scope;
                type Parent = #parent;
                type Record = #record;
                type Columns = #columns_type;
                const NAME: &'static str = #name;
                const DESCRIPTION: &'static str = #description;
                const KEY: &'static [&'static str] = #key;
                const SCOPES: ::#sdk::Scopes = SCOPES;
                const ORIGIN: &'static str = #origin;
                const GETS: bool = #gets;
                fn columns() -> ::std::vec::Vec<::#sdk::ColumnDef<::#sdk::Row<Self>>> {
                    #columns
                }
                #[allow(unused_variables)]
                fn pages(cx: &::#sdk::Context<Self>) -> ::#sdk::fetch::Pages<#record> {
                    #pages
                }
                #[allow(unused_variables, unused_mut, clippy::unused_async, clippy::unused_unit)]
                async fn row(
                    cx: &::#sdk::Context<Self>,
                    record: #record,
                ) -> ::#sdk::Result<(::#sdk::Row<Self>, ::std::vec::Vec<::#sdk::Error>)> {
                    #row
                }
            }
            #checks
            ::#sdk::inventory::submit! { ::#sdk::TableEntry::of::<#ident>(::std::env!("CARGO_PKG_NAME")) }
        }
    }

    /// What can be known to be wrong only with the record at hand, checked by the compiler at the contributor's token.
    fn checks(&self) -> TokenStream {
        let sdk = sdk();
        let record = self.record_path();
        let own: Vec<String> = self.columns.iter().map(ColumnField::name).collect();
        let hashed = |key: &Ident| self.attribute.of.is_some() && key == HASH;
        let keys = self.attribute.key.iter().filter(|key| !own.contains(&key.unraw().to_string()) && !hashed(key));
        let keys = keys.map(|key| {
            let name = key.unraw().to_string();
            let own = texts(&own);
            let inherited = self.inherited().into_iter().find(|(own, _)| *own == name);
            let from_parent = match (&self.attribute.parent, inherited) {
                (Some(parent), Some((_, column))) => quote!(Some((#column, <#parent as ::#sdk::Table>::KEY))),
                _ => quote!(None),
            };
            quote_spanned! {key.span()=>
                const _: () =
                    ::#sdk::text::check_key(#name, <#record as ::#sdk::Record>::FIELDS, #own, &SCOPES, #from_parent);
            }
        });
        let skips = self
            .attribute
            .skip
            .iter()
            .map(|name| quote_spanned!(name.span()=> let _ = |row: &#record| { let _ = &row.#name; };));
        quote! {
            #(#keys)*
            const _: () = { #(#skips)* };
        }
    }
}
