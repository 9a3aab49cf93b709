//! The columns of a table: those of the record, those that the annotation adds, and those of the parent's key.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::LitStr;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{HASH, Table};
use crate::attributes::{ColumnField, option_item};
use crate::docs::one_line;
use crate::expand::record::RecordField;
use crate::expand::{sdk, texts, tidy};
use crate::names::inherited;
use crate::source::calls;

impl Table<'_> {
    /// `Record` for a struct that is itself the row.
    pub(super) fn own_record(&self) -> TokenStream {
        let sdk = sdk();
        let (ident, title) = (self.ident, self.ident.to_string());
        let names: Vec<String> = self.columns.iter().map(ColumnField::name).collect();
        let columns = self.definitions();
        quote! {
            #[automatically_derived]
            impl ::#sdk::Record for #ident {
                const NAME: &'static str = #title;
                const FIELDS: &'static [&'static str] = &[#(#names),*];
                fn columns() -> ::std::vec::Vec<::#sdk::ColumnDef<Self>> {
                    #columns
                }
            }
        }
    }

    /// The definitions of the struct's own columns, over `Self`.
    fn definitions(&self) -> TokenStream {
        let sdk = sdk();
        let definitions = self.columns.iter().map(|column| {
            let ident = &column.ident;
            let origin = self.column_origin(column);
            if !column.attribute.flatten {
                let field = RecordField {
                    ident,
                    name: column.name(),
                    doc: one_line(&column.doc),
                    origin,
                    sensitive: false,
                    span: column.ty.span(),
                };
                let definition = field.definition();
                return quote!(columns.push(#definition););
            }
            let prefix = column.attribute.prefix.as_ref().map_or_else(String::new, LitStr::value);
            let (record, way) = match option_item(&column.ty) {
                Some(item) => (item, quote!(::#sdk::column::Way::Maybe(|row: &Self| row.#ident.as_ref()))),
                None => (&column.ty, quote!(::#sdk::column::Way::Always(|row: &Self| &row.#ident))),
            };
            quote_spanned! {column.ty.span()=>
                columns.extend(::#sdk::table::flattened::<Self, #record>(#prefix, #origin, #way));
            }
        });
        quote! {
            let mut columns = ::std::vec::Vec::new();
            #(#definitions)*
            columns
        }
    }

    fn column_origin(&self, column: &ColumnField) -> String {
        let field = column.ident.unraw();
        match (&column.attribute.value, &column.attribute.get) {
            (Some(value), _) => tidy(&quote!(#value)),
            (None, Some(get)) => match calls(get).first() {
                Some(call) => format!("get {}", call.unraw()),
                None => format!("get {}", tidy(&quote!(#get))),
            },
            (None, None) => match &self.attribute.of {
                Some(path) => format!("{}.{field}", tidy(&quote!(#path))),
                None => format!("{}.{field}", self.ident),
            },
        }
    }

    /// The key's columns that may come from the parent's key, with the parent's column.
    pub(super) fn inherited(&self) -> Vec<(String, String)> {
        let Some(parent) = self.attribute.parent.as_ref().and_then(|parent| parent.segments.last()) else {
            return Vec::new();
        };
        let own: Vec<String> = self.columns.iter().map(ColumnField::name).collect();
        let names = self.attribute.key.iter().map(|key| key.unraw().to_string()).filter(|name| !own.contains(name));
        names
            .filter_map(|name| {
                let column = inherited(&name, &parent.ident.to_string())?.to_owned();
                Some((name, column))
            })
            .collect()
    }

    pub(super) fn columns(&self) -> TokenStream {
        let sdk = sdk();
        let assembled = self.assembled();
        let inherited: Vec<TokenStream> =
            self.inherited().into_iter().map(|(name, column)| quote!((#name, #column))).collect();
        let hashed = match self.attribute.of.is_some() && self.attribute.key.iter().any(|key| key == HASH) {
            true => quote!(::#sdk::table::hashed::<Self>(#assembled)),
            false => assembled,
        };
        match &self.attribute.parent {
            Some(parent) if !inherited.is_empty() => {
                quote!(::#sdk::table::inherit::<Self, #parent>(#hashed, &[#(#inherited),*]))
            }
            _ => hashed,
        }
    }

    fn assembled(&self) -> TokenStream {
        let sdk = sdk();
        let skipped = self.attribute.skip.iter().map(|name| name.unraw().to_string());
        if self.attribute.of.is_none() {
            let skipped: Vec<String> = skipped.collect();
            let skipped = texts(&skipped);
            return quote!(::#sdk::table::assemble::<Self>(#skipped, ::std::vec::Vec::new()));
        }
        let replaced = self.columns.iter().map(|column| column.ident.unraw().to_string());
        let left_out: Vec<String> = skipped.chain(replaced).collect();
        let left_out = texts(&left_out);
        let own = self.definitions();
        quote!(::#sdk::table::assemble::<Self>(#left_out, { #own }))
    }
}
