//! Arrow types as PostgreSQL's.

use headwater_sdk::arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use headwater_sdk::plain::{has_text, list_item, stored_as_json};
use headwater_sdk::{ColumnType, Extension, Stored};

/// A type of PostgreSQL that columns are made of.
///
/// Source of the numbers: `pg_type.dat` of PostgreSQL's source, which keeps them for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric {
        precision: u32,
        scale: i32,
    },
    Text,
    Bytea,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    Jsonb,
    Inet,
    Macaddr,
    /// Of one dimension.
    Array(Box<Kind>),
    /// JSON as it is written.
    Json,
    /// Hardware addresses of eight bytes, or of six.
    Macaddr8,
    /// Numbers of the system's objects.
    Oid,
    /// Decimal numbers of any length, which come as text.
    AnyNumeric,
    /// A type by its name and number, whose values are written as those of another.
    Named {
        sql: String,
        oid: u32,
        of: Box<Kind>,
    },
    /// A type whose values come as text, and are cast.
    Cast {
        sql: String,
    },
}

impl Kind {
    /// The type that a column is stored as.
    pub fn of(column: &ColumnType) -> Self {
        match column.extension {
            Some(Extension::Uuid) => Self::Uuid,
            Some(Extension::Json) => Self::Jsonb,
            Some(Extension::Inet) => Self::Inet,
            Some(Extension::Mac) => Self::Macaddr,
            None => Self::of_arrow(&column.data_type),
        }
    }

    fn of_arrow(kind: &DataType) -> Self {
        match kind {
            DataType::Boolean => Self::Bool,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Self::Int2,
            DataType::Int32 | DataType::UInt16 => Self::Int4,
            DataType::Int64 | DataType::UInt32 => Self::Int8,
            DataType::UInt64 => Self::Numeric { precision: 20, scale: 0 },
            DataType::Float16 | DataType::Float32 => Self::Float4,
            DataType::Float64 => Self::Float8,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => {
                Self::Numeric { precision: u32::from(*precision), scale: i32::from(*scale) }
            }
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::Timestamptz,
            DataType::Duration(_) | DataType::Interval(_) => Self::Interval,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Bytea
            }
            kind if kind.is_nested() => match list_item(kind) {
                // PostgreSQL has no arrays of arrays, only ones of several dimensions, which are all of one length.
                Some(item) if Extension::of(item).is_some() || !item.data_type().is_nested() => {
                    let item = ColumnType { data_type: item.data_type().clone(), extension: Extension::of(item) };
                    Self::Array(Box::new(Self::of(&item)))
                }
                _ => Self::Jsonb,
            },
            _ => Self::Text,
        }
    }

    /// The type as `format_type` of PostgreSQL writes it.
    pub fn sql(&self) -> String {
        match self {
            Self::Bool => "boolean".to_owned(),
            Self::Int2 => "smallint".to_owned(),
            Self::Int4 => "integer".to_owned(),
            Self::Int8 => "bigint".to_owned(),
            Self::Float4 => "real".to_owned(),
            Self::Float8 => "double precision".to_owned(),
            Self::Numeric { precision, scale } => format!("numeric({precision},{scale})"),
            Self::Text => "text".to_owned(),
            Self::Bytea => "bytea".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Time => "time without time zone".to_owned(),
            Self::Timestamp => "timestamp without time zone".to_owned(),
            Self::Timestamptz => "timestamp with time zone".to_owned(),
            Self::Interval => "interval".to_owned(),
            Self::Uuid => "uuid".to_owned(),
            Self::Jsonb => "jsonb".to_owned(),
            Self::Inet => "inet".to_owned(),
            Self::Macaddr => "macaddr".to_owned(),
            Self::Array(item) => format!("{}[]", item.sql()),
            Self::Json => "json".to_owned(),
            Self::Macaddr8 => "macaddr8".to_owned(),
            Self::Oid => "oid".to_owned(),
            Self::AnyNumeric => "numeric".to_owned(),
            Self::Named { sql, .. } | Self::Cast { sql } => sql.clone(),
        }
    }

    /// The type that a column has while it waits to be moved.
    pub fn staged(&self) -> String {
        match self {
            Self::Cast { .. } => Self::Text.sql(),
            Self::Array(item) => format!("{}[]", item.staged()),
            kind => kind.sql(),
        }
    }

    /// Whether its values can be only moved from a column of another type.
    pub fn is_cast(&self) -> bool {
        match self {
            Self::Cast { .. } => true,
            Self::Array(item) => item.is_cast(),
            _ => false,
        }
    }

    /// A column of [`Kind::staged`] as a value of this type.
    pub fn cast(&self, column: &str) -> String {
        if self.is_cast() { format!("{column}::{}", self.sql()) } else { column.to_owned() }
    }

    /// The number of the type, as arrays in binary form name that of their items.
    pub fn oid(&self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Int2 => 21,
            Self::Int4 => 23,
            Self::Int8 => 20,
            Self::Float4 => 700,
            Self::Float8 => 701,
            Self::Numeric { .. } => 1700,
            Self::Text => 25,
            Self::Bytea => 17,
            Self::Date => 1082,
            Self::Time => 1083,
            Self::Timestamp => 1114,
            Self::Timestamptz => 1184,
            Self::Interval => 1186,
            Self::Uuid => 2950,
            Self::Jsonb => 3802,
            Self::Inet => 869,
            Self::Macaddr => 829,
            // Arrays are never items.
            Self::Array(_) => 2277,
            Self::Json => 114,
            Self::Macaddr8 => 774,
            Self::Oid => 26,
            Self::AnyNumeric => 1700,
            Self::Named { oid, .. } => *oid,
            Self::Cast { .. } => Self::Text.oid(),
        }
    }

    /// Whether a column of another type can become this one in place with all of its values.
    pub fn widens(&self, from: &str) -> bool {
        let numeric = |text: &str| -> Option<(u32, i32)> {
            let (precision, scale) = text.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',')?;
            Some((precision.parse().ok()?, scale.parse().ok()?))
        };
        match self {
            Self::Int4 => from == "smallint",
            Self::Int8 => matches!(from, "smallint" | "integer"),
            Self::Float8 => from == "real",
            Self::Named { sql, .. } => {
                // More letters, or no bounds any more.
                let letters = |text: &str| -> Option<u64> {
                    match text.strip_prefix("character varying")? {
                        "" => Some(u64::MAX),
                        bounds => bounds.strip_prefix('(')?.strip_suffix(')')?.parse().ok(),
                    }
                };
                let of_letters = letters(from).zip(letters(sql)).is_some_and(|(from, to)| from < to);
                of_letters || sql == "numeric" && (numeric(from).is_some() || from == "bigint" || from == "integer")
            }
            Self::Text => {
                let of_text = from.starts_with("character varying") || from.starts_with("character(");
                of_text && !from.ends_with("[]")
            }
            Self::Numeric { precision, scale } => match (from, numeric(from)) {
                ("smallint" | "integer" | "bigint", _) => {
                    *scale >= 0 && i64::from(*precision) - i64::from(*scale) >= 19
                }
                (_, Some((old, old_scale))) => {
                    *scale >= old_scale
                        && i64::from(*precision) - i64::from(*scale) >= i64::from(old) - i64::from(old_scale)
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// How a type's values are stored, and which of them cannot be had back.
pub fn stored(column: &ColumnType) -> Stored {
    let kind = Kind::of(column);
    let name = kind.sql();
    let item = match list_item(&column.data_type) {
        Some(of) if kind != Kind::Jsonb => {
            ColumnType { data_type: of.data_type().clone(), extension: Extension::of(of) }
        }
        _ => column.clone(),
    };
    let stored = match (item.extension, &item.data_type) {
        (Some(Extension::Mac), _) => Stored::refusing("", "addresses of 8 bytes"),
        (Some(Extension::Json), _) => Stored::refusing("", "text with U+0000 in it"),
        (Some(_), _) => Stored::whole(""),
        (None, nested) if kind == Kind::Jsonb => {
            let refused = has_text(nested).then(|| "text with U+0000 in it".into());
            Stored { refused, ..stored_as_json("", nested) }
        }
        (None, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Stored::refusing("", "text with U+0000"),
        (None, DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Time64(TimeUnit::Nanosecond))
        | (None, DataType::Duration(TimeUnit::Nanosecond))
        | (None, DataType::Interval(IntervalUnit::MonthDayNano)) => {
            Stored::losing("", "what is below a microsecond is cut")
        }
        _ => Stored::whole(""),
    };
    Stored { name: name.into(), ..stored }
}
