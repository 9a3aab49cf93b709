//! The compile door: `#[derive(Table)]` and `#[derive(Record)]`, a few lines over the model in `headwater-codegen`.

use headwater_codegen::expand;
use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes an annotated struct a table.
///
/// `#[table(name, of, list, get, key, parent, skip, ignore)]` on the struct, `#[column(value, get, flatten, prefix,
/// rename, ignore)]` on its fields. In the module must be in scope: the type `Client`, the type `Scope` and the
/// constant `SCOPES`. Expressions may name `client`, `scope`, `parent` and `row`.
#[proc_macro_derive(Table, attributes(table, column))]
pub fn table(input: TokenStream) -> TokenStream {
    expand::table(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct's fields columns, and the struct itself JSON where it is nested in another; makes a union JSON.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(input: TokenStream) -> TokenStream {
    expand::record(&parse_macro_input!(input as DeriveInput)).into()
}
