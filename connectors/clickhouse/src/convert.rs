//! Columns as they come, made what they are here.
//!
//! Source of what they come as: <https://clickhouse.com/docs/interfaces/formats/ArrowStream>.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Decimal256Array, ListArray, MapArray, StringArray, StructArray,
};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::{
    ArrowTimestampType, DataType, Decimal128Type, Decimal256Type, FieldRef, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt32Type, i256,
};
use headwater_sdk::{Error, Result};

use crate::kind::{Kind, ZONE};

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::fatal(error)
}

/// A column, or what is within one.
pub fn convert(kind: &Kind, array: &ArrayRef) -> Result<ArrayRef> {
    let found = array.data_type();
    let same = || Ok(Arc::clone(array));
    Ok(match (kind, found) {
        (Kind::Same(kind), _) if kind == found => digits(array).map(|()| Arc::clone(array))?,
        (Kind::Same(DataType::Binary), DataType::Utf8) => cast(array, &DataType::Binary).map_err(wrong)?,
        (Kind::Text, DataType::Utf8) | (Kind::Date, DataType::Date32) => return same(),
        (Kind::Text, DataType::Binary) => Arc::new(text(array)?),
        // JSON is text too.
        (Kind::Json, DataType::Binary) => text(array).map(|_| Arc::clone(array))?,
        (Kind::Json, DataType::Utf8) => cast(array, &DataType::Binary).map_err(wrong)?,
        (Kind::Uuid, DataType::FixedSizeBinary(16)) => return same(),
        (Kind::Wide { signed }, DataType::FixedSizeBinary(16)) => wide(array, *signed)?,
        (Kind::Date, DataType::UInt16) => {
            let days = cast(array, &DataType::Int32).map_err(wrong)?;
            cast(&days, &DataType::Date32).map_err(wrong)?
        }
        (Kind::DateTime, DataType::UInt32) => {
            let seconds = cast(array, &DataType::Int64).map_err(wrong)?;
            let seconds = seconds.as_primitive::<Int64Type>().clone();
            Arc::new(seconds.reinterpret_cast::<TimestampSecondType>().with_timezone(ZONE))
        }
        (Kind::DateTime, DataType::Timestamp(TimeUnit::Second, _)) => zoned::<TimestampSecondType>(array, Some(ZONE)),
        (Kind::Time(wanted), DataType::Timestamp(unit, _)) if wanted == unit => match unit {
            TimeUnit::Second => zoned::<TimestampSecondType>(array, Some(ZONE)),
            TimeUnit::Millisecond => zoned::<TimestampMillisecondType>(array, Some(ZONE)),
            TimeUnit::Microsecond => zoned::<TimestampMicrosecondType>(array, Some(ZONE)),
            TimeUnit::Nanosecond => zoned::<TimestampNanosecondType>(array, Some(ZONE)),
        },
        (Kind::Local, DataType::Timestamp(TimeUnit::Microsecond, _)) => zoned::<TimestampMicrosecondType>(array, None),
        (Kind::Ipv4, DataType::UInt32) => {
            let numbers = array.as_primitive::<UInt32Type>();
            addresses(array, 32, |row| Ok::<_, Error>(Ipv4Addr::from_bits(numbers.value(row))))?
        }
        (Kind::Ipv6, DataType::FixedSizeBinary(16)) => {
            let bytes = array.as_fixed_size_binary();
            addresses(array, 128, |row| bytes.value(row).try_into().map(|bytes: [u8; 16]| Ipv6Addr::from(bytes)))?
        }
        (Kind::List(item), DataType::List(_)) => {
            let list = array.as_list::<i32>();
            let values = convert(item, list.values())?;
            let field = item.field("item", true);
            let nulls = list.nulls().cloned();
            Arc::new(ListArray::try_new(field, list.offsets().clone(), values, nulls).map_err(wrong)?)
        }
        (Kind::Struct(fields), DataType::Struct(found)) if fields.len() == found.len() => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let columns = columns.map(|((_, kind), column)| convert(kind, column)).collect::<Result<Vec<_>>>()?;
            let fields: Vec<FieldRef> = fields.iter().map(|(name, kind)| kind.field(name, true)).collect();
            let (rows, nulls) = (array.len(), array.nulls().cloned());
            Arc::new(StructArray::try_new_with_length(fields.into(), columns, nulls, rows).map_err(wrong)?)
        }
        (Kind::Map(key, value), DataType::Map(..)) => {
            let map = array.as_map();
            let columns = vec![convert(key, map.keys())?, convert(value, map.values())?];
            let fields = vec![key.field("key", false), value.field("value", true)];
            let entries = StructArray::try_new(fields.into(), columns, None).map_err(wrong)?;
            let DataType::Map(field, sorted) = kind.column_type().data_type else {
                return Err(wrong("a map that is none"));
            };
            let nulls = map.nulls().cloned();
            Arc::new(MapArray::try_new(field, map.offsets().clone(), entries, nulls, sorted).map_err(wrong)?)
        }
        _ => {
            return Err(wrong(format!(
                "it comes as {found}, where {} was expected; is the server one of those that are supported?",
                kind.column_type().name()
            )));
        }
    })
}

fn text(array: &ArrayRef) -> Result<StringArray> {
    StringArray::try_from_binary(array.as_binary::<i32>().clone()).map_err(|_| {
        wrong("a text is not UTF-8; say `type: binary` for the column, or `strings: binary` for all of them")
    })
}

/// Makes sure that decimals have no more digits than their type, which the server does not.
fn digits(array: &ArrayRef) -> Result<()> {
    match array.data_type() {
        DataType::Decimal128(precision, _) => {
            array.as_primitive::<Decimal128Type>().validate_decimal_precision(*precision)
        }
        DataType::Decimal256(precision, _) => {
            array.as_primitive::<Decimal256Type>().validate_decimal_precision(*precision)
        }
        _ => Ok(()),
    }
    .map_err(|error| wrong(format!("a number has more digits than its type: {error}")))
}

fn wide(array: &ArrayRef, signed: bool) -> Result<ArrayRef> {
    let bytes = array.as_fixed_size_binary();
    let numbers = bytes.iter().map(|value| {
        let value = i128::from_le_bytes(value?.try_into().ok()?);
        Some(if signed { i256::from_i128(value) } else { i256::from_parts(value.cast_unsigned(), 0) })
    });
    Ok(Arc::new(Decimal256Array::from_iter(numbers).with_precision_and_scale(39, 0).map_err(wrong)?))
}

/// The same points in time with another zone, or with none.
fn zoned<T: ArrowTimestampType>(array: &ArrayRef, zone: Option<&str>) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().clone().with_timezone_opt(zone))
}

fn addresses<A: std::fmt::Display, E: std::fmt::Display>(
    array: &ArrayRef,
    bits: u8,
    address: impl Fn(usize) -> Result<A, E>,
) -> Result<ArrayRef> {
    use std::fmt::Write;
    let (mut builder, mut shown) = (BinaryBuilder::with_capacity(array.len(), array.len() * 16), String::new());
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        shown.clear();
        write!(shown, "{}/{bits}", address(row).map_err(wrong)?).map_err(wrong)?;
        builder.append_value(shown.as_bytes());
    }
    Ok(Arc::new(builder.finish()))
}
