//! What the destination holds in memory: at most about a quarter of the run's budget, over all open parts.

use std::sync::Arc;

use headwater_sdk::Budget;
use headwater_sdk::pool::{Pool, Share};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// A row group is written when a part has this many bytes in Arrow's form.
const ROW_GROUP: u64 = 64 << 20;
/// What encoding one column may take beside the rows: a page, a dictionary, and the compressor's tables.
const ENCODER: u64 = 8 << 20;
/// What a file may take that stays open between two writes: a buffer and gzip's window and tables.
pub const OPEN_FILE: u64 = 320 << 10;
/// Files that stay open at once at most, well below what a process may open.
const OPEN_FILES: u64 = 256;
/// Rows that are remembered at most, over all open parts.
const REMEMBERED: u64 = 1 << 20;
/// About what a remembered row takes: 21 bytes and the empty places of its table, which is copied when it grows.
pub const REMEMBERED_ROW: u64 = 60;
/// Rows on disk are read back by permits of this many bytes.
const READ: u64 = 64 << 10;

/// The right to leave a file open.
pub type File = OwnedSemaphorePermit;

/// The limits that follow from the budget, and what is held. Clones share it.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: Budget,
    pool: Pool,
    turns: Arc<Semaphore>,
    files: Arc<Semaphore>,
    reads: Semaphore,
    most_reads: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(&Budget::default())
    }
}

impl Memory {
    /// The destination's part of a budget.
    pub fn new(budget: &Budget) -> Self {
        let allowed = budget.total() / 4;
        let processors = std::thread::available_parallelism().map_or(1, |number| number.get() as u64);
        let permits = |number: u64| Semaphore::new(usize::try_from(number).unwrap_or(Semaphore::MAX_PERMITS));
        let reads = (row_group(budget) / READ).max(1);
        Self(Arc::new(Shared {
            budget: budget.clone(),
            pool: Pool::new(budget),
            turns: Arc::new(permits((allowed / ENCODER).clamp(1, processors))),
            files: Arc::new(permits((allowed / 8 / OPEN_FILE).clamp(4, OPEN_FILES))),
            reads: permits(reads),
            most_reads: u32::try_from(reads).unwrap_or(u32::MAX),
        }))
    }

    /// Counts something that is about to be held.
    pub fn share(&self) -> Share {
        self.0.pool.share()
    }

    /// Bytes that are to be given up, so that there is some room again; 0 while no more is held than is allowed.
    pub fn excess(&self) -> u64 {
        let (used, allowed) = (self.0.pool.held(), self.allowed());
        if used > allowed { used - allowed / 4 * 3 } else { 0 }
    }

    /// Bytes that the destination may hold.
    pub fn allowed(&self) -> u64 {
        self.0.budget.total() / 4
    }

    /// A part with this many bytes is written as a row group.
    pub fn row_group(&self) -> u64 {
        row_group(&self.0.budget)
    }

    /// Rows that may be remembered, over all open parts.
    pub fn remembered_rows(&self) -> u64 {
        REMEMBERED.min(self.0.budget.total() / 8 / REMEMBERED_ROW)
    }

    /// The right to encode, which as many have at once as there are processors and memory for. None once the
    /// destination is gone.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.turns).acquire_owned().await.ok()
    }

    /// More rights to encode, for whoever has one: as many as are free now, and at most so many.
    pub fn more_turns(&self, most: usize) -> Vec<OwnedSemaphorePermit> {
        (0..most).map_while(|_| Arc::clone(&self.0.turns).try_acquire_owned().ok()).collect()
    }

    /// The right to leave a file open until the part ends, where there are not too many of them already.
    pub fn open_file(&self) -> Option<File> {
        Arc::clone(&self.0.files).try_acquire_owned().ok()
    }

    /// Waits until so many bytes may be read back from disk; only for threads that may block. Whoever has the right
    /// waits for nothing else.
    pub fn read_back(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        if bytes == 0 {
            return None;
        }
        let permits = u32::try_from(bytes.div_ceil(READ)).unwrap_or(u32::MAX).min(self.0.most_reads);
        tokio::runtime::Handle::current().block_on(self.0.reads.acquire_many(permits)).ok()
    }
}

fn row_group(budget: &Budget) -> u64 {
    ROW_GROUP.min(budget.total() / 8)
}
