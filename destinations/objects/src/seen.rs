//! Rows that a unit lists twice. The last one counts, but the first is written by then, so the numbers of the rows that
//! were superseded are kept, and taken out of the file when it is finished.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater_sdk::arrow::array::{ArrayRef, RecordBatch};
use headwater_sdk::arrow::row::{RowConverter, SortField};
use headwater_sdk::pool::Share;
use headwater_sdk::{Error, Part, Result};

use crate::memory::{Memory, REMEMBERED_ROW};

/// Counts the rows that open parts remember.
#[derive(Debug, Clone, Default)]
pub struct Remembered(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    rows: AtomicU64,
    /// Whether it was said that no more are.
    said: AtomicBool,
    /// What makes a key 128 bits, which two keys of a sync do not share.
    hashers: [RandomState; 2],
}

/// The keys of a part's rows, and which rows were superseded.
#[derive(Debug)]
pub struct Seen {
    /// The number of the last row with a key.
    last: Option<HashMap<[u64; 2], u32>>,
    superseded: Vec<u64>,
    rows: u64,
    remembered: Remembered,
    most: u64,
    share: Share,
}

impl Seen {
    /// For a part. Nothing is remembered where two equal rows are two rows: in `append`, and where the table has no key.
    pub fn new(part: &Part, remembered: &Remembered, memory: &Memory) -> Self {
        Self {
            last: (!part.adds()).then(HashMap::new),
            superseded: Vec::new(),
            rows: 0,
            remembered: remembered.clone(),
            most: memory.remembered_rows(),
            share: memory.share(),
        }
    }

    /// Takes note of a batch of the part that is being written.
    pub fn add(&mut self, part: &Part, batch: &RecordBatch) -> Result<()> {
        let first = self.rows;
        self.rows += batch.num_rows() as u64;
        let Some(last) = &mut self.last else { return Ok(()) };
        let Shared { rows: remembered, said, hashers } = &*self.remembered.0;
        let mut full = false;
        // A form in which no two different keys are the same bytes.
        let keys = keys(part, batch)?;
        for (row, key) in keys.iter().enumerate() {
            let Ok(number) = u32::try_from(first + row as u64) else {
                full = true;
                break;
            };
            let key = [0, 1].map(|half: usize| hashers[half].hash_one(key.as_ref()));
            if let Some(earlier) = last.get_mut(&key) {
                self.superseded.push(u64::from(std::mem::replace(earlier, number)));
            } else if remembered.fetch_add(1, Ordering::Relaxed) < self.most {
                last.insert(key, number);
            } else {
                remembered.fetch_sub(1, Ordering::Relaxed);
                full = true;
            }
        }
        self.share.set(last.len() as u64 * REMEMBERED_ROW + self.superseded.len() as u64 * 16);
        if full && !said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "table {}: the units that are being written have more than {} rows, which are as many as are remembered \
                 in order to find those that come twice; of the others, each is written as often as it comes. More memory \
                 (`--memory`) or fewer units at once make room for up to a million",
                part.table.name,
                self.most
            );
        }
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The numbers of the rows that were superseded, in order, counted from 0.
    pub fn superseded(&mut self) -> Vec<u64> {
        let mut superseded = std::mem::take(&mut self.superseded);
        superseded.sort_unstable();
        superseded
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let remembered = self.last.as_ref().map_or(0, HashMap::len);
        self.remembered.0.rows.fetch_sub(remembered as u64, Ordering::Relaxed);
    }
}

/// The keys of a batch's rows.
fn keys(part: &Part, batch: &RecordBatch) -> Result<headwater_sdk::arrow::row::Rows> {
    let columns = part.table.key().into_iter().filter_map(|name| batch.column_by_name(name));
    let columns: Vec<ArrayRef> = columns.cloned().collect();
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(Error::destination)?;
    converter.convert_columns(&columns).map_err(Error::destination)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use headwater_sdk::arrow::array::StringArray;
    use headwater_sdk::{Budget, Column, Scopes, TableSchema, WriteMode, testing};

    fn part(mode: WriteMode) -> (Part, impl Fn(&[(&str, &str)]) -> RecordBatch) {
        let columns =
            ["name", "text"].map(|name| Column { key: true, ..testing::things::column::<String>(name, false) });
        let table = TableSchema::new("t", "", None, Scopes::SINGLE, columns.to_vec());
        let batch = |rows: &[(&str, &str)]| {
            let names: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
            let texts: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)));
            RecordBatch::try_from_iter([("name", names), ("text", texts)]).unwrap()
        };
        (testing::part(&table, testing::HERE, testing::at(0), mode), batch)
    }

    #[test]
    fn rows_are_told_by_all_columns_of_the_key() {
        let (part, batch) = part(WriteMode::OverwriteDeleteStale);
        let mut seen = Seen::new(&part, &Remembered::default(), &Memory::default());
        seen.add(&part, &batch(&[("a", "bc"), ("ab", "c"), ("abc", "")])).unwrap();
        seen.add(&part, &batch(&[("ab", "c"), ("", "abc"), ("ab", "c")])).unwrap();
        assert_eq!((seen.rows(), seen.superseded()), (6, vec![1, 3]));
    }

    #[test]
    fn what_is_remembered_has_a_limit_and_is_given_back() {
        let (part, batch) = part(WriteMode::OverwriteDeleteStale);
        let (remembered, memory) = (Remembered::default(), Memory::new(&Budget::new(8 * REMEMBERED_ROW * 2)));
        for _ in 0..2 {
            let mut seen = Seen::new(&part, &remembered, &memory);
            seen.add(&part, &batch(&[("a", ""), ("b", ""), ("c", ""), ("a", ""), ("c", "")])).unwrap();
            assert_eq!(seen.superseded(), [0], "two rows are remembered");
        }
        assert!(remembered.0.said.load(Ordering::Relaxed) && remembered.0.rows.load(Ordering::Relaxed) == 0);
    }
}
