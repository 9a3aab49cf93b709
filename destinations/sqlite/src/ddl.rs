//! The SQL of one table: its columns' types, its creation, and the statements that write it.

use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::plain::is_bytes;
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::sql::{list, on_conflict, quote, unit_columns};
use headwater_sdk::{Column, ColumnType, Stored, TableSchema};

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
        DataType::List(item) if item.data_type().is_floating() => {
            Stored::losing(name, "NaN and infinities become null")
        }
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
    let columns = unit_columns(schema)?;
    let name = quote(&format!("{}_headwater_unit", schema.name));
    Some(format!("CREATE INDEX IF NOT EXISTS main.{name} ON {} ({columns})", quote(&schema.name)))
}

/// The statements that write a table. Rows of an open part stand in a temporary table, told by the range of their
/// numbers, which is always parameters 1 and 2.
#[derive(Debug)]
pub struct Statements {
    /// Creates the temporary table.
    pub create_stage: String,
    /// Adds one row to it: its number, then the columns.
    pub stage: String,
    /// Counts the different keys of a part; none without a key.
    pub distinct: Option<String>,
    /// Moves a part's rows into the table.
    pub publish: String,
    /// The condition that a row of the table is not one of a part's, with its range as two more parameters; none
    /// without a key.
    pub unseen: Option<String>,
    /// Removes a part's rows from the temporary table.
    pub clear: String,
    /// One row of the temporary table by its number.
    pub row: String,
}

impl Statements {
    /// The statements of a table, with the temporary table's number.
    pub fn new(schema: &TableSchema, number: usize) -> Self {
        let stage = format!("temp.headwater_stage_{number}");
        let staged: Vec<String> = (0..schema.columns.len()).map(|index| format!("c{index}")).collect();
        let staged_key: Vec<&str> = schema
            .columns
            .iter()
            .zip(&staged)
            .filter(|(column, _)| column.key)
            .map(|(_, name)| name.as_str())
            .collect();
        let part = "WHERE id BETWEEN ?1 AND ?2";
        let columns = list(schema.columns.iter().map(|column| &column.name));
        let mut publish = format!(
            "INSERT INTO main.{} ({columns}) SELECT {} FROM {stage} {part} ORDER BY id",
            quote(&schema.name),
            staged.join(", ")
        );
        let key = schema.key();
        if !key.is_empty() {
            publish.push(' ');
            publish.push_str(&on_conflict(schema));
        }
        Self {
            create_stage: format!("CREATE TABLE IF NOT EXISTS {stage} (id INTEGER PRIMARY KEY, {})", staged.join(", ")),
            stage: format!("INSERT INTO {stage} VALUES (?{})", ", ?".repeat(staged.len())),
            distinct: (!staged_key.is_empty()).then(|| {
                format!("SELECT count(*) FROM (SELECT DISTINCT {} FROM {stage} {part})", staged_key.join(", "))
            }),
            publish,
            unseen: (!staged_key.is_empty()).then(|| {
                let staged = staged_key.join(", ");
                format!("({}) NOT IN (SELECT {staged} FROM {stage} WHERE id BETWEEN ? AND ?)", list(&key))
            }),
            clear: format!("DELETE FROM {stage} {part}"),
            row: format!("SELECT {} FROM {stage} WHERE id = ?", staged.join(", ")),
        }
    }
}

/// `DELETE` of the rows of one unit by how their sync compares to another: parameters are the source, the values of
/// `predicate` in its order, and the other sync's time as it is stored.
pub fn delete_unit(table: &str, predicate: &[(String, String)], compared: &str) -> String {
    let mut sql = format!("DELETE FROM main.{} WHERE {} = ?", quote(table), quote(SOURCE_NAME));
    for (column, _) in predicate {
        sql.push_str(&format!(" AND {} = ?", quote(column)));
    }
    sql.push_str(&format!(" AND {} {compared} ?", quote(SYNC_TIME)));
    sql
}

/// The units, as a source and the values of the columns, that have rows of a sync, whose time is the parameter.
pub fn units_of_sync(table: &str, columns: &[&str]) -> String {
    let names = list([SOURCE_NAME].iter().chain(columns));
    format!("SELECT DISTINCT {names} FROM main.{} WHERE {} = ?", quote(table), quote(SYNC_TIME))
}
