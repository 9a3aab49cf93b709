//! The SQL of one table, in ClickHouse's own quotes.

use std::collections::HashMap;

pub use headwater_clickhouse_client::sql::{list, literal, quote};
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::sql::unit_columns;
use headwater_sdk::{Bound, Column, Error, Part, Range, Result, TableSchema};

use crate::spec::Tables;
use crate::types::Kind;

/// Longer names of tables do not fit into a file's, which ClickHouse makes of them.
const LONGEST: usize = 200;

/// Whether ClickHouse can take the names of a table as they are.
pub fn check_names(schema: &TableSchema) -> Result<()> {
    let length = |name: &str| -> usize {
        // ClickHouse writes what is no letter or digit as three in the name of a file.
        name.bytes().map(|byte| if byte.is_ascii_alphanumeric() || byte == b'_' { 1 } else { 3 }).sum()
    };
    if length(&schema.name) > LONGEST {
        return Err(Error::destination(format!("table {}: the name is too long for ClickHouse", schema.name)));
    }
    for name in std::iter::once(&schema.name).chain(schema.columns.iter().map(|column| &column.name)) {
        if name.contains('\0') || name.is_empty() {
            return Err(Error::destination(format!("table {}: `{name}` cannot be a name", schema.name)));
        }
    }
    check_lists(schema)
}

/// Lists whose names are one up to their first point are one table within the table to ClickHouse, with one length.
fn check_lists(schema: &TableSchema) -> Result<()> {
    let lists = schema.columns.iter().filter(|column| matches!(Kind::of(&column.kind), Kind::Array(_)));
    let mut found: HashMap<&str, &str> = HashMap::new();
    for name in lists.map(|column| column.name.as_str()) {
        let Some((outer, _)) = name.split_once('.') else { continue };
        if let Some(other) = found.insert(outer, name) {
            return Err(Error::destination(format!(
                "table {}: ClickHouse would want the lists `{other}` and `{name}` to be of one length, because their names \
                 begin with `{outer}.`; rename one of them with `columns` of the source",
                schema.name
            )));
        }
    }
    Ok(())
}

/// Whether a column is declared as never null.
pub fn not_null(column: &Column) -> bool {
    column.key || !column.nullable
}

/// A column with its type.
pub fn declared(column: &Column) -> String {
    format!("{} {}", quote(&column.name), Kind::of(&column.kind).declared(not_null(column)))
}

/// `CREATE TABLE` of a table that does not exist.
pub fn create_table(schema: &TableSchema, tables: &Tables) -> Result<String> {
    let mut lines: Vec<String> = schema.columns.iter().map(declared).collect();
    let key = schema.key();
    if let Some(columns) = unit_columns(schema) {
        // By it the rows of a unit are found without reading those of all others.
        lines.push(format!("INDEX headwater_unit ({}) TYPE minmax GRANULARITY 1", list(columns)));
    }
    let engine = match key.is_empty() {
        true => "MergeTree".to_owned(),
        false => format!("ReplacingMergeTree({})", quote(SYNC_TIME)),
    };
    let partition = tables.partition_by(&schema.name)?.map(|by| format!(" PARTITION BY {by}")).unwrap_or_default();
    let order = match tables.order_by(schema)? {
        Some(order) if key.is_empty() => order.to_vec(),
        Some(order) => order.iter().map(|name| quote(name.trim().trim_matches(['`', '"']))).collect(),
        None => key.into_iter().map(quote).collect(),
    };
    let order = match &order[..] {
        [] => "tuple()".to_owned(),
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    };
    let name = quote(&schema.name);
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS {name} ({}) ENGINE = {engine}{partition} ORDER BY {order}",
        lines.join(", ")
    ))
}

/// The condition how the time of a row's sync compares to a part's.
pub fn of_time(part: &Part, compared: &str) -> String {
    format!("{} {compared} fromUnixTimestamp64Micro(toInt64({}))", quote(SYNC_TIME), part.sync_time.0)
}

/// The condition that a row is of a part's unit, and how its sync's time compares to the part's.
pub fn of_unit(part: &Part, compared: &str) -> Result<String> {
    let mut sql = format!("{} = {} AND {}", quote(SOURCE_NAME), literal(&part.source), of_time(part, compared));
    for (column, value) in &part.predicate {
        sql.push_str(&format!(" AND {} = {}", quote(column), literal(value)));
    }
    for range in &part.ranges {
        sql.push_str(&format!(" AND {}", of_range(range, &part.table)?));
    }
    Ok(sql)
}

/// The first day that every version has as `Date32`, and the first one that it may not have.
const DAYS: std::ops::Range<i32> = -25_567..120_530;

/// The condition that a row is in a range.
fn of_range(range: &Range, table: &TableSchema) -> Result<String> {
    let column = range.column_of(table)?;
    let (name, kind) = (quote(&column.name), Kind::of(&column.kind));
    if kind == Kind::String && range.from.or(range.until).is_some() {
        return Err(Error::fatal(format!(
            "table {}: units are told by ranges of `{}`, which is text in ClickHouse, because it has no such decimals",
            table.name, column.name
        )));
    }
    // A date that ClickHouse does not have would become another one without a word.
    let far = |bound: &Bound| matches!(bound, Bound::Date(days) if !DAYS.contains(days));
    if range.from.iter().chain(&range.until).any(far) {
        return Ok(range.sql(&format!("toInt32({name})"), |bound| match bound {
            Bound::Date(days) => days.to_string(),
            other => other.to_string(),
        }));
    }
    Ok(range.sql(&name, |bound| match bound {
        Bound::Number(number) if matches!(kind, Kind::Decimal(..)) => format!("toDecimal256('{number}', 0)"),
        Bound::Number(number) => format!("toInt64('{number}')"),
        Bound::Date(_) => format!("toDate32('{bound}')"),
        Bound::Time(micros) => format!("fromUnixTimestamp64Micro(toInt64('{micros}'))"),
    }))
}
