//! What the configuration says about the source.

use std::collections::BTreeMap;
use std::path::PathBuf;

use headwater_clickhouse_client::{Compression, Connection, Settings};
use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// Units that are read at once, where the spec does not say it.
const CONCURRENCY: usize = 4;
/// Rows of a batch, where the spec does not say it.
const ROWS: usize = 65_536;
/// Bytes of a batch, where the spec does not say it.
const BYTES: usize = 16 << 20;

/// Where and what the ClickHouse source reads.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Where the database is: `http://user@host:8123/database`, or `https://…`. `clickhouse://…?secure=true` is another
    /// word for it. Settings of ClickHouse may follow, such as `?max_execution_time=60`.
    #[schemars(length(min = 1))]
    pub connection_string: String,
    /// The password, where it does not stand in the connection string.
    #[serde(default)]
    pub password: Option<String>,
    /// A file whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Certificates in PEM of those who may certify the server, instead of those that the system trusts.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The same as text, besides those that the system trusts.
    #[serde(default)]
    pub ca_cert: Option<String>,
    /// How rows are compressed on their way.
    #[serde(default)]
    pub compression: Compression,
    /// Units that are read at once, each over a connection; by default 4.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub concurrency: Option<usize>,
    /// Settings of ClickHouse for all that is read, such as `final: 1` or `max_threads: 8`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Value>")]
    pub settings: BTreeMap<String, String>,
    /// What columns of the type `String` are.
    #[serde(default)]
    pub strings: Strings,
    /// Rows of a batch at most; by default 65536.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub rows_per_batch: Option<usize>,
    /// Bytes of a batch, about; by default 16 MiB.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub bytes_per_batch: Option<usize>,
    /// What is to be said about single tables, by their names, `table` or `database.table`.
    #[serde(default)]
    pub tables: BTreeMap<String, TableSpec>,
}

/// What columns of the type `String` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strings {
    /// Text. A value that is not UTF-8 is an error.
    #[default]
    Utf8,
    /// Bytes, whatever they are.
    Binary,
}

/// What is to be said about a table.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// What is to be said about single columns, by their names in ClickHouse.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnSpec>,
    /// The columns that tell a row from all others, by their names in ClickHouse, whose own primary keys do not. By default
    /// there is no key.
    #[serde(default)]
    pub key: Vec<String>,
    /// How the table is divided into units, which are read, written and repeated on their own. By default it is one.
    #[serde(default)]
    pub divide: Option<Divide>,
}

/// What is to be said about a column.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// The type instead of the one that follows from ClickHouse's: `int64`, `decimal(20, 4)`, `timestamp[us, UTC]` …. The
    /// server casts, and a value that does not fit is an error.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The name instead of ClickHouse's.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether a value may be missing. Where the spec says that none is and one is, that is an error.
    #[serde(default)]
    pub nullable: Option<bool>,
    /// The field's number in Parquet.
    #[serde(default)]
    pub field_id: Option<i32>,
}

/// How a table is divided into units.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Divide {
    /// By what.
    pub by: By,
    /// The column of `by: range`, of whole numbers, dates or times that are never missing; or the one of `by: hash`.
    #[serde(default)]
    pub column: Option<String>,
    /// Several columns of `by: hash`.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// How far a range reaches: a number, or `7 days`, `1 month`, `6 hours`. Ranges begin at its multiples.
    #[serde(default)]
    #[schemars(with = "Option<Value>")]
    pub step: Option<String>,
    /// Where ranges end and the next begin, in ascending order: numbers, dates, or times in UTC.
    #[serde(default)]
    #[schemars(with = "Option<Vec<Value>>")]
    pub bounds: Option<Vec<String>>,
    /// Into how many parts `by: hash` divides.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub parts: Option<u32>,
}

/// By what a table is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Each of ClickHouse's own partitions is a unit.
    Partition,
    /// Ranges of a column's values.
    Range,
    /// A hash of columns' values.
    Hash,
}

/// A value as it may stand in the configuration.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Value {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// Settings of ClickHouse for all statements. Those without which an answer could lack rows or be another are not left
/// to the server's profiles.
pub const ALWAYS: [(&str, &str); 23] = [
    // Rows are sent while they are read.
    ("wait_end_of_query", "0"),
    ("enable_http_compression", "0"),
    ("output_format_arrow_string_as_string", "0"),
    ("output_format_arrow_fixed_string_as_fixed_byte_array", "1"),
    ("output_format_arrow_low_cardinality_as_dictionary", "0"),
    // A limit that is met is an error and no end.
    ("limit", "0"),
    ("offset", "0"),
    ("result_overflow_mode", "throw"),
    ("read_overflow_mode", "throw"),
    ("read_overflow_mode_leaf", "throw"),
    ("timeout_overflow_mode", "throw"),
    ("timeout_overflow_mode_leaf", "throw"),
    ("group_by_overflow_mode", "throw"),
    ("sort_overflow_mode", "throw"),
    ("distinct_overflow_mode", "throw"),
    ("set_overflow_mode", "throw"),
    ("join_overflow_mode", "throw"),
    ("transfer_overflow_mode", "throw"),
    ("skip_unavailable_shards", "0"),
    // What is cast.
    ("cast_keep_nullable", "0"),
    ("cast_ipv4_ipv6_default_on_conversion_error", "0"),
    ("date_time_overflow_behavior", "throw"),
    ("output_format_json_quote_64bit_integers", "0"),
];

/// What is read, beyond how the server is reached.
pub struct Options {
    pub compression: Compression,
    pub strings: Strings,
    pub rows: usize,
    pub bytes: usize,
    pub tables: BTreeMap<String, TableSpec>,
}

impl Spec {
    /// Reads the spec; nothing is connected to.
    pub fn settings(self) -> Result<(Settings, Options)> {
        for (name, value) in [
            ("concurrency", self.concurrency),
            ("rows_per_batch", self.rows_per_batch),
            ("bytes_per_batch", self.bytes_per_batch),
        ] {
            if value == Some(0) {
                return Err(Error::fatal(format!("`{name}` must be at least 1")));
            }
        }
        for name in self.settings.keys() {
            if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                return Err(Error::fatal(format!("`{name}` cannot be a setting of ClickHouse")));
            }
            if ALWAYS.iter().any(|(always, _)| always == name) {
                return Err(Error::fatal(format!("`{name}` cannot be set: rows could be missing, or be others")));
            }
        }
        let connection = Connection {
            address: self.connection_string,
            password: self.password,
            password_file: self.password_file,
            ca_file: self.ca_file,
            ca_cert: self.ca_cert,
            connections: Some(self.concurrency.unwrap_or(CONCURRENCY)),
        };
        let mut settings = connection.settings()?;
        settings.settings.extend(self.settings);
        let options = Options {
            compression: self.compression,
            strings: self.strings,
            rows: self.rows_per_batch.unwrap_or(ROWS),
            bytes: self.bytes_per_batch.unwrap_or(BYTES),
            tables: self.tables,
        };
        Ok((settings, options))
    }
}
