//! What ranges are of: numbers, dates, times, each as a number.

use std::ops::RangeInclusive;

use headwater_sdk::Bound;
use headwater_sdk::arrow::datatypes::DataType;
use jiff::civil::{Date, DateTime, date};
use jiff::{Timestamp, ToSpan, Unit};

use crate::kind::Kind;
use crate::types::Type;

const MINUTE: i64 = 60 * 1_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// What a column's values are along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Whole numbers; whether they may be more than those of 64 bits with a sign.
    Number { large: bool },
    /// Days, of a type with so many.
    Date { wide: bool },
    /// Points in time, in microseconds; whether the type has fractions of a second.
    Time { fine: bool },
}

/// How far a range reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Numbers, days or microseconds.
    Plain(i64),
    /// Months, and whether a day or a microsecond is one.
    Months(i64, Axis),
}

/// The days of `Date` and `Date32`.
const DAYS: RangeInclusive<i32> = 0..=65_535;
const WIDE_DAYS: RangeInclusive<i32> = -25_567..=120_529;

fn epoch() -> Date {
    date(1970, 1, 1)
}

fn days(date: Date) -> Option<i32> {
    epoch().until((Unit::Day, date)).ok().map(|span| span.get_days())
}

impl Axis {
    /// The axis of a type, if it has one.
    pub fn of(kind: &Type) -> Option<Self> {
        Some(match kind.name.as_str() {
            "LowCardinality" => return Self::of(&kind.inner(0)?),
            "Int8" | "Int16" | "Int32" | "Int64" | "UInt8" | "UInt16" | "UInt32" => Axis::Number { large: false },
            "UInt64" => Axis::Number { large: true },
            "Date" => Axis::Date { wide: false },
            "Date32" => Axis::Date { wide: true },
            "DateTime" => Axis::Time { fine: false },
            "DateTime64" => Axis::Time { fine: true },
            _ => return None,
        })
    }

    /// Whether the values of a type here are in the ranges that they are in there.
    pub fn goes_with(self, kind: &Kind) -> bool {
        match (self, kind.column_type().data_type) {
            (Axis::Number { .. }, kind) => kind.is_integer() || kind.is_decimal(),
            (Axis::Date { .. }, kind) => kind == DataType::Date32,
            (Axis::Time { .. }, kind) => matches!(kind, DataType::Timestamp(..)),
        }
    }

    /// What a step may be, for whoever has written another.
    pub fn steps(self) -> &'static str {
        match self {
            Axis::Number { .. } => "a whole number from 1 on",
            Axis::Date { .. } => "a number of days, weeks, months or years, such as `7 days`",
            Axis::Time { .. } => "a number of minutes, hours, days, weeks, months or years, such as `6 hours`",
        }
    }

    /// What a bound may be, for whoever has written another.
    pub fn values(self) -> &'static str {
        match self {
            Axis::Number { .. } => "a whole number",
            Axis::Date { wide: false } => "a date from 1970 to 2149, such as `2026-11-21`",
            Axis::Date { wide: true } => "a date from 1900 to 2299, such as `2026-11-21`",
            Axis::Time { .. } => "a time in UTC from 1900 to 2299, such as `2026-11-21T08:00:00`",
        }
    }

    /// A step of its text.
    pub fn step(self, text: &str) -> Option<Step> {
        let (count, unit) = match text.trim().split_once(' ') {
            Some((count, unit)) => (count, unit.trim().trim_end_matches('s')),
            None => (text.trim(), ""),
        };
        let count = count.parse::<i64>().ok().filter(|count| *count > 0)?;
        let day = if let Axis::Time { .. } = self { DAY } else { 1 };
        let one = match (self, unit) {
            (Axis::Number { .. }, "") => 1,
            (Axis::Number { .. }, _) => return None,
            (Axis::Time { .. }, "minute") => MINUTE,
            (Axis::Time { .. }, "hour") => 60 * MINUTE,
            (_, "day") => day,
            (_, "week") => 7 * day,
            (_, "month") => return Some(Step::Months(count, self)),
            (_, "year") => return Some(Step::Months(count.checked_mul(12)?, self)),
            _ => return None,
        };
        count.checked_mul(one).map(Step::Plain)
    }

    /// A bound of its text.
    pub fn bound(self, text: &str) -> Option<Bound> {
        let text = text.trim();
        match self {
            Axis::Number { .. } => text.parse().ok().map(Bound::Number),
            Axis::Date { wide } => {
                let days = days(text.parse().ok()?)?;
                let all = if wide { WIDE_DAYS } else { DAYS };
                all.contains(&days).then_some(Bound::Date(days))
            }
            Axis::Time { .. } => {
                let time = match text.parse::<Timestamp>() {
                    Ok(time) => time,
                    Err(_) => text.parse::<DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(),
                };
                let micros = time.as_microsecond();
                WIDE_DAYS.contains(&i32::try_from(micros.div_euclid(DAY)).ok()?).then_some(Bound::Time(micros))
            }
        }
    }

    /// A value as SQL.
    pub fn literal(self, bound: Bound) -> String {
        match (self, bound) {
            (Axis::Date { wide: false }, Bound::Date(_)) => format!("toDate('{bound}')"),
            (_, Bound::Date(_)) => format!("toDate32('{bound}')"),
            (_, Bound::Time(micros)) => format!("fromUnixTimestamp64Micro(toInt64({micros}), 'UTC')"),
            (_, Bound::Number(number)) => format!("({number})"),
        }
    }

    /// A value, given in SQL, as a number in SQL.
    pub fn number(self, sql: &str) -> String {
        match self {
            Axis::Number { large: false } => format!("toInt64({sql})"),
            Axis::Number { large: true } => format!("toInt64(least({sql}, toUInt64({})))", i64::MAX),
            Axis::Date { .. } => format!("toInt32({sql})"),
            Axis::Time { fine: false } => format!("toInt64(toUnixTimestamp({sql})) * 1000000"),
            Axis::Time { fine: true } => format!("toUnixTimestamp64Micro(toDateTime64({sql}, 6, 'UTC'))"),
        }
    }

    /// The bound of a number.
    pub fn of_number(self, number: i64) -> Bound {
        match self {
            Axis::Number { .. } => Bound::Number(number),
            Axis::Date { .. } => Bound::Date(number.try_into().unwrap_or(i32::MAX)),
            Axis::Time { .. } => Bound::Time(number),
        }
    }
}

impl Step {
    /// The multiples that are more than `least` and not more than `most`.
    pub fn within(self, least: i64, most: i64) -> Box<dyn Iterator<Item = i64>> {
        match self {
            Step::Plain(step) => {
                let first = least.div_euclid(step).checked_add(1).and_then(|count| count.checked_mul(step));
                let next = move |cut: &i64| cut.checked_add(step);
                Box::new(std::iter::successors(first, next).take_while(move |cut| *cut <= most))
            }
            Step::Months(months, axis) => {
                let day = if let Axis::Time { .. } = axis { DAY } else { 1 };
                let first = epoch().checked_add(least.div_euclid(day).days()).unwrap_or(Date::MIN);
                let month = i64::from(first.year()) * 12 + i64::from(first.month()) - 1;
                let next = move |month: &i64| month.checked_add(months);
                let multiples = std::iter::successors(Some(month.div_euclid(months) * months), next);
                let cuts = multiples.map_while(move |month| {
                    let year = i16::try_from(month.div_euclid(12)).ok()?;
                    let first = Date::new(year, (month.rem_euclid(12) + 1) as i8, 1).ok()?;
                    Some(i64::from(days(first)?) * day)
                });
                Box::new(cuts.skip_while(move |cut| *cut <= least).take_while(move |cut| *cut <= most))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NUMBER: Axis = Axis::Number { large: false };
    const DATE: Axis = Axis::Date { wide: false };
    const TIME: Axis = Axis::Time { fine: true };

    fn cuts(axis: Axis, step: &str, least: i64, most: i64) -> Vec<String> {
        axis.step(step).unwrap().within(least, most).map(|cut| axis.of_number(cut).to_string()).collect()
    }

    #[test]
    fn ranges_begin_at_multiples_of_their_step() {
        assert_eq!(cuts(NUMBER, "10", -11, 20), ["-10", "0", "10", "20"]);
        assert_eq!(cuts(NUMBER, "10", 3, 3), [""; 0]);
        assert_eq!(cuts(NUMBER, "9223372036854775807", i64::MIN, i64::MAX).len(), 3);
        let day = |text: &str| match DATE.bound(text).unwrap() {
            Bound::Date(days) => i64::from(days),
            other => panic!("{other}"),
        };
        assert_eq!(cuts(DATE, "1 month", day("2024-01-31"), day("2024-03-01")), ["2024-02-01", "2024-03-01"]);
        assert_eq!(cuts(DATE, "1 year", day("2024-01-01"), day("2026-01-01")), ["2025-01-01", "2026-01-01"]);
        let time = |text: &str| match TIME.bound(text).unwrap() {
            Bound::Time(micros) => micros,
            other => panic!("{other}"),
        };
        let cuts = cuts(TIME, "6 hours", time("1969-12-31T23:00:00"), time("1970-01-01T06:00:00Z"));
        let seconds: Vec<&str> = cuts.iter().map(|cut| &cut[..19]).collect();
        assert_eq!(seconds, ["1970-01-01T00:00:00", "1970-01-01T06:00:00"]);
    }

    #[test]
    fn what_is_no_step_or_bound_is_refused() {
        for (axis, step) in [(NUMBER, "0"), (NUMBER, "1 day"), (DATE, "6 hours"), (DATE, "7"), (TIME, "-1 days")] {
            assert!(axis.step(step).is_none(), "{step}");
        }
        for (axis, bound) in [(NUMBER, "1.5"), (DATE, "1969-12-31"), (DATE, "2024-02-30"), (TIME, "soon")] {
            assert!(axis.bound(bound).is_none(), "{bound}");
        }
    }
}
