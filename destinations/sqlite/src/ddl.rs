//! The SQL of one table: its columns' types, its creation, and the statements that write it.

use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::plain::{is_bytes, stored_as_json};
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::sql::{list, on_conflict, quote, range_in_sqlite, unit_columns};
use headwater_sdk::{Column, ColumnType, Part, Result, Stored, TableSchema};

/// A column's declared type. SQLite derives from its letters how a value is converted: text that looks like a number
/// must stay text, so JSON, addresses and decimals are `TEXT`.
pub fn declared(kind: &ColumnType) -> &'static str {
    if kind.extension.is_some() {
        return "TEXT";
    }
    match &kind.data_type {
        DataType::Boolean => "BOOLEAN",
        data_type if data_type.is_integer() => "INTEGER",
        data_type if data_type.is_floating() => "REAL",
        DataType::Timestamp(..) => "TIMESTAMP",
        data_type if is_bytes(data_type) => "BLOB",
        _ => "TEXT",
    }
}

/// How a type's values are stored, and which of them cannot be had back.
pub fn stored(kind: &ColumnType) -> Stored {
    let name = declared(kind);
    match &kind.data_type {
        DataType::UInt64 => Stored::refusing(name, "numbers beyond 9223372036854775807"),
        data_type if data_type.is_floating() => Stored::losing(name, "NaN becomes NULL, and zero has no sign"),
        data_type if data_type.is_nested() => stored_as_json(name, data_type),
        _ => Stored::whole(name),
    }
}

/// Whether a column is declared as never null. A float may always become null, as NaN does; a key must not, because
/// SQLite would take two nulls for two keys.
pub fn not_null(column: &Column) -> bool {
    column.key || (!column.nullable && !column.kind.data_type.is_floating())
}

/// One line of a table's definition.
pub fn column_definition(column: &Column) -> String {
    let not_null = if not_null(column) { " NOT NULL" } else { "" };
    format!("{} {}{not_null}", quote(&column.name), declared(&column.kind))
}

/// The line of a table's definition that says its key.
pub fn primary_key(table: &str, key: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    format!("CONSTRAINT {} PRIMARY KEY ({})", quote(&format!("{table}_cqpk")), list(key))
}

/// `CREATE TABLE` of a table that does not exist.
pub fn create_table(schema: &TableSchema) -> String {
    let mut lines: Vec<String> = schema.columns.iter().map(column_definition).collect();
    let key = schema.key();
    if !key.is_empty() {
        lines.push(primary_key(&schema.name, key));
    }
    format!("CREATE TABLE main.{} (\n  {}\n)", quote(&schema.name), lines.join(",\n  "))
}

/// `CREATE INDEX` by which the rows of one unit are found when its stale rows are removed; none where the whole table
/// is one unit, or nothing is ever removed.
pub fn create_unit_index(schema: &TableSchema) -> Option<String> {
    let columns = list(unit_columns(schema)?);
    let name = quote(&format!("{}_headwater_unit", schema.name));
    Some(format!("CREATE INDEX IF NOT EXISTS main.{name} ON {} ({columns})", quote(&schema.name)))
}

/// The statements that write a table.
#[derive(Debug)]
pub struct Statements {
    /// Adds one row, or replaces the one with its key; the parameters are its columns.
    pub insert: String,
    /// For keys that were seen in a part; none without a key.
    pub seen: Option<Seen>,
}

/// A temporary table of keys.
#[derive(Debug)]
pub struct Seen {
    /// Creates it where it does not exist, and empties it.
    pub create: String,
    /// Adds a key; the parameters are the key's columns in the table's order.
    pub insert: String,
    /// The condition that a row of the table is none of them.
    pub unseen: String,
}

impl Statements {
    /// The statements of a table, with the temporary table's number.
    pub fn new(schema: &TableSchema, number: usize) -> Self {
        let columns = list(schema.columns.iter().map(|column| &column.name));
        let values = vec!["?"; schema.columns.len()].join(", ");
        let mut insert = format!("INSERT INTO main.{} ({columns}) VALUES ({values})", quote(&schema.name));
        let key = schema.key();
        let seen = (!key.is_empty()).then(|| {
            insert.push(' ');
            insert.push_str(&on_conflict(schema));
            let table = format!("temp.headwater_seen_{number}");
            let names: Vec<String> = (0..key.len()).map(|index| format!("k{index}")).collect();
            let names = names.join(", ");
            Seen {
                create: format!("CREATE TABLE IF NOT EXISTS {table} ({names}); DELETE FROM {table}"),
                insert: format!("INSERT INTO {table} VALUES ({})", vec!["?"; key.len()].join(", ")),
                unseen: format!("({}) NOT IN (SELECT {names} FROM {table})", list(&key)),
            }
        });
        Self { insert, seen }
    }
}

/// How the rows of a part's unit are told: parameters of the SQL are the source, the values of the predicate in its order,
/// and the time of a sync as it is stored.
pub struct OfUnit {
    table: String,
    condition: String,
}

impl OfUnit {
    /// For a part; an error where its rows cannot be told.
    pub fn new(part: &Part) -> Result<Self> {
        part.check_unit()?;
        let mut condition = format!("{} = ?", quote(SOURCE_NAME));
        for (column, _) in &part.predicate {
            condition.push_str(&format!(" AND {} = ?", quote(column)));
        }
        for range in &part.ranges {
            condition.push_str(&format!(" AND {}", range_in_sqlite(range, &part.table)?));
        }
        Ok(Self { table: format!("main.{}", quote(&part.table.name)), condition })
    }

    /// What stands behind `FROM` for the rows of the unit whose sync's time compares to another.
    fn compared(&self, compared: &str) -> String {
        format!("{} WHERE {} AND {} {compared} ?", self.table, self.condition, quote(SYNC_TIME))
    }

    /// `SELECT` of how many rows the unit has of one sync.
    pub fn count(&self) -> String {
        format!("SELECT count(*) FROM {}", self.compared("="))
    }

    /// `DELETE` of all rows of the unit; the time is no parameter.
    pub fn delete_all(&self) -> String {
        format!("DELETE FROM {} WHERE {}", self.table, self.condition)
    }

    /// `DELETE` of the rows of the unit by how their sync compares to another.
    pub fn delete(&self, compared: &str) -> String {
        format!("DELETE FROM {}", self.compared(compared))
    }
}

/// The units, as a source and the values of the columns, that have rows of a sync, whose time is the parameter.
pub fn units_of_sync(table: &str, columns: &[&str]) -> String {
    let names = list([SOURCE_NAME].iter().chain(columns));
    format!("SELECT DISTINCT {names} FROM main.{} WHERE {} = ?", quote(table), quote(SYNC_TIME))
}
