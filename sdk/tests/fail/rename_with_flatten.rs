#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

/// Things.
#[derive(Table)]
#[table(name = "things", of = Thing, list = client.list_things(), key = thing_id)]
pub struct AllThings {
    #[column(get = client.get_detail(&row.thing_id), flatten, rename = "more")]
    detail: Option<Detail>,
}

fn main() {}
