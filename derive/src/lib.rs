//! The compile door: `#[derive(Table)]` and `#[derive(Record)]`, a few lines over the model in `headwater-codegen`.

use proc_macro::TokenStream;

/// stub
#[proc_macro_derive(Table, attributes(table, column))]
pub fn table(_input: TokenStream) -> TokenStream { TokenStream::new() }
/// stub
#[proc_macro_derive(Record, attributes(record, column))]
pub fn record(_input: TokenStream) -> TokenStream { TokenStream::new() }
