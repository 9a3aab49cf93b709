//! Texts as values: the forms in which Headwater writes them to CSV and JSON Lines, and a few that others do.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use headwater_sdk::arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, GenericListArray, OffsetSizeTrait,
    PrimitiveArray, StringArray,
};
use headwater_sdk::arrow::buffer::OffsetBuffer;
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options};
use headwater_sdk::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, FieldRef, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use headwater_sdk::{ColumnType, Error, Extension, Inet, Mac, Result, Uuid};
use jiff::civil::{Date, DateTime, Time};
use serde_json::value::RawValue;

use crate::kinds::kind_of;

/// So much of a value is shown in an error.
const SHOWN: usize = 60;

/// Where the number of a row stands in an error's message, counted from 0 within its batch.
pub const ROW: &str = "row ";

fn wrong(row: usize, text: &str, kind: &ColumnType) -> Error {
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    let mut error = Error::fatal(format!("{shown:?}{more} is no value of type {}", kind.name()));
    error.context.push(format!("{ROW}{row}"));
    error
}

/// Text as values of a type.
///
/// # Errors
/// The first text that is none.
pub fn parse(texts: StringArray, kind: &ColumnType) -> Result<ArrayRef> {
    let all = Texts { texts: &texts, kind };
    if let Some(extension) = kind.extension {
        return match extension {
            Extension::Uuid => all.fixed(|text| Some(Uuid::parse_str(text).ok()?.into_bytes().to_vec()), 16),
            Extension::Mac => all.binary(|text| Some(Mac::parse(text).ok()?.as_bytes().to_vec())),
            Extension::Inet => all.binary(|text| Some(Inet::parse(text).ok()?.as_str().as_bytes().to_vec())),
            Extension::Json => all.binary(|text| {
                serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
                Some(text.as_bytes().to_vec())
            }),
        };
    }
    let scaled = |scale: i8| move |text: &str| decimal(text, scale);
    match &kind.data_type {
        DataType::Boolean => all.booleans(),
        DataType::Int8 => all.numbers::<Int8Type>(|text| text.parse().ok()),
        DataType::Int16 => all.numbers::<Int16Type>(|text| text.parse().ok()),
        DataType::Int32 => all.numbers::<Int32Type>(|text| text.parse().ok()),
        DataType::Int64 => all.numbers::<Int64Type>(|text| text.parse().ok()),
        DataType::UInt8 => all.numbers::<UInt8Type>(|text| text.parse().ok()),
        DataType::UInt16 => all.numbers::<UInt16Type>(|text| text.parse().ok()),
        DataType::UInt32 => all.numbers::<UInt32Type>(|text| text.parse().ok()),
        DataType::UInt64 => all.numbers::<UInt64Type>(|text| text.parse().ok()),
        DataType::Float32 => all.numbers::<Float32Type>(|text| text.parse().ok()),
        DataType::Float64 => all.numbers::<Float64Type>(|text| text.parse().ok()),
        DataType::Decimal128(precision, scale) => all.numbers::<Decimal128Type>(|text| {
            let number = scaled(*scale)(text)?.to_i128()?;
            (number.unsigned_abs() < 10_u128.pow(u32::from(*precision))).then_some(number)
        }),
        DataType::Decimal256(precision, scale) => {
            let end = i256::from_i128(10).checked_pow(u32::from(*precision));
            all.numbers::<Decimal256Type>(|text| {
                let number = scaled(*scale)(text)?;
                let end = end?;
                (number < end && number > end.wrapping_neg()).then_some(number)
            })
        }
        DataType::Date32 => all.numbers::<Date32Type>(date),
        DataType::Date64 => all.numbers::<Date64Type>(|text| Some(i64::from(date(text)?) * 86_400_000)),
        DataType::Time32(TimeUnit::Second) => {
            all.numbers::<Time32SecondType>(|text| time(text, 1_000_000_000)?.try_into().ok())
        }
        DataType::Time32(_) => all.numbers::<Time32MillisecondType>(|text| time(text, 1_000_000)?.try_into().ok()),
        DataType::Time64(TimeUnit::Microsecond) => all.numbers::<Time64MicrosecondType>(|text| time(text, 1000)),
        DataType::Time64(_) => all.numbers::<Time64NanosecondType>(|text| time(text, 1)),
        DataType::Timestamp(unit, zone) => {
            let zoned = zone.is_some();
            match unit {
                TimeUnit::Second => all.numbers::<TimestampSecondType>(|text| moment(text, zoned, 1_000_000_000)),
                TimeUnit::Millisecond => all.numbers::<TimestampMillisecondType>(|text| moment(text, zoned, 1_000_000)),
                TimeUnit::Microsecond => all.numbers::<TimestampMicrosecondType>(|text| moment(text, zoned, 1000)),
                TimeUnit::Nanosecond => all.numbers::<TimestampNanosecondType>(|text| moment(text, zoned, 1)),
            }
        }
        DataType::Binary => all.binary(|text| BASE64_STANDARD.decode(text).ok()),
        DataType::LargeBinary => cast(&all.binary(|text| BASE64_STANDARD.decode(text).ok())?, &kind.data_type),
        DataType::FixedSizeBinary(width) => all.fixed(
            |text| BASE64_STANDARD.decode(text).ok().filter(|bytes| Ok(bytes.len()) == usize::try_from(*width)),
            *width,
        ),
        DataType::List(item) => all.lists::<i32>(item),
        DataType::LargeList(item) => all.lists::<i64>(item),
        other => cast(&(Arc::new(texts.clone()) as ArrayRef), other),
    }
}

fn cast(array: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    cast_with_options(array, kind, &CastOptions { safe: false, ..CastOptions::default() }).map_err(Error::fatal)
}

struct Texts<'a> {
    texts: &'a StringArray,
    kind: &'a ColumnType,
}

impl Texts<'_> {
    /// Every text as a value.
    fn each<T>(&self, read: impl Fn(&str) -> Option<T>) -> impl Iterator<Item = Result<Option<T>>> {
        self.texts.iter().enumerate().map(move |(row, text)| match text {
            None => Ok(None),
            Some(text) => read(text).map(Some).ok_or_else(|| wrong(row, text, self.kind)),
        })
    }

    fn numbers<T: ArrowPrimitiveType>(&self, read: impl Fn(&str) -> Option<T::Native>) -> Result<ArrayRef> {
        let numbers: PrimitiveArray<T> = self.each(read).collect::<Result<_>>()?;
        Ok(Arc::new(numbers.with_data_type(self.kind.data_type.clone())))
    }

    fn booleans(&self) -> Result<ArrayRef> {
        let read = |text: &str| match text {
            "true" | "True" | "TRUE" | "t" | "1" => Some(true),
            "false" | "False" | "FALSE" | "f" | "0" => Some(false),
            _ => None,
        };
        Ok(Arc::new(self.each(read).collect::<Result<BooleanArray>>()?))
    }

    fn binary(&self, read: impl Fn(&str) -> Option<Vec<u8>>) -> Result<ArrayRef> {
        let all = self.each(read).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(all.iter().map(Option::as_deref).collect::<BinaryArray>()))
    }

    fn fixed(&self, read: impl Fn(&str) -> Option<Vec<u8>>, width: i32) -> Result<ArrayRef> {
        let all = self.each(read).collect::<Result<Vec<_>>>()?;
        let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(all.into_iter(), width);
        Ok(Arc::new(array.map_err(Error::fatal)?))
    }

    /// Lists are JSON.
    fn lists<O: OffsetSizeTrait>(&self, item: &FieldRef) -> Result<ArrayRef> {
        let kind = kind_of(item);
        let mut items: Vec<Option<String>> = Vec::new();
        let mut lengths = Vec::with_capacity(self.texts.len());
        for (row, text) in self.texts.iter().enumerate() {
            let before = items.len();
            if let Some(text) = text {
                let list: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| wrong(row, text, self.kind))?;
                items.extend(list.into_iter().map(|item| json_text(item, kind.extension == Some(Extension::Json))));
            }
            lengths.push(items.len() - before);
        }
        let values = parse(items.into_iter().collect(), &kind).map_err(|mut error| {
            error.context.clear();
            error
        })?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let list = GenericListArray::<O>::try_new(Arc::clone(item), offsets, values, self.texts.nulls().cloned());
        Ok(Arc::new(list.map_err(Error::fatal)?))
    }
}

/// A JSON value as text: a string without its quotes, unless it is to stay JSON. `null` is a missing value.
pub fn json_text(value: &RawValue, raw: bool) -> Option<String> {
    match value.get() {
        "null" => None,
        text if text.starts_with('"') && !raw => {
            Some(serde_json::from_str(text).unwrap_or_else(|_| text.trim_matches('"').to_owned()))
        }
        text => Some(text.to_owned()),
    }
}

/// A decimal number, as many times ten to the power of its scale; none where it has more digits behind the point.
fn decimal(text: &str, scale: i8) -> Option<i256> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if (whole.is_empty() && part.is_empty()) || !whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{whole}{part}");
    let digits = digits.trim_start_matches('0');
    let mut zeros = i32::from(scale) - i32::try_from(part.len()).ok()? + exponent;
    let cut = digits.trim_end_matches('0');
    if cut.is_empty() {
        return Some(i256::ZERO);
    }
    zeros += i32::try_from(digits.len() - cut.len()).ok()?;
    let zeros = usize::try_from(zeros).ok().filter(|zeros| zeros + cut.len() <= 77)?;
    let number = i256::from_string(&format!("{cut}{:0<zeros$}", ""))?;
    Some(if negative { number.wrapping_neg() } else { number })
}

/// Days since 1970-01-01.
fn date(text: &str) -> Option<i32> {
    let text = text.strip_suffix("T00:00:00").unwrap_or(text);
    let date: Date = text.parse().ok().filter(|_| text.len() < 14)?;
    Some(date.since(Date::constant(1970, 1, 1)).ok()?.get_days())
}

fn nanoseconds_of_day(time: Time) -> i64 {
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds * 1_000_000_000 + i64::from(time.subsec_nanosecond())
}

/// A time of day in units of so many nanoseconds, all of it.
fn time(text: &str, nanoseconds: i64) -> Option<i64> {
    if matches!(text, "24:00:00" | "24:00") {
        return Some(86_400_000_000_000 / nanoseconds);
    }
    let since = nanoseconds_of_day(text.parse().ok()?);
    (since % nanoseconds == 0).then_some(since / nanoseconds)
}

/// A text without its zone, and how many seconds that is ahead of UTC, where there is one: `Z`, `+02`, `-05:30`, `+0200`.
fn zone(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']).filter(|at| *at > 10) else { return Some((text, None)) };
    let (local, zone) = text.split_at(at);
    let digits: String = zone[1..].chars().filter(|letter| *letter != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = if digits.len() > 2 { digits[2..].parse().ok()? } else { 0 };
    let ahead = hours * 3600 + minutes * 60;
    Some((local.trim_end(), Some(if zone.starts_with('-') { -ahead } else { ahead })))
}

/// A point in time in units of so many nanoseconds, all of it. Where there is a zone, a text without one is in UTC; where
/// there is none, a text must not have one.
fn moment(text: &str, zoned: bool, nanoseconds: i64) -> Option<i64> {
    let (local, ahead) = zone(text)?;
    if ahead.is_some() && !zoned {
        return None;
    }
    let local: DateTime = local.parse().ok()?;
    let days = local.date().since(Date::constant(1970, 1, 1)).ok()?.get_days();
    let since = (i128::from(days) * 86_400 - i128::from(ahead.unwrap_or(0))) * 1_000_000_000
        + i128::from(nanoseconds_of_day(local.time()));
    let nanoseconds = i128::from(nanoseconds);
    (since % nanoseconds == 0).then(|| i64::try_from(since / nanoseconds).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_with_and_without_zones() {
        for (text, zoned, expected) in [
            ("1970-01-01T00:00:01Z", true, Some(1_000_000)),
            ("1970-01-01 00:00:00.5+00", true, Some(500_000)),
            ("1970-01-01 02:00:00+02:00", true, Some(0)),
            ("1969-12-31 18:30:00 -0530", true, Some(0)),
            ("1970-01-01T00:00:01", true, Some(1_000_000)),
            ("1970-01-01", false, Some(0)),
            ("9999-12-31T23:59:59.999999Z", true, Some(253_402_300_799_999_999)),
            ("1970-01-01T00:00:01Z", false, None),
            ("1970-01-01T00:00:01+1", true, None),
            ("1970-01-01T00:00:00.0000001", false, None),
            ("yesterday", false, None),
        ] {
            assert_eq!(moment(text, zoned, 1000), expected, "{text}");
        }
    }

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, scale, expected) in [
            ("1.5", 2, Some(150)),
            ("-0.01", 2, Some(-1)),
            ("1e3", 2, Some(100_000)),
            ("1.500", 1, Some(15)),
            ("1500e-3", 1, Some(15)),
            (".5", 1, Some(5)),
            ("-0", 0, Some(0)),
            ("1.05", 1, None),
            ("1e99", 0, None),
            ("", 0, None),
            (".", 0, None),
            ("NaN", 0, None),
            ("1.5.5", 2, None),
        ] {
            assert_eq!(decimal(text, scale), expected.map(i256::from_i128), "{text}");
        }
    }
}
