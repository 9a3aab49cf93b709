//! What a destination holds of the memory of a run: rows of open parts that are not written yet. Together they are at most
//! a quarter of the budget; a part that has many gives its rows away sooner when that is used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, RecordBatch};

use crate::memory::{Budget, Lease};

/// A part gives its rows away when they are so many bytes.
const MANY: u64 = 16 << 20;

/// The memory that all parts of a destination hold. Clones share it.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: Budget,
    held: AtomicU64,
}

/// What a part holds; dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    pool: Pool,
    lease: Lease,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(&Budget::default())
    }
}

impl Pool {
    /// Of a budget.
    pub fn new(budget: &Budget) -> Self {
        Self(Arc::new(Shared { budget: budget.clone(), held: AtomicU64::new(0) }))
    }

    /// Bytes that all parts hold.
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::Relaxed)
    }

    /// For a part that holds nothing yet.
    pub fn share(&self) -> Share {
        Share { pool: self.clone(), lease: self.0.budget.lease() }
    }
}

impl Share {
    /// Counts another number of bytes.
    pub fn set(&self, bytes: u64) {
        let held = &self.pool.0.held;
        held.fetch_add(bytes, Ordering::Relaxed);
        held.fetch_sub(self.lease.bytes(), Ordering::Relaxed);
        self.lease.set(bytes);
    }

    /// The bytes counted.
    pub fn bytes(&self) -> u64 {
        self.lease.bytes()
    }

    /// Whether the part should give its rows away: they are many, or more than a few while others hold too much.
    pub fn is_enough(&self) -> bool {
        let Shared { budget, held } = &*self.pool.0;
        let (many, bytes) = (MANY.min(budget.total() / 16), self.bytes());
        bytes >= many || (bytes >= many / 16 && held.load(Ordering::Relaxed) > budget.total() / 4)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The bytes of a batch whose arrays may be slices of larger buffers, of which only what is theirs is counted.
pub fn batch_bytes(batch: &RecordBatch) -> u64 {
    let size = |column: &Arc<dyn Array>| column.to_data().get_slice_memory_size().unwrap_or(0) as u64;
    batch.columns().iter().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_gives_rows_away_when_they_are_many_or_others_hold_too_much() {
        let budget = Budget::new(1600);
        let pool = Pool::new(&budget);
        let (one, other) = (pool.share(), pool.share());
        one.set(99);
        assert!(!one.is_enough());
        one.set(100);
        assert!(one.is_enough());
        one.set(10);
        other.set(391);
        assert!(one.is_enough() && other.is_enough());
        assert_eq!(budget.used(), 401);
        drop(other);
        assert!(!one.is_enough());
        drop(one);
        assert_eq!(budget.used(), 0);
    }
}
