#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

use headwater_sdk::Record;

#[derive(Record)]
#[record(rename_all = "camelCase")]
pub struct Other {
    pub name: String,
}

fn main() {}
