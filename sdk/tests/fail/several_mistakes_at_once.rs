#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

/// Things.
#[derive(Table)]
#[table(name = "All Things", of = Thing, kee = thing_id)]
pub struct AllThings {
    #[column(value = row.size, prefix = "x")]
    size: i64,
    #[column(get = client.get_detail(&row.thing_id))]
    detail: Detail,
}

fn main() {}
