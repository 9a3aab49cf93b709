//! The source's own part of the configuration.

use std::collections::BTreeMap;

use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// Spec of the `file` source.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Where tables are found: a folder such as `./lake`, which has a folder (or a file) for each table, or a pattern with
    /// `{{TABLE}}` such as `./lake/{{TABLE}}/*.parquet`. `*`, `?` and `[…]` stand for parts of a name, `**` for folders of
    /// any depth, and the other placeholders of destination `file` for any text.
    #[schemars(length(min = 1))]
    pub path: Option<String>,
    /// The format of files whose names do not tell.
    pub format: Option<Format>,
    /// Details of CSV.
    pub csv: CsvSpec,
    /// How many rows of each file of CSV and JSON Lines are looked at to find the columns' types; by default all.
    #[schemars(range(min = 1))]
    pub infer_rows: Option<u64>,
    /// Whether folders such as `year=2026` are columns that the files themselves lack; by default they are.
    pub hive: Option<bool>,
    /// How many rows a batch has at most; by default 65536.
    #[schemars(range(min = 1))]
    pub rows_per_batch: Option<usize>,
    /// About how many bytes a batch has at most; by default 8 MiB.
    #[schemars(range(min = 1024))]
    pub bytes_per_batch: Option<usize>,
    /// How many files are read at once; by default as many as there are processors, and 4 at least.
    #[schemars(range(min = 1))]
    pub concurrency: Option<usize>,
    /// Tables by their names, and what is special about those that `path` finds.
    pub tables: BTreeMap<String, TableSpec>,
}

/// What is said about one table.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TableSpec {
    /// Its files: a file, a folder, or a pattern with `*`, `?`, `[…]` and `**`, or a list of them.
    pub path: Option<Paths>,
    /// Their format, where their names do not tell.
    pub format: Option<Format>,
    /// The columns of its key, by the names that they have in the files. By default those that Headwater has written down in
    /// the files; an empty list is none.
    pub key: Option<Vec<String>>,
    /// What becomes of its columns, by the names that they have in the files.
    pub columns: BTreeMap<String, ColumnSpec>,
    /// Details of CSV, instead of those of the source.
    pub csv: Option<CsvSpec>,
    /// How many rows of each file of CSV and JSON Lines are looked at.
    #[schemars(range(min = 1))]
    pub infer_rows: Option<u64>,
    /// Whether folders such as `year=2026` are columns.
    pub hive: Option<bool>,
}

/// One path, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Paths {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Paths {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Several(paths) => paths,
        }
    }
}

/// What is said about one column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnSpec {
    /// The type that it is read as: `utf8`, `int64`, `decimal(18, 2)`, `timestamp[us, UTC]`, `date32`, `json`, `uuid`,
    /// `list<utf8>` …. A value that is not one of it is an error.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The name that it gets.
    pub name: Option<String>,
    /// Whether values may be missing. Where it says no, one that is missing is an error.
    pub nullable: Option<bool>,
    /// The number of the field in Parquet and Iceberg.
    pub field_id: Option<i32>,
}

/// Details of CSV.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CsvSpec {
    /// The character between two fields; `,` by default, and a tab in files whose names end in `.tsv`.
    #[schemars(length(equal = 1))]
    pub delimiter: Option<String>,
    /// Whether the first row has the columns' names, which it has by default. Otherwise they are `column_1`, `column_2` ….
    pub header: Option<bool>,
    /// The character around fields that hold others; `"` by default.
    #[schemars(length(equal = 1))]
    pub quote: Option<String>,
    /// The text of a missing value; by default there is none where nothing stands.
    pub null: Option<String>,
}

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, as a file or as a stream.
    Arrow,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// What CSV is, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    /// Between two fields; none where the file's name decides.
    pub delimiter: Option<u8>,
    /// Whether there is a row of names.
    pub header: bool,
    /// Around fields.
    pub quote: u8,
    /// A missing value.
    pub null: String,
}

impl CsvSpec {
    /// What it means.
    ///
    /// # Errors
    /// If a character is none.
    pub fn checked(&self) -> Result<Csv> {
        let byte = |key: &str, text: &Option<String>| match text.as_deref().map(str::as_bytes) {
            None => Ok(None),
            Some([byte]) if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(Some(*byte)),
            Some(_) => {
                let message =
                    format!("`csv.{key}` must be one ASCII character, and no line break, such as \";\" or \"\\t\"");
                Err(Error::fatal(message))
            }
        };
        let quote = byte("quote", &self.quote)?.unwrap_or(b'"');
        let delimiter = byte("delimiter", &self.delimiter)?;
        if delimiter.unwrap_or(b',') == quote {
            return Err(Error::fatal("`csv.delimiter` and `csv.quote` must be two different characters"));
        }
        let null = self.null.clone().unwrap_or_default();
        Ok(Csv { delimiter, header: self.header.unwrap_or(true), quote, null })
    }
}

impl Spec {
    /// What can be told to be wrong without looking at files.
    ///
    /// # Errors
    /// If something is.
    pub fn check(&self) -> Result<()> {
        if self.path.is_none() && !self.tables.values().any(|table| table.path.is_some()) {
            return Err(Error::fatal(
                "there are no files to read; say `path: ./folder`, or `tables: { orders: { path: ./orders/*.parquet } }`",
            ));
        }
        let mut numbers = vec![self.rows_per_batch, self.bytes_per_batch, self.concurrency];
        let rows = |rows: Option<u64>| rows.map(|rows| usize::from(rows > 0));
        numbers.push(rows(self.infer_rows));
        numbers.extend(self.tables.values().map(|table| rows(table.infer_rows)));
        if numbers.contains(&Some(0)) {
            return Err(Error::fatal(
                "`rows_per_batch`, `bytes_per_batch`, `concurrency` and `infer_rows` must be at least 1",
            ));
        }
        self.csv.checked()?;
        for (name, table) in &self.tables {
            let of_table = |error: Error| error.while_doing(format_args!("table {name}"));
            table.csv.clone().unwrap_or_default().checked().map_err(of_table)?;
            if table.path.as_ref().is_some_and(|path| path.all().is_empty() || path.all().iter().any(String::is_empty))
            {
                return Err(of_table(Error::fatal("`path` names nothing; say a file, a folder or a pattern")));
            }
        }
        Ok(())
    }
}
