#[path = "../api/mod.rs"]
mod api;
use api::*;
use headwater_sdk::Table;

use headwater_sdk::Record;

#[derive(Record)]
pub enum Either {
    Both(String, String),
}

fn main() {}
