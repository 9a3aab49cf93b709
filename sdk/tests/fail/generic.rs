#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

/// Things.
#[derive(Table)]
#[table(name = "things", of = Thing, list = client.list_things())]
pub struct AllThings<T>;

fn main() {}
