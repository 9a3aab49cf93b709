//! Destination sqlite: an embedded database file.
//!
//! Every table is a table of the database, with these types:
//!
//! | Arrow | SQLite | stored as |
//! | --- | --- | --- |
//! | bool | `BOOLEAN` | 0 or 1 |
//! | integers | `INTEGER` | itself; an unsigned one beyond 2^63 - 1 is an error, because SQLite has no such integer |
//! | floats | `REAL` | itself; NaN becomes null, because SQLite has none |
//! | timestamps | `TIMESTAMP` | text in UTC, `2026-11-21 08:59:02.123456`: SQLite's date functions read it, it sorts |
//! | binary | `BLOB` | itself |
//! | uuid, inet, mac, json | `TEXT` | hyphenated, CIDR, `aa:bb:…`, JSON |
//! | lists and other nested types | `TEXT` | JSON, for `json_each` and `->>` |
//! | anything else (decimals, dates …) | `TEXT` | its text |
//!
//! The declared types are those of CloudQuery's SQLite plugin, so that a database of its can be taken over.
//!
//! The rows of a unit are collected in memory, or where they are many in a temporary file beside the database, and come into
//! the table in one transaction when the unit has finished, with the removal of its stale rows. Readers never see half a unit.
//!
//! Where the state of syncs is kept here, it stands in the tables `headwater_runs` and `headwater_done`.

mod cells;
mod changes;
mod ddl;
mod explain;
mod held;
mod location;
mod migrate;
mod publish;
mod state;
mod store;
mod worker;

use headwater_sdk::spec::without_effect;
use headwater_sdk::{Destination, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where and how the SQLite destination writes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The database file: a path such as `./cloud.db`, or a URI such as `file:cloud.db?mode=rw`. The file is created
    /// where it does not exist (not with `mode=rw`); its folder must exist.
    #[schemars(length(min = 1))]
    pub connection_string: String,
    /// Accepted from CloudQuery's configurations; it has no effect, because the rows of a unit are always written in
    /// one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because the rows of a unit are always written in
    /// one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size_bytes: Option<u64>,
}

/// The destination that a spec describes. Nothing is opened or created yet.
pub fn destination(spec: Spec) -> Result<Box<dyn Destination>> {
    let location = location::Location::parse(&spec.connection_string)?;
    without_effect([("batch_size", spec.batch_size), ("batch_size_bytes", spec.batch_size_bytes)])?;
    Ok(Box::new(worker::Sqlite::new(location)))
}
