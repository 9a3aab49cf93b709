#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

/// Things.
#[derive(Table)]
#[table(name = "things", of = Thing, list = client.list_things(), key = [region, thing_idd])]
pub struct AllThings;

fn main() {}
