//! The names of types as configurations write them.

use std::sync::Arc;

use crate::schema::{ColumnType, Extension};
use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

/// Names that configurations may begin with, for a message.
const NAMES: &str = "bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, decimal(p, s), utf8, \
                     binary, date32, time32[s|ms], time64[us|ns], timestamp[s|ms|us|ns], timestamp[us, UTC], interval, uuid, \
                     json, inet, mac and list<…>";

fn unit(text: &str) -> Option<TimeUnit> {
    Some(match text.trim() {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" | "µs" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        _ => return None,
    })
}

/// What stands in brackets behind a name: `(18, 2)`, `[us, UTC]`, `<utf8>`.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.find(['(', '[', '<']).zip(text.char_indices().next_back()) {
        Some((at, (last, ')' | ']' | '>'))) => (text[..at].trim(), Some(text[at + 1..last].trim())),
        _ => (text, None),
    }
}

/// Reads a type's name: those of the documentation, and a few that people write for them.
pub fn parse(text: &str) -> Result<ColumnType, String> {
    let text = text.trim();
    read(text).ok_or_else(|| format!("{text:?} is no type; there are {NAMES}"))
}

fn read(text: &str) -> Option<ColumnType> {
    let (name, inner) = split(text);
    let plain = |kind| Some(ColumnType::plain(kind));
    match (name.to_ascii_lowercase().as_str(), inner) {
        ("bool" | "boolean", None) => plain(DataType::Boolean),
        ("int8", None) => plain(DataType::Int8),
        ("int16", None) => plain(DataType::Int16),
        ("int32", None) => plain(DataType::Int32),
        ("int64", None) => plain(DataType::Int64),
        ("uint8", None) => plain(DataType::UInt8),
        ("uint16", None) => plain(DataType::UInt16),
        ("uint32", None) => plain(DataType::UInt32),
        ("uint64", None) => plain(DataType::UInt64),
        ("float32" | "float", None) => plain(DataType::Float32),
        ("float64" | "double", None) => plain(DataType::Float64),
        ("utf8" | "text" | "string", None) => plain(DataType::Utf8),
        ("largeutf8" | "large_utf8", None) => plain(DataType::LargeUtf8),
        ("binary", None) => plain(DataType::Binary),
        ("largebinary" | "large_binary", None) => plain(DataType::LargeBinary),
        ("date32" | "date", None) => plain(DataType::Date32),
        ("interval", _) => plain(DataType::Interval(IntervalUnit::MonthDayNano)),
        ("uuid", None) => Some(ColumnType::of(Extension::Uuid)),
        ("json", None) => Some(ColumnType::of(Extension::Json)),
        ("inet", None) => Some(ColumnType::of(Extension::Inet)),
        ("mac", None) => Some(ColumnType::of(Extension::Mac)),
        ("decimal" | "decimal128" | "decimal256", Some(inner)) => {
            let (precision, scale) = inner.split_once(',').unwrap_or((inner, "0"));
            let (precision, scale): (u8, i8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
            let fits = i16::from(scale) <= i16::from(precision) && scale >= 0 && precision > 0;
            match precision {
                _ if !fits => None,
                ..=38 if !name.ends_with("256") => plain(DataType::Decimal128(precision, scale)),
                ..=76 if !name.ends_with("128") => plain(DataType::Decimal256(precision, scale)),
                _ => None,
            }
        }
        ("time32", Some(inner)) => match unit(inner)? {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => plain(DataType::Time32(unit)),
            _ => None,
        },
        ("time" | "time64", None) => plain(DataType::Time64(TimeUnit::Microsecond)),
        ("time64", Some(inner)) => match unit(inner)? {
            unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond) => plain(DataType::Time64(unit)),
            _ => None,
        },
        ("timestamp", Some(inner)) => {
            let (unit_of, zone) = inner.split_once(',').map_or((inner, None), |(unit, zone)| (unit, Some(zone.trim())));
            let zone = match zone {
                None => None,
                Some("UTC") => Some(Arc::from("UTC")),
                Some(_) => return None,
            };
            plain(DataType::Timestamp(unit(unit_of)?, zone))
        }
        ("list", Some(inner)) => plain(DataType::List(Arc::new(item(&read(inner)?)))),
        _ => None,
    }
}

/// The field of a list's items.
pub fn item(kind: &ColumnType) -> Field {
    let metadata = kind.extension.map(Extension::metadata).unwrap_or_default();
    Field::new("item", kind.data_type.clone(), true).with_metadata(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_documentation() {
        for name in [
            "bool",
            "int8",
            "uint64",
            "float32",
            "utf8",
            "binary",
            "date32",
            "timestamp[us]",
            "timestamp[ns, UTC]",
            "uuid",
            "json",
            "inet",
            "mac",
            "list<utf8>",
            "list<uuid>",
            "list<list<int64>>",
            "time64(µs)",
            "decimal128(38, 9)",
            "decimal256(76, 20)",
            "time32(ms)",
        ] {
            assert_eq!(parse(name).map(|kind| kind.name()), Ok(name.to_owned()));
        }
        assert_eq!(parse("Decimal(18,2)"), parse("decimal128(18, 2)"));
        assert_eq!(parse("decimal(40, 2)"), parse("decimal256(40, 2)"));
        for wrong in [
            "",
            "int",
            "varchar(3)",
            "decimal(77, 0)",
            "decimal(3, 4)",
            "timestamp[us, Europe/Rome]",
            "list<x>",
            "list",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
