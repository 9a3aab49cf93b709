//! What units that are no more have left.

use std::sync::Arc;

use arrow::datatypes::DataType;

use super::super::things::{HERE, OTHER, Shape, THERE, at, part};
use super::ranges::{divided, names, put, range, ranged, valued};
use super::{good, many, ready, rows, same_rows, write};
use crate::destination::{MigrateMode, Part, WriteMode};
use crate::error::{Class, Result};
use crate::range::Bound;
use crate::schema::TableSchema;
use crate::scope::Scopes;
use crate::testing::Subject;

const STALE: WriteMode = WriteMode::OverwriteDeleteStale;

/// Whether it was done, of so many rows at most; not where the target cannot.
fn done(pruned: Result<u64>, most: u64) -> bool {
    if matches!(&pruned, Err(error) if error.class == Class::Unsupported) {
        return false;
    }
    let pruned = good(pruned, "prune");
    assert!([0, most].contains(&pruned), "{pruned} rows are said to be removed, of {most}");
    true
}

/// What earlier syncs have written of a source and a table goes, and nothing else; also where another process has written a
/// part of this sync.
pub async fn units_that_are_no_more_are_pruned(subject: &dyn Subject) {
    for shape in [Shape::Named, Shape::Keyless] {
        let [table, other] =
            ["pruned", "pruned_not"].map(|name| shape.table(&format!("{name}_{shape:?}").to_lowercase()));
        let destination = ready(subject, &table, STALE).await;
        good(destination.migrate(&[Arc::new(other.clone())], MigrateMode::Safe).await, "migrate");
        for (table, from, range) in
            [(&table, HERE, 0..3), (&table, THERE, 10..14), (&table, OTHER, 20..23), (&other, HERE, 30..33)]
        {
            write(&*destination, part(table, from, at(0), STALE), from, &[many(range)]).await;
        }
        write(&*destination, part(&table, HERE, at(1), STALE), HERE, &[many(0..2)]).await;
        drop(destination);
        let destination = ready(subject, &table, STALE).await;
        let prune = |table: &TableSchema, time| {
            let (table, destination) = (Arc::new(table.clone()), &destination);
            async move { destination.prune(&table, HERE.source, &[], at(time)).await }
        };
        let before = [many(0..2), many(10..14), many(20..23)].concat();
        // Nothing is earlier than the first sync.
        if !done(prune(&table, 0).await, 0) {
            same_rows(&rows(subject, &table).await, &before, "nothing is touched");
            return;
        }
        same_rows(&rows(subject, &table).await, &before, "nothing is earlier");
        // Some of what there is, this very process has written.
        for most in [4, 0] {
            assert!(done(prune(&table, 1).await, most));
            same_rows(&rows(subject, &table).await, &[many(0..2), many(20..23)].concat(), "pruned");
            same_rows(&rows(subject, &other).await, &many(30..33), "another table");
            let again = Part { resumed: true, ..part(&table, HERE, at(1), STALE) };
            write(&*destination, again, HERE, &[many(0..2)]).await;
        }
        good(destination.close().await, "close");
        same_rows(&rows(subject, &table).await, &[many(0..2), many(20..23)].concat(), "closed");
    }
}

/// Only rows within ranges go, where that is said.
pub async fn ranges_are_pruned(subject: &dyn Subject) {
    for keyed in [true, false] {
        let table = divided(&format!("pruned_ranges_{keyed}"), &DataType::Int64, Scopes::SINGLE, keyed);
        let destination = ready(subject, &table, STALE).await;
        let number = |number| Some(Bound::Number(number));
        let syncs = [
            (0, range(None, number(10)), vec![valued("a", 1)]),
            (0, range(number(10), number(15)), vec![valued("b", 10), valued("c", 12)]),
            (0, range(number(15), number(20)), vec![valued("d", 19)]),
            (0, range(number(20), None), vec![valued("e", 20)]),
            (1, range(number(12), number(14)), vec![valued("f", 13)]),
        ];
        for (sync, unit, rows) in &syncs {
            good(put(&*destination, ranged(&table, HERE, unit, *sync, STALE), HERE, *sync, rows).await, "put");
        }
        let before = names(subject, &table).await;
        let within = [range(number(10), number(20))];
        let pruned = destination.prune(&Arc::new(table.clone()), HERE.source, &within, at(1)).await;
        let expected = if done(pruned, 2) { ["a", "e", "f"].map(str::to_owned).to_vec() } else { before };
        assert_eq!(names(subject, &table).await, expected, "keyed: {keyed}");
        good(destination.close().await, "close");
    }
}
