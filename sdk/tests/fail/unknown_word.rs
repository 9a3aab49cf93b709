#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

/// Things.
#[derive(Table)]
#[table(name = "things", of = Thing, lits = client.list_things(), list = client.list_things(), key = thing_id)]
pub struct Things2;

fn main() {}
