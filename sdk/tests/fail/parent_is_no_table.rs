#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

/// Parts.
#[derive(Table)]
#[table(name = "parts", of = Part, parent = Thing, list = client.list_parts(parent), key = sku)]
pub struct Parts;

fn main() {}
