//! Destinations adbc and duckdb, and transformer [`sql`]: databases with an ADBC driver (<https://arrow.apache.org/adbc/>), a shared library that
//! is loaded at run time. Nothing is ever downloaded.
//!
//! One thread has the connection, because ADBC's calls block. The rows of a part are held as Arrow until the part ends or
//! they are many; then they are ingested into a temporary table, and from there come into the table in one transaction,
//! with the removal of the unit's stale rows. Tables are made with SQL of the database's dialect: those of DuckDB,
//! PostgreSQL and SQLite are known.
//!
//! In DuckDB a table has no PRIMARY KEY: its index would be held in memory as a whole, and takes several times as long as
//! the rows themselves to be written. Rows are replaced by DELETE and INSERT in one transaction instead, and what the key
//! is stands in the table's comment. A table that has a primary key, such as CloudQuery's, keeps it.

mod connect;
mod convert;
mod dialect;
mod driver;
pub mod duckdb;
mod errors;
mod location;
mod migrate;
mod part;
mod publish;
mod session;
mod spec;
pub mod sql;
mod store;
mod stream;
mod target;
mod worker;

use headwater_sdk::{Destination, Result};

pub use spec::Spec;

/// The destination that a spec describes. Nothing is loaded or connected to yet.
pub fn destination(spec: Spec) -> Result<Box<dyn Destination>> {
    Ok(Box::new(target::Adbc::new(spec.connect()?)))
}
