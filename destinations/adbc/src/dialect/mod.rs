//! Whose SQL a database speaks: its types, and what it says about its tables.

mod duckdb;
mod postgresql;
mod sqlite;

use headwater_sdk::arrow::array::ArrayRef;
use headwater_sdk::arrow::datatypes::{DataType, Field};
use headwater_sdk::sql::{list, on_conflict, quote, range_in_postgresql, range_in_sqlite};
use headwater_sdk::text::fnv1a;
use headwater_sdk::{Column, ColumnType, Range, Result, Stored, TableSchema};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::store::ORDINAL;

/// A database whose SQL is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// DuckDB.
    Duckdb,
    /// PostgreSQL.
    Postgresql,
    /// SQLite.
    Sqlite,
}

/// How a column's values come into a table.
pub struct Kind {
    /// The column's type, as the database spells it.
    pub sql: String,
    /// The type of the column in which they wait; where it is another, they are cast.
    pub stage: String,
    /// What the driver is given.
    pub wire: Field,
}

impl Kind {
    /// A type of which the driver is given Arrow's own.
    fn of(sql: impl Into<String>, wire: DataType) -> Self {
        let sql = sql.into();
        Self { stage: sql.clone(), sql, wire: Field::new("", wire, true) }
    }

    /// A type whose values wait as text.
    fn by_text(sql: impl Into<String>) -> Self {
        Self { stage: "text".to_owned(), ..Self::of(sql, DataType::Utf8) }
    }
}

impl Dialect {
    /// All of them, as the configuration spells them.
    pub const NAMES: &str = "duckdb, postgresql, sqlite";

    /// The one that a driver's or a product's name tells.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let all = [("duckdb", Self::Duckdb), ("postgres", Self::Postgresql), ("sqlite", Self::Sqlite)];
        all.into_iter().find(|(word, _)| name.contains(word)).map(|(_, dialect)| dialect)
    }

    /// The product's own name.
    pub fn product(self) -> &'static str {
        match self {
            Self::Duckdb => "DuckDB",
            Self::Postgresql => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// How a type's values come into a table.
    pub fn kind(self, column: &ColumnType) -> Kind {
        match self {
            Self::Duckdb => duckdb::kind(column),
            Self::Postgresql => postgresql::kind(column),
            Self::Sqlite => sqlite::kind(column),
        }
    }

    /// How a type's values are stored, and which of them cannot be had back.
    pub fn stored(self, column: &ColumnType) -> Stored {
        let stored = match self {
            Self::Duckdb => duckdb::stored(column),
            Self::Postgresql => postgresql::stored(column),
            Self::Sqlite => sqlite::stored(column),
        };
        Stored { name: self.kind(column).sql.into(), ..stored }
    }

    /// An error where a column, as the driver is given it, has a value that the database would refuse.
    pub fn check(self, column: &ColumnType, array: &ArrayRef) -> Result<()> {
        match self {
            Self::Postgresql => postgresql::check(column, array),
            Self::Duckdb | Self::Sqlite => Ok(()),
        }
    }

    /// Whether a column of a type can become another in place, with all of its values.
    pub fn widens(self, found: &str, wanted: &ColumnType) -> bool {
        match self {
            Self::Duckdb => duckdb::widens(found, &self.kind(wanted).sql),
            Self::Postgresql => postgresql::widens(found, &self.kind(wanted).sql),
            Self::Sqlite => false,
        }
    }

    /// Whether two spellings are one type.
    pub fn same_type(self, found: &str, wanted: &str) -> bool {
        match self {
            Self::Duckdb => duckdb::same_type(found, wanted),
            Self::Postgresql => found == wanted,
            Self::Sqlite => found.eq_ignore_ascii_case(wanted),
        }
    }

    /// Whether names are told by their case.
    pub fn tells_case(self) -> bool {
        self == Self::Postgresql
    }

    /// Whether a column is declared as never null. SQLite cannot take that from a column again, and has it for keys only.
    pub fn not_null(self, column: &Column) -> bool {
        column.key || (self != Self::Sqlite && !column.nullable)
    }

    /// Whether tables have their key as a constraint, over which a row is replaced by one statement.
    pub fn upserts(self) -> bool {
        self != Self::Duckdb
    }

    /// The query of all columns of all tables and views of the schema: the table's name; what it is (`table`, or what
    /// else); the column's name and type; whether it is never null, has a default, and is part of the primary key; the
    /// table's comment.
    pub fn columns_query(self) -> &'static str {
        match self {
            Self::Duckdb => duckdb::COLUMNS,
            Self::Postgresql => postgresql::COLUMNS,
            Self::Sqlite => sqlite::COLUMNS,
        }
    }

    /// What a name has to be like; the longest that is not cut, in bytes.
    pub fn longest_name(self) -> usize {
        if self == Self::Postgresql { 63 } else { usize::MAX }
    }

    /// The name of a table of the database, in the schema that the connection is in.
    pub fn table(self, name: &str) -> String {
        match self {
            Self::Sqlite => format!("main.{}", quote(name)),
            Self::Duckdb | Self::Postgresql => quote(name),
        }
    }

    /// The name of a temporary table.
    pub fn temporary(self, name: &str) -> String {
        let schema = if self == Self::Postgresql { "pg_temp" } else { "temp" };
        format!("{schema}.{}", quote(name))
    }

    /// A point in time, given as `2026-11-21 08:59:02.123456` in UTC, as the values of `_cq_sync_time` compare with it.
    pub fn time(self, text: &str) -> String {
        match self {
            Self::Sqlite => format!("'{text}'"),
            Self::Duckdb | Self::Postgresql => format!("TIMESTAMP WITH TIME ZONE '{text}+00'"),
        }
    }

    /// A range of the values of a table's column.
    ///
    /// # Errors
    /// If its ends cannot be compared with the column as it is stored.
    pub fn range(self, range: &Range, table: &TableSchema) -> Result<String> {
        let column = range.column_of(table)?;
        match self {
            Self::Duckdb => duckdb::range(range, column),
            Self::Postgresql => Ok(range_in_postgresql(range, Some(column), &quote(&column.name))),
            Self::Sqlite => range_in_sqlite(range, table),
        }
    }

    /// A column of the rows that wait, as a value of the table's type; `of` stands before its name.
    pub fn staged(self, of: &str, index: usize, column: &ColumnType) -> String {
        let kind = self.kind(column);
        if kind.sql == kind.stage { format!("{of}c{index}") } else { format!("CAST({of}c{index} AS {})", kind.sql) }
    }

    /// `INSERT` of the rows that wait; `doubled` says that some have the same key, of which the last counts.
    pub fn insert(self, schema: &TableSchema, stage: &str, doubled: bool) -> String {
        let columns = list(schema.columns.iter().map(|column| &column.name));
        let staged = schema.columns.iter().enumerate().map(|(index, column)| self.staged("", index, &column.kind));
        let staged = staged.collect::<Vec<_>>().join(", ");
        let key = staged_key(schema).join(", ");
        let rows = match self {
            // In the order of the key, so that two transactions never wait for each other's rows.
            Self::Postgresql if !key.is_empty() => {
                format!("SELECT DISTINCT ON ({key}) {staged} FROM {stage} ORDER BY {key}, ctid DESC")
            }
            _ if doubled => {
                let number = if self == Self::Duckdb { ORDINAL } else { "rowid" };
                format!(
                    "SELECT {staged} FROM {stage} WHERE {number} IN (SELECT max({number}) FROM {stage} GROUP BY {key})"
                )
            }
            // SQLite takes ON CONFLICT for a part of the query where it has no WHERE.
            _ => format!("SELECT {staged} FROM {stage} WHERE true"),
        };
        let mut sql = format!("INSERT INTO {} ({columns}) {rows}", self.table(&schema.name));
        if self.upserts() && !key.is_empty() {
            sql.push(' ');
            sql.push_str(&on_conflict(schema));
        }
        sql
    }

    /// A query of the number of different keys, or of fewer, which is cheaper than the exact one.
    pub fn about_keys(self, stage: &str, key: &str) -> Option<String> {
        (self == Self::Duckdb).then(|| format!("SELECT count(DISTINCT hash({key})) FROM {stage}"))
    }

    /// `CREATE TABLE` of a table that does not exist.
    pub fn create_table(self, schema: &TableSchema) -> Vec<String> {
        let mut lines: Vec<String> = schema
            .columns
            .iter()
            .map(|column| {
                let not_null = if self.not_null(column) { " NOT NULL" } else { "" };
                format!("{} {}{not_null}", quote(&column.name), self.kind(&column.kind).sql)
            })
            .collect();
        let (key, table) = (schema.key(), self.table(&schema.name));
        if self.upserts() && !key.is_empty() {
            lines.push(format!("PRIMARY KEY ({})", list(&key)));
        }
        let mut all = vec![format!("CREATE TABLE {table} ({})", lines.join(", "))];
        if !self.upserts() {
            all.push(format!("COMMENT ON TABLE {table} IS {}", duckdb::comment(&key)));
        }
        all
    }

    /// `CREATE INDEX` by which the rows of one unit are found when its stale rows are removed.
    pub fn unit_index(self, table: &str, columns: &str) -> String {
        let mut name = format!("{table}_headwater_unit");
        if name.len() > self.longest_name() {
            name = format!("headwater_unit_{:016x}", fnv1a(table.bytes()));
        }
        match self {
            Self::Sqlite => format!("CREATE INDEX IF NOT EXISTS main.{} ON {} ({columns})", quote(&name), quote(table)),
            Self::Duckdb | Self::Postgresql => {
                format!("CREATE INDEX IF NOT EXISTS {} ON {} ({columns})", quote(&name), quote(table))
            }
        }
    }

    /// The key that a table's comment tells, if it does.
    pub fn key_of_comment(self, comment: &str) -> Option<Vec<String>> {
        if self == Self::Duckdb { duckdb::key_of_comment(comment) } else { None }
    }
}

/// The names of the key's columns where rows wait.
pub fn staged_key(schema: &TableSchema) -> Vec<String> {
    let columns = schema.columns.iter().enumerate();
    columns.filter(|(_, column)| column.key).map(|(index, _)| format!("c{index}")).collect()
}

/// A text as SQL.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
