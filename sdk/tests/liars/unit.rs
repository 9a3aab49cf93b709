//! Which rows are of a part's unit, as a destination in memory tells it.

use std::cmp::Ordering;

use headwater_sdk::arrow::datatypes::TimeUnit;
use headwater_sdk::plain::{TimeStyle, time_text};
use headwater_sdk::schema::SOURCE_NAME;
use headwater_sdk::{Bound, Part, Range, Result};

use super::Lie;
use super::memory::Row;

/// Makes sure that the part's rows can be told.
pub fn check_unit(lie: Lie, part: &Part) -> Result<()> {
    if lie == Lie::TakesAnyRange { Ok(()) } else { part.check_unit() }
}

/// Whether a row is of a part's unit.
pub fn of_unit(lie: Lie, part: &Part, row: &Row) -> bool {
    let is = |name: &str, value: &str| row.get(name).is_some_and(|held| held.as_deref() == Some(value));
    let told = part.predicate.iter().all(|(name, value)| is(name, value));
    let ranged = lie == Lie::IgnoresRanges || part.ranges.iter().all(|range| in_range(lie, range, row));
    let source = is(SOURCE_NAME, &part.source) || lie == Lie::RemovesOtherSources;
    source && (told && ranged || lie == Lie::RemovesOtherUnits)
}

fn in_range(lie: Lie, range: &Range, row: &Row) -> bool {
    let Some(value) = row.get(&range.column).and_then(Option::as_ref) else {
        return range.from.is_none() && lie != Lie::RangesLackNulls;
    };
    let from = range.from.is_none_or(|from| compare(value, from).is_ge());
    let until = range.until.is_none_or(|until| match compare(value, until) {
        Ordering::Less => true,
        Ordering::Equal => lie == Lie::RangesHaveTheirEnd,
        Ordering::Greater => false,
    });
    from && until
}

fn compare(value: &str, bound: Bound) -> Ordering {
    match bound {
        Bound::Number(number) => value.parse::<f64>().unwrap_or(f64::NAN).total_cmp(&(number as f64)),
        Bound::Date(_) => value.cmp(&bound.to_string()),
        Bound::Time(micros) => short(value).cmp(short(&time_text(micros, TimeUnit::Microsecond, TimeStyle::Local))),
    }
}

/// A time without what all have, or what is nothing.
fn short(text: &str) -> &str {
    let text = text.trim_end_matches('Z');
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}
