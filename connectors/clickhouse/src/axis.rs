//! What ranges are of: numbers, dates, times, each as a number.

use std::ops::RangeInclusive;

use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::{Bound, divide};

use crate::kind::Kind;
use crate::types::Type;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

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

/// The days of `Date` and `Date32`.
const DAYS: RangeInclusive<i32> = 0..=65_535;
const WIDE_DAYS: RangeInclusive<i32> = -25_567..=120_529;

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

    /// The same without what is ClickHouse's own.
    pub fn plain(self) -> divide::Axis {
        match self {
            Axis::Number { .. } => divide::Axis::Number,
            Axis::Date { .. } => divide::Axis::Date,
            Axis::Time { .. } => divide::Axis::Time,
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

    /// A bound of its text.
    pub fn bound(self, text: &str) -> Option<Bound> {
        let bound = self.plain().bound(text)?;
        let is_there = match (self, bound) {
            (Axis::Date { wide: false }, Bound::Date(days)) => DAYS.contains(&days),
            (_, Bound::Date(days)) => WIDE_DAYS.contains(&days),
            (_, Bound::Time(micros)) => WIDE_DAYS.contains(&i32::try_from(micros.div_euclid(DAY)).ok()?),
            (_, Bound::Number(_)) => true,
        };
        is_there.then_some(bound)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_type_does_not_have_is_no_bound() {
        for (axis, bound, good) in [
            (Axis::Date { wide: false }, "1969-12-31", false),
            (Axis::Date { wide: true }, "1969-12-31", true),
            (Axis::Date { wide: true }, "2300-01-01", false),
            (Axis::Time { fine: true }, "2299-12-31T23:59:59", true),
            (Axis::Time { fine: true }, "2300-01-01T00:00:00", false),
        ] {
            assert_eq!(axis.bound(bound).is_some(), good, "{bound}");
        }
    }
}
