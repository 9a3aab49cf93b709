//! SQL that the databases among the destinations have in common.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, TimeUnit};

use crate::error::{Error, Result};
use crate::plain::{TimeStyle, time_text};
use crate::range::{Bound, Range};
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
/// table is one unit, where the index of the key finds them, or where nothing is ever removed.
pub fn unit_columns(schema: &TableSchema) -> Option<Vec<&str>> {
    let (key, scope) = (schema.key(), schema.scopes.columns.iter().map(|column| column.name));
    let mut columns: Vec<&str> = if key.is_empty() { Vec::new() } else { scope.collect() };
    columns.extend(schema.divided_by.iter().map(String::as_str));
    let mut seen = HashSet::new();
    columns.retain(|name| seen.insert(*name));
    let found_by_key = columns.len() == 1 && key.first() == columns.first();
    if columns.is_empty() || found_by_key || columns.iter().any(|name| schema.column(name).is_none()) {
        return None;
    }
    columns.push(SOURCE_NAME);
    Some(columns)
}

/// A range as PostgreSQL has it, of a column that is called `name` there. What is no value of its type is refused by the
/// server.
pub fn range_in_postgresql(range: &Range, column: Option<&Column>, name: &str) -> String {
    let zone = column.is_some_and(|column| matches!(column.kind.data_type, DataType::Timestamp(_, Some(_))));
    // Numbers instead of texts, because the texts of years beyond 9999 and before 1 are PostgreSQL's own.
    range.sql(name, |bound| match bound {
        Bound::Number(number) => format!("'{number}'::bigint"),
        Bound::Date(days) => format!("('epoch'::date + ({days}))"),
        Bound::Time(micros) => {
            let kind = if zone { "timestamptz" } else { "timestamp" };
            format!("('1970-01-01 00:00:00+00'::{kind} + '{micros} microseconds'::interval)")
        }
    })
}

/// A range as SQLite has it, where dates, times and decimals are text.
///
/// # Errors
/// If its column is not of the table or of another type, or it ends in a year whose text does not sort like the time.
pub fn range_in_sqlite(range: &Range, table: &TableSchema) -> Result<String> {
    let column = range.column_of(table)?;
    let name = quote(&column.name);
    let DataType::Timestamp(unit, _) = &column.kind.data_type else {
        if column.kind.data_type.is_decimal() {
            // The largest whole number that is no larger: only that is exact, and whether it is below a bound is all that
            // matters. A text is cut towards zero.
            let floor = format!("(CAST({name} AS INTEGER) - ({name} GLOB '-*.*[1-9]*'))");
            return Ok(range.sql(&floor, |bound| bound.to_string()));
        }
        return match column.kind.data_type.is_integer() {
            true => Ok(range.sql(&name, |bound| bound.to_string())),
            false => of_texts(range, table, &name, |bound| bound.to_string()),
        };
    };
    of_texts(range, table, &name, |bound| match (bound, unit) {
        (Bound::Time(micros), TimeUnit::Nanosecond) => time_text(micros, TimeUnit::Microsecond, TimeStyle::Sql) + "000",
        (Bound::Time(micros), unit) => {
            // No value of the column is between such a time and the next one of its unit.
            let of_unit = match unit {
                TimeUnit::Second => 1_000_000,
                TimeUnit::Millisecond => 1_000,
                TimeUnit::Microsecond | TimeUnit::Nanosecond => 1,
            };
            let next = micros.div_euclid(of_unit) + i64::from(micros.rem_euclid(of_unit) > 0);
            time_text(next, *unit, TimeStyle::Sql)
        }
        (other, _) => other.to_string(),
    })
}

/// A range of texts that sort like what they stand for, but for years beyond 9999, which begin with a plus, and are sorted
/// before all others.
fn of_texts(range: &Range, table: &TableSchema, name: &str, text: impl Fn(Bound) -> String) -> Result<String> {
    let odd = |bound: &&Bound| !text(**bound).starts_with(|first: char| first.is_ascii_digit());
    if let Some(bound) = range.from.iter().chain(&range.until).find(odd) {
        return Err(Error::fatal(format!(
            "table {}, column {}: a range ends at {bound}, and SQLite's texts do not sort like times beyond the years 0 to \
             9999",
            table.name, range.column
        )));
    }
    let sql = range.sql(name, |bound| format!("'{}'", text(bound)));
    Ok(match (range.from, range.until) {
        (Some(_), None) => format!("({sql} OR {name} GLOB '+*')"),
        (None, Some(_)) => format!("({sql} AND ({name} IS NULL OR {name} NOT GLOB '+*'))"),
        _ => sql,
    })
}

/// That a table's key is not that of the source.
pub fn other_key(table: &str, found: &[&str], wanted: &[&str]) -> String {
    let shown = |key: &[&str]| if key.is_empty() { "none".to_owned() } else { format!("({})", key.join(", ")) };
    format!("table {table}, key: {} in the database, {} in the source", shown(found), shown(wanted))
}
