//! Ranges of a column's values, by which the rows of a unit are told from those of others.

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};

use crate::error::{Error, Result};
use crate::plain::{TimeStyle, date_text, time_text};
use crate::schema::{Column, TableSchema};

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

impl Bound {
    /// Whether a column's values compare with it.
    fn fits(self, column: &Column) -> bool {
        let kind = &column.kind.data_type;
        column.kind.extension.is_none()
            && match self {
                Bound::Number(_) => kind.is_integer() || kind.is_decimal(),
                Bound::Date(_) => matches!(kind, DataType::Date32 | DataType::Date64),
                Bound::Time(_) => matches!(kind, DataType::Timestamp(..)),
            }
    }
}

impl Range {
    /// The column that it is of.
    ///
    /// # Errors
    /// If the table does not have it, or its values do not compare with the ends of the range.
    pub fn column_of<'a>(&self, table: &'a TableSchema) -> Result<&'a Column> {
        let name = &self.column;
        let column = table.column(name).ok_or_else(|| no_column(table, name))?;
        match self.from.iter().chain(&self.until).find(|bound| !bound.fits(column)) {
            None => Ok(column),
            Some(bound) => Err(Error::fatal(format!(
                "table {}: units are told by ranges of `{name}`, which is of type {}, and one of them ends at {bound}, which \
                 is no value of such a column",
                table.name,
                column.kind.name()
            ))),
        }
    }

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

/// That units are told by a column which is not there.
pub(crate) fn no_column(table: &TableSchema, column: &str) -> Error {
    Error::fatal(format!("table {}: units are told by `{column}`, which is not a column of the table", table.name))
}
