//! Arrow columns as SQLite's values. A column is converted or downcast once per batch; a cell is then bound without an
//! allocation.

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array,
    LargeBinaryArray, LargeStringArray, StringArray,
};
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options};
use headwater_sdk::arrow::datatypes::{DataType, FieldRef, TimeUnit};
use headwater_sdk::plain::{self, TimeStyle};
use headwater_sdk::{Error, Extension, Result};
use rusqlite::Statement;
use rusqlite::types::{Null, ToSqlOutput, ValueRef};

/// One column of a batch, ready to be bound.
pub enum Cells {
    Bool(BooleanArray),
    Int(Int64Array),
    Float(Float64Array),
    Time(Int64Array, TimeUnit),
    Text(StringArray),
    LargeText(LargeStringArray),
    Blob(BinaryArray),
    LargeBlob(LargeBinaryArray),
    FixedBlob(FixedSizeBinaryArray),
}

impl Cells {
    /// The column's values; an error where one cannot be stored as it is.
    pub fn new(field: &FieldRef, array: &ArrayRef) -> Result<Self> {
        let cast = |to: DataType| {
            cast_with_options(array, &to, &CastOptions { safe: false, ..CastOptions::default() })
                .map_err(|error| Error::rejected(format!("column {}: {error}", field.name())))
        };
        let text = || plain::text(field, array).map_err(|error| error.while_doing(format!("column {}", field.name())));
        if Extension::of(field).is_some() {
            return Ok(Self::Text(text()?));
        }
        Ok(match array.data_type() {
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::UInt64 => Self::Int(
                cast(DataType::Int64)
                    .map_err(|_| {
                        Error::rejected(format!(
                            "column {} holds a number beyond 9223372036854775807, the largest integer of SQLite",
                            field.name()
                        ))
                    })?
                    .as_primitive()
                    .clone(),
            ),
            kind if kind.is_integer() => Self::Int(cast(DataType::Int64)?.as_primitive().clone()),
            kind if kind.is_floating() => Self::Float(cast(DataType::Float64)?.as_primitive().clone()),
            DataType::Timestamp(unit, _) => Self::Time(cast(DataType::Int64)?.as_primitive().clone(), *unit),
            DataType::Utf8 => Self::Text(array.as_string().clone()),
            DataType::LargeUtf8 | DataType::Utf8View => Self::LargeText(cast(DataType::LargeUtf8)?.as_string().clone()),
            DataType::Binary => Self::Blob(array.as_binary().clone()),
            DataType::LargeBinary | DataType::BinaryView => {
                Self::LargeBlob(cast(DataType::LargeBinary)?.as_binary().clone())
            }
            DataType::FixedSizeBinary(_) => Self::FixedBlob(array.as_fixed_size_binary().clone()),
            _ => Self::Text(text()?),
        })
    }

    /// Whether a text or a time is that of the row before.
    pub fn is_as_before(&self, row: usize) -> bool {
        macro_rules! same {
            ($array:expr) => {
                match ($array.is_null(row), $array.is_null(row - 1)) {
                    (false, false) => $array.value(row) == $array.value(row - 1),
                    (now, before) => now && before,
                }
            };
        }
        match self {
            Self::Text(array) => same!(array),
            Self::LargeText(array) => same!(array),
            Self::Time(array, _) => same!(array),
            _ => false,
        }
    }

    /// Binds the value of a row to a parameter.
    pub fn bind(
        &self,
        statement: &mut Statement<'_>,
        index: usize,
        row: usize,
        scratch: &mut Vec<u8>,
    ) -> rusqlite::Result<()> {
        macro_rules! bind {
            ($array:expr) => {
                if $array.is_null(row) {
                    statement.raw_bind_parameter(index, Null)
                } else {
                    statement.raw_bind_parameter(index, $array.value(row))
                }
            };
        }
        match self {
            Self::Bool(array) => bind!(array),
            Self::Int(array) => bind!(array),
            Self::Float(array) => bind!(array),
            Self::Text(array) => bind!(array),
            Self::LargeText(array) => bind!(array),
            Self::Blob(array) => bind!(array),
            Self::LargeBlob(array) => bind!(array),
            Self::FixedBlob(array) => bind!(array),
            Self::Time(array, _) if array.is_null(row) => statement.raw_bind_parameter(index, Null),
            Self::Time(array, unit) => {
                scratch.clear();
                plain::write_time(array.value(row), *unit, TimeStyle::Sql, scratch);
                statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(ValueRef::Text(scratch)))
            }
        }
    }
}
