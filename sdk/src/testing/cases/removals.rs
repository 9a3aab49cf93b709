//! Cases of rows that are removed one by one, in order with those that are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::Subject;
use super::super::things::{Item, OTHER, Shape, at, batch, part};
use super::{Memory, good, ready_with, same_rows, seen, write};
use crate::destination::{Outcome, Part, Removed, WriteMode};

/// Rows go, come again and change within a part, in the order in which that is said, where the target can.
pub async fn rows_are_removed_in_order(subject: &dyn Subject) {
    for shape in [Shape::Named, Shape::TwoColumns, Shape::Uuid, Shape::Single] {
        removed_in_order(subject, shape, Memory::Ample).await;
    }
}

/// The same of parts whose rows are handed on before the commit.
pub async fn rows_are_removed_in_order_in_a_large_part(subject: &dyn Subject) {
    removed_in_order(subject, Shape::Named, Memory::Little).await;
}

async fn removed_in_order(subject: &dyn Subject, shape: Shape, memory: Memory) {
    let mode = WriteMode::Overwrite;
    let table = Arc::new(shape.table(&format!("removed_{shape:?}").to_lowercase()));
    if !subject.open().removes() {
        return;
    }
    let destination = ready_with(subject, &table, mode, memory).await;
    let (here, other) = (shape.units()[0], if shape == Shape::Single { shape.units()[1] } else { OTHER });
    let of_other = Item { name: "other".to_owned(), text: None, number: Some(-1) };
    write(&*destination, part(&table, other, at(0), mode), other, &[vec![of_other.clone()]]).await;
    let keys = |rows: &[Item]| {
        let batch = batch(&table, here, at(0), rows);
        let places: Vec<usize> = (0..table.columns.len()).filter(|at| table.columns[*at].key).collect();
        Removed::Keys(good(batch.project(&places).map_err(crate::Error::fatal), "project"))
    };
    let mut random = fastrand::Rng::with_seed(7);
    let size = if memory == Memory::Little { 2000 } else { 40 };
    let mut expected: BTreeMap<String, Item> = BTreeMap::new();
    for sync in 1..5 {
        // One is dropped before it is committed, and another one is run again.
        let resumed = sync == 3;
        let part = Part { resumed, ..part(&table, here, at(sync), mode) };
        let mut writer = good(destination.begin(part.clone()).await, "begin");
        let mut now = expected.clone();
        for step in 0..12 {
            let names = (0..size / 4).map(|_| random.u32(0..size)).collect::<std::collections::BTreeSet<_>>();
            let rows = names.into_iter().map(|name| Item {
                name: format!("n{name:06}"),
                text: (name % 3 > 0).then(|| format!("{sync}/{step}")),
                number: Some(i64::from(step)),
            });
            let rows: Vec<Item> = rows.collect();
            match random.u32(0..if sync == 2 { 24 } else { 20 }) {
                0..10 => {
                    good(writer.write(batch(&table, here, at(sync), &rows)).await, "write");
                    now.extend(rows.into_iter().map(|row| (row.name.clone(), row)));
                }
                10..20 => {
                    good(writer.remove(keys(&rows)).await, "remove");
                    rows.iter().for_each(|row| drop(now.remove(&row.name)));
                }
                _ => {
                    good(writer.remove(Removed::All).await, "remove all");
                    now.clear();
                }
            }
        }
        if sync == 4 {
            drop(writer);
        } else {
            good(writer.commit(Outcome::Complete).await, "commit");
            expected = now;
        }
        let seen: Vec<Item> = seen(subject, &table).await.into_iter().map(|(_, _, _, row)| row).collect();
        let mut all: Vec<Item> = expected.values().cloned().chain([of_other.clone()]).collect();
        all.sort();
        let mut seen = seen;
        seen.sort();
        same_rows(&seen, &all, &format!("{shape:?}, sync {sync}"));
    }
    // All at once, and nothing else of the part.
    let mut writer = good(destination.begin(part(&table, here, at(5), mode)).await, "begin");
    good(writer.remove(Removed::All).await, "remove all");
    good(writer.commit(Outcome::Complete).await, "commit");
    let seen: Vec<Item> = seen(subject, &table).await.into_iter().map(|(_, _, _, row)| row).collect();
    same_rows(&seen, &[of_other], &format!("{shape:?}, none is left but another source's"));
    good(destination.close().await, "close");
}
