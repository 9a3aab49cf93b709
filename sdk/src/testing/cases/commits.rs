//! When rows are seen, and by whom: before, during and after a commit, and where the process goes away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::things::{HERE, Item, OTHER, Shape, THERE, at, batch, part, things, time_text};
use super::{Memory, good, many, modes, ready, ready_with, rows, same_rows, seen, write};
use crate::destination::{MigrateMode, Outcome, Part, WriteMode};
use crate::schema::TableSchema;
use crate::testing::Subject;

/// Nothing of a part is seen before its commit, and nothing at all of one that is dropped.
pub async fn a_part_is_seen_when_it_is_committed(subject: &dyn Subject) {
    seen_when_committed(subject, Memory::Ample).await;
}

/// The same of a part whose rows are handed on before the commit.
pub async fn a_large_part_is_seen_when_it_is_committed(subject: &dyn Subject) {
    seen_when_committed(subject, Memory::Little).await;
}

async fn seen_when_committed(subject: &dyn Subject, memory: Memory) {
    for (index, mode) in modes(&*subject.open()).into_iter().enumerate() {
        let table = things(&format!("seen_{index}"));
        let destination = ready_with(subject, &table, mode, memory).await;
        let all = memory.many(0..5);
        let part = |from| part(&table, from, at(0), mode);
        let batch = |from, rows: &[Item]| batch(&part(from).table, from, at(0), rows);
        let mut writer = good(destination.begin(part(HERE)).await, "begin");
        for rows in memory.batches(0..3) {
            good(writer.write(batch(HERE, &rows)).await, "write");
        }
        let mut dropped = good(destination.begin(part(THERE)).await, "begin");
        for rows in memory.batches(10..12) {
            good(dropped.write(batch(THERE, &rows)).await, "write");
        }
        drop(dropped);
        good(writer.write(batch(HERE, &[])).await, "an empty batch");
        for rows in memory.batches(3..5) {
            good(writer.write(batch(HERE, &rows)).await, "write");
        }
        same_rows(&rows(subject, &table).await, &[], &format!("{mode:?}: nothing is committed"));
        let committed = good(writer.commit(Outcome::Complete).await, "commit");
        assert_eq!((committed.written, committed.deleted), (all.len() as u64, 0), "{mode:?}");
        same_rows(&rows(subject, &table).await, &all, &format!("{mode:?}"));
        good(destination.close().await, "close");
        same_rows(&rows(subject, &table).await, &all, &format!("{mode:?}, closed"));
    }
}

/// Whoever looks while a part is committed sees all of its rows or none, and what they replace until they are there.
pub async fn a_commit_is_seen_as_a_whole(subject: &dyn Subject) {
    seen_as_a_whole(subject, Memory::Ample).await;
}

/// The same of a part whose rows are handed on before the commit.
pub async fn a_large_commit_is_seen_as_a_whole(subject: &dyn Subject) {
    seen_as_a_whole(subject, Memory::Little).await;
}

async fn seen_as_a_whole(subject: &dyn Subject, memory: Memory) {
    for (index, mode) in modes(&*subject.open()).into_iter().enumerate() {
        let table = things(&format!("whole_{index}"));
        let destination = ready_with(subject, &table, mode, memory).await;
        let mut before = Vec::new();
        for (sync, range) in [0..3, 1..4, 2..4].into_iter().enumerate() {
            let time = at(sync as i64);
            let new = memory.many(range.clone());
            // Of what was there before, what stays and what goes; the rest is replaced.
            let others: Vec<Item> = {
                let new: BTreeSet<&Item> = new.iter().collect();
                before.iter().filter(|row| !new.contains(row)).cloned().collect()
            };
            let (kept, stale) = match mode {
                WriteMode::OverwriteDeleteStale => (Vec::new(), others),
                WriteMode::Overwrite => (others, Vec::new()),
                WriteMode::Append => (before.clone(), Vec::new()),
            };
            let stale: BTreeSet<&Item> = stale.iter().filter(|_| !subject.stale_rows_go_at_once()).collect();
            let part = part(&table, HERE, time, mode);
            let mut writer = good(destination.begin(part.clone()).await, "begin");
            for rows in memory.batches(range) {
                good(writer.write(batch(&part.table, HERE, time, &rows)).await, "write");
            }
            let done = AtomicBool::new(false);
            let commit = async {
                good(writer.commit(Outcome::Complete).await, "commit");
                done.store(true, Ordering::Relaxed);
            };
            let look = async {
                let is_new = Some(time_text(time));
                loop {
                    let last = done.load(Ordering::Relaxed);
                    if !last && !subject.reads_meanwhile() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        continue;
                    }
                    let (fresh, old): (Vec<_>, Vec<_>) =
                        seen(subject, &table).await.into_iter().partition(|(_, _, time, _)| *time == is_new);
                    let [fresh, mut old] =
                        [fresh, old].map(|rows| rows.into_iter().map(|row| row.3).collect::<Vec<_>>());
                    old.sort();
                    let what =
                        format!("{mode:?}, sync {sync}, {}", if last { "afterwards" } else { "during the commit" });
                    if fresh.is_empty() && !last {
                        same_rows(&old, &before, &format!("{what}: what is replaced"));
                    } else {
                        same_rows(&fresh, &new, &format!("{what}: what is new"));
                        old.retain(|row| last || !stale.contains(row));
                        same_rows(&old, &kept, &format!("{what}: what was there before"));
                    }
                    if last {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            };
            futures::join!(commit, look);
            before = [kept, new].concat();
            before.sort();
        }
        good(destination.close().await, "close");
    }
}

/// A part that was left open by a process that is gone, or was committed but not noted, is written again by the sync
/// that goes on: in the end there is what one attempt would have written.
pub async fn a_unit_written_half_is_written_again(subject: &dyn Subject) {
    for mode in modes(&*subject.open()) {
        // What is left of an attempt is told by the key where stale rows are removed.
        let all = mode == WriteMode::OverwriteDeleteStale;
        for shape in if all { &Shape::ALL[..] } else { &[Shape::Named] } {
            written_half(subject, *shape, mode, Memory::Ample).await;
        }
    }
}

/// The same of a part whose rows are handed on before the commit.
pub async fn a_large_unit_written_half_is_written_again(subject: &dyn Subject) {
    for mode in modes(&*subject.open()) {
        written_half(subject, Shape::Named, mode, Memory::Little).await;
    }
    for shape in [Shape::Unkeyed, Shape::Keyless] {
        written_half(subject, shape, WriteMode::OverwriteDeleteStale, Memory::Little).await;
    }
}

async fn written_half(subject: &dyn Subject, shape: Shape, mode: WriteMode, memory: Memory) {
    let table = shape.table(&format!("half_{mode:?}_{shape:?}").to_lowercase());
    let first = ready_with(subject, &table, mode, memory).await;
    let unit = shape.units()[0];
    let part = part(&table, unit, at(0), mode);
    let mut half = good(first.begin(part.clone()).await, "begin");
    for rows in memory.batches(0..2) {
        good(half.write(batch(&part.table, unit, at(0), &rows)).await, "write");
    }
    drop((half, first));
    let second = ready_with(subject, &table, mode, memory).await;
    write(&*second, part.clone(), unit, &memory.batches(0..3)).await;
    drop(second);
    let third = ready_with(subject, &table, mode, memory).await;
    let again = Part { resumed: true, ..part };
    write(&*third, again, unit, &memory.batches(0..4)).await;
    same_rows(&rows(subject, &table).await, &memory.many(0..4), &format!("{shape:?}, {mode:?}"));
    good(third.close().await, "close");
}

/// What is acknowledged is there at once, for everyone, and stays when the process goes away without a close; also where
/// it goes away before anybody has looked.
pub async fn what_is_committed_needs_no_close(subject: &dyn Subject) {
    for (index, mode) in modes(&*subject.open()).into_iter().enumerate() {
        let table = things(&format!("acknowledged_{index}"));
        let mut expected = Vec::new();
        for sync in 0..4 {
            let destination = ready(subject, &table, mode).await;
            let new = many(sync * 10..sync * 10 + 50);
            write(&*destination, part(&table, HERE, at(sync), mode), HERE, std::slice::from_ref(&new)).await;
            match mode {
                WriteMode::OverwriteDeleteStale => expected.clear(),
                WriteMode::Overwrite => expected.retain(|row| !new.contains(row)),
                WriteMode::Append => {}
            }
            expected.extend(new);
            expected.sort();
            if sync % 2 == 0 {
                same_rows(&rows(subject, &table).await, &expected, &format!("{mode:?}, sync {sync}"));
            }
            drop(destination);
            same_rows(&rows(subject, &table).await, &expected, &format!("{mode:?}, sync {sync}, the process is gone"));
        }
    }
}

/// Whoever opens the target after the close finds all that was committed.
pub async fn what_was_committed_is_there_after_the_close(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let table = things("flushed");
    let destination = ready(subject, &table, mode).await;
    for unit in 0..20 {
        let from = [HERE, THERE, OTHER][unit % 3];
        let part =
            Part { scope: format!("{unit}"), ..part(&table, from, at(unit as i64), WriteMode::OverwriteDeleteStale) };
        write(&*destination, part, from, &[many(unit as i64 % 3 * 1000..unit as i64 % 3 * 1000 + 500)]).await;
    }
    let before = rows(subject, &table).await;
    good(destination.close().await, "close");
    drop(destination);
    let reopened = subject.open();
    good(reopened.check().await, "check");
    assert_eq!(rows(subject, &table).await, before);
    assert!(before.len() >= 1500, "{}", before.len());
}

/// Many units of many tables are open at once.
pub async fn tables_are_written_at_once(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let tables: Vec<TableSchema> = (0..8).map(|number| things(&format!("at_once_{number}"))).collect();
    let destination = subject.open();
    let all: Vec<Arc<TableSchema>> = tables.iter().cloned().map(Arc::new).collect();
    good(destination.migrate(&all, MigrateMode::Safe).await, "migrate");
    let writes = tables.iter().flat_map(|table| {
        let destination = &destination;
        [(HERE, 0), (THERE, 5000), (OTHER, 10_000)].map(|(from, first)| async move {
            let batches: Vec<Vec<Item>> =
                (0..5).map(|batch| many(first + batch * 100..first + batch * 100 + 100)).collect();
            write(&**destination, part(table, from, at(0), mode), from, &batches).await
        })
    });
    for committed in futures::future::join_all(writes).await {
        assert_eq!(committed.written, 500);
    }
    for table in &tables {
        let expected = [many(0..500), many(5000..5500), many(10_000..10_500)].concat();
        assert_eq!(rows(subject, table).await, expected, "{}", table.name);
    }
    good(destination.close().await, "close");
}
