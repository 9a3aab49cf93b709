//! Batches as ClickHouse reads them from an Arrow stream: what it has no type for is text, and values that it would
//! store as others are found.
//!
//! Source of what it reads: <https://clickhouse.com/docs/interfaces/formats/ArrowStream>.

use std::ops::RangeInclusive;
use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, PrimitiveArray, RecordBatch, RecordBatchOptions, UInt64Array,
};
use headwater_sdk::arrow::compute::{cast, filter_record_batch, take};
use headwater_sdk::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, DecimalType, Field, FieldRef, Int64Type,
    Schema, TimeUnit,
};
use headwater_sdk::{ColumnType, Error, Extension, Rejects, Result, plain};

use crate::server::Abilities;
use crate::types::Kind;

/// Days from 1970-01-01 to 0001-01-01 and 9999-12-31, and to 1900-01-01 and 2299-12-31.
const ALL_YEARS: RangeInclusive<i64> = -719_162..=2_932_896;
const FEW_YEARS: RangeInclusive<i64> = -25_567..=120_529;

const DAY: i64 = 86_400;

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::destination(error)
}

/// A batch as it is sent. Rows with values that ClickHouse has no room for go to `rejects`, or are an error.
pub fn convert(batch: &RecordBatch, abilities: Abilities, rejects: Option<&Rejects>) -> Result<RecordBatch> {
    let schema = batch.schema();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    let mut bad: Vec<(usize, String)> = Vec::new();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let failed = |error: Error| error.while_doing(format!("column {}", field.name()));
        let sent = column(field, array).map_err(failed)?;
        let problems = problems(&sent, abilities).map_err(failed)?;
        bad.extend(problems.into_iter().map(|(row, problem)| (row, format!("column {}: {problem}", field.name()))));
        fields.push(Field::new(field.name(), sent.data_type().clone(), true));
        columns.push(sent);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let sent = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(wrong)?;
    if bad.is_empty() {
        return Ok(sent);
    }
    let Some(rejects) = rejects else { return Err(Error::rejected(bad.swap_remove(0).1)) };
    let mut kept = vec![true; batch.num_rows()];
    for (row, problem) in bad {
        // Of several problems of a row the first is told.
        if std::mem::replace(&mut kept[row], false) {
            rejects.add(batch, row, problem)?;
        }
    }
    filter_record_batch(&sent, &BooleanArray::from(kept)).map_err(wrong)
}

/// A column as it is sent.
fn column(field: &FieldRef, array: &ArrayRef) -> Result<ArrayRef> {
    let column = ColumnType { data_type: field.data_type().clone(), extension: Extension::of(field) };
    if let DataType::Dictionary(_, value) = field.data_type() {
        let field = Arc::new(Field::new(field.name(), value.as_ref().clone(), true));
        return self::column(&field, &cast(array, value).map_err(wrong)?);
    }
    let same = || Ok(Arc::clone(array));
    let as_type = |kind: &DataType| cast(array, kind).map_err(wrong);
    match (Kind::of(&column), field.data_type()) {
        (Kind::Array(_), _) => list(field, array),
        // Both are the bytes of a text.
        (_, DataType::Binary) if matches!(column.extension, Some(Extension::Json | Extension::Inet)) => same(),
        (Kind::Float32, _) => as_type(&DataType::Float32),
        (Kind::Date, _) => as_type(&DataType::Date32),
        (_, DataType::Duration(_)) => as_type(&DataType::Int64),
        (Kind::Decimal(..), DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale)) => {
            as_type(&DataType::Decimal128(*precision, *scale))
        }
        (Kind::String, DataType::Utf8 | DataType::LargeUtf8) => same(),
        (Kind::String, DataType::Utf8View) => as_type(&DataType::Utf8),
        (Kind::String, DataType::Binary | DataType::LargeBinary) if column.extension.is_none() => same(),
        (Kind::String, DataType::BinaryView | DataType::FixedSizeBinary(_)) if column.extension.is_none() => {
            as_type(&DataType::Binary)
        }
        (Kind::String, _) => Ok(Arc::new(plain::text(field, array)?)),
        _ => same(),
    }
}

/// A list with its items as they are sent. ClickHouse reads what stands behind a missing list, so there is nothing.
fn list(field: &FieldRef, array: &ArrayRef) -> Result<ArrayRef> {
    let item = plain::list_item(field.data_type())
        .ok_or_else(|| wrong(format!("{} where a list was expected", field.data_type())))?;
    let mut list = plain::usual_list(array)?;
    let behind_null = |row: usize| list.is_null(row) && list.value_length(row) > 0;
    if list.null_count() > 0 && (0..list.len()).any(behind_null) {
        let rows: UInt64Array = (0..list.len()).map(|row| list.is_valid(row).then_some(row as u64)).collect();
        let taken = take(&list, &rows, None).map_err(wrong)?;
        list = taken.as_list_opt::<i32>().ok_or_else(|| wrong("an array that is no list"))?.clone();
    }
    let values = column(item, list.values())?;
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let nulls = list.nulls().cloned();
    Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), values, nulls).map_err(wrong)?))
}

/// The rows whose value ClickHouse would store as another, and why.
fn problems(array: &ArrayRef, abilities: Abilities) -> Result<Vec<(usize, String)>> {
    let days = if abilities.all_years { ALL_YEARS } else { FEW_YEARS };
    let seconds = |unit| first(days.start() * DAY, unit)..=last((days.end() + 1) * DAY, unit);
    let (date, time) = ("a date", "a time");
    Ok(match array.data_type() {
        DataType::Date32 => beyond::<Date32Type>(array, &days, date, |days| i64::from(*days)),
        DataType::Timestamp(unit, _) => {
            let numbers = cast(array, &DataType::Int64).map_err(wrong)?;
            beyond::<Int64Type>(&numbers, &seconds(unit), time, |value| *value)
        }
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let numbers = match array.data_type() {
                DataType::Time32(_) => cast(&cast(array, &DataType::Int32).map_err(wrong)?, &DataType::Int64),
                _ => cast(array, &DataType::Int64),
            };
            let day = 0..=DAY * per_second(unit) - 1;
            beyond::<Int64Type>(&numbers.map_err(wrong)?, &day, "a time of day", |value| *value)
        }
        DataType::Decimal128(precision, _) => digits::<Decimal128Type>(array, *precision),
        DataType::Decimal256(precision, _) => digits::<Decimal256Type>(array, *precision),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let items = problems(list.values(), abilities)?;
            let offsets = list.value_offsets();
            let row = |item: usize| offsets.partition_point(|offset| *offset as usize <= item).saturating_sub(1);
            // What stands before the first list and behind the last is of no row.
            let seen = *offsets.first().unwrap_or(&0) as usize..*offsets.last().unwrap_or(&0) as usize;
            items.into_iter().filter(|(item, _)| seen.contains(item)).map(|(item, why)| (row(item), why)).collect()
        }
        _ => Vec::new(),
    })
}

/// The first number of a unit in a second. The finer the unit is, the less far its numbers reach.
fn first(second: i64, unit: &TimeUnit) -> i64 {
    second.saturating_mul(per_second(unit))
}

/// The last number of a unit before a second.
fn last(second: i64, unit: &TimeUnit) -> i64 {
    second.checked_mul(per_second(unit)).map_or(i64::MAX, |first| first - 1)
}

fn per_second(unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn beyond<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    range: &RangeInclusive<i64>,
    what: &str,
    number: impl Fn(&T::Native) -> i64,
) -> Vec<(usize, String)> {
    let values: &PrimitiveArray<T> = array.as_primitive();
    let beyond = |row: &usize| values.is_valid(*row) && !range.contains(&number(&values.value(*row)));
    // Mostly there is none, which is seen without a look at what is missing.
    if values.values().iter().all(|value| range.contains(&number(value))) {
        return Vec::new();
    }
    (0..values.len())
        .filter(beyond)
        .map(|row| (row, format!("{what} is beyond what this server can store: {}", number(&values.value(row)))))
        .collect()
}

fn digits<T: DecimalType>(array: &ArrayRef, precision: u8) -> Vec<(usize, String)> {
    let decimals: &PrimitiveArray<T> = array.as_primitive();
    if decimals.validate_decimal_precision(precision).is_ok() {
        return Vec::new();
    }
    let fits = |row: usize| decimals.slice(row, 1).validate_decimal_precision(precision).is_ok();
    let wrong = (0..array.len()).filter(|row| array.is_valid(*row) && !fits(*row));
    wrong.map(|row| (row, format!("a number has more digits than its type, {}", array.data_type()))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use headwater_sdk::arrow::array::{Date32Array, Int64Array, TimestampNanosecondArray};
    use headwater_sdk::arrow::buffer::OffsetBuffer;

    const WIDE: Abilities = Abilities { all_years: true };
    const NARROW: Abilities = Abilities { all_years: false };

    fn batch(array: ArrayRef) -> RecordBatch {
        let field = Field::new("value", array.data_type().clone(), true);
        RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap()
    }

    #[test]
    fn dates_that_the_server_lacks_are_refused_or_put_aside() {
        let days = batch(Arc::new(Date32Array::from(vec![Some(0), Some(-30_000), None, Some(120_530)])));
        assert_eq!(convert(&days, WIDE, None).unwrap(), days);
        let error = convert(&days, NARROW, None).unwrap_err().to_string();
        assert!(error.contains("column value: a date is beyond"), "{error}");
        let rejects = Rejects::new(2);
        assert_eq!(convert(&days, NARROW, Some(&rejects)).unwrap().num_rows(), 2);
        assert_eq!(rejects.count(), 2);
        assert!(convert(&days, NARROW, Some(&rejects)).is_err(), "there are too many");
    }

    #[test]
    fn nanoseconds_that_the_server_lacks_are_refused() {
        let day = DAY * 1_000_000_000;
        let times = batch(Arc::new(TimestampNanosecondArray::from(vec![-25_568 * day, -25_567 * day, i64::MAX])));
        assert_eq!(convert(&times, WIDE, None).unwrap(), times);
        let rejects = Rejects::new(2);
        assert_eq!(convert(&times, NARROW, Some(&rejects)).unwrap().num_rows(), 2);
        assert!(rejects.take()[0].row.contains("1899-12-31"));
    }

    #[test]
    fn a_date_in_a_list_is_of_its_row() {
        let item = Arc::new(Field::new("item", DataType::Date32, true));
        let days: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, 2, 5_000_000, 3]));
        let list = ListArray::new(item, OffsetBuffer::from_lengths([2, 0, 2, 1]), days, None);
        let rejects = Rejects::new(9);
        let sent = convert(&batch(Arc::new(list)), WIDE, Some(&rejects)).unwrap();
        assert_eq!((sent.num_rows(), rejects.count()), (3, 1));
        let put_aside = rejects.take();
        assert!(put_aside[0].row.contains("1970-01-03"), "the third row: {put_aside:?}");
    }

    #[test]
    fn nothing_stands_behind_a_missing_list() {
        let item = Arc::new(Field::new("item", DataType::Int64, true));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let nulls = Some(vec![true, false].into());
        let list = ListArray::new(item, OffsetBuffer::from_lengths([1, 2]), numbers, nulls);
        let sent = convert(&batch(Arc::new(list)), WIDE, None).unwrap();
        let sent = sent.column(0).as_list::<i32>();
        assert_eq!((sent.value_length(0), sent.value_length(1), sent.is_null(1)), (1, 0, true));
    }
}
