//! What a unit did and what it waited for, counted while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a unit can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// An answer of the API.
    Api,
    /// The limiter, or the pause before another try.
    Limiter,
    /// A turn among the calls that may be under way at once.
    Turn,
    /// Room in the memory budget.
    Memory,
    /// A destination that takes rows.
    Destination,
}

impl Wait {
    /// All of them.
    pub const ALL: [Wait; 5] = [Wait::Api, Wait::Limiter, Wait::Turn, Wait::Memory, Wait::Destination];

    /// What is waited for, in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Wait::Api => "API",
            Wait::Limiter => "limiter",
            Wait::Turn => "turn",
            Wait::Memory => "memory",
            Wait::Destination => "destination",
        }
    }
}

/// Counts of one unit, or of a whole source. Times of calls that are under way together are added up.
#[derive(Debug, Default)]
pub struct Meter {
    waits: [AtomicU64; 5],
    calls: AtomicU64,
    throttled: AtomicU64,
    retried: AtomicU64,
}

/// What a [`Meter`] has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How long each of [`Wait::ALL`] was waited for, added up over calls that are under way together.
    pub waits: [Duration; 5],
    /// Calls made, each try counted.
    pub calls: u64,
    /// Calls that were answered by throttling.
    pub throttled: u64,
    /// Calls that were made again.
    pub retried: u64,
}

impl Meter {
    /// Adds a wait.
    pub fn waited(&self, what: Wait, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.waits[what as usize].fetch_add(nanos, Ordering::Relaxed);
    }

    /// Counts a call.
    pub fn called(&self, throttled: bool, again: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.throttled.fetch_add(u64::from(throttled), Ordering::Relaxed);
        self.retried.fetch_add(u64::from(again), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            waits: [0, 1, 2, 3, 4].map(|index: usize| Duration::from_nanos(load(&self.waits[index]))),
            calls: load(&self.calls),
            throttled: load(&self.throttled),
            retried: load(&self.retried),
        }
    }
}

impl Counts {
    /// How long something was waited for.
    pub fn wait(&self, what: Wait) -> Duration {
        self.waits[what as usize]
    }

    /// The sum of both.
    pub fn plus(&self, other: &Counts) -> Counts {
        Counts {
            waits: std::array::from_fn(|index| self.waits[index] + other.waits[index]),
            calls: self.calls + other.calls,
            throttled: self.throttled + other.throttled,
            retried: self.retried + other.retried,
        }
    }
}
