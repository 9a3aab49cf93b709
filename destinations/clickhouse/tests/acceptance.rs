//! The acceptance suite on ClickHouse's engine, which is read by its own Arrow stream.
#![allow(clippy::unwrap_used)]

mod common;

use common::Clickhouse;

headwater_sdk::acceptance!(Clickhouse::start());
