//! DuckDB's types and catalogue (<https://duckdb.org/docs/stable/sql/data_types/overview>).

use std::sync::Arc;

use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, TimeUnit};
use headwater_sdk::plain::{TimeStyle, fields_within, is_bytes, list_item, time_text};
use headwater_sdk::sql::quote;
use headwater_sdk::{Bound, Column, ColumnType, Error, Extension, Range, Result, Stored};

use super::{Kind, literal};

/// With what a comment begins that tells a table's key.
const KEY: &str = "headwater key: ";

pub const COLUMNS: &str = "\
    SELECT t.table_name, 'table', c.column_name, c.data_type, NOT c.is_nullable, c.column_default IS NOT NULL, \
        coalesce(list_contains(k.constraint_column_names, c.column_name), false), t.comment \
    FROM duckdb_tables() t \
    JOIN duckdb_columns() c ON c.database_oid = t.database_oid AND c.table_oid = t.table_oid \
    LEFT JOIN duckdb_constraints() k ON k.database_oid = t.database_oid AND k.table_oid = t.table_oid \
        AND k.constraint_type = 'PRIMARY KEY' \
    WHERE t.database_name = current_database() AND t.schema_name = current_schema() \
    UNION ALL SELECT view_name, 'view', NULL, NULL, NULL, NULL, NULL, NULL FROM duckdb_views() \
    WHERE database_name = current_database() AND schema_name = current_schema()";

/// The comment of a table with this key, as SQL.
pub fn comment(key: &[&str]) -> String {
    literal(&format!("{KEY}{}", serde_json::Value::from(key.to_vec())))
}

pub fn key_of_comment(comment: &str) -> Option<Vec<String>> {
    serde_json::from_str(comment.strip_prefix(KEY)?).ok()
}

pub fn kind(column: &ColumnType) -> Kind {
    let field = Column::new("", column.clone(), "").field();
    let (sql, wire) = typed(&field);
    Kind { stage: sql.clone(), sql, wire }
}

fn named(field: &Field, kind: DataType, extension: Option<&str>) -> Field {
    let plain = Field::new(field.name(), kind, field.is_nullable());
    match extension {
        Some(name) => plain.with_metadata([("ARROW:extension:name".to_owned(), name.to_owned())]),
        None => plain,
    }
}

/// The type of a field, and what the driver is given. Arrow's canonical extension types become DuckDB's own.
fn typed(field: &Field) -> (String, Field) {
    let whole = |sql: &str, kind: DataType| (sql.to_owned(), named(field, kind, None));
    match Extension::of(field) {
        Some(Extension::Uuid) => {
            return ("UUID".to_owned(), named(field, DataType::FixedSizeBinary(16), Some("arrow.uuid")));
        }
        Some(Extension::Json) => return ("JSON".to_owned(), named(field, DataType::Utf8, Some("arrow.json"))),
        Some(Extension::Inet | Extension::Mac) => return whole("VARCHAR", DataType::Utf8),
        None => {}
    }
    let kind = field.data_type();
    let same = |sql: &str| whole(sql, kind.clone());
    match kind {
        DataType::Boolean => same("BOOLEAN"),
        DataType::Int8 => same("TINYINT"),
        DataType::Int16 => same("SMALLINT"),
        DataType::Int32 => same("INTEGER"),
        DataType::Int64 => same("BIGINT"),
        DataType::UInt8 => same("UTINYINT"),
        DataType::UInt16 => same("USMALLINT"),
        DataType::UInt32 => same("UINTEGER"),
        DataType::UInt64 => same("UBIGINT"),
        DataType::Float16 | DataType::Float32 => whole("FLOAT", DataType::Float32),
        DataType::Float64 => same("DOUBLE"),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale)
            if *precision <= 38 && (0..=*precision as i8).contains(scale) =>
        {
            whole(&format!("DECIMAL({precision},{scale})"), DataType::Decimal128(*precision, *scale))
        }
        DataType::Date32 | DataType::Date64 => whole("DATE", DataType::Date32),
        DataType::Time64(TimeUnit::Nanosecond) => same("TIME_NS"),
        DataType::Time32(_) | DataType::Time64(_) => whole("TIME", DataType::Time64(TimeUnit::Microsecond)),
        DataType::Timestamp(_, Some(_)) => {
            let wire = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            whole("TIMESTAMP WITH TIME ZONE", wire)
        }
        DataType::Timestamp(TimeUnit::Second, None) => same("TIMESTAMP_S"),
        DataType::Timestamp(TimeUnit::Millisecond, None) => same("TIMESTAMP_MS"),
        DataType::Timestamp(TimeUnit::Microsecond, None) => same("TIMESTAMP"),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => same("TIMESTAMP_NS"),
        DataType::Duration(_) => whole("INTERVAL", DataType::Duration(TimeUnit::Microsecond)),
        DataType::Interval(_) => whole("INTERVAL", DataType::Interval(IntervalUnit::MonthDayNano)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => same("VARCHAR"),
        bytes if is_bytes(bytes) => same("BLOB"),
        list if let Some(item) = list_item(list) => {
            let (sql, item) = typed(item);
            let item = Arc::new(item);
            let large = matches!(list, DataType::LargeList(_) | DataType::LargeListView(_));
            whole(&format!("{sql}[]"), if large { DataType::LargeList(item) } else { DataType::List(item) })
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let (sql, fields): (Vec<String>, Vec<Field>) = fields.iter().map(|field| typed_member(field)).unzip();
            whole(&format!("STRUCT({})", sql.join(", ")), DataType::Struct(Fields::from(fields)))
        }
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let ((key, key_field), (value, value_field)) = (typed(&pair[0]), typed(&pair[1]));
                let pair = DataType::Struct(Fields::from(vec![key_field, value_field]));
                let entries: FieldRef = Arc::new(Field::new(entries.name(), pair, entries.is_nullable()));
                whole(&format!("MAP({key}, {value})"), DataType::Map(entries, *sorted))
            }
            _ => whole("VARCHAR", DataType::Utf8),
        },
        _ => whole("VARCHAR", DataType::Utf8),
    }
}

fn typed_member(field: &Field) -> (String, Field) {
    let (sql, wire) = typed(field);
    (format!("{} {sql}", quote(field.name())), wire)
}

/// A range of the values of a column, which is of a type that its ends are of.
pub fn range(range: &Range, column: &Column) -> Result<String> {
    let (kind, name) = (kind(&column.kind).sql, &column.name);
    if kind == "VARCHAR" && range.from.or(range.until).is_some() {
        return Err(Error::fatal(format!(
            "units are told by ranges of `{name}`, which is text in DuckDB, because it has no numbers of this many digits"
        )));
    }
    Ok(range.sql(&quote(name), |bound| match bound {
        Bound::Number(number) => format!("({number})"),
        Bound::Date(_) => format!("DATE '{bound}'"),
        Bound::Time(micros) => {
            let text = time_text(micros, TimeUnit::Microsecond, TimeStyle::Sql);
            match &column.kind.data_type {
                DataType::Timestamp(_, Some(_)) => format!("TIMESTAMP WITH TIME ZONE '{text}+00'"),
                _ => format!("TIMESTAMP '{text}'"),
            }
        }
    }))
}

/// Whether there are times in a type that DuckDB has no nanoseconds of.
fn is_cut(kind: &DataType) -> bool {
    match kind {
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_))
        | DataType::Duration(TimeUnit::Nanosecond)
        | DataType::Interval(IntervalUnit::MonthDayNano) => true,
        _ => fields_within(kind).iter().any(|field| Extension::of(field).is_none() && is_cut(field.data_type())),
    }
}

pub fn stored(column: &ColumnType) -> Stored {
    match column.extension.is_none() && is_cut(&column.data_type) {
        true => Stored::losing("", "what is below a microsecond is cut"),
        false => Stored::whole(""),
    }
}

/// Names within a STRUCT are in quotes or not.
pub fn same_type(found: &str, wanted: &str) -> bool {
    let bare = |text: &str| text.replace('"', "");
    found == wanted || bare(found) == bare(wanted)
}

/// Digits before and behind the point that hold every value of a type.
fn digits(kind: &str) -> Option<(u32, u32)> {
    Some(match kind {
        "TINYINT" | "UTINYINT" => (3, 0),
        "SMALLINT" | "USMALLINT" => (5, 0),
        "INTEGER" | "UINTEGER" => (10, 0),
        "BIGINT" => (19, 0),
        "UBIGINT" => (20, 0),
        _ => {
            let (precision, scale) = kind.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?;
            let (precision, scale): (u32, u32) = (precision.parse().ok()?, scale.parse().ok()?);
            (precision.checked_sub(scale)?, scale)
        }
    })
}

pub fn widens(found: &str, wanted: &str) -> bool {
    const SIGNED: [&str; 5] = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"];
    const UNSIGNED: [&str; 5] = ["UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"];
    let place = |of: [&str; 5], kind: &str| of.iter().position(|name| *name == kind);
    if let Some(wanted) = place(SIGNED, wanted) {
        return place(SIGNED, found).or(place(UNSIGNED, found)).is_some_and(|found| found < wanted);
    }
    if let Some(wanted) = place(UNSIGNED, wanted) {
        return place(UNSIGNED, found).is_some_and(|found| found < wanted);
    }
    if wanted.starts_with("DECIMAL(") {
        return match (digits(found), digits(wanted)) {
            (Some(found), Some(wanted)) => found.0 <= wanted.0 && found.1 <= wanted.1,
            _ => false,
        };
    }
    (found, wanted) == ("FLOAT", "DOUBLE")
}
