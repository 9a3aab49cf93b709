//! Ranges of a column's values, by which the rows of a unit are told from those of others.

use std::fmt;

use arrow::datatypes::TimeUnit;

use crate::plain::{TimeStyle, date_text, time_text};

/// The end of a range: a value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// Of a column of whole numbers, or of decimals.
    Number(i64),
    /// Of a column of dates: days since 1970-01-01.
    Date(i32),
    /// Of a column of points in time: microseconds since 1970-01-01, in UTC where the column has a time zone.
    Time(i64),
}

/// The rows whose value of a column is at least `from` and less than `until`; without an end, all on that side. A row
/// without a value is in the range that has no `from`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Range {
    /// The column.
    pub column: String,
    /// The first value that is in it.
    pub from: Option<Bound>,
    /// The first value that is no longer in it.
    pub until: Option<Bound>,
}

impl Range {
    /// The condition as SQL, of a column and of values as a dialect writes them.
    pub fn sql(&self, column: &str, literal: impl Fn(Bound) -> String) -> String {
        let from = self.from.map(|bound| format!("{column} >= {}", literal(bound)));
        let until = self.until.map(|bound| format!("{column} < {}", literal(bound)));
        match (from, until) {
            (None, None) => "1 = 1".to_owned(),
            (Some(from), None) => from,
            (Some(from), Some(until)) => format!("({from} AND {until})"),
            (None, Some(until)) => format!("({until} OR {column} IS NULL)"),
        }
    }
}

impl fmt::Display for Bound {
    /// As it stands in the names of units: `500000`, `2026-11-21`, `2026-11-21T08:00:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Number(number) => write!(f, "{number}"),
            Bound::Date(days) => f.write_str(&date_text(*days)),
            Bound::Time(micros) => f.write_str(&time_text(*micros, TimeUnit::Microsecond, TimeStyle::Local)),
        }
    }
}
