//! How many rows of a unit are resolved at once. A unit alone has all turns to itself; where many run, each has its
//! share, so that one whose API is slow keeps the others from nothing, and tasks do not pile up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A unit always resolves so many at once.
const LEAST: usize = 4;
/// How many are resolved at once for each call that may be under way: some of them wait for their API's limiter.
const PER_TURN: usize = 2;

/// The units of a source that run.
#[derive(Debug)]
pub struct Running {
    concurrency: usize,
    units: AtomicUsize,
}

impl Running {
    pub fn new(concurrency: usize) -> Arc<Self> {
        Arc::new(Self { concurrency, units: AtomicUsize::new(0) })
    }

    /// The share of one unit.
    fn share(&self) -> usize {
        let units = self.units.load(Ordering::Relaxed).max(1);
        (self.concurrency * PER_TURN / units).clamp(LEAST, self.concurrency.max(LEAST))
    }
}

/// The gates of one unit, by level: what passed one may wait at a deeper one, never at its own.
#[derive(Debug)]
pub struct Gates {
    running: Arc<Running>,
    by_level: Mutex<Vec<Arc<Gate>>>,
}

#[derive(Debug)]
struct Gate {
    passed: AtomicUsize,
    freed: Notify,
}

/// Whoever has passed a gate; dropping it lets another one pass.
#[derive(Debug)]
pub struct Passed(Arc<Gate>);

impl Drop for Passed {
    fn drop(&mut self) {
        self.0.passed.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

impl Gates {
    /// The gates of a unit that begins to run.
    pub fn new(running: &Arc<Running>) -> Arc<Self> {
        running.units.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { running: Arc::clone(running), by_level: Mutex::default() })
    }

    fn gate(&self, level: usize) -> Arc<Gate> {
        let mut gates = self.by_level.lock().unwrap_or_else(PoisonError::into_inner);
        while gates.len() <= level {
            gates.push(Arc::new(Gate { passed: AtomicUsize::new(0), freed: Notify::new() }));
        }
        Arc::clone(&gates[level])
    }

    /// Waits until fewer than the unit's share have passed.
    pub async fn pass(&self, level: usize) -> Passed {
        let gate = self.gate(level);
        loop {
            let share = self.running.share();
            let more = |passed: usize| (passed < share).then_some(passed + 1);
            if gate.passed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
                // The share may have grown by more than one since the last came out.
                gate.freed.notify_one();
                return Passed(gate);
            }
            gate.freed.notified().await;
        }
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        self.running.units.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn passed(gates: &Gates, level: usize) -> Option<Passed> {
        tokio::time::timeout(Duration::from_millis(10), gates.pass(level)).await.ok()
    }

    #[tokio::test]
    async fn a_unit_has_its_share_and_alone_it_has_all() {
        let running = Running::new(10);
        let (one, two) = (Gates::new(&running), Gates::new(&running));
        let mut through = Vec::new();
        while let Some(one) = passed(&one, 0).await {
            through.push(one);
        }
        assert_eq!(through.len(), 10, "two turns for each call, divided by two units");
        let others: Vec<Arc<Gates>> = (0..98).map(|_| Gates::new(&running)).collect();
        assert!(passed(&two, 0).await.is_some());
        through.truncate(LEAST);
        assert!(passed(&one, 0).await.is_none(), "its share is smaller now");
        assert!(passed(&one, 1).await.is_some(), "another level is another gate");
        drop(others);
        let waiting = tokio::spawn(async move { one.pass(0).await });
        drop(through.pop());
        assert!(waiting.await.is_ok());
    }
}
