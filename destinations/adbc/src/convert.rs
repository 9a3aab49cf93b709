//! Columns as a driver takes them: our extension types are bytes in Arrow, and few drivers know all of Arrow's types.

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, StringBuilder, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options};
use headwater_sdk::arrow::datatypes::{DataType, Field, TimeUnit, TimestampNanosecondType};
use headwater_sdk::plain::{self, TimeStyle};
use headwater_sdk::{Error, Extension, Result};

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    // What a type of the database cannot hold is a row's own fault.
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() }).map_err(Error::rejected)
}

/// A column of a field as one of another field; an error where a value does not fit.
pub fn convert(from: &Field, to: &Field, array: &ArrayRef) -> Result<ArrayRef> {
    if let Some(extension) = Extension::of(from) {
        return match to.data_type() {
            DataType::FixedSizeBinary(_) => Ok(Arc::clone(array)),
            _ => Ok(Arc::new(plain::extension_text(extension, array)?)),
        };
    }
    match (from.data_type(), to.data_type()) {
        (from, to) if from == to => Ok(Arc::clone(array)),
        (from, to) if from.is_nested() && to.is_nested() => {
            plain::convert_within(from, to, array, &|from, to, array| convert(from, to, array))
        }
        (DataType::Timestamp(unit, _), DataType::Utf8) => Ok(times(array, *unit)),
        // What is below a microsecond is cut towards the past: a time before 1970 would leave the range that it is in else.
        (DataType::Timestamp(TimeUnit::Nanosecond, _), to @ DataType::Timestamp(TimeUnit::Microsecond, _)) => {
            let nanos = array.as_primitive::<TimestampNanosecondType>();
            let micros: TimestampMicrosecondArray = nanos.unary(|nanos| nanos.div_euclid(1_000));
            Ok(Arc::new(micros.with_data_type(to.clone())))
        }
        (string, DataType::Utf8) if string.is_string() => cast(array, &DataType::Utf8),
        (_, DataType::Utf8) => Ok(Arc::new(plain::text(&Arc::new(from.clone()), array)?)),
        (DataType::UInt64, DataType::Int64) => cast(array, to.data_type())
            .map_err(|_| Error::rejected("it holds a number beyond 9223372036854775807, the largest here")),
        (_, to) => cast(array, to),
    }
}

/// Points in time as text that sorts, and that SQLite's date functions read.
fn times(array: &ArrayRef, unit: TimeUnit) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 26);
    let mut buffer = Vec::new();
    let any = array.as_any();
    let value = |row: usize| -> i64 {
        macro_rules! of {
            ($type:ty) => {
                any.downcast_ref::<$type>().map_or(0, |array| array.value(row))
            };
        }
        match unit {
            TimeUnit::Second => of!(TimestampSecondArray),
            TimeUnit::Millisecond => of!(TimestampMillisecondArray),
            TimeUnit::Microsecond => of!(TimestampMicrosecondArray),
            TimeUnit::Nanosecond => of!(TimestampNanosecondArray),
        }
    };
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        buffer.clear();
        plain::write_time(value(row), unit, TimeStyle::Sql, &mut buffer);
        builder.append_value(String::from_utf8_lossy(&buffer));
    }
    Arc::new(builder.finish())
}
