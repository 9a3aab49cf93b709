//! How a table of a database is divided into ranges of a column's values: steps of numbers, or periods of time.

use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::range::{Bound, Range};

/// A period of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Every {
    /// From one full hour to the next, in UTC.
    Hour,
    /// From midnight to midnight, in UTC.
    Day,
    /// From the first of a month to that of the next.
    Month,
    /// From the first of January to the next.
    Year,
}

impl Every {
    fn span(self) -> Span {
        match self {
            Every::Hour => 1.hour(),
            Every::Day => 1.day(),
            Every::Month => 1.month(),
            Every::Year => 1.year(),
        }
    }

    /// The beginning of the period that a moment is in.
    fn begin(self, at: DateTime) -> DateTime {
        let date = match self {
            Every::Hour | Every::Day => at.date(),
            Every::Month => at.date().first_of_month(),
            Every::Year => at.date().first_of_year(),
        };
        date.at(if self == Every::Hour { at.hour() } else { 0 }, 0, 0, 0)
    }
}

/// The moment of a bound of time; none of a number, or one beyond the calendar.
fn moment(bound: Bound) -> Option<DateTime> {
    match bound {
        Bound::Number(_) => None,
        Bound::Date(days) => Some(EPOCH.checked_add(i64::from(days).days()).ok()?.at(0, 0, 0, 0)),
        Bound::Time(micros) => {
            Some(jiff::Timestamp::from_microsecond(micros).ok()?.to_zoned(jiff::tz::TimeZone::UTC).datetime())
        }
    }
}

const EPOCH: Date = Date::constant(1970, 1, 1);

/// The bound at a moment, of the same kind as another.
fn bound(at: DateTime, like: Bound) -> Option<Bound> {
    match like {
        Bound::Number(_) => None,
        Bound::Date(_) => Some(Bound::Date(at.date().since(EPOCH).ok()?.get_days())),
        Bound::Time(_) => {
            let zoned = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(Bound::Time(zoned.timestamp().as_microsecond()))
        }
    }
}

/// The beginnings of all periods from the one that `first` is in to the one of `last`; none where one of them is beyond the
/// calendar.
pub fn periods(first: Bound, last: Bound, every: Every) -> Option<Vec<Bound>> {
    let (mut at, last) = (every.begin(moment(first)?), moment(last)?);
    let mut all = Vec::new();
    while at <= last {
        all.push(bound(at, first)?);
        at = at.checked_add(every.span()).ok()?;
    }
    Some(all)
}

/// The beginning of the period that `at` is in, so many periods later, or earlier where `by` is negative.
pub fn period(at: Bound, every: Every, by: i64) -> Option<Bound> {
    let moved = every.begin(moment(at)?).checked_add(every.span().checked_mul(by).ok()?).ok()?;
    bound(moved, at)
}

/// The multiples of `step` from the one at or below `first` to the one at or below `last`.
pub fn steps(first: i64, last: i64, step: i64) -> Vec<Bound> {
    let step = step.max(1);
    let mut at = first.div_euclid(step).checked_mul(step);
    let mut all = Vec::new();
    while let Some(from) = at.filter(|from| *from <= last) {
        all.push(Bound::Number(from));
        at = from.checked_add(step);
    }
    all
}

/// Ranges that begin at the bounds and, all together, have every value: the first has no beginning, the last no end.
pub fn covering(column: &str, bounds: &[Bound]) -> Vec<Range> {
    let mut ranges: Vec<Range> = between(column, bounds);
    match (ranges.first_mut(), bounds.last()) {
        (Some(first), Some(last)) => {
            first.from = None;
            ranges.push(Range { column: column.to_owned(), from: Some(*last), until: None });
        }
        _ => ranges.push(Range { column: column.to_owned(), from: None, until: None }),
    }
    ranges
}

/// The ranges from each bound to the next.
pub fn between(column: &str, bounds: &[Bound]) -> Vec<Range> {
    let pairs = bounds.windows(2);
    pairs.map(|pair| Range { column: column.to_owned(), from: Some(pair[0]), until: Some(pair[1]) }).collect()
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
    use super::*;

    fn shown(ranges: &[Range]) -> Vec<String> {
        let end = |bound: &Option<Bound>| bound.map_or("..".to_owned(), |bound| bound.to_string());
        ranges.iter().map(|range| format!("{} {}", end(&range.from), end(&range.until))).collect()
    }

    #[test]
    fn numbers_are_divided_at_multiples() {
        assert_eq!(shown(&covering("id", &steps(-3, 25, 10))), [".. 0", "0 10", "10 20", "20 .."]);
        assert_eq!(shown(&covering("id", &steps(7, 7, 10))), [".. .."]);
        assert_eq!(steps(i64::MAX - 1, i64::MAX, 4).len(), 1);
    }

    #[test]
    fn time_is_divided_at_its_periods() {
        let day = |text: &str| bound(text.parse().expect("a time"), Bound::Time(0)).expect("within the calendar");
        let months = periods(day("2026-01-31T23:59:59"), day("2026-03-01T00:00:00"), Every::Month).expect("months");
        assert_eq!(
            shown(&between("t", &months)),
            [
                "2026-01-01T00:00:00.000000 2026-02-01T00:00:00.000000",
                "2026-02-01T00:00:00.000000 2026-03-01T00:00:00.000000"
            ]
        );
        let days = periods(Bound::Date(-1), Bound::Date(1), Every::Day).expect("days");
        assert_eq!(unit_name(&covering("d", &days)[1..2]), "d=1970-01-01");
        assert_eq!(period(Bound::Date(31), Every::Month, -1), Some(Bound::Date(0)));
        assert_eq!(periods(Bound::Time(i64::MAX), Bound::Time(i64::MAX), Every::Day), None);
    }
}
