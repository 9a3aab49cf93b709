//! What an open part has been given, in order: rows, and the keys of rows that are no more.

use std::path::PathBuf;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::pool::Pool;
use headwater_sdk::{Removed, Result};

use crate::held::Held;

/// Rows of a part, and what is removed between them.
pub struct Changes {
    /// Rows that are written.
    pub rows: Held,
    /// Keys of rows that are removed.
    pub keys: Held,
    /// Whether all rows that were there before go.
    pub all: bool,
    /// Of each batch whether it is one of keys.
    order: Vec<bool>,
}

/// One of them.
pub enum Change {
    /// Rows that are written.
    Rows(RecordBatch),
    /// Keys of rows that go.
    Keys(RecordBatch),
}

impl Changes {
    /// Nothing. Temporary files are made in the folder.
    pub fn new(folder: PathBuf, pool: &Pool) -> Self {
        let (rows, keys) = (Held::new(folder.clone(), pool), Held::new(folder, pool));
        Self { rows, keys, all: false, order: Vec::new() }
    }

    /// Adds rows; the answer is whether it should be spilled now.
    pub fn write(&mut self, batch: RecordBatch) -> bool {
        self.order.push(false);
        self.rows.push(batch)
    }

    /// Adds what is removed; the answer is whether it should be spilled now.
    pub fn remove(&mut self, removed: Removed) -> bool {
        match removed {
            Removed::Keys(keys) => {
                self.order.push(true);
                self.keys.push(keys)
            }
            Removed::All => {
                self.rows.clear();
                self.keys.clear();
                self.order.clear();
                self.all = true;
                false
            }
        }
    }

    /// Brings what is in memory into files. It blocks.
    pub fn spill(&mut self) -> Result<()> {
        self.rows.spill()?;
        self.keys.spill()
    }

    /// Whether rows may be removed.
    pub fn removes(&self) -> bool {
        self.all || self.keys.rows > 0
    }

    /// All of them, in their order.
    pub fn in_order(self) -> Result<impl Iterator<Item = Result<Change>>> {
        let (mut rows, mut keys) = (self.rows.into_batches()?, self.keys.into_batches()?);
        Ok(self.order.into_iter().filter_map(move |is_keys| match is_keys {
            true => keys.next().map(|batch| batch.map(Change::Keys)),
            false => rows.next().map(|batch| batch.map(Change::Rows)),
        }))
    }
}
