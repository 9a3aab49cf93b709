//! Arrow types as ClickHouse's.

use headwater_sdk::arrow::datatypes::{DataType, TimeUnit};
use headwater_sdk::plain::list_item;
use headwater_sdk::{ColumnType, Extension, Stored};

/// A type of ClickHouse that columns are made of, without the `Nullable` around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// So many bits, and whether there is a sign.
    Integer(u8, bool),
    Float32,
    Float64,
    /// Digits in all, and behind the point.
    Decimal(u8, u8),
    /// Text or bytes.
    String,
    FixedString(i32),
    Uuid,
    Date,
    /// Digits of the second's fraction.
    DateTime(u8),
    /// Digits of the second's fraction.
    Time(u8),
    /// Of items that may be missing.
    Array(Box<Kind>),
}

impl Kind {
    /// The type that a column is stored as.
    pub fn of(column: &ColumnType) -> Self {
        match column.extension {
            Some(Extension::Uuid) => Self::Uuid,
            // An address of ClickHouse has no prefix, and its JSON keeps neither the order of the members nor the
            // digits of a number.
            Some(Extension::Json | Extension::Inet | Extension::Mac) => Self::String,
            None => Self::of_arrow(&column.data_type),
        }
    }

    fn of_arrow(kind: &DataType) -> Self {
        match kind {
            DataType::Boolean => Self::Bool,
            DataType::Int8 => Self::Integer(8, true),
            DataType::Int16 => Self::Integer(16, true),
            DataType::Int32 => Self::Integer(32, true),
            DataType::Int64 | DataType::Duration(_) => Self::Integer(64, true),
            DataType::UInt8 => Self::Integer(8, false),
            DataType::UInt16 => Self::Integer(16, false),
            DataType::UInt32 => Self::Integer(32, false),
            DataType::UInt64 => Self::Integer(64, false),
            DataType::Float16 | DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => match u8::try_from(*scale) {
                Ok(scale) if scale <= *precision => Self::Decimal(*precision, scale),
                _ => Self::String,
            },
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(unit, _) => Self::DateTime(digits(unit)),
            DataType::Time32(unit) | DataType::Time64(unit) => Self::Time(digits(unit)),
            // Longer ones the server takes for a mistake.
            DataType::FixedSizeBinary(size) if (1..=256).contains(size) => Self::FixedString(*size),
            DataType::Dictionary(_, value) => Self::of_arrow(value),
            _ => match list_item(kind) {
                // What is nested deeper is JSON as a whole.
                Some(item) if Extension::of(item).is_some() || !item.data_type().is_nested() => {
                    let item = ColumnType { data_type: item.data_type().clone(), extension: Extension::of(item) };
                    Self::Array(Box::new(Self::of(&item)))
                }
                _ => Self::String,
            },
        }
    }

    /// The type as ClickHouse writes it.
    pub fn sql(&self) -> String {
        match self {
            Self::Bool => "Bool".to_owned(),
            Self::Integer(bits, signed) => format!("{}Int{bits}", if *signed { "" } else { "U" }),
            Self::Float32 => "Float32".to_owned(),
            Self::Float64 => "Float64".to_owned(),
            Self::Decimal(precision, scale) => format!("Decimal({precision}, {scale})"),
            Self::String => "String".to_owned(),
            Self::FixedString(size) => format!("FixedString({size})"),
            Self::Uuid => "UUID".to_owned(),
            Self::Date => "Date32".to_owned(),
            Self::DateTime(digits) => format!("DateTime64({digits}, 'UTC')"),
            Self::Time(digits) => format!("Time64({digits})"),
            Self::Array(item) => format!("Array(Nullable({}))", item.sql()),
        }
    }

    /// The type of a column whose values may be missing, as far as ClickHouse has one: an array is never missing.
    pub fn declared(&self, not_null: bool) -> String {
        match self {
            Self::Array(_) => self.sql(),
            _ if not_null => self.sql(),
            _ => format!("Nullable({})", self.sql()),
        }
    }

    /// Whether a column of another type can become this one in place with all of its values.
    pub fn widens(&self, from: &str) -> bool {
        match self {
            Self::Integer(bits, signed) => integer(from).is_some_and(|(old, old_signed)| match (signed, old_signed) {
                (true, true) | (false, false) => *bits > old,
                (true, false) => *bits > old,
                (false, true) => false,
            }),
            Self::Float64 => from == "Float32",
            Self::Decimal(precision, scale) => decimal(from).is_some_and(|(old, old_scale)| {
                *scale >= old_scale
                    && i16::from(*precision) - i16::from(*scale) >= i16::from(old) - i16::from(old_scale)
            }),
            Self::String => from.starts_with("FixedString("),
            Self::Date => from == "Date",
            // Nanoseconds reach less far than what is coarser.
            Self::DateTime(digits) => {
                let found = from.strip_prefix("DateTime64(").and_then(|rest| rest.strip_suffix(", 'UTC')"));
                *digits < 9 && found.and_then(|old| old.parse::<u8>().ok()).is_some_and(|old| old < *digits)
            }
            _ => false,
        }
    }
}

fn digits(unit: &TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

fn integer(text: &str) -> Option<(u8, bool)> {
    let (bits, signed) = match text.strip_prefix("UInt") {
        Some(bits) => (bits, false),
        None => (text.strip_prefix("Int")?, true),
    };
    Some((bits.parse().ok()?, signed))
}

fn decimal(text: &str) -> Option<(u8, u8)> {
    let (precision, scale) = text.strip_prefix("Decimal(")?.strip_suffix(')')?.split_once(", ")?;
    Some((precision.parse().ok()?, scale.parse().ok()?))
}

/// A type as the server tells it, without what is around it, and whether its values are never missing.
pub fn bare(declared: &str) -> (&str, bool) {
    let inside = |text, around: &str| -> Option<&str> {
        str::strip_prefix(text, around)?.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
    };
    let text = inside(declared, "LowCardinality").unwrap_or(declared);
    match inside(text, "Nullable") {
        Some(bare) => (bare, false),
        // These cannot be around `Nullable`, so there is nothing to be loosened.
        None => (text, !["Array(", "Map(", "Tuple(", "Nested(", "Variant("].iter().any(|open| text.starts_with(open))),
    }
}

/// How a type's values are stored, and which of them cannot be had back.
pub fn stored(column: &ColumnType) -> Stored {
    let kind = Kind::of(column);
    let name = kind.sql();
    match kind {
        Kind::Array(_) => Stored::losing(name, "a missing list becomes an empty one"),
        _ => Stored::whole(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_widened_only_where_every_value_stays() {
        let kind = |kind: DataType| Kind::of(&ColumnType::plain(kind));
        for (from, to, widens) in [
            ("Int16", DataType::Int64, true),
            ("UInt32", DataType::Int64, true),
            ("UInt64", DataType::Int64, false),
            ("Int32", DataType::UInt64, false),
            ("Int64", DataType::Int64, false),
            ("Float32", DataType::Float64, true),
            ("Int64", DataType::Float64, false),
            ("Decimal(10, 2)", DataType::Decimal128(12, 4), true),
            ("Decimal(10, 2)", DataType::Decimal128(12, 5), false),
            ("FixedString(3)", DataType::Utf8, true),
            ("DateTime64(3, 'UTC')", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            ("DateTime64(6, 'UTC')", DataType::Timestamp(TimeUnit::Nanosecond, None), false),
            ("String", DataType::Int64, false),
        ] {
            assert_eq!(kind(to.clone()).widens(from), widens, "{from} to {to}");
        }
    }

    #[test]
    fn what_is_around_a_type_is_taken_off() {
        assert_eq!(bare("LowCardinality(Nullable(String))"), ("String", false));
        assert_eq!(bare("Nullable(Decimal(10, 2))"), ("Decimal(10, 2)", false));
        assert_eq!(bare("Int64"), ("Int64", true));
        assert_eq!(bare("Array(Nullable(Int64))"), ("Array(Nullable(Int64))", false));
    }
}
