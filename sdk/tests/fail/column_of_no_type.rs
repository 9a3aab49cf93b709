#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

use std::time::Duration;

/// Things.
#[derive(Table)]
#[table(name = "things", of = Thing, list = client.list_things(), key = thing_id)]
pub struct AllThings {
    #[column(value = Duration::ZERO)]
    age: Duration,
}

fn main() {}
