//! The cases of the acceptance suite, each on a place of its own. They panic where something is not as it must be.

mod changes;
mod commits;
mod prune;
mod ranges;
mod removals;
mod rows;
mod state;
mod tables;

use std::sync::Arc;

pub use changes::*;
pub use commits::*;
pub use prune::*;
pub use ranges::*;
pub use removals::*;
pub use rows::*;
pub use state::*;
pub use tables::*;

pub use super::history::{random_histories, random_histories_of_large_parts};

use super::Subject;
use super::things::{Item, Origin, batch, thing};
use crate::destination::{Committed, Destination, MigrateMode, Outcome, Part, WriteMode};
use crate::error::Result;
use crate::memory::Budget;
use crate::schema::TableSchema;

const MODES: [WriteMode; 3] = [WriteMode::OverwriteDeleteStale, WriteMode::Overwrite, WriteMode::Append];

/// What a destination is given to work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// More than the rows of a part need.
    Ample,
    /// So little that a part of some hundred kilobytes is handed on in several pieces before its commit.
    Little,
}

impl Memory {
    const LITTLE: u64 = 1 << 20;

    pub(super) fn give(self, destination: &dyn Destination) {
        if self == Memory::Little {
            destination.use_memory(&Budget::new(Self::LITTLE));
        }
    }

    /// How many rows stand for one, so that a part of a few is a large one.
    fn times(self) -> i64 {
        match self {
            Memory::Ample => 1,
            Memory::Little => 900,
        }
    }

    /// So many rows for each number of the range, as batches.
    fn batches(self, range: std::ops::Range<i64>) -> Vec<Vec<Item>> {
        self.many(range).chunks(250).map(<[Item]>::to_vec).collect()
    }

    fn many(self, range: std::ops::Range<i64>) -> Vec<Item> {
        many(range.start * self.times()..range.end * self.times())
    }
}

fn good<T>(result: Result<T>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Opens the destination and makes a table ready for a mode.
async fn ready(subject: &dyn Subject, table: &TableSchema, mode: WriteMode) -> Box<dyn Destination> {
    ready_with(subject, table, mode, Memory::Ample).await
}

async fn ready_with(
    subject: &dyn Subject,
    table: &TableSchema,
    mode: WriteMode,
    memory: Memory,
) -> Box<dyn Destination> {
    let destination = subject.open();
    memory.give(&*destination);
    good(destination.check().await, "check");
    let table = if mode == WriteMode::Append { table.without_key() } else { table.clone() };
    good(destination.migrate(&[Arc::new(table)], MigrateMode::Safe).await, "migrate");
    destination
}

async fn write(destination: &dyn Destination, part: Part, from: Origin, batches: &[Vec<Item>]) -> Committed {
    good(try_write(destination, part, from, batches, Outcome::Complete).await, "write")
}

async fn try_write(
    destination: &dyn Destination,
    part: Part,
    from: Origin,
    batches: &[Vec<Item>],
    outcome: Outcome,
) -> Result<Committed> {
    let (table, time) = (Arc::clone(&part.table), part.sync_time);
    let mut writer = destination.begin(part).await?;
    for rows in batches {
        writer.write(batch(&table, from, time, rows)).await?;
    }
    writer.commit(outcome).await
}

/// Stale rows are counted, or not counted at all, which is said with 0.
fn counts(committed: Committed, stale: usize) {
    assert!(
        [0, stale as u64].contains(&committed.deleted),
        "{} rows are said to be deleted, of {stale} that were stale",
        committed.deleted
    );
}

/// The rows that can be seen, as source, region, time and row.
pub(super) async fn seen(subject: &dyn Subject, table: &TableSchema) -> Vec<(String, String, Option<String>, Item)> {
    let rows = subject.rows(table).await;
    let index = |name: &str| table.columns.iter().position(|column| column.name == name);
    let [source, region, time, name, last, text, number] =
        ["_cq_source_name", "region", "_cq_sync_time", "name", "last", "text", "number"].map(index);
    let of = |row: &[Option<String>], index: Option<usize>| -> Option<String> {
        index.and_then(|index| row.get(index)).cloned().flatten()
    };
    let mut all: Vec<_> = rows
        .iter()
        .map(|row| {
            let thing = Item {
                name: of(row, name).unwrap_or_default() + of(row, last).as_deref().unwrap_or_default(),
                text: of(row, text),
                number: of(row, number).and_then(|number| number.parse().ok()),
            };
            let unit = (of(row, source).unwrap_or_default(), of(row, region).unwrap_or_default());
            (unit.0, unit.1, of(row, time), thing)
        })
        .collect();
    all.sort();
    all
}

/// The rows that can be seen, whatever unit they are of.
async fn rows(subject: &dyn Subject, table: &TableSchema) -> Vec<Item> {
    let mut rows: Vec<Item> = seen(subject, table).await.into_iter().map(|(_, _, _, row)| row).collect();
    rows.sort();
    rows
}

/// Compares many rows, and tells of a few.
fn same_rows(seen: &[Item], expected: &[Item], what: &str) {
    if seen != expected {
        let (missing, other) = (
            expected.iter().filter(|row| !seen.contains(row)).take(3).collect::<Vec<_>>(),
            seen.iter().filter(|row| !expected.contains(row)).take(3).collect::<Vec<_>>(),
        );
        panic!(
            "{what}: {} rows, not {}; missing: {missing:?} …, should not be there: {other:?} …",
            seen.len(),
            expected.len()
        );
    }
}

pub(super) fn modes(destination: &dyn Destination) -> Vec<WriteMode> {
    MODES.into_iter().filter(|mode| destination.supports(*mode).is_ok()).collect()
}

fn many(range: std::ops::Range<i64>) -> Vec<Item> {
    range.map(|number| thing(&format!("n{number:06}"), number)).collect()
}
