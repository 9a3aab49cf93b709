#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

/// Things.
#[derive(Table)]
#[table(name = "things", name = "others", of = Thing, list = client.list_things())]
pub struct AllThings;

fn main() {}
