//! How a table of a database is divided into ranges of a column's values: at multiples of a step of numbers or of time, or at
//! bounds that are named.

use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit};

use crate::range::{Bound, Range};

const MINUTE: i64 = 60 * 1_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// What the values of a column are along. Each has a number: itself, days since 1970-01-01, or microseconds since then in
/// UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Whole numbers, or decimals.
    Number,
    /// Days.
    Date,
    /// Points in time.
    Time,
}

/// How far a range reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Numbers, days or microseconds.
    Plain(i64),
    /// Months, and how many days or microseconds a day is.
    Months(i64, i64),
}

fn epoch() -> Date {
    date(1970, 1, 1)
}

fn days(date: Date) -> Option<i32> {
    epoch().until((Unit::Day, date)).ok().map(|span| span.get_days())
}

impl Axis {
    /// What a step may be, for whoever has written another.
    pub fn steps(self) -> &'static str {
        match self {
            Axis::Number => "a whole number from 1 on",
            Axis::Date => "a number of days, weeks, months or years, such as `7 days`",
            Axis::Time => "a number of minutes, hours, days, weeks, months or years, such as `6 hours`",
        }
    }

    /// What a bound may be, for whoever has written another.
    pub fn values(self) -> &'static str {
        match self {
            Axis::Number => "a whole number",
            Axis::Date => "a date, such as `2026-11-21`",
            Axis::Time => "a time in UTC, such as `2026-11-21T08:00:00`",
        }
    }

    /// A step of its text.
    pub fn step(self, text: &str) -> Option<Step> {
        let (count, unit) = match text.trim().split_once(' ') {
            Some((count, unit)) => (count, unit.trim().trim_end_matches('s')),
            None => (text.trim(), ""),
        };
        let count = count.parse::<i64>().ok().filter(|count| *count > 0)?;
        let day = if self == Axis::Time { DAY } else { 1 };
        let one = match (self, unit) {
            (Axis::Number, "") => 1,
            (Axis::Number, _) => return None,
            (Axis::Time, "minute") => MINUTE,
            (Axis::Time, "hour") => 60 * MINUTE,
            (_, "day") => day,
            (_, "week") => 7 * day,
            (_, "month") => return Some(Step::Months(count, day)),
            (_, "year") => return Some(Step::Months(count.checked_mul(12)?, day)),
            _ => return None,
        };
        count.checked_mul(one).map(Step::Plain)
    }

    /// A bound of its text.
    pub fn bound(self, text: &str) -> Option<Bound> {
        let text = text.trim();
        match self {
            Axis::Number => text.parse().ok().map(Bound::Number),
            Axis::Date => Some(Bound::Date(days(text.parse().ok().filter(|_| text.len() == 10)?)?)),
            Axis::Time => {
                let time = match text.parse::<Timestamp>() {
                    Ok(time) => time,
                    Err(_) => text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
                };
                Some(Bound::Time(time.as_microsecond()))
            }
        }
    }

    /// The bound of a number.
    pub fn of_number(self, number: i64) -> Bound {
        match self {
            Axis::Number => Bound::Number(number),
            Axis::Date => Bound::Date(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })),
            Axis::Time => Bound::Time(number),
        }
    }
}

impl Bound {
    /// The number of the bound along its axis.
    pub fn number(self) -> i64 {
        match self {
            Bound::Date(days) => days.into(),
            Bound::Number(number) | Bound::Time(number) => number,
        }
    }
}

impl Step {
    /// Which multiple of the step a value is in.
    fn index(self, value: i64) -> Option<i64> {
        match self {
            Step::Plain(step) => Some(value.div_euclid(step)),
            Step::Months(months, day) => {
                let date = epoch().checked_add(Span::new().try_days(value.div_euclid(day)).ok()?).ok()?;
                Some((i64::from(date.year()) * 12 + i64::from(date.month()) - 1).div_euclid(months))
            }
        }
    }

    /// Where a multiple begins; none where that is beyond the calendar, or all numbers.
    fn begin(self, index: i64) -> Option<i64> {
        match self {
            Step::Plain(step) => index.checked_mul(step),
            Step::Months(months, day) => {
                let month = index.checked_mul(months)?;
                let year = i16::try_from(month.div_euclid(12)).ok()?;
                let first = Date::new(year, (month.rem_euclid(12) + 1) as i8, 1).ok()?;
                i64::from(days(first)?).checked_mul(day)
            }
        }
    }

    /// Where the range that a value is in begins, or the one that comes so many later.
    pub fn around(self, value: i64, later: i64) -> Option<i64> {
        self.begin(self.index(value)?.checked_add(later)?)
    }

    /// The multiples that are more than `least` and not more than `most`. None are beyond the calendar.
    pub fn within(self, least: i64, most: i64) -> impl Iterator<Item = i64> {
        let first = match self {
            Step::Plain(_) => self.index(least),
            // The calendar has the years from -9999 to 9999.
            Step::Months(months, day) => self.index(least.max(-4_371_587 * day)).or(Some(120_000 / months)),
        };
        let begins = first.into_iter().flat_map(move |first| {
            let later = std::iter::successors(Some(first), |index| index.checked_add(1));
            // The first may begin before all numbers.
            later.map(move |index| (index == first, self.begin(index))).take_while(|(first, at)| *first || at.is_some())
        });
        begins.filter_map(|(_, at)| at).skip_while(move |at| *at <= least).take_while(move |at| *at <= most)
    }
}

/// Ranges that end where the next one begins and, all together, have every value.
pub fn covering(column: &str, cuts: &[Bound]) -> Vec<Range> {
    let froms = std::iter::once(None).chain(cuts.iter().copied().map(Some));
    let untils = cuts.iter().copied().map(Some).chain([None]);
    froms.zip(untils).map(|(from, until)| Range { column: column.to_owned(), from, until }).collect()
}

/// The name of a unit of ranges, which goes by where they begin, so that it is the same when a table has grown:
/// `created_at=2026-11-21/id=500000`. A range without a beginning is `id=..`.
pub fn unit_name(ranges: &[Range]) -> String {
    let name = |range: &Range| match &range.from {
        Some(from) => format!("{}={from}", range.column),
        None => format!("{}=..", range.column),
    };
    ranges.iter().map(name).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cuts(axis: Axis, step: &str, least: i64, most: i64) -> Vec<String> {
        axis.step(step).unwrap().within(least, most).map(|cut| axis.of_number(cut).to_string()).collect()
    }

    fn at(axis: Axis, text: &str) -> i64 {
        axis.bound(text).unwrap().number()
    }

    #[test]
    fn ranges_begin_at_multiples_of_their_step() {
        assert_eq!(cuts(Axis::Number, "10", -11, 20), ["-10", "0", "10", "20"]);
        assert_eq!(cuts(Axis::Number, "10", 3, 3), [""; 0]);
        assert_eq!(cuts(Axis::Number, "9223372036854775807", i64::MIN, i64::MAX).len(), 3);
        let day = |text: &str| at(Axis::Date, text);
        assert_eq!(cuts(Axis::Date, "1 month", day("2024-01-31"), day("2024-03-01")), ["2024-02-01", "2024-03-01"]);
        assert_eq!(cuts(Axis::Date, "1 year", day("2024-01-01"), day("2026-01-01")), ["2025-01-01", "2026-01-01"]);
        let time = |text: &str| at(Axis::Time, text);
        let cuts = cuts(Axis::Time, "6 hours", time("1969-12-31T23:00:00"), time("1970-01-01T06:00:00Z"));
        let seconds: Vec<&str> = cuts.iter().map(|cut| &cut[..19]).collect();
        assert_eq!(seconds, ["1970-01-01T00:00:00", "1970-01-01T06:00:00"]);
    }

    #[test]
    fn a_period_is_found_by_a_moment_in_it() {
        let month = Axis::Date.step("1 month").unwrap();
        let day = |text: &str| at(Axis::Date, text);
        assert_eq!(month.around(day("2026-01-31"), 0), Some(day("2026-01-01")));
        assert_eq!(month.around(day("2026-01-31"), -1), Some(day("2025-12-01")));
        assert_eq!(month.around(i64::MAX, 0), None);
        let hours = Axis::Time.step("6 hours").unwrap();
        assert_eq!(hours.around(-1, 1), Some(0));
    }

    #[test]
    fn what_is_no_step_or_bound_is_refused() {
        for (axis, step) in [
            (Axis::Number, "0"),
            (Axis::Number, "1 day"),
            (Axis::Date, "6 hours"),
            (Axis::Date, "7"),
            (Axis::Time, "-1 days"),
        ] {
            assert!(axis.step(step).is_none(), "{step}");
        }
        for (axis, bound) in [(Axis::Number, "1.5"), (Axis::Date, "2024-02-30"), (Axis::Time, "soon")] {
            assert!(axis.bound(bound).is_none(), "{bound}");
        }
    }

    #[test]
    fn ranges_have_every_value_and_are_named_by_their_beginning() {
        let ranges = covering("id", &[Bound::Number(0), Bound::Number(10)]);
        let names: Vec<String> = ranges.iter().map(|range| unit_name(std::slice::from_ref(range))).collect();
        assert_eq!(names, ["id=..", "id=0", "id=10"]);
        assert_eq!(ranges[1].until, Some(Bound::Number(10)));
        assert_eq!(covering("id", &[]), [Range { column: "id".to_owned(), from: None, until: None }]);
    }
}
