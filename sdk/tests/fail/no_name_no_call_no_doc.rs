#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

#[derive(Table)]
#[table(of = Thing, key = thing_id)]
pub struct AllThings;

fn main() {}
