//! How much memory a page of a table is expected to take, and the wait for that much.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::calls::Calls;
use crate::calls::meter::Wait;
use crate::memory::Lease;
use crate::unit::UnitRun;

/// What a page is expected to take before one was seen: much, so that not all units fetch pages of which nobody knows
/// how large they are.
const FIRST_PAGE: u64 = 8 << 20;
/// But not more than such a part of the budget.
const FIRST_PAGE_OF_BUDGET: u64 = 16;
/// The same for a row that is asked for on its own.
const FIRST_ROW: u64 = 16 << 10;
/// A page is held as the answer's text, as records and in part as Arrow at once: so many times what its rows take in
/// Arrow.
const COPIES: u64 = 4;
/// A record that waits for its children, compared with its row in Arrow.
const RECORD_COPIES: u64 = 2;

/// Nothing is expected to take less.
const LEAST: u64 = 1 << 10;

/// What is fetched for a table, each waiting only for what is deeper: pages, and children of a row above;
pub(crate) const PAGE: usize = 0;
/// items of a page that are looked up on their own;
pub(crate) const ITEM: usize = 1;
/// rows that take calls of their own.
pub(crate) const ROW: usize = 2;
/// How many of them there are.
const STEPS: usize = 3;

/// What pages and rows of one table were seen to take.
#[derive(Debug)]
pub struct Size {
    page: AtomicU64,
    row: AtomicU64,
    /// Whether a page was seen.
    seen: AtomicBool,
}

impl Default for Size {
    fn default() -> Self {
        Self { page: AtomicU64::new(FIRST_PAGE), row: AtomicU64::new(FIRST_ROW), seen: AtomicBool::new(false) }
    }
}

impl Size {
    /// What the next page is expected to take.
    pub fn page(&self) -> u64 {
        self.page.load(Ordering::Relaxed)
    }

    /// What the next row is expected to take.
    pub fn row(&self) -> u64 {
        self.row.load(Ordering::Relaxed)
    }

    /// Notes a page: how many rows, and the bytes that they took in Arrow. Answers what the page's records take.
    pub fn note(&self, rows: u64, bytes: u64) -> u64 {
        if self.seen.swap(true, Ordering::Relaxed) {
            learn(&self.page, bytes * COPIES);
        } else {
            self.page.store((bytes * COPIES).max(LEAST), Ordering::Relaxed);
        }
        if let Some(row) = bytes.checked_div(rows) {
            learn(&self.row, row * COPIES);
        }
        bytes * RECORD_COPIES
    }
}

/// Larger ones are believed at once, smaller ones bit by bit.
fn learn(expected: &AtomicU64, seen: u64) {
    let old = expected.load(Ordering::Relaxed);
    let new = if seen > old { seen } else { old - (old - seen) / 8 };
    expected.store(new.max(LEAST), Ordering::Relaxed);
}

/// The sizes of all tables of a source.
#[derive(Debug, Default)]
pub struct Sizes(Mutex<HashMap<&'static str, Arc<Size>>>);

impl Sizes {
    /// The size of a table.
    pub fn of(&self, table: &'static str) -> Arc<Size> {
        let mut sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sizes.entry(table).or_default())
    }
}

/// What a table's pages are admitted by.
#[derive(Clone)]
pub struct Admission {
    pub(crate) size: Arc<Size>,
    pub(crate) depth: usize,
    /// The unit, whose collected rows are handed on before it waits.
    pub(crate) run: Weak<UnitRun>,
}

/// The level of a step of a table at a depth, by which what is fetched waits.
pub(crate) fn level(depth: usize, step: usize) -> usize {
    depth * STEPS + step
}

impl Admission {
    /// `step` is how far below the table's pages: what is held at one step never waits for another of the same.
    pub(crate) async fn admit(&self, calls: &Calls, step: usize, bytes: u64) -> Lease {
        let run = Weak::clone(&self.run);
        let hand_on = async move {
            if let Some(run) = run.upgrade() {
                run.hand_on_all().await;
            }
        };
        let known = self.size.seen.load(Ordering::Relaxed);
        let bytes = if known { bytes } else { bytes.min(calls.memory().total() / FIRST_PAGE_OF_BUDGET) };
        let (lease, waited) = calls.memory().admit(bytes, level(self.depth, step), hand_on).await;
        calls.note_wait(Wait::Memory, waited);
        lease
    }
}
