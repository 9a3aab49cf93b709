//! The rows of open parts that are in no file yet: in memory while there is room, and else on disk.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::arrow::compute::concat_batches;
use headwater_sdk::arrow::datatypes::SchemaRef;
use headwater_sdk::pool::{Share, batch_bytes};
use headwater_sdk::{Error, Result};

use crate::memory::Memory;
use crate::spill::{Disk, Spilled};

/// Batches of fewer rows are joined, because an array takes room of its own.
const FEW_ROWS: usize = 4096;

/// All open parts.
pub struct Open {
    memory: Memory,
    disk: Arc<Disk>,
    parts: Mutex<HashMap<u64, Arc<Part>>>,
    number: AtomicU64,
    /// Held by the one who makes room; others wait, so that rows do not come faster than they go.
    making_room: Mutex<()>,
}

/// The rows of a part, as others see it.
struct Part {
    rows: Mutex<Rows>,
    /// Bytes in memory, for those who look for the largest part.
    bytes: AtomicU64,
}

/// Rows in their order: first those on disk, then those in memory.
pub struct Rows {
    spilled: Vec<Spilled>,
    batches: Vec<RecordBatch>,
    share: Share,
}

/// A part's rows; they are forgotten when it is dropped.
pub struct Held {
    open: Arc<Open>,
    number: u64,
    part: Arc<Part>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes(batch: &RecordBatch) -> u64 {
    headwater_sdk::memory::held(batch)
}

impl Open {
    /// No parts yet.
    pub fn new(memory: Memory, disk: Arc<Disk>) -> Self {
        Self { memory, disk, parts: Mutex::default(), number: AtomicU64::new(0), making_room: Mutex::default() }
    }

    /// A new part without rows.
    pub fn part(self: &Arc<Self>) -> Held {
        let rows = Rows { spilled: Vec::new(), batches: Vec::new(), share: self.memory.share() };
        let part = Arc::new(Part { rows: Mutex::new(rows), bytes: AtomicU64::new(0) });
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        locked(&self.parts).insert(number, Arc::clone(&part));
        Held { open: Arc::clone(self), number, part }
    }

    /// Puts rows on disk while the destination holds more than it may, beginning with the part that has the most.
    fn make_room(&self) -> Result<()> {
        if self.memory.excess() == 0 {
            return Ok(());
        }
        let _one = locked(&self.making_room);
        let mut excess = self.memory.excess();
        if excess == 0 {
            return Ok(());
        }
        let mut parts: Vec<(u64, Arc<Part>)> = {
            let parts = locked(&self.parts);
            parts.values().map(|part| (part.bytes.load(Ordering::Relaxed), Arc::clone(part))).collect()
        };
        parts.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (bytes, part) in parts {
            if excess == 0 || bytes == 0 {
                break;
            }
            excess = excess.saturating_sub(part.spill(&self.disk)?);
        }
        Ok(())
    }
}

impl Part {
    /// Puts what is in memory on disk, and answers how much it was.
    fn spill(&self, disk: &Arc<Disk>) -> Result<u64> {
        let mut rows = locked(&self.rows);
        if rows.batches.is_empty() {
            return Ok(0);
        }
        let spilled = disk.write(&rows.batches)?;
        rows.spilled.push(spilled);
        rows.batches.clear();
        let freed = rows.share.bytes();
        rows.share.set(0);
        self.bytes.store(0, Ordering::Relaxed);
        Ok(freed)
    }
}

impl Held {
    /// What the destination may hold.
    pub fn memory(&self) -> &Memory {
        &self.open.memory
    }

    /// Takes a batch.
    pub fn push(&self, batch: RecordBatch) -> Result<()> {
        let mut rows = locked(&self.part.rows);
        let rows = &mut *rows;
        let mut all = rows.share.bytes() + bytes(&batch);
        rows.batches.push(batch);
        // Each row is copied a few times at most, because what is joined has about as many rows as what it joins.
        while let [.., before, last] = rows.batches.as_slice()
            && before.num_rows() / 2 <= last.num_rows()
            && before.num_rows() + last.num_rows() <= FEW_ROWS
        {
            let joined = concat_batches(before.schema_ref(), [before, last]).map_err(Error::destination)?;
            all = all + bytes(&joined) - bytes(before) - bytes(last);
            rows.batches.pop();
            rows.batches.pop();
            rows.batches.push(joined);
        }
        rows.share.set(all);
        self.part.bytes.store(all, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes in memory and on disk.
    pub fn bytes(&self) -> u64 {
        let rows = locked(&self.part.rows);
        rows.share.bytes() + rows.on_disk()
    }

    /// Puts rows of this part or of others on disk, if the destination holds more than it may.
    pub fn make_room(&self) -> Result<()> {
        self.open.make_room()
    }

    /// Puts all rows of this part on disk.
    pub fn spill(&self) -> Result<()> {
        self.part.spill(&self.open.disk).map(|_| ())
    }

    /// Takes all rows out, which are counted until they are dropped.
    pub fn take(&self) -> Rows {
        self.part.bytes.store(0, Ordering::Relaxed);
        let none = Rows { spilled: Vec::new(), batches: Vec::new(), share: self.open.memory.share() };
        mem::replace(&mut *locked(&self.part.rows), none)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        locked(&self.open.parts).remove(&self.number);
    }
}

impl Rows {
    /// Bytes on disk.
    fn on_disk(&self) -> u64 {
        self.spilled.iter().map(Spilled::bytes).sum()
    }

    /// Gives the rows away in their order, about a row group at a time.
    pub fn each(
        mut self,
        memory: &Memory,
        schema: &SchemaRef,
        mut work: impl FnMut(Vec<RecordBatch>) -> Result<()>,
    ) -> Result<()> {
        let most = memory.row_group();
        let _right = memory.read_back(self.on_disk().min(most));
        let read = memory.share();
        let mut group = Vec::new();
        let mut size = 0;
        for spilled in mem::take(&mut self.spilled) {
            for batch in spilled.read(schema)? {
                let batch = batch?;
                size += batch_bytes(&batch);
                read.set(size);
                group.push(batch);
                if size >= most {
                    work(mem::take(&mut group))?;
                    size = 0;
                }
            }
        }
        group.append(&mut self.batches);
        if !group.is_empty() {
            work(group)?;
        }
        Ok(())
    }
}
