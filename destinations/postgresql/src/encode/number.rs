//! Numbers, dates and times.

use headwater_sdk::Result;
use headwater_sdk::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringArray};
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options};
use headwater_sdk::arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float32Type,
    Float64Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt64Type,
};

use super::decimal::{decimal, numeric, numeric_of_text};
use super::{Write, wrong};

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL begins to count.
const DAYS: i32 = 10_957;
/// The same in microseconds.
const MICROS: i64 = DAYS as i64 * 86_400_000_000;

/// The dates and times that PostgreSQL has, counted from 2000-01-01 in days and microseconds: from 4713 before Christ to
/// 5874897 and 294276. Source: `timestamp.h` of PostgreSQL's source.
const DATES: std::ops::Range<i32> = -2_451_545..2_145_031_949;
const TIMES: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// Values of an array of numbers.
fn each<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    write: impl Fn(T::Native, &mut Vec<u8>) -> Result<(), String> + Send + 'static,
) -> Result<Write> {
    let array: PrimitiveArray<T> = match array.as_primitive_opt::<T>() {
        Some(array) => array.clone(),
        None => return Err(wrong(format!("{} where {} was expected", array.data_type(), T::DATA_TYPE))),
    };
    Ok(Box::new(move |row, out| write(array.value(row), out)))
}

/// The same after a cast, which keeps every value.
fn cast_each<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    write: impl Fn(T::Native, &mut Vec<u8>) -> Result<(), String> + Send + 'static,
) -> Result<Write> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    each::<T>(&cast_with_options(array, &T::DATA_TYPE, &options).map_err(wrong)?, write)
}

macro_rules! put {
    () => {
        |value, out| {
            out.extend_from_slice(&value.to_be_bytes());
            Ok(())
        }
    };
}

/// Decimal numbers, of which Arrow does not make sure that they have no more digits than their type says.
fn decimals<T: ArrowPrimitiveType>(array: &ArrayRef, precision: u8, scale: i8) -> Result<Write>
where
    T::Native: Into<i128>,
{
    let limit = 10_u128.checked_pow(u32::from(precision)).unwrap_or(u128::MAX);
    each::<T>(array, move |value, out| match value.into() {
        value if value.unsigned_abs() < limit => decimal(value, scale, out),
        _ => Err(too_long(precision)),
    })
}

fn too_long(precision: u8) -> String {
    format!("a number has more than the {precision} digits of its type")
}

fn beyond() -> String {
    "a time is beyond what PostgreSQL can store".to_owned()
}

/// Microseconds since 1970, or none where they are too many. The first and the last value of a type, `time`, are the
/// infinite ones.
fn put_time(time: i64, micros: Option<i64>, out: &mut Vec<u8>) -> Result<(), String> {
    if matches!(time, i64::MIN | i64::MAX) {
        out.extend_from_slice(&time.to_be_bytes());
        return Ok(());
    }
    let micros = micros.and_then(|micros| micros.checked_sub(MICROS)).filter(|micros| TIMES.contains(micros));
    let micros = micros.ok_or_else(beyond)?;
    out.extend_from_slice(&micros.to_be_bytes());
    Ok(())
}

fn put_interval(months: i32, days: i32, micros: Option<i64>, out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&micros.ok_or_else(beyond)?.to_be_bytes());
    out.extend_from_slice(&days.to_be_bytes());
    out.extend_from_slice(&months.to_be_bytes());
    Ok(())
}

/// Numbers, dates and times by their Arrow type.
pub fn number(array: &ArrayRef) -> Result<Write> {
    match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean().clone();
            Ok(Box::new(move |row, out| {
                out.push(u8::from(array.value(row)));
                Ok(())
            }))
        }
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => cast_each::<Int16Type>(array, put!()),
        DataType::Int32 | DataType::UInt16 => cast_each::<Int32Type>(array, put!()),
        DataType::Int64 | DataType::UInt32 => cast_each::<Int64Type>(array, put!()),
        DataType::UInt64 => each::<UInt64Type>(array, |value, out| decimal(i128::from(value), 0, out)),
        DataType::Float16 | DataType::Float32 => cast_each::<Float32Type>(array, put!()),
        DataType::Float64 => each::<Float64Type>(array, put!()),
        DataType::Decimal32(precision, scale) => decimals::<Decimal32Type>(array, *precision, *scale),
        DataType::Decimal64(precision, scale) => decimals::<Decimal64Type>(array, *precision, *scale),
        DataType::Decimal128(precision, scale) => decimals::<Decimal128Type>(array, *precision, *scale),
        DataType::Decimal256(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            each::<Decimal256Type>(array, move |value, out| {
                let number = value.to_string();
                match number.trim_start_matches('-').len() <= usize::from(precision) {
                    true => numeric(&number, scale, out),
                    false => Err(too_long(precision)),
                }
            })
        }
        DataType::Date32 => each::<Date32Type>(array, put_date),
        DataType::Date64 => each::<Date64Type>(array, |millis, out| {
            let days = i32::try_from(millis.div_euclid(86_400_000)).ok().filter(|days| DATES.contains(days));
            put_date(days.ok_or_else(beyond)?, out)
        }),
        DataType::Time32(_) | DataType::Time64(_) => cast_each::<Time64MicrosecondType>(array, |micros, out| {
            if !(0..=86_400_000_000).contains(&micros) {
                return Err("a time is not one of a day".to_owned());
            }
            out.extend_from_slice(&micros.to_be_bytes());
            Ok(())
        }),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => each::<TimestampSecondType>(array, |t, out| put_time(t, t.checked_mul(1_000_000), out)),
            TimeUnit::Millisecond => {
                each::<TimestampMillisecondType>(array, |t, out| put_time(t, t.checked_mul(1000), out))
            }
            TimeUnit::Microsecond => each::<TimestampMicrosecondType>(array, |t, out| put_time(t, Some(t), out)),
            TimeUnit::Nanosecond => {
                each::<TimestampNanosecondType>(array, |t, out| put_time(0, Some(t.div_euclid(1000)), out))
            }
        },
        DataType::Duration(unit) => match unit {
            TimeUnit::Second => {
                each::<DurationSecondType>(array, |t, out| put_interval(0, 0, t.checked_mul(1_000_000), out))
            }
            TimeUnit::Millisecond => {
                each::<DurationMillisecondType>(array, |t, out| put_interval(0, 0, t.checked_mul(1000), out))
            }
            TimeUnit::Microsecond => each::<DurationMicrosecondType>(array, |t, out| put_interval(0, 0, Some(t), out)),
            TimeUnit::Nanosecond => {
                each::<DurationNanosecondType>(array, |t, out| put_interval(0, 0, Some(t / 1000), out))
            }
        },
        DataType::Interval(unit) => match unit {
            IntervalUnit::YearMonth => each::<IntervalYearMonthType>(array, |t, out| put_interval(t, 0, Some(0), out)),
            IntervalUnit::DayTime => each::<IntervalDayTimeType>(array, |t, out| {
                put_interval(0, t.days, Some(i64::from(t.milliseconds) * 1000), out)
            }),
            IntervalUnit::MonthDayNano => each::<IntervalMonthDayNanoType>(array, |t, out| {
                put_interval(t.months, t.days, Some(t.nanoseconds / 1000), out)
            }),
        },
        other => Err(wrong(format!("{other} has no binary form"))),
    }
}

/// Days since 1970. The first and the last value are the infinite ones.
fn put_date(days: i32, out: &mut Vec<u8>) -> Result<(), String> {
    if matches!(days, i32::MIN | i32::MAX) {
        out.extend_from_slice(&days.to_be_bytes());
        return Ok(());
    }
    let days = days.checked_sub(DAYS).filter(|days| DATES.contains(days)).ok_or_else(beyond)?;
    out.extend_from_slice(&days.to_be_bytes());
    Ok(())
}

/// Decimal numbers of any length, as text.
pub fn any_numeric(array: StringArray) -> Write {
    Box::new(move |row, out| numeric_of_text(array.value(row), out))
}

/// Numbers of the system's objects.
pub fn oid(array: &ArrayRef) -> Result<Write> {
    each::<Int64Type>(array, |value, out| match u32::try_from(value) {
        Ok(oid) => {
            out.extend_from_slice(&oid.to_be_bytes());
            Ok(())
        }
        Err(_) => Err(format!("{value} is no `oid`")),
    })
}
