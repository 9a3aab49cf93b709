//! Source `file`: tables of local files in Parquet, Arrow IPC, CSV and JSON Lines.
//!
//! A file is a unit. Files of one table may differ: the table has the columns of all of them, in types that have the values
//! of each. What a file of CSV or JSON Lines has is read as text first, and each column is then made one of its type.

mod connector;
mod discover;
mod format;
mod kinds;
mod paths;
mod spec;
mod table;
mod values;

pub use connector::connector;
pub use spec::{ColumnSpec, CsvSpec, Format, Paths, Spec, TableSpec};
