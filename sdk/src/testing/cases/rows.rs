//! Which rows there are after a commit: replaced, added, removed, put aside.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};

use super::super::samples::samples;
use super::super::things::{HERE, Item, OTHER, THERE, at, batch, batch_of, part, table, thing, things};
use super::{Memory, counts, good, many, modes, ready, ready_with, rows, same_rows, seen, try_write, write};
use crate::destination::{Outcome, Part, WriteMode};
use crate::rejects::Rejects;
use crate::schema::Column;
use crate::testing::Subject;

/// In both modes with keys, a row that is there is replaced as a whole.
pub async fn rows_with_a_key_are_replaced(subject: &dyn Subject) {
    let keyed = |mode: &WriteMode| *mode != WriteMode::Append;
    for (index, mode) in modes(&*subject.open()).into_iter().filter(keyed).enumerate() {
        let table = things(&format!("replaced_{index}"));
        let destination = ready(subject, &table, mode).await;
        write(&*destination, part(&table, HERE, at(0), mode), HERE, &[many(0..4)]).await;
        let mut next = many(2..6);
        next[0] = Item { name: next[0].name.clone(), text: None, number: Some(-1) };
        let committed = write(&*destination, part(&table, HERE, at(1), mode), HERE, &[next.clone()]).await;
        counts(committed, if mode == WriteMode::Overwrite { 0 } else { 2 });
        let mut expected = next;
        if mode == WriteMode::Overwrite {
            expected.splice(0..0, many(0..2));
        }
        assert_eq!(rows(subject, &table).await, expected, "{mode:?}");
        good(destination.close().await, "close");
    }
}

/// Of rows with one key in a part, in one batch or in several, the last one stays.
pub async fn the_last_of_equal_keys_stays(subject: &dyn Subject) {
    let keyed = |mode: &WriteMode| *mode != WriteMode::Append;
    for (index, mode) in modes(&*subject.open()).into_iter().filter(keyed).enumerate() {
        let table = things(&format!("equal_{index}"));
        let destination = ready(subject, &table, mode).await;
        let batches = [vec![thing("a", 1), thing("b", 1), thing("a", 2)], vec![thing("c", 1)], vec![thing("b", 2)]];
        let committed = write(&*destination, part(&table, HERE, at(0), mode), HERE, &batches).await;
        assert_eq!(committed.written, 3, "{mode:?}");
        assert_eq!(rows(subject, &table).await, [thing("a", 2), thing("b", 2), thing("c", 1)], "{mode:?}");
        good(destination.close().await, "close");
    }
}

/// The same where the rows with one key are handed on in different pieces.
pub async fn the_last_of_equal_keys_stays_in_a_large_part(subject: &dyn Subject) {
    let keyed = |mode: &WriteMode| *mode != WriteMode::Append;
    for (index, mode) in modes(&*subject.open()).into_iter().filter(keyed).enumerate() {
        let table = things(&format!("equal_{index}"));
        let destination = ready_with(subject, &table, mode, Memory::Little).await;
        // The second half of the rows comes twice, and after that the first ones again.
        let all = Memory::Little.many(0..2);
        let of = |rows: &[Item], number| -> Vec<Item> {
            rows.iter().map(|row| Item { number: Some(number), ..row.clone() }).collect()
        };
        let (half, few) = (all.len() / 2, all.len() / 8);
        let written = [of(&all, 1), of(&all[half..], 2), of(&all[..few], 3)].concat();
        let expected = [of(&all[..few], 3), of(&all[few..half], 1), of(&all[half..], 2)].concat();
        for sync in 0..2 {
            let batches: Vec<Vec<Item>> = written.chunks(250).map(<[Item]>::to_vec).collect();
            let committed = write(&*destination, part(&table, HERE, at(sync), mode), HERE, &batches).await;
            assert_eq!((committed.written, committed.deleted), (all.len() as u64, 0), "{mode:?}, sync {sync}");
            same_rows(&rows(subject, &table).await, &expected, &format!("{mode:?}, sync {sync}"));
        }
        good(destination.close().await, "close");
    }
}

/// In write mode `append` every row is a row more, also one that came before.
pub async fn added_rows_are_added(subject: &dyn Subject) {
    let mode = WriteMode::Append;
    if subject.open().supports(mode).is_err() {
        return;
    }
    let table = things("added");
    let destination = ready(subject, &table, mode).await;
    let rows_of = vec![thing("a", 1), thing("a", 1), thing("b", 1)];
    for sync in 0..2 {
        let committed =
            write(&*destination, part(&table, HERE, at(sync), mode), HERE, std::slice::from_ref(&rows_of)).await;
        assert_eq!((committed.written, committed.deleted), (3, 0));
    }
    let mut expected = [rows_of.clone(), rows_of].concat();
    expected.sort();
    assert_eq!(rows(subject, &table).await, expected);
    good(destination.close().await, "close");
}

/// Rows that were not seen again are removed in the unit that was synced, and in no other.
pub async fn stale_rows_go_with_their_unit(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    if subject.open().supports(mode).is_err() {
        return;
    }
    let table = things("stale");
    let destination = ready(subject, &table, mode).await;
    for (from, range) in [(HERE, 0..4), (THERE, 10..14), (OTHER, 20..24)] {
        write(&*destination, part(&table, from, at(0), mode), from, &[many(range)]).await;
    }
    let committed = write(&*destination, part(&table, HERE, at(1), mode), HERE, &[many(1..3)]).await;
    assert_eq!(committed.written, 2);
    counts(committed, 2);
    let expected = [many(1..3), many(10..14), many(20..24)].concat();
    assert_eq!(rows(subject, &table).await, expected);
    let times: Vec<Option<String>> = seen(subject, &table).await.into_iter().map(|(_, _, time, _)| time).collect();
    assert_eq!(times.iter().collect::<BTreeSet<_>>().len(), 2, "the rows say when they were synced");
    // Each unit in its turn; also one all of whose rows are others than before.
    let syncs = [(THERE, 12..17, 2), (OTHER, 30..32, 4), (HERE, 2..3, 1)];
    for (from, range, stale) in syncs {
        let committed = write(&*destination, part(&table, from, at(2), mode), from, &[many(range)]).await;
        counts(committed, stale);
    }
    let expected = [many(2..3), many(12..17), many(30..32)].concat();
    assert_eq!(rows(subject, &table).await, expected);
    good(destination.close().await, "close");
}

/// A unit that has no rows any more leaves none; a table that never had a row is there all the same.
pub async fn a_unit_without_rows_is_all_stale(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    if subject.open().supports(mode).is_err() {
        return;
    }
    let table = things("none");
    let destination = ready(subject, &table, mode).await;
    let committed = write(&*destination, part(&table, HERE, at(0), mode), HERE, &[]).await;
    assert_eq!((committed.written, committed.deleted), (0, 0));
    write(&*destination, part(&table, HERE, at(1), mode), HERE, &[many(0..3)]).await;
    let committed = write(&*destination, part(&table, HERE, at(2), mode), HERE, &[vec![]]).await;
    assert_eq!(committed.written, 0);
    counts(committed, 3);
    assert_eq!(rows(subject, &table).await, []);
    good(destination.close().await, "close");
}

/// What is missing in a unit that failed is not known to be gone.
pub async fn a_partial_unit_removes_nothing(subject: &dyn Subject) {
    for (index, mode) in modes(&*subject.open()).into_iter().enumerate() {
        let table = things(&format!("partial_{index}"));
        let destination = ready(subject, &table, mode).await;
        write(&*destination, part(&table, HERE, at(0), mode), HERE, &[many(0..4)]).await;
        let partial = part(&table, HERE, at(1), mode);
        let committed = try_write(&*destination, partial, HERE, &[vec![thing("n000001", -1)]], Outcome::Partial).await;
        let committed = good(committed, "a partial part");
        assert_eq!(committed.deleted, 0, "{mode:?}");
        let names: BTreeSet<String> = rows(subject, &table).await.into_iter().map(|row| row.name).collect();
        let expected = many(0..4).into_iter().map(|row| row.name).collect();
        assert_eq!(names, expected, "{mode:?}");
        good(destination.close().await, "close");
    }
}

/// Where that is asked for, rows with a value that the target cannot store are put aside with the reason, and the others
/// are written; else they fail the part. What was not seen because it was put aside is not stale.
pub async fn what_is_refused_is_put_aside(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    for (number, (kind, values)) in samples(7).into_iter().enumerate() {
        if subject.open().stores(&kind).refused.is_none() {
            continue;
        }
        let table = table(&format!("refused_{number}"), vec![Column::new("value", kind.clone(), "A value.")]);
        let destination = ready(subject, &table, mode).await;
        let names: Vec<String> = (0..values.len()).map(|row| format!("{row:04}")).collect();
        let batch = batch_of(&table, HERE, at(0), &names, vec![values]);
        let write = |rejects: Option<Rejects>, sync, batch: RecordBatch| {
            let part = Part { rejects, ..part(&table, HERE, at(sync), mode) };
            let destination = &destination;
            async move {
                let mut writer = destination.begin(part).await?;
                writer.write(batch).await?;
                writer.commit(Outcome::Complete).await
            }
        };
        assert!(write(None, 0, batch.clone()).await.is_err(), "{}", kind.name());
        assert_eq!(subject.rows(&table).await.len(), 0, "{}", kind.name());
        let rejects = Rejects::new(names.len());
        let committed = good(write(Some(rejects.clone()), 0, batch.clone()).await, "with rows put aside");
        let (aside, there) = (rejects.take(), subject.rows(&table).await.len());
        assert!(!aside.is_empty() && there > 0, "{}", kind.name());
        assert_eq!((there + aside.len(), committed.written), (names.len(), there as u64), "{}", kind.name());
        for rejected in aside {
            assert!(!rejected.reason.is_empty());
            let row: serde_json::Value = good(serde_json::from_str(&rejected.row).map_err(crate::Error::fatal), "JSON");
            assert!(row["name"].is_string(), "{row}");
        }
        // A second sync with nothing but rows that are put aside leaves what is there.
        let name = table.columns.iter().position(|column| column.name == "name").unwrap_or_default();
        let kept: Vec<String> = subject.rows(&table).await.into_iter().filter_map(|mut row| row[name].take()).collect();
        let refused = names.iter().position(|name| !kept.contains(name)).unwrap_or_default();
        let rejects = Rejects::new(1);
        let committed = good(write(Some(rejects.clone()), 1, batch.slice(refused, 1)).await, "one row put aside");
        assert_eq!((committed.written, committed.deleted, rejects.count()), (0, 0, 1), "{}", kind.name());
        assert_eq!(subject.rows(&table).await.len(), there, "{}", kind.name());
        let too_many = write(Some(Rejects::new(0)), 0, batch).await;
        assert!(too_many.is_err_and(|error| error.to_string().contains("more than 0 rows")), "{}", kind.name());
        good(destination.close().await, "close");
    }
}

/// Rows are deleted by the values of some of their columns, of which null equals null, where the target can.
pub async fn single_rows_are_deleted(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let table = Arc::new(things("deleted"));
    let destination = ready(subject, &table, mode).await;
    let mut all = many(0..8);
    all[6].number = None;
    all[7].number = None;
    write(&*destination, part(&table, HERE, at(0), mode), HERE, std::slice::from_ref(&all)).await;
    let rows_of = |columns: &[&str], items: &[Item]| {
        let batch = batch(&table, HERE, at(0), items);
        let indices: Vec<usize> = columns.iter().filter_map(|name| batch.schema().index_of(name).ok()).collect();
        good(batch.project(&indices).map_err(crate::Error::fatal), "project")
    };
    let by_name = destination.delete(&table, rows_of(&["name"], &[thing("n000001", -1), thing("nobody", 0)])).await;
    if matches!(&by_name, Err(error) if error.class == crate::Class::Unsupported) {
        assert_eq!(rows(subject, &table).await, all, "nothing is touched");
        return;
    }
    assert_eq!(good(by_name, "delete"), 1);
    // A row is meant only if all columns are as in one row of the batch.
    let other = Item { number: Some(3), ..all[2].clone() };
    let both = rows_of(&["name", "number", "region"], &[all[0].clone(), other, all[6].clone()]);
    assert_eq!(good(destination.delete(&table, both).await, "delete"), 2);
    assert_eq!(rows(subject, &table).await, [&all[2..6], &all[7..]].concat());
    let twice = Item { name: String::new(), text: None, number: None };
    let both = rows_of(&["number"], &[twice.clone(), twice]);
    assert_eq!(good(destination.delete(&table, both).await, "delete"), 1);
    let none = rows_of(&["name"], &[]);
    assert_eq!(good(destination.delete(&table, none).await, "delete"), 0);
    assert_eq!(rows(subject, &table).await, all[2..6]);
    good(destination.close().await, "close");
    assert_eq!(rows(subject, &table).await, all[2..6]);
}
