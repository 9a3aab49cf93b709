//! The types that PostgreSQL has by itself, by their numbers, which it keeps for ever (`pg_type.dat` of its source).

use headwater_sdk::arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use headwater_sdk::type_name::item;
use headwater_sdk::{ColumnType, Extension};

use super::{PgType, Rules, Unbounded, Width, Wire};

/// `money`, which has no form of its own on the wire that says what it is.
pub const MONEY: u32 = 790;
const INT2VECTOR: u32 = 22;
const OIDVECTOR: u32 = 30;
const NUMERIC: u32 = 1700;

/// The type of an array's items.
pub fn items(of: &PgType) -> Option<&PgType> {
    of.inner.as_deref().filter(|_| of.typtype != 'd' && !matches!(of.oid, INT2VECTOR | OIDVECTOR))
}

/// The type that a domain is of, at last. It is sent as that.
pub fn base(of: &PgType) -> &PgType {
    match &of.inner {
        Some(inner) if of.typtype == 'd' => base(inner),
        _ => of,
    }
}

/// How values of a type stand on the wire, where they can be read so.
pub fn wire(of: &PgType) -> Option<Wire> {
    let of = base(of);
    if let Some(item) = items(of) {
        return Some(Wire::Array(Box::new(wire(item)?)));
    }
    Some(match of.oid {
        16 => Wire::Bool,
        21 => Wire::Int(Width::Two),
        23 => Wire::Int(Width::Four),
        20 => Wire::Int(Width::Eight),
        26 => Wire::Oid,
        700 => Wire::Float4,
        701 => Wire::Float8,
        NUMERIC => Wire::Numeric,
        // `text`, `varchar`, `char(n)`, `name`, `json`.
        25 | 1043 | 1042 | 19 | 114 => Wire::Text,
        3802 => Wire::Jsonb,
        17 => Wire::Bytes,
        1082 => Wire::Date,
        1083 => Wire::Time,
        // Without and with a time zone.
        1114 | 1184 => Wire::Timestamp,
        1186 => Wire::Interval,
        2950 => Wire::Uuid,
        // `inet` and `cidr`.
        869 | 650 => Wire::Inet,
        // `macaddr` and `macaddr8`.
        829 | 774 => Wire::Mac,
        _ if of.typtype == 'e' => Wire::Text,
        _ => return None,
    })
}

/// The digits of a `numeric` and how many of them stand behind the point, where it says so.
fn digits(of: &PgType) -> Option<(i32, i32)> {
    // Source: `numeric_typmod_precision` and `numeric_typmod_scale` of `numeric.c`.
    let typmod = of.typmod.checked_sub(4).filter(|typmod| *typmod >= 0)?;
    Some(((typmod >> 16) & 0xffff, ((typmod & 0x7ff) ^ 1024) - 1024))
}

/// A decimal that holds all numbers of so many digits.
fn decimal(precision: i32, scale: i32) -> Option<DataType> {
    // Parquet has no scale below zero, and Arrow none beyond the precision.
    let (precision, scale) = if scale < 0 { (precision - scale, 0) } else { (precision.max(scale), scale) };
    let (precision, scale) = (u8::try_from(precision).ok()?, i8::try_from(scale).ok()?);
    match precision {
        1..=38 => Some(DataType::Decimal128(precision, scale)),
        39..=76 => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

/// How a type is read where nothing else is said: what it is cast to first, its form on the wire, and its Arrow type.
pub fn natural(of: &PgType, rules: &Rules) -> (Option<&'static str>, Wire, ColumnType) {
    let of = base(of);
    let plain = ColumnType::plain;
    let text = (Some("text"), Wire::Text, plain(DataType::Utf8));
    if let Some(inner) = items(of) {
        let (cast, wire, kind) = natural(inner, rules);
        let list = plain(DataType::List(std::sync::Arc::new(item(&kind))));
        return (cast, Wire::Array(Box::new(wire)), list);
    }
    let Some(wire) = wire(of) else { return text };
    let kind = match &wire {
        Wire::Numeric => match (digits(of).and_then(|(precision, scale)| decimal(precision, scale)), rules.numeric) {
            (Some(kind), _) => plain(kind),
            (None, Unbounded::Text) => return text,
            (None, Unbounded::Double) => return (Some("float8"), Wire::Float8, plain(DataType::Float64)),
            (None, Unbounded::Decimal(precision, scale)) => match decimal(precision.into(), scale.into()) {
                Some(kind) => plain(kind),
                None => return text,
            },
        },
        Wire::Bool => plain(DataType::Boolean),
        Wire::Int(Width::Two) => plain(DataType::Int16),
        Wire::Int(Width::Four) => plain(DataType::Int32),
        Wire::Int(Width::Eight) | Wire::Oid => plain(DataType::Int64),
        Wire::Float4 => plain(DataType::Float32),
        Wire::Float8 => plain(DataType::Float64),
        Wire::Text if of.oid == 114 => ColumnType::of(Extension::Json),
        Wire::Text => plain(DataType::Utf8),
        Wire::Jsonb => ColumnType::of(Extension::Json),
        Wire::Bytes => plain(DataType::Binary),
        Wire::Date => plain(DataType::Date32),
        Wire::Time => plain(DataType::Time64(TimeUnit::Microsecond)),
        Wire::Timestamp if of.oid == 1184 => plain(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        Wire::Timestamp => plain(DataType::Timestamp(TimeUnit::Microsecond, None)),
        Wire::Interval => plain(DataType::Interval(IntervalUnit::MonthDayNano)),
        Wire::Uuid => ColumnType::of(Extension::Uuid),
        Wire::Inet => ColumnType::of(Extension::Inet),
        Wire::Mac => ColumnType::of(Extension::Mac),
        Wire::Array(_) => return text,
    };
    (None, wire, kind)
}

/// Whether the Arrow type says all of a type, so that a PostgreSQL that gets the column makes the same one of it.
pub fn is_told(of: &PgType) -> bool {
    if let Some(item) = items(of) {
        return is_told(item);
    }
    match of.oid {
        16 | 20 | 21 | 23 | 25 | 700 | 701 | 17 | 1082 | 2950 | 3802 | 869 | 829 => true,
        1083 | 1114 | 1184 | 1186 => of.typmod == -1,
        NUMERIC => digits(of).is_some_and(|(precision, scale)| (0..=precision).contains(&scale) && precision <= 76),
        _ => false,
    }
}
