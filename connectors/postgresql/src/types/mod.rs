//! PostgreSQL's types as Arrow's: what each column becomes, and how its values are selected and read.

mod map;
mod native;

use std::str::FromStr;

use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::type_name::parse;
use headwater_sdk::{Column, ColumnType};
use schemars::JsonSchema;
use serde::Deserialize;

pub use map::map;
pub use native::base;

/// A type of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgType {
    /// Its number.
    pub oid: u32,
    /// What stands in brackets behind its name, or -1. Of an array it is that of its items.
    pub typmod: i32,
    /// Its name with that, as `format_type` writes it.
    pub name: String,
    /// What it is: `b`ase, `e`num, `d`omain, `c`omposite, `r`ange, `m`ultirange, `p`seudo.
    pub typtype: char,
    /// The type of an array's items, or the one that a domain is of.
    pub inner: Option<Box<PgType>>,
}

/// A column of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub pg_type: PgType,
    /// Whether it is declared as never null.
    pub not_null: bool,
    /// What is said about it.
    pub comment: Option<String>,
}

/// What a configuration says about one column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Override {
    /// The type that it is read as: `utf8`, `int64`, `decimal(18, 2)`, `timestamp[us, UTC]`, `date32`, `json`, `uuid`,
    /// `list<utf8>` …. A value that is not one of it is an error.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The name that it gets.
    pub name: Option<String>,
    /// Whether values may be missing. Where it says no, one that is missing is an error.
    pub nullable: Option<bool>,
    /// The number of the field in Parquet and Iceberg.
    pub field_id: Option<i32>,
    /// What NaN and the infinite ones become in a column of decimal numbers; by default they are an error.
    pub nan: Option<Nan>,
}

/// What becomes of numbers that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Nan {
    /// They are an error.
    Error,
    /// They become missing values.
    Null,
}

/// What `numeric` becomes where it does not say how many digits it has, or has more than 76.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unbounded {
    /// Text, which says all of it.
    #[default]
    Text,
    /// The nearest floating-point number of 64 bits.
    Double,
    /// A decimal of this precision and scale; a number that does not fit is an error.
    Decimal(u8, i8),
}

impl FromStr for Unbounded {
    type Err = String;

    /// Reads `text`, `double` or `decimal(p, s)`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "text" => return Ok(Self::Text),
            "double" => return Ok(Self::Double),
            _ => {}
        }
        match parse(text).map(|kind| kind.data_type) {
            Ok(DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)) => {
                Ok(Self::Decimal(precision, scale))
            }
            _ => Err(format!("{text:?} is none of text, double and decimal(precision, scale)")),
        }
    }
}

/// What holds for all columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// What `numeric` without bounds becomes.
    pub numeric: Unbounded,
}

/// Why a column cannot be had as the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The key that says it, such as `type`.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// How many bytes a whole number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// `smallint`.
    Two,
    /// `integer`.
    Four,
    /// `bigint`.
    Eight,
}

/// How a value stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// One byte.
    Bool,
    /// A whole number.
    Int(Width),
    /// The number of an object of the system.
    Oid,
    /// A floating-point number of four bytes.
    Float4,
    /// One of eight.
    Float8,
    /// Groups of four digits.
    Numeric,
    /// Text, JSON text too.
    Text,
    /// JSON text behind a version.
    Jsonb,
    /// Bytes.
    Bytes,
    /// Days.
    Date,
    /// Microseconds of a day.
    Time,
    /// Microseconds.
    Timestamp,
    /// Microseconds, days and months.
    Interval,
    /// 16 bytes.
    Uuid,
    /// An address and the bits of its prefix.
    Inet,
    /// The bytes of a hardware address.
    Mac,
    /// An array of one dimension.
    Array(Box<Wire>),
}

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The column that it is.
    pub column: Column,
    /// The expression that selects it: its quoted name, or a cast of that.
    pub select: String,
    /// How its values stand on the wire.
    pub wire: Wire,
    /// Whether a decimal number that is none becomes a missing value.
    pub nan_is_null: bool,
}

fn is_text(kind: &ColumnType) -> bool {
    kind.extension.is_none() && matches!(kind.data_type, DataType::Utf8 | DataType::LargeUtf8)
}
