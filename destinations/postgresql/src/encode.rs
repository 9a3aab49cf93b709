//! Arrow columns as the binary form of `COPY`.
//!
//! Source of the forms: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format", and the `*send`
//! functions of PostgreSQL's source.

use std::net::IpAddr;
use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};
use headwater_sdk::arrow::buffer::NullBuffer;
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, FieldRef, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, Time64MicrosecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt64Type,
};
use headwater_sdk::{ColumnType, Error, Extension, Result, plain};

use crate::types::Kind;

/// What every stream begins with: a signature, no flags, no extension.
pub const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What every stream ends with.
pub const TRAILER: [u8; 2] = [0xff, 0xff];

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL begins to count.
const DAYS: i32 = 10_957;
/// The same in microseconds.
const MICROS: i64 = DAYS as i64 * 86_400_000_000;

/// The dates and times that PostgreSQL has, counted from 2000-01-01 in days and microseconds: from 4713 before Christ to
/// 5874897 and 294276. Source: `timestamp.h` of PostgreSQL's source.
const DATES: std::ops::Range<i32> = -2_451_545..2_145_031_949;
const TIMES: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// Writes the value of a row, which is not null, or says why it cannot be.
type Write = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<(), String> + Send>;

struct Column {
    name: String,
    nulls: Option<NullBuffer>,
    write: Write,
}

/// The columns of a batch, ready to be written.
pub struct Rows {
    columns: Vec<Column>,
    rows: usize,
}

impl Rows {
    /// The rows of a batch.
    pub fn new(batch: &RecordBatch) -> Result<Self> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
            let failed = |error: Error| error.while_doing(format!("column {}", field.name()));
            let (array, write) = writer(field, array).map_err(failed)?;
            Ok(Column { name: field.name().clone(), nulls: array.logical_nulls(), write })
        });
        Ok(Self { columns: columns.collect::<Result<_>>()?, rows: batch.num_rows() })
    }

    /// Appends all rows.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let count = (self.columns.len() as i16).to_be_bytes();
        for row in 0..self.rows {
            out.extend_from_slice(&count);
            for column in &self.columns {
                let missing = column.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                cell(out, missing, |out| (column.write)(row, out))
                    .map_err(|problem| Error::rejected(format!("column {}: {problem}", column.name)))?;
            }
        }
        Ok(())
    }
}

/// Writes a value behind its length; a missing one has a length of -1.
fn cell(
    out: &mut Vec<u8>,
    missing: bool,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    if missing {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let length = i32::try_from(out.len() - start - 4).map_err(|_| "a value has more than 2 GiB".to_owned())?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// The array of a column, and what writes its values.
fn writer(field: &FieldRef, array: &ArrayRef) -> Result<(ArrayRef, Write)> {
    let column = ColumnType { data_type: field.data_type().clone(), extension: Extension::of(field) };
    let write = match Kind::of(&column) {
        Kind::Array(item) => list(field, array, &item)?,
        Kind::Jsonb => json(plain::text(field, array)?),
        Kind::Uuid | Kind::Bytea => bytes(array)?,
        Kind::Inet => inet(plain::text(field, array)?),
        Kind::Macaddr => mac(array)?,
        Kind::Text => text(field, array)?,
        _ => number(array)?,
    };
    Ok((Arc::clone(array), write))
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::destination(error)
}

fn bytes(array: &ArrayRef) -> Result<Write> {
    if let Some(array) = array.as_fixed_size_binary_opt().cloned() {
        return Ok(Box::new(move |row, out| {
            out.extend_from_slice(array.value(row));
            Ok(())
        }));
    }
    let array = cast(array, &DataType::LargeBinary).map_err(wrong)?.as_binary::<i64>().clone();
    Ok(Box::new(move |row, out| {
        out.extend_from_slice(array.value(row));
        Ok(())
    }))
}

fn put_text(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if text.as_bytes().contains(&0) {
        return Err("a text holds U+0000, which PostgreSQL cannot store".to_owned());
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn text(field: &FieldRef, array: &ArrayRef) -> Result<Write> {
    if let Some(array) = array.as_string_opt::<i64>().cloned() {
        return Ok(Box::new(move |row, out| put_text(array.value(row), out)));
    }
    let array = match array.as_string_opt::<i32>() {
        Some(array) => array.clone(),
        None => plain::text(field, array)?,
    };
    Ok(Box::new(move |row, out| put_text(array.value(row), out)))
}

fn json(array: StringArray) -> Write {
    Box::new(move |row, out| {
        let text = array.value(row);
        if names_nul(text) {
            return Err("JSON names U+0000, which PostgreSQL's `jsonb` cannot store".to_owned());
        }
        // The version of the form.
        out.push(1);
        out.extend_from_slice(text.as_bytes());
        Ok(())
    })
}

/// Whether JSON has the escape of U+0000, rather than an escaped backslash before `u0000`.
fn names_nul(text: &str) -> bool {
    let backslashes = |end: usize| text.as_bytes()[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
    text.match_indices("\\u0000").any(|(at, _)| backslashes(at) % 2 == 0)
}

fn inet(array: StringArray) -> Write {
    Box::new(move |row, out| {
        let text = array.value(row);
        let parsed = text
            .split_once('/')
            .and_then(|(address, bits)| Some((address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?)));
        let Some((address, bits)) = parsed else { return Err(format!("{text} is not an address with a prefix")) };
        // The families of PostgreSQL, the bits of the prefix, not a `cidr`, and the length.
        match address {
            IpAddr::V4(address) => {
                out.extend_from_slice(&[2, bits, 0, 4]);
                out.extend_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                out.extend_from_slice(&[3, bits, 0, 16]);
                out.extend_from_slice(&address.octets());
            }
        }
        Ok(())
    })
}

fn mac(array: &ArrayRef) -> Result<Write> {
    let array = array.as_binary_opt::<i32>().ok_or_else(|| wrong("a hardware address is not binary"))?.clone();
    Ok(Box::new(move |row, out| match array.value(row) {
        bytes if bytes.len() == 6 => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        bytes => Err(format!("a hardware address of {} bytes, where PostgreSQL's `macaddr` has 6", bytes.len())),
    }))
}

fn list(field: &FieldRef, array: &ArrayRef, kind: &Kind) -> Result<Write> {
    let DataType::List(item) = field.data_type() else { return Err(wrong("an array that is no list")) };
    let list: ListArray = array.as_list_opt().ok_or_else(|| wrong("an array that is no list"))?.clone();
    let (values, write) = writer(item, list.values())?;
    let nulls = values.logical_nulls();
    let oid = kind.oid();
    Ok(Box::new(move |row, out| {
        let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
        let missing = |index: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(index));
        // Dimensions, whether an item is missing, the items' type; for each dimension its length and first index.
        out.extend_from_slice(&i32::from(end > start).to_be_bytes());
        out.extend_from_slice(&i32::from((start..end).any(missing)).to_be_bytes());
        out.extend_from_slice(&oid.to_be_bytes());
        if end > start {
            let length = i32::try_from(end - start).map_err(|_| "a list is too long".to_owned())?;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&1_i32.to_be_bytes());
        }
        (start..end).try_for_each(|index| cell(out, missing(index), |out| write(index, out)))
    }))
}

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

/// The same after a cast that keeps every value.
fn cast_each<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    write: impl Fn(T::Native, &mut Vec<u8>) -> Result<(), String> + Send + 'static,
) -> Result<Write> {
    each::<T>(&cast(array, &T::DATA_TYPE).map_err(wrong)?, write)
}

macro_rules! put {
    () => {
        |value, out| {
            out.extend_from_slice(&value.to_be_bytes());
            Ok(())
        }
    };
}

fn beyond() -> String {
    "a time is beyond what PostgreSQL can store".to_owned()
}

/// Microseconds since 1970, or none where they are too many.
fn put_time(micros: Option<i64>, out: &mut Vec<u8>) -> Result<(), String> {
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

fn number(array: &ArrayRef) -> Result<Write> {
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
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            let scale = *scale;
            let array = cast(array, &DataType::Decimal128(*precision, scale)).map_err(wrong)?;
            each::<Decimal128Type>(&array, move |value, out| decimal(value, scale, out))
        }
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            each::<Decimal256Type>(array, move |value, out| numeric(&value.to_string(), scale, out))
        }
        DataType::Date32 | DataType::Date64 => cast_each::<Date32Type>(array, put_date),
        DataType::Time32(_) | DataType::Time64(_) => cast_each::<Time64MicrosecondType>(array, put!()),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => each::<TimestampSecondType>(array, |t, out| put_time(t.checked_mul(1_000_000), out)),
            TimeUnit::Millisecond => {
                each::<TimestampMillisecondType>(array, |t, out| put_time(t.checked_mul(1000), out))
            }
            TimeUnit::Microsecond => each::<TimestampMicrosecondType>(array, |t, out| put_time(Some(t), out)),
            TimeUnit::Nanosecond => {
                each::<TimestampNanosecondType>(array, |t, out| put_time(Some(t.div_euclid(1000)), out))
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

fn put_date(days: i32, out: &mut Vec<u8>) -> Result<(), String> {
    let days = days.checked_sub(DAYS).filter(|days| DATES.contains(days)).ok_or_else(beyond)?;
    out.extend_from_slice(&days.to_be_bytes());
    Ok(())
}

/// A decimal number: `value` divided by ten to the power of `scale`.
fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) -> Result<(), String> {
    // Twenty groups of four digits on both sides of the point are more than 128 bits have.
    let mut groups = [0_i16; 20];
    let behind = usize::from(scale.unsigned_abs());
    let magnitude = value.unsigned_abs();
    // Groups are counted from the point, so the digits behind it are filled up with zeros.
    macro_rules! split {
        ($type:ty, $magnitude:expr) => {{
            let power = <$type>::pow(10, behind as u32);
            let mut whole: $type = $magnitude / power;
            let mut rest: $type = $magnitude % power * <$type>::pow(10, (4 - behind as u32 % 4) % 4);
            let point = 10;
            let (mut first, mut last) = (point, point + behind.div_ceil(4));
            for group in groups[point..last].iter_mut().rev() {
                *group = (rest % 10_000) as i16;
                rest /= 10_000;
            }
            while whole > 0 {
                first -= 1;
                groups[first] = (whole % 10_000) as i16;
                whole /= 10_000;
            }
            while first < last && groups[last - 1] == 0 {
                last -= 1;
            }
            while first < last && groups[first] == 0 {
                first += 1;
            }
            (first, last, point as i16 - 1 - first as i16)
        }};
    }
    // Division of 128 bits takes many times as long as that of 64.
    let (first, last, weight) = match u64::try_from(magnitude) {
        Ok(magnitude) if (0..=16).contains(&scale) => split!(u64, magnitude),
        _ if (0..=34).contains(&scale) => split!(u128, magnitude),
        _ => return numeric(&value.to_string(), scale, out),
    };
    let weight = if first == last { 0 } else { weight };
    out.extend_from_slice(&((last - first) as i16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&(if value < 0 { 0x4000_u16 } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(behind as i16).to_be_bytes());
    for group in &groups[first..last] {
        out.extend_from_slice(&group.to_be_bytes());
    }
    Ok(())
}

/// A number of decimal digits, of which `scale` stand behind the point.
fn numeric(number: &str, scale: i8, out: &mut Vec<u8>) -> Result<(), String> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let behind = usize::try_from(scale).unwrap_or(0);
    let mut whole = digits.to_owned();
    if scale < 0 {
        whole.push_str(&"0".repeat(usize::from(scale.unsigned_abs())));
    }
    if whole.len() <= behind {
        whole.insert_str(0, &"0".repeat(behind + 1 - whole.len()));
    }
    let (front, back) = whole.split_at(whole.len() - behind);
    // Groups of four digits on both sides of the point.
    let mut padded = "0".repeat((4 - front.len() % 4) % 4);
    padded.push_str(front);
    let mut weight = (padded.len() / 4) as i16 - 1;
    padded.push_str(back);
    padded.push_str(&"0".repeat((4 - back.len() % 4) % 4));
    let groups = padded.as_bytes().chunks(4);
    let groups: Vec<i16> =
        groups.map(|group| group.iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))).collect();
    let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    weight -= first as i16;
    let groups = &groups[first..last];
    if groups.is_empty() {
        weight = 0;
    }
    out.extend_from_slice(&(groups.len() as i16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&(if negative { 0x4000_u16 } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(behind as i16).to_be_bytes());
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(number: &str, scale: i8) -> Vec<i16> {
        let words = |of: &dyn Fn(&mut Vec<u8>) -> Result<(), String>| -> Vec<i16> {
            let mut out = Vec::new();
            assert_eq!(of(&mut out), Ok(()));
            out.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
        };
        let digits = words(&|out| numeric(number, scale, out));
        if let Ok(value) = number.parse() {
            assert_eq!(words(&|out| decimal(value, scale, out)), digits, "{number} {scale}");
        }
        digits
    }

    #[test]
    fn numbers_are_groups_of_four_digits() {
        // Seen with `SELECT numeric_send(…)` of PostgreSQL 15.
        assert_eq!(sent("0", 0), [0, 0, 0, 0]);
        assert_eq!(sent("12345678", 0), [2, 1, 0, 0, 1234, 5678]);
        assert_eq!(sent("-10000", 0), [1, 1, 0x4000, 0, 1]);
        assert_eq!(sent("150", 2), [2, 0, 0, 2, 1, 5000]);
        assert_eq!(sent("1", 9), [1, -3, 0, 9, 1000]);
        assert_eq!(sent("5", -3), [1, 0, 0, 0, 5000]);
    }

    #[test]
    fn both_ways_to_the_groups_agree() {
        let mut rng = fastrand::Rng::with_seed(7);
        let edges = [0, 1, -1, i128::from(u64::MAX), i128::from(u64::MAX) + 1, i128::MAX, i128::MIN + 1];
        for scale in -3..=38 {
            for value in edges.into_iter().chain((0..200).map(|_| rng.i128(..) >> rng.u32(0..127))) {
                sent(&value.to_string(), scale);
            }
        }
    }

    #[test]
    fn the_escape_of_nul_is_told_from_text() {
        for (text, names) in [
            ("\"\\u0000\"", true),
            ("\"\\\\u0000\"", false),
            ("\"\\\\\\u0000\"", true),
            ("\"u0000\"", false),
            ("\"\\\\u0000 \\u0000\"", true),
        ] {
            assert_eq!(names_nul(text), names, "{text}");
        }
    }
}
