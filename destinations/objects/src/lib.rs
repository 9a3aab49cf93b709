//! What destinations of files and objects have in common: everything but where a finished object goes, which is a
//! [`Store`].
//!
//! The rows of one table that belong to one unit are one object, which appears when the unit has finished. In write mode
//! `overwrite-delete-stale` it replaces the unit's object of the earlier sync; a unit that finished with errors does not
//! replace an object that is there. In write mode `append` every sync adds an object per unit. Write mode `overwrite`
//! would mean to change objects in place, and is refused. How many earlier rows a replaced object had is not counted.
//! Objects of another format, and of units that are not synced any more, stay.
//!
//! | Arrow | Parquet | JSON Lines | CSV |
//! | --- | --- | --- | --- |
//! | bool, numbers, text | the same | bool, number, string; NaN and infinities are null | the same; `NaN`, `inf` |
//! | timestamps | TIMESTAMP in UTC; seconds as milliseconds | RFC 3339, `2026-11-21T08:59:02.123456Z` | as in JSON Lines |
//! | decimals | DECIMAL | string | the digits |
//! | date64 | DATE; with a time of day it is refused | string | the same text |
//! | binary | BYTE_ARRAY | base64 | base64 |
//! | json | STRING of logical type JSON | the JSON value itself | JSON text |
//! | uuid, inet, mac | STRING: hyphenated, CIDR, `aa:bb:…` | string | the same text |
//! | lists (list views too), other nested types | LIST and so on | array, object | JSON text |
//! | null | null | null | an empty field, like an empty text |
//!
//! UUIDs are text in Parquet too, also within other types, because Spark refuses a file with Parquet's UUID type; DuckDB,
//! pandas and Polars read either. Parquet files keep the Arrow schema with CloudQuery's metadata; a column that was of one
//! of its extension types says so in the field's metadata `headwater:type`. CSV is RFC 4180 with a header. All text is
//! UTF-8.
//!
//! Where an API lists a row twice within a unit, the last one is kept. For this the keys of the rows of open units are
//! remembered (128 bits of a hash), up to a million (about 60 MB) and an eighth of the memory; rows beyond are written as
//! they come, which is said once. In `append`, and for tables without a key, all rows are written.
//!
//! Rows wait in memory until they are enough for a row group of 64 MiB (an eighth of the memory where that is less) or
//! the unit has finished; then they are encoded, column by column, into a file on the local disk. What is more than a
//! quarter of the memory waits in another one, so that row groups do not become small. A file with JSON Lines or CSV is
//! begun at the same moment. So neither the number of open units nor the size of an object matters to memory.

mod encode;
mod format;
mod held;
mod in_order;
mod memory;
mod names;
mod objects;
mod part;
mod prune;
pub mod saved;
mod seen;
mod spill;
mod store;
mod template;

pub use format::{Compression, Format, FormatSpec, Layout, Settings};
pub use headwater_sdk::pool::Share;
pub use memory::Memory;
pub use names::plain as safe_name;
pub use objects::Objects;
pub use store::{Out, Piece, Place, Scratch, Store};
pub use template::Template;
