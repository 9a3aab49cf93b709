//! Rows that a unit lists twice. The last one counts, but the first is written by then, so the numbers of the rows that
//! were superseded are kept, and taken out of the file when it is finished.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_sdk::Part;
use headwater_sdk::arrow::array::{Array, AsArray, RecordBatch};
use headwater_sdk::schema::ID;

use crate::memory::{Memory, REMEMBERED_ROW, Share};

/// Counts the rows that open parts remember.
#[derive(Debug, Clone, Default)]
pub struct Remembered(Arc<AtomicU64>);

/// The identifiers of a part's rows, and which rows were superseded.
#[derive(Debug)]
pub struct Seen {
    /// The number of the last row with an identifier.
    last: Option<HashMap<[u8; 16], u32>>,
    superseded: Vec<u64>,
    rows: u64,
    remembered: Remembered,
    most: u64,
    share: Share,
}

impl Seen {
    /// For a part. Nothing is remembered where two equal rows are two rows: in `append`, and where the identifier is
    /// random because the table has no key.
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

    /// Takes note of a batch that is being written.
    pub fn add(&mut self, batch: &RecordBatch) {
        let first = self.rows;
        self.rows += batch.num_rows() as u64;
        let Some(last) = &mut self.last else { return };
        let Some(ids) = batch.column_by_name(ID).and_then(|column| column.as_fixed_size_binary_opt()) else { return };
        for row in 0..ids.len() {
            let Ok(id) = <[u8; 16]>::try_from(ids.value(row)) else { return };
            let Ok(number) = u32::try_from(first + row as u64) else { return };
            if let Some(earlier) = last.get_mut(&id) {
                self.superseded.push(u64::from(std::mem::replace(earlier, number)));
            } else if self.remembered.0.fetch_add(1, Ordering::Relaxed) < self.most {
                last.insert(id, number);
            } else {
                self.remembered.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.share.set(last.len() as u64 * REMEMBERED_ROW + self.superseded.len() as u64 * 16);
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
        self.remembered.0.fetch_sub(remembered as u64, Ordering::Relaxed);
    }
}
