//! PostgreSQL's types and catalogue, as far as its ADBC driver takes them. What the driver cannot send in binary form
//! waits as text. (Destination `postgresql` has more of PostgreSQL's types, such as arrays.)

use headwater_sdk::arrow::array::{ArrayRef, AsArray};
use headwater_sdk::arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use headwater_sdk::plain::{has_text, is_bytes, stored_as_json};
use headwater_sdk::{ColumnType, Error, Extension, Result, Stored};

use super::Kind;

pub const COLUMNS: &str = "\
    SELECT t.relname::text, CASE t.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' \
        WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'index' END, \
        c.attname::text, format_type(c.atttypid, c.atttypmod), c.attnotnull, c.atthasdef OR c.attidentity <> '', \
        coalesce(c.attnum = ANY (i.indkey), false), NULL::text \
    FROM pg_class t LEFT JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped \
    LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary \
    WHERE t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) \
        AND t.relkind <> 'c' ORDER BY t.oid, c.attnum";

pub fn kind(column: &ColumnType) -> Kind {
    match column.extension {
        Some(Extension::Uuid) => return Kind::by_text("uuid"),
        Some(Extension::Json) => return Kind::by_text("jsonb"),
        Some(Extension::Inet) => return Kind::by_text("inet"),
        Some(Extension::Mac) => return Kind::by_text("macaddr"),
        None => {}
    }
    let micros = |zone: bool| DataType::Timestamp(TimeUnit::Microsecond, zone.then(|| "UTC".into()));
    match &column.data_type {
        DataType::Boolean => Kind::of("boolean", DataType::Boolean),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Kind::of("smallint", DataType::Int16),
        DataType::Int32 | DataType::UInt16 => Kind::of("integer", DataType::Int32),
        DataType::Int64 | DataType::UInt32 => Kind::of("bigint", DataType::Int64),
        DataType::UInt64 => Kind::by_text("numeric(20,0)"),
        DataType::Float16 | DataType::Float32 => Kind::of("real", DataType::Float32),
        DataType::Float64 => Kind::of("double precision", DataType::Float64),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => Kind::by_text(format!("numeric({precision},{scale})")),
        DataType::Date32 | DataType::Date64 => Kind::of("date", DataType::Date32),
        DataType::Time32(_) | DataType::Time64(_) => {
            Kind::of("time without time zone", DataType::Time64(TimeUnit::Microsecond))
        }
        DataType::Timestamp(_, None) => Kind::of("timestamp without time zone", micros(false)),
        DataType::Timestamp(_, Some(_)) => Kind::of("timestamp with time zone", micros(true)),
        DataType::Duration(_) => Kind::of("interval", DataType::Duration(TimeUnit::Microsecond)),
        DataType::Interval(_) => Kind::of("interval", DataType::Interval(IntervalUnit::MonthDayNano)),
        bytes if is_bytes(bytes) => Kind::of("bytea", DataType::Binary),
        nested if nested.is_nested() => Kind::by_text("jsonb"),
        _ => Kind::of("text", DataType::Utf8),
    }
}

pub fn stored(column: &ColumnType) -> Stored {
    if column.extension.is_some() {
        return match column.extension {
            Some(Extension::Mac) => Stored::refusing("", "addresses of 8 bytes"),
            Some(Extension::Json) => Stored::refusing("", "text with U+0000 in it"),
            _ => Stored::whole(""),
        };
    }
    match &column.data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Stored::refusing("", "text with U+0000"),
        DataType::Timestamp(TimeUnit::Nanosecond, _)
        | DataType::Time64(TimeUnit::Nanosecond)
        | DataType::Duration(TimeUnit::Nanosecond)
        | DataType::Interval(IntervalUnit::MonthDayNano) => Stored::losing("", "what is below a microsecond is cut"),
        nested if nested.is_nested() => {
            let refused = has_text(nested).then(|| "text with U+0000 in it".into());
            Stored { refused, ..stored_as_json("", nested) }
        }
        _ => Stored::whole(""),
    }
}

/// An error where the server would refuse a value: it has neither text nor JSON with U+0000, and hardware addresses of 6
/// bytes.
pub fn check(column: &ColumnType, array: &ArrayRef) -> Result<()> {
    let Some(texts) = array.as_string_opt::<i32>() else { return Ok(()) };
    let of_json = match column.extension {
        Some(Extension::Mac) => {
            let long = texts.iter().flatten().find(|text| text.len() > 17);
            return long
                .map_or(Ok(()), |text| Err(Error::rejected(format!("{text} is longer than PostgreSQL's macaddr"))));
        }
        Some(Extension::Json) => true,
        Some(_) => false,
        None => column.data_type.is_nested(),
    };
    // Mostly there is none in all of the column's bytes.
    if texts.values().contains(&0) && texts.iter().flatten().any(|text| text.contains('\0')) {
        return Err(Error::rejected("it has text with U+0000, which PostgreSQL does not take"));
    }
    if of_json && texts.iter().flatten().any(has_escaped_zero) {
        return Err(Error::rejected("it has JSON with \\u0000, which PostgreSQL does not take"));
    }
    Ok(())
}

/// Whether a JSON text has the escape of U+0000: one that is not itself behind a backslash.
fn has_escaped_zero(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        before % 2 == 0
    })
}

fn numeric(text: &str) -> Option<(i64, i64)> {
    let (precision, scale) = text.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',')?;
    Some((precision.parse().ok()?, scale.parse().ok()?))
}

pub fn widens(found: &str, wanted: &str) -> bool {
    match wanted {
        "integer" => found == "smallint",
        "bigint" => matches!(found, "smallint" | "integer"),
        "double precision" => found == "real",
        _ => match (numeric(wanted), numeric(found), found) {
            (Some((precision, scale)), Some((old, old_scale)), _) => {
                scale >= old_scale && precision - scale >= old - old_scale
            }
            (Some((precision, scale)), None, "smallint" | "integer" | "bigint") => {
                scale >= 0 && precision - scale >= 19
            }
            _ => false,
        },
    }
}
