//! Columns of dates and times. An infinite one is the last or the first value of its Arrow type.

use std::sync::Arc;

use headwater_sdk::arrow::datatypes::{
    DataType, Date32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::number::numbers;
use super::values::{Values, Why, fixed};

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL begins to count.
const DAYS: i32 = 10_957;
/// The same in microseconds.
const MICROS: i64 = DAYS as i64 * 86_400_000_000;

/// Days since 1970.
pub fn date() -> Box<dyn Values> {
    numbers::<Date32Type>(DataType::Date32, |bytes| match i32::from_be_bytes(fixed(bytes)?) {
        infinite @ (i32::MIN | i32::MAX) => Ok(Some(infinite)),
        days => match days.checked_add(DAYS) {
            Some(days) if days != i32::MAX => Ok(Some(days)),
            _ => Err("a date is beyond what 32 bits can say".into()),
        },
    })
}

/// Microseconds as another unit, if they are whole ones of it.
fn whole(micros: i64, of_one: i64) -> Result<i64, Why> {
    match micros % of_one {
        0 => Ok(micros / of_one),
        _ => Err(format!(
            "a time has parts of less than {of_one} microseconds, which its type cannot say; leave `type` out, or take \
             one in microseconds"
        )
        .into()),
    }
}

fn beyond() -> Why {
    "a time is beyond what its type can say; leave `type` out, or say `type: text` for the column".into()
}

/// Points in time since 1970.
pub fn timestamp(unit: TimeUnit, zone: Option<Arc<str>>) -> Box<dyn Values> {
    fn micros(bytes: &[u8], convert: impl Fn(i64) -> Result<i64, Why>) -> Result<Option<i64>, Why> {
        match i64::from_be_bytes(fixed(bytes)?) {
            infinite @ (i64::MIN | i64::MAX) => Ok(Some(infinite)),
            micros => match convert(micros.checked_add(MICROS).ok_or_else(beyond)?)? {
                // These are the infinite ones.
                i64::MIN | i64::MAX => Err(beyond()),
                time => Ok(Some(time)),
            },
        }
    }
    let kind = DataType::Timestamp(unit, zone);
    match unit {
        TimeUnit::Second => numbers::<TimestampSecondType>(kind, |v| micros(v, |t| whole(t, 1_000_000))),
        TimeUnit::Millisecond => numbers::<TimestampMillisecondType>(kind, |v| micros(v, |t| whole(t, 1000))),
        TimeUnit::Microsecond => numbers::<TimestampMicrosecondType>(kind, |v| micros(v, Ok)),
        TimeUnit::Nanosecond => {
            numbers::<TimestampNanosecondType>(kind, |v| micros(v, |t| t.checked_mul(1000).ok_or_else(beyond)))
        }
    }
}

/// Times of a day.
pub fn time(to: &DataType) -> Option<Box<dyn Values>> {
    let micros = |bytes: &[u8]| -> Result<i64, Why> { Ok(i64::from_be_bytes(fixed(bytes)?)) };
    // A day has few enough seconds and milliseconds for 32 bits.
    let small = |time: i64| i32::try_from(time).map(Some).map_err(|_| beyond());
    Some(match to {
        DataType::Time32(TimeUnit::Second) => {
            numbers::<Time32SecondType>(to.clone(), move |v| small(whole(micros(v)?, 1_000_000)?))
        }
        DataType::Time32(TimeUnit::Millisecond) => {
            numbers::<Time32MillisecondType>(to.clone(), move |v| small(whole(micros(v)?, 1000)?))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            numbers::<Time64MicrosecondType>(to.clone(), move |v| Ok(Some(micros(v)?)))
        }
        DataType::Time64(TimeUnit::Nanosecond) => numbers::<Time64NanosecondType>(to.clone(), move |v| {
            micros(v)?.checked_mul(1000).map(Some).ok_or_else(beyond)
        }),
        _ => return None,
    })
}

/// Months, days and nanoseconds.
pub fn interval() -> Box<dyn Values> {
    numbers::<IntervalMonthDayNanoType>(DataType::Interval(IntervalUnit::MonthDayNano), |bytes| {
        let all = u128::from_be_bytes(fixed(bytes)?);
        let (micros, days, months) = ((all >> 64) as i64, (all >> 32) as i32, all as i32);
        match micros.checked_mul(1000) {
            Some(nanos) => Ok(Some(IntervalMonthDayNano::new(months, days, nanos))),
            None => Err(format!(
                "the interval of {months} months, {days} days and {micros} microseconds has more nanoseconds than 64 bits \
                 can say; say `type: text` for the column"
            )
            .into()),
        }
    })
}
