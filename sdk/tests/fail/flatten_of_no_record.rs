#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

/// Things.
#[derive(Table)]
#[table(name = "things", of = Thing, list = client.list_things(), key = thing_id)]
pub struct AllThings {
    #[column(value = row.size, flatten)]
    size: i64,
}

fn main() {}
