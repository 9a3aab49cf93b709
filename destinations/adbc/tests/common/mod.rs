//! Databases for the tests, and what they hold, read by other means than the destination's.
#![allow(dead_code, clippy::unwrap_used)]

pub mod duckdb;
pub mod postgresql;
pub mod sqlite;

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, DurationMicrosecondArray, IntervalDayTimeArray, IntervalYearMonthArray, ListArray,
    StringArray,
};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::{
    DataType, FieldRef, IntervalDayTime, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use headwater_sdk::testing::fidelity::texts;
use headwater_sdk::{Extension, plain};

/// The values of a column that was read in another form, as text of the column's own type.
pub fn as_own_type(field: &FieldRef, array: &ArrayRef) -> Vec<Option<String>> {
    let list = |texts: StringArray| texts.iter().map(|text| text.map(str::to_owned)).collect();
    let read = Arc::new(headwater_sdk::arrow::datatypes::Field::new("", array.data_type().clone(), true));
    if Extension::of(field).is_some() {
        return list(plain::text(&read, array).unwrap());
    }
    // Text is in quotes in JSON, as what it stands for is.
    let as_text = match (plain::list_item(field.data_type()), plain::list_item(array.data_type())) {
        (Some(own), Some(item)) => item.data_type().is_string() && !own.data_type().is_string(),
        _ => field.data_type().is_nested(),
    };
    if as_text {
        return list(plain::text(&read, array).unwrap());
    }
    if let DataType::Timestamp(unit, Some(_)) = field.data_type() {
        // Of a time without a zone, which needs no list of zones.
        let local = plain::text(
            &Arc::new(headwater_sdk::arrow::datatypes::Field::new("", DataType::Timestamp(*unit, None), true)),
            &retyped(array, &DataType::Timestamp(*unit, None)),
        )
        .unwrap();
        return list(local).into_iter().map(|text| text.map(|text| text + "Z")).collect();
    }
    texts(field, &retyped(array, field.data_type())).unwrap()
}

/// A column as another type of the same values; also those intervals that Arrow does not cast.
pub fn retyped(array: &ArrayRef, to: &DataType) -> ArrayRef {
    match (array.data_type(), to) {
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = retyped(list.values(), item.data_type());
            Arc::new(ListArray::new(Arc::clone(item), list.offsets().clone(), values, list.nulls().cloned()))
        }
        (DataType::Interval(IntervalUnit::MonthDayNano), DataType::Interval(unit))
            if *unit != IntervalUnit::MonthDayNano =>
        {
            let values = array.as_primitive::<IntervalMonthDayNanoType>();
            match unit {
                IntervalUnit::YearMonth => Arc::new(
                    values.iter().map(|value| value.map(|value| value.months)).collect::<IntervalYearMonthArray>(),
                ),
                _ => {
                    let day_time = |value: headwater_sdk::arrow::datatypes::IntervalMonthDayNano| {
                        assert_eq!(value.months, 0);
                        IntervalDayTime::new(value.days, (value.nanoseconds / 1_000_000) as i32)
                    };
                    Arc::new(values.iter().map(|value| value.map(day_time)).collect::<IntervalDayTimeArray>())
                }
            }
        }
        (DataType::Interval(IntervalUnit::MonthDayNano), DataType::Duration(_)) => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>();
            let micros = values.iter().map(|value| {
                value.map(|value| {
                    assert_eq!(value.months, 0);
                    i64::from(value.days) * 86_400_000_000 + value.nanoseconds / 1000
                })
            });
            let micros: ArrayRef = Arc::new(micros.collect::<DurationMicrosecondArray>());
            cast(&micros, to).unwrap()
        }
        (DataType::Timestamp(from, Some(_)), DataType::Timestamp(..)) => {
            let utc = cast(array, &DataType::Int64).unwrap();
            let DataType::Timestamp(unit, _) = to else { unreachable!() };
            let local = cast(&utc, &DataType::Timestamp(*from, None)).unwrap();
            // A zone needs no list of zones where it is only put there.
            cast(&cast(&cast(&local, &DataType::Timestamp(*unit, None)).unwrap(), &DataType::Int64).unwrap(), to)
                .unwrap()
        }
        (DataType::Utf8, DataType::Time32(unit)) => {
            let micros = cast(array, &DataType::Time64(TimeUnit::Microsecond)).unwrap();
            cast(&micros, &DataType::Time32(*unit)).unwrap()
        }
        _ => cast(array, to).unwrap(),
    }
}
