//! Units that are told by ranges of a column's values, as those of tables of databases are, and tables without a key.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};

use super::super::things::{HERE, Item, OTHER, Origin, REGIONAL, Shape, THERE, array, at, column, part, thing};
use super::{Memory, counts, good, modes, ready, ready_with, rows, same_rows, write};
use crate::destination::{Committed, Destination, Outcome, Part, WriteMode};
use crate::error::Result;
use crate::range::{Bound, Range};
use crate::schema::{Column, ColumnType, SOURCE_NAME, SYNC_TIME, TableSchema};
use crate::scope::Scopes;
use crate::testing::Subject;

const STALE: WriteMode = WriteMode::OverwriteDeleteStale;

/// The column that rows are told by.
const VALUE: &str = "value";

/// A row: its name, and its value in the smallest steps of its type.
type Valued = (String, Option<i64>);

pub(super) fn valued(name: &str, value: i64) -> Valued {
    (name.to_owned(), Some(value))
}

/// A table whose units are ranges of a column of a type; rows are told by `name`, or not at all.
pub(super) fn divided(name: &str, kind: &DataType, scopes: Scopes, keyed: bool) -> TableSchema {
    let named = Column { key: keyed, ..column::<String>("name", false) };
    let columns = vec![named, Column::new(VALUE, ColumnType::plain(kind.clone()), "A value.")];
    let mut table = TableSchema::of_database(name, "Things.", scopes, columns);
    table.divided_by.push(VALUE.to_owned());
    table
}

/// A part of such a table, of a range.
pub(super) fn ranged(table: &TableSchema, from: Origin, range: &Range, sync: i64, mode: WriteMode) -> Part {
    let part = part(table, from, at(sync), mode);
    let end = |bound: Option<Bound>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    Part {
        scope: format!("{}/{}-{}", part.scope, end(range.from), end(range.until)),
        ranges: vec![range.clone()],
        ..part
    }
}

pub(super) fn range(from: Option<Bound>, until: Option<Bound>) -> Range {
    Range { column: VALUE.to_owned(), from, until }
}

/// Whole numbers as values of a type, in its smallest steps.
fn values(kind: &DataType, steps: Vec<Option<i64>>) -> ArrayRef {
    let steps: ArrayRef = match kind {
        DataType::Decimal128(precision, scale) => {
            let all = steps.into_iter().map(|step| step.map(i128::from)).collect::<arrow::array::Decimal128Array>();
            match all.with_precision_and_scale(*precision, *scale) {
                Ok(all) => return Arc::new(all),
                Err(error) => panic!("{error}"),
            }
        }
        DataType::Date32 => {
            let days = steps.into_iter().map(|step| step.and_then(|step| i32::try_from(step).ok()));
            return Arc::new(days.collect::<Date32Array>());
        }
        DataType::Int32 => Arc::new(
            steps.into_iter().map(|step| step.and_then(|step| i32::try_from(step).ok())).collect::<Int32Array>(),
        ),
        _ => Arc::new(Int64Array::from(steps)),
    };
    match cast(&steps, kind) {
        Ok(values) => values,
        Err(error) => panic!("{error}"),
    }
}

fn batch(table: &TableSchema, from: Origin, sync: i64, rows: &[Valued]) -> RecordBatch {
    let same = |text: &str| array(rows.iter().map(|_| Some(text.to_owned())));
    let columns = table.columns.iter().map(|column| match column.name.as_str() {
        SYNC_TIME => array(rows.iter().map(|_| Some(at(sync)))),
        SOURCE_NAME => same(from.source),
        "account_id" => same(from.account),
        "region" => same(from.region),
        "name" => array(rows.iter().map(|(name, _)| Some(name.clone()))),
        _ => values(&column.kind.data_type, rows.iter().map(|(_, value)| *value).collect()),
    });
    match RecordBatch::try_new(table.arrow(), columns.collect()) {
        Ok(batch) => batch,
        Err(error) => panic!("the batch is not of its table: {error}"),
    }
}

pub(super) async fn put(
    destination: &dyn Destination,
    part: Part,
    from: Origin,
    sync: i64,
    rows: &[Valued],
) -> Result<Committed> {
    let table = Arc::clone(&part.table);
    let mut writer = destination.begin(part).await?;
    writer.write(batch(&table, from, sync, rows)).await?;
    writer.commit(Outcome::Complete).await
}

/// The names of the rows that can be seen.
pub(super) async fn names(subject: &dyn Subject, table: &TableSchema) -> Vec<String> {
    let name = table.columns.iter().position(|column| column.name == "name").unwrap_or_default();
    let mut names: Vec<String> = subject.rows(table).await.into_iter().filter_map(|mut row| row[name].take()).collect();
    names.sort();
    names
}

/// Types that ranges are of: how many smallest steps one of a bound is, which bound a number of those is, and two of them,
/// whose texts do not sort like the values where that may be so.
fn kinds() -> Vec<(DataType, i64, fn(i64) -> Bound, [i64; 2])> {
    let number: fn(i64) -> Bound = Bound::Number;
    let date: fn(i64) -> Bound = |days| Bound::Date(i32::try_from(days).unwrap_or_default());
    let time: fn(i64) -> Bound = |seconds| Bound::Time(seconds * 1_000_000);
    let times = |unit, zone: Option<&str>| DataType::Timestamp(unit, zone.map(Into::into));
    let late = 1_700_000_000;
    vec![
        (DataType::Int64, 1, number, [-5, 100]),
        (DataType::Int32, 1, number, [-5, 100]),
        (DataType::UInt64, 1, number, [5, 100]),
        (DataType::Decimal128(19, 4), 10_000, number, [-5, 100]),
        (DataType::Decimal128(38, 0), 1, number, [-5, 100]),
        (DataType::Date32, 1, date, [-5, 20_000]),
        (times(TimeUnit::Microsecond, Some("UTC")), 1_000_000, time, [-5, late]),
        (times(TimeUnit::Microsecond, None), 1_000_000, time, [-5, late]),
        (times(TimeUnit::Second, None), 1, time, [-5, late]),
        (times(TimeUnit::Millisecond, Some("UTC")), 1_000, time, [-5, late]),
        (times(TimeUnit::Nanosecond, None), 1_000_000_000, time, [-5, late]),
        (times(TimeUnit::Nanosecond, Some("UTC")), 1_000_000_000, time, [-5, late]),
    ]
}

/// A unit's stale rows are those in its range: the first value is in it and the last one is not, and without a beginning it
/// has the rows that have no value.
pub async fn ranges_tell_units_from_each_other(subject: &dyn Subject) {
    for (number, (kind, step, bound, [low, high])) in kinds().into_iter().enumerate() {
        for keyed in [true, false] {
            // Beside the ranges, units are told by columns, or they are not.
            let scopes = if keyed { Scopes::SINGLE } else { REGIONAL };
            let table = divided(&format!("ranges_{number}_{keyed}"), &kind, scopes, keyed);
            let what = format!("{kind}, {}", if keyed { "with a key" } else { "without a key" });
            let ranges = [
                range(None, Some(bound(low))),
                range(Some(bound(low)), Some(bound(high))),
                range(Some(bound(high)), None),
            ];
            let (low, high) = (low * step, high * step);
            let mut units = [
                vec![("none".to_owned(), None), valued("below", low - 1)],
                vec![valued("low", low), valued("above", low + 1), valued("mid", 9 * step), valued("last", high - 1)],
                vec![valued("high", high), valued("more", high + 1)],
            ];
            let destination = ready(subject, &table, STALE).await;
            let mut others = Vec::new();
            for (unit, rows) in ranges.iter().zip(&units) {
                good(put(&*destination, ranged(&table, HERE, unit, 0, STALE), HERE, 0, rows).await, &what);
                for other in [OTHER, THERE].into_iter().take(if keyed { 1 } else { 2 }) {
                    let of = |(name, value): &Valued| (format!("{} {} {name}", other.source, other.region), *value);
                    let rows: Vec<Valued> = rows.iter().map(of).collect();
                    good(put(&*destination, ranged(&table, other, unit, 0, STALE), other, 0, &rows).await, &what);
                    others.extend(rows.into_iter().map(|(name, _)| name));
                }
            }
            for sync in 0..=units.len() {
                if let Some(unit) = sync.checked_sub(1) {
                    // All but the last of its rows are gone, and there is another one.
                    let stale = units[unit].len() - 1;
                    units[unit].drain(..stale);
                    let value = units[unit][0].1;
                    units[unit].push((format!("new {unit}"), value));
                    let part = ranged(&table, HERE, &ranges[unit], sync as i64, STALE);
                    let put = put(&*destination, part, HERE, sync as i64, &units[unit]).await;
                    // Without a key, the row that stays is another one too.
                    counts(good(put, &what), stale + usize::from(!keyed));
                }
                let mut expected: Vec<String> = units.concat().into_iter().map(|(name, _)| name).collect();
                expected.extend(others.iter().cloned());
                expected.sort();
                assert_eq!(names(subject, &table).await, expected, "{what}, sync {sync}");
            }
            good(destination.close().await, "close");
        }
    }
}

fn halves() -> [Range; 2] {
    let middle = Some(Bound::Number(10));
    [range(None, middle), range(middle, None)]
}

/// A row whose value has changed is written with another unit than before, which may be committed first or last.
pub async fn a_row_moves_to_another_range(subject: &dyn Subject) {
    for (keyed, order) in [(true, [0, 1]), (true, [1, 0]), (false, [0, 1]), (false, [1, 0])] {
        let table = divided(&format!("moves_{keyed}_{}", order[0]), &DataType::Int64, Scopes::SINGLE, keyed);
        let destination = ready(subject, &table, STALE).await;
        let syncs = [
            [vec![valued("a", 1), valued("b", 2)], vec![valued("c", 15), valued("d", 16)]],
            [vec![valued("b", 2), valued("d", 6)], vec![valued("a", 11), valued("c", 15)]],
        ];
        for (sync, units) in (0..).zip(&syncs) {
            for unit in order {
                let part = ranged(&table, HERE, &halves()[unit], sync, STALE);
                good(put(&*destination, part, HERE, sync, &units[unit]).await, "put");
            }
            let of = |name: &str| table.columns.iter().position(|column| column.name == name).unwrap_or_default();
            let seen = subject.rows(&table).await;
            let mut seen: Vec<_> =
                seen.into_iter().map(|row| (row[of("name")].clone(), row[of(VALUE)].clone())).collect();
            let text = |(name, value): &Valued| (Some(name.clone()), value.map(|value| value.to_string()));
            let mut expected: Vec<_> = units.concat().iter().map(text).collect();
            seen.sort();
            expected.sort();
            assert_eq!(seen, expected, "keyed: {keyed}, order: {order:?}, sync {sync}");
        }
        good(destination.close().await, "close");
    }
}

/// A range that was written by a process which is gone is written again: its rows are replaced, and those of other ranges
/// stay.
pub async fn a_range_is_written_again(subject: &dyn Subject) {
    for (mode, keyed) in [(STALE, true), (STALE, false), (WriteMode::Append, false)] {
        if !modes(&*subject.open()).contains(&mode) {
            continue;
        }
        let name = format!("again_{keyed}_{mode:?}").to_lowercase();
        let table = divided(&name, &DataType::Int64, Scopes::SINGLE, keyed);
        let destination = ready(subject, &table, mode).await;
        let first = [vec![valued("a", 1), valued("b", 2)], vec![valued("c", 15), valued("d", 16)]];
        for (unit, rows) in halves().iter().zip(&first) {
            good(put(&*destination, ranged(&table, HERE, unit, 0, mode), HERE, 0, rows).await, "put");
        }
        drop(destination);
        let destination = ready(subject, &table, mode).await;
        let again = [vec![], vec![valued("d", 16), valued("e", 17)]];
        for (unit, expected) in [(1, &["a", "b", "d", "e"][..]), (0, &["d", "e"])] {
            let part = Part { resumed: true, ..ranged(&table, HERE, &halves()[unit], 0, mode) };
            good(put(&*destination, part, HERE, 0, &again[unit]).await, "put");
            assert_eq!(names(subject, &table).await, expected, "{mode:?}, keyed: {keyed}");
        }
        good(destination.close().await, "close");
    }
}

/// What is no value of the column tells nothing, and removes nothing.
pub async fn a_range_that_does_not_fit_is_refused(subject: &dyn Subject) {
    let cases = [
        (DataType::Int64, VALUE, Bound::Date(1)),
        (DataType::Int64, VALUE, Bound::Time(1)),
        (DataType::Utf8, VALUE, Bound::Number(1)),
        (DataType::Date32, VALUE, Bound::Number(1)),
        (DataType::Date32, VALUE, Bound::Time(1)),
        (DataType::Timestamp(TimeUnit::Microsecond, None), VALUE, Bound::Number(1)),
        (DataType::Int64, "no such column", Bound::Number(1)),
    ];
    for (number, (kind, column, bound)) in cases.into_iter().enumerate() {
        let table = divided(&format!("unfit_{number}"), &kind, Scopes::SINGLE, true);
        let destination = ready(subject, &table, STALE).await;
        let all = ranged(&table, HERE, &range(None, None), 0, STALE);
        let none: [Valued; 2] = [("a".to_owned(), None), ("b".to_owned(), None)];
        good(put(&*destination, all, HERE, 0, &none).await, "put");
        for (from, until) in [(Some(bound), None), (None, Some(bound))] {
            let range = Range { column: column.to_owned(), from, until };
            let written = put(&*destination, ranged(&table, HERE, &range, 1, STALE), HERE, 1, &none[..1]).await;
            assert!(written.is_err(), "{bound} of {kind}");
            let pruned = destination.prune(&Arc::new(table.clone()), HERE.source, &[range], at(1)).await;
            assert!(pruned.is_err(), "{bound} of {kind}");
        }
        assert_eq!(names(subject, &table).await, ["a", "b"], "{bound} of {kind}");
        good(destination.close().await, "close");
    }
}

/// Where rows are not told from each other, a unit's are replaced all together, and equal ones are several.
pub async fn rows_without_a_key_are_replaced_with_their_unit(subject: &dyn Subject) {
    for (name, memory) in [("keyless", Memory::Ample), ("keyless_large", Memory::Little)] {
        let table = Shape::Keyless.table(name);
        let destination = ready_with(subject, &table, STALE, memory).await;
        let mut units: BTreeMap<usize, Vec<Item>> = BTreeMap::new();
        for (sync, unit) in [(0, 0), (0, 1), (0, 2), (1, 0), (2, 1), (3, 0)] {
            let from = [HERE, THERE, OTHER][unit];
            let mut batches = memory.batches(sync..sync + 2);
            batches.push(vec![thing("same", 1); 3]);
            let committed = write(&*destination, part(&table, from, at(sync), STALE), from, &batches).await;
            let new = batches.concat();
            assert_eq!(committed.written, new.len() as u64, "{name}, sync {sync}");
            counts(committed, units.insert(unit, new).map_or(0, |stale| stale.len()));
            let mut expected: Vec<Item> = units.values().flatten().cloned().collect();
            expected.sort();
            same_rows(&rows(subject, &table).await, &expected, &format!("{name}, sync {sync}"));
        }
        good(destination.close().await, "close");
    }
}
