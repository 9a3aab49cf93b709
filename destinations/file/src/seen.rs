//! Rows that a unit lists twice. The last one counts, but the first is written by then, so the numbers of the rows that
//! were superseded are kept, and taken out of the file when it is finished.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater_sdk::arrow::array::{Array, AsArray, RecordBatch};
use headwater_sdk::schema::ID;
use headwater_sdk::{Part, WriteMode};

/// How many rows are remembered at once, over all open parts: 16 bytes of identifier and 8 of row number each, in hash
/// tables, so about 60 MB.
const MOST: usize = 1 << 20;

/// Counts the rows that open parts remember.
#[derive(Debug, Clone, Default)]
pub struct Remembered(Arc<AtomicUsize>);

/// The identifiers of a part's rows, and which rows were superseded.
#[derive(Debug)]
pub struct Seen {
    last: Option<HashMap<[u8; 16], u64>>,
    superseded: Vec<u64>,
    rows: u64,
    remembered: Remembered,
}

impl Seen {
    /// For a part. Nothing is remembered where two equal rows are two rows: in `append`, and where the identifier is
    /// random because the table has no key.
    pub fn new(part: &Part, remembered: &Remembered) -> Self {
        let key = part.table.key();
        let unique = part.mode != WriteMode::Append && !key.is_empty() && key != [ID];
        Self { last: unique.then(HashMap::new), superseded: Vec::new(), rows: 0, remembered: remembered.clone() }
    }

    /// Takes note of a batch that is being written.
    pub fn add(&mut self, batch: &RecordBatch) {
        let first = self.rows;
        self.rows += batch.num_rows() as u64;
        let Some(last) = &mut self.last else { return };
        let Some(ids) = batch.column_by_name(ID).and_then(|column| column.as_fixed_size_binary_opt()) else { return };
        for row in 0..ids.len() {
            let Ok(id) = <[u8; 16]>::try_from(ids.value(row)) else { return };
            let number = first + row as u64;
            if let Some(earlier) = last.get_mut(&id) {
                self.superseded.push(std::mem::replace(earlier, number));
            } else if self.remembered.0.fetch_add(1, Ordering::Relaxed) < MOST {
                last.insert(id, number);
            } else {
                self.remembered.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The numbers of the rows that were superseded, in order, counted from 0.
    pub fn superseded(&mut self) -> &[u64] {
        self.superseded.sort_unstable();
        &self.superseded
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let remembered = self.last.as_ref().map_or(0, HashMap::len);
        self.remembered.0.fetch_sub(remembered, Ordering::Relaxed);
    }
}
