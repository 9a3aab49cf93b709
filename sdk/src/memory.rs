//! The memory budget of a run: one number of bytes that pages, builders, queued batches and upload buffers share.
//!
//! What is to be fetched asks before it is fetched ([`Budget::admit`]) and waits while the budget is used up; what is
//! here already is only counted ([`Budget::lease`]), because it cannot be undone. So back-pressure reaches the call, and
//! nothing that is held is ever waited for by its holder.
//!
//! What an engine within this process takes for itself, and never gives back before it is closed, is reserved
//! ([`Budget::reserve`]): it is nobody's turn to wait for it.
//!
//! Pages are admitted by depth: a child table's may fill what its parents' may not, and the first at a depth is always
//! admitted. A page waits only for deeper ones, so no wait is for ever.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayData, RecordBatch};
use arrow::buffer::Buffer;
use tokio::sync::Notify;

/// Depths that are told apart; what is deeper counts as the deepest.
const DEPTHS: usize = 12;

/// Whoever has waited for so long is not overtaken any more.
const LONG: Duration = Duration::from_millis(500);

/// The budget where the user names none.
pub const DEFAULT: u64 = 512 << 20;

/// The memory that a batch holds: what several of its columns lie in, such as one message of an Arrow stream, counts once.
pub fn held(batch: &RecordBatch) -> u64 {
    fn add(data: &ArrayData, seen: &mut HashSet<usize>) -> usize {
        let nulls = data.nulls().map(|nulls| nulls.buffer());
        let buffers =
            data.buffers().iter().chain(nulls).filter(|buffer| seen.insert(buffer.data_ptr().as_ptr() as usize));
        let own: usize = buffers.map(Buffer::capacity).sum();
        own + data.child_data().iter().map(|child| add(child, seen)).sum::<usize>()
    }
    let mut seen = HashSet::new();
    batch.columns().iter().map(|column| add(&column.to_data(), &mut seen)).sum::<usize>() as u64
}

/// A number of bytes for a whole run. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: u64,
    used: AtomicU64,
    reserved: AtomicU64,
    peak: AtomicU64,
    /// Pages that were admitted and are still held, by depth.
    admitted: [AtomicUsize; DEPTHS],
    waiting: [Waiting; DEPTHS],
}

/// Those who wait at a depth.
#[derive(Debug, Default)]
struct Waiting {
    count: AtomicUsize,
    /// Those who have waited for long; nobody overtakes them.
    long: AtomicUsize,
    freed: Notify,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(total: u64) -> Self {
        Self(Arc::new(Shared {
            total,
            used: AtomicU64::new(0),
            reserved: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            admitted: Default::default(),
            waiting: Default::default(),
        }))
    }

    /// The budget in bytes.
    pub fn total(&self) -> u64 {
        self.0.total
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most that were ever in use.
    pub fn peak(&self) -> u64 {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// Whether what can be handed on should be: more than half of what is not reserved is used, or someone waits.
    pub fn is_tight(&self) -> bool {
        self.is_waited_for() || self.used() > self.unreserved() / 2
    }

    /// Takes bytes out of what pages and rows share, at most three quarters of the budget in all; dropping the answer gives
    /// them back.
    pub fn reserve(&self, bytes: u64) -> Reserved {
        self.0.reserved.fetch_add(bytes, Ordering::Relaxed);
        Reserved { budget: self.clone(), bytes }
    }

    fn unreserved(&self) -> u64 {
        let total = self.0.total;
        total - self.0.reserved.load(Ordering::Relaxed).min(total / 4 * 3)
    }

    /// An empty lease, for what is held already.
    pub fn lease(&self) -> Lease {
        Lease { budget: self.clone(), bytes: AtomicU64::new(0), depth: None }
    }

    /// Waits until so many bytes may be fetched for a table at a depth (0 is a root). `before_wait` is polled only
    /// where there is a wait; it hands on what would otherwise be held while nothing moves. Answers also how long it waited.
    pub async fn admit(&self, bytes: u64, depth: usize, before_wait: impl Future<Output = ()>) -> (Lease, Duration) {
        let depth = depth.min(DEPTHS - 1);
        let waiting = &self.0.waiting[depth];
        if waiting.long.load(Ordering::Relaxed) == 0
            && let Some(lease) = self.try_admit(bytes, depth)
        {
            return (lease, Duration::ZERO);
        }
        let began = Instant::now();
        let _counted = Counted::new(&waiting.count);
        before_wait.await;
        let mut long = None;
        loop {
            let freed = waiting.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(lease) = self.try_admit(bytes, depth) {
                // There may be room for the next one too.
                waiting.freed.notify_one();
                return (lease, began.elapsed());
            }
            if long.is_none() && began.elapsed() > LONG {
                long = Some(Counted::new(&waiting.long));
            }
            freed.await;
        }
    }

    fn try_admit(&self, bytes: u64, depth: usize) -> Option<Lease> {
        let shared = &*self.0;
        // A depth leaves room to those below it: from a half at the roots to next to nothing.
        let half = self.unreserved() / 2;
        let room = half + half * depth as u64 / DEPTHS as u64;
        // The number never holds a page that is not admitted: whoever is woken by the last one's end would take it for
        // another page, and wait for ever.
        let admit =
            |admitted: usize| (admitted == 0 || self.used().saturating_add(bytes) <= room).then(|| admitted + 1);
        shared.admitted[depth].fetch_update(Ordering::AcqRel, Ordering::Acquire, admit).ok()?;
        let lease = Lease { budget: self.clone(), bytes: AtomicU64::new(0), depth: Some(depth) };
        lease.set(bytes);
        Some(lease)
    }

    fn is_waited_for(&self) -> bool {
        self.0.waiting.iter().any(|waiting| waiting.count.load(Ordering::Relaxed) > 0)
    }

    fn add(&self, bytes: u64) {
        let used = self.0.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.0.peak.fetch_max(used, Ordering::Relaxed);
    }

    fn free(&self, bytes: u64) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        // Those below first: they are what those above wait for.
        for waiting in self.0.waiting.iter().rev().filter(|waiting| waiting.count.load(Ordering::Relaxed) > 0) {
            waiting.freed.notify_one();
        }
    }
}

/// Counts someone who waits, also where the wait is given up.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes that are nobody else's; dropping it gives them back.
#[derive(Debug)]
pub struct Reserved {
    budget: Budget,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.free(0);
    }
}

/// Bytes that are held; dropping it gives them back.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    bytes: AtomicU64,
    depth: Option<usize>,
}

impl Lease {
    /// The bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts another number of bytes as held. Never waits.
    pub fn set(&self, bytes: u64) {
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        match bytes.cmp(&before) {
            std::cmp::Ordering::Greater => self.budget.add(bytes - before),
            std::cmp::Ordering::Less => self.budget.free(before - bytes),
            std::cmp::Ordering::Equal => {}
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(depth) = self.depth {
            self.budget.0.admitted[depth].fetch_sub(1, Ordering::AcqRel);
        }
        self.budget.free(self.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;

    async fn admitted(budget: &Budget, bytes: u64, depth: usize) -> Option<Lease> {
        let admitted = budget.admit(bytes, depth, async {});
        tokio::time::timeout(Duration::from_millis(20), admitted).await.ok().map(|(lease, _)| lease)
    }

    #[test]
    fn what_columns_share_counts_once() {
        let numbers = |array: Int64Array| Arc::new(array) as _;
        let whole = Int64Array::from_iter_values(0..1000);
        let columns = [("a", numbers(whole.slice(0, 500))), ("b", numbers(whole.slice(500, 500)))];
        let shared = RecordBatch::try_from_iter(columns).expect("they are of one length");
        assert!((8000..8200).contains(&held(&shared)), "{}", held(&shared));
        let apart = [("a", numbers(whole)), ("b", numbers(Int64Array::from_iter_values(0..1000)))];
        let apart = RecordBatch::try_from_iter(apart).expect("they are of one length");
        assert!(held(&apart) >= 16_000);
    }

    #[tokio::test]
    async fn what_is_over_the_budget_waits_until_something_is_given_back() {
        let budget = Budget::new(1000);
        let first = admitted(&budget, 400, 0).await.expect("there is room");
        assert!(admitted(&budget, 400, 0).await.is_none(), "a root may use half");
        let child = admitted(&budget, 300, 1).await.expect("a child may use more");
        assert_eq!(budget.used(), 700);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.admit(400, 0, async {}).await.0.bytes() }
        });
        tokio::task::yield_now().await;
        drop(child);
        drop(first);
        assert_eq!(waiting.await.expect("it is admitted"), 400);
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.peak(), 700);
    }

    #[tokio::test]
    async fn what_is_reserved_leaves_room_for_several_pages() {
        let budget = Budget::new(1000);
        let reserved = budget.reserve(500);
        assert!(!budget.is_tight());
        let pages = [admitted(&budget, 100, 0).await, admitted(&budget, 100, 0).await];
        assert!(pages.iter().all(Option::is_some) && admitted(&budget, 100, 0).await.is_none());
        drop(reserved);
        assert!(admitted(&budget, 100, 0).await.is_some());
        let _more = [budget.reserve(900), budget.reserve(900)];
        drop(pages);
        assert!(admitted(&budget, 100, 0).await.is_some());
    }

    #[tokio::test]
    async fn the_first_page_of_a_depth_is_always_admitted() {
        let budget = Budget::new(1000);
        let held = budget.lease();
        held.set(5000);
        let root = admitted(&budget, 5000, 0).await;
        assert!(root.is_some() && admitted(&budget, 1, 0).await.is_none());
        assert!(admitted(&budget, 5000, 1).await.is_some());
        assert!(budget.is_tight());
        drop((held, root));
        assert!(!budget.is_tight());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_waits_for_ever_where_only_one_at_a_time_is_admitted() {
        let budget = Budget::new(100);
        let held = budget.lease();
        held.set(100);
        let pages = (0..64).map(|_| {
            let budget = budget.clone();
            tokio::spawn(async move {
                for _ in 0..500 {
                    let _page = budget.admit(10, 0, async {}).await;
                    tokio::task::yield_now().await;
                }
            })
        });
        let all = futures::future::join_all(pages.collect::<Vec<_>>());
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("nobody waits for ever");
        assert_eq!(budget.used(), 100);
    }

    #[tokio::test]
    async fn what_waits_has_handed_on_what_it_held() {
        let budget = Budget::new(100);
        let _first = admitted(&budget, 100, 0).await;
        let mut handed_on = false;
        let admitted = budget.admit(1, 0, async { handed_on = true });
        assert!(tokio::time::timeout(Duration::from_millis(5), admitted).await.is_err());
        assert!(handed_on);
        assert!(!budget.is_waited_for(), "a wait that was given up is not counted");
    }
}
