//! SQL that the databases among the destinations have in common.

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::schema::{Column, SOURCE_NAME, TableSchema};

/// A name as SQL: in double quotes, with those in it doubled.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names as SQL, with commas between them.
pub fn list(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    names.into_iter().map(|name| quote(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// The end of an `INSERT` into a table with a key: a row with the same key is replaced.
pub fn on_conflict(schema: &TableSchema) -> String {
    let set = schema.columns.iter().filter(|column| !column.key).map(|column| quote(&column.name));
    let set: Vec<String> = set.map(|name| format!("{name} = excluded.{name}")).collect();
    let key = list(schema.key());
    match set.is_empty() {
        true => format!("ON CONFLICT ({key}) DO NOTHING"),
        false => format!("ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", ")),
    }
}

/// The columns of a table by whose values single rows are named.
///
/// # Errors
/// If there are none, or one is not of the table or of another type.
pub fn named_columns<'a>(table: &'a TableSchema, rows: &RecordBatch) -> Result<Vec<&'a Column>> {
    let schema = rows.schema();
    let columns = schema.fields().iter().map(|field| {
        let column = table.column(field.name()).filter(|column| column.kind.data_type == *field.data_type());
        column.ok_or_else(|| {
            let (table, name, kind) = (&table.name, field.name(), field.data_type());
            Error::fatal(format!("rows of {table} are named by `{name}` of type {kind}, which is no column of it"))
        })
    });
    let columns: Vec<&Column> = columns.collect::<Result<_>>()?;
    match columns.is_empty() {
        true => Err(Error::fatal(format!("rows of {} are named by no column", table.name))),
        false => Ok(columns),
    }
}

/// The columns of an index by which the rows of one unit are found when its stale rows are removed; none where the whole
/// table is one unit, or nothing is ever removed.
pub fn unit_columns(schema: &TableSchema) -> Option<String> {
    let scope: Vec<&str> = schema.scopes.columns.iter().map(|column| column.name).collect();
    if schema.key().is_empty() || scope.is_empty() || scope.iter().any(|name| schema.column(name).is_none()) {
        return None;
    }
    Some(list(scope.into_iter().chain([SOURCE_NAME])))
}

/// That a table's key is not that of the source.
pub fn other_key(table: &str, found: &[&str], wanted: &[&str]) -> String {
    let shown = |key: &[&str]| if key.is_empty() { "none".to_owned() } else { format!("({})", key.join(", ")) };
    format!("table {table}, key: {} in the database, {} in the source", shown(found), shown(wanted))
}
