//! Counters: what was called, what failed, and what it cost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::rules::FaultKind;

/// Operations beyond this many are counted together, so that no client can fill the memory.
const MOST_APIS: usize = 1000;

/// What was called of one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiStats {
    /// Calls, with those that failed.
    pub calls: u64,
    /// Calls that a throttle refused.
    pub throttled: u64,
    /// Calls that a fault happened to.
    pub faults: u64,
}

/// What happened since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Calls, with those that failed.
    pub calls: u64,
    /// Calls by operation: `ec2:DescribeInstances`.
    pub apis: BTreeMap<String, ApiStats>,
    /// Calls that a throttle refused.
    pub throttled: u64,
    /// Faults by their kind.
    pub faults: BTreeMap<String, u64>,
    /// Bytes that left for the clients, with the heads of the answers.
    pub bytes_sent: u64,
    /// Bytes that came from the clients.
    pub bytes_received: u64,
    /// Seconds since the start or the last reset.
    pub age_s: f64,
    /// When the first request came, in seconds since the start or the last reset.
    pub first_request_s: Option<f64>,
    /// When the last request came, in seconds since the start or the last reset.
    pub last_request_s: Option<f64>,
    /// Requests that are being answered now.
    pub concurrent: u64,
    /// The most requests that were being answered at once.
    pub max_concurrent: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Processor seconds of the process that the server runs in.
    pub cpu_s: f64,
}

struct Counts {
    since: Instant,
    cpu_s: f64,
    first: Option<Instant>,
    last: Option<Instant>,
    apis: BTreeMap<&'static str, BTreeMap<String, ApiStats>>,
    faults: BTreeMap<&'static str, u64>,
}

impl Counts {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            cpu_s: cpu_s(),
            first: None,
            last: None,
            apis: BTreeMap::new(),
            faults: BTreeMap::new(),
        }
    }
}

/// The counters of a server.
pub struct Counters {
    counts: Mutex<Counts>,
    pub sent: AtomicU64,
    pub received: AtomicU64,
    pub connections: AtomicU64,
    concurrent: AtomicU64,
    most: AtomicU64,
}

/// What became of a call.
#[derive(Clone, Copy)]
pub enum Outcome {
    Answered,
    Throttled,
    Fault(FaultKind),
}

impl Counters {
    pub fn new() -> Self {
        Self {
            counts: Mutex::new(Counts::new()),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            concurrent: AtomicU64::new(0),
            most: AtomicU64::new(0),
        }
    }

    /// Counts a request as under way for as long as the guard lives.
    pub fn enter(&self) -> Guard<'_> {
        let now = self.concurrent.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        Guard(self)
    }

    pub fn count(&self, service: &'static str, api: &str, outcome: Outcome) {
        let now = Instant::now();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.first.get_or_insert(now);
        counts.last = Some(now);
        if let Outcome::Fault(kind) = outcome {
            *counts.faults.entry(kind.name()).or_default() += 1;
        }
        let apis = counts.apis.entry(service).or_default();
        let api = if apis.len() < MOST_APIS || apis.contains_key(api) { api } else { "other" };
        let add = |stats: &mut ApiStats| {
            stats.calls += 1;
            stats.throttled += u64::from(matches!(outcome, Outcome::Throttled));
            stats.faults += u64::from(matches!(outcome, Outcome::Fault(_)));
        };
        match apis.get_mut(api) {
            Some(stats) => add(stats),
            None => add(apis.entry(api.to_owned()).or_default()),
        }
    }

    pub fn reset(&self) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = Counts::new();
        for counter in [&self.sent, &self.received, &self.connections] {
            counter.store(0, Ordering::Relaxed);
        }
        self.most.store(self.concurrent.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub fn stats(&self) -> Stats {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_service = |(service, apis): (&&str, &BTreeMap<String, ApiStats>)| {
            let service = (*service).to_owned();
            let named = apis.iter().map(|(api, stats)| (format!("{service}:{api}"), stats.clone()));
            named.collect::<Vec<_>>()
        };
        let apis: BTreeMap<String, ApiStats> = counts.apis.iter().flat_map(of_service).collect();
        let seconds = |at: Instant| (at - counts.since).as_secs_f64();
        Stats {
            calls: apis.values().map(|stats| stats.calls).sum(),
            throttled: apis.values().map(|stats| stats.throttled).sum(),
            apis,
            faults: counts.faults.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
            bytes_sent: self.sent.load(Ordering::Relaxed),
            bytes_received: self.received.load(Ordering::Relaxed),
            age_s: counts.since.elapsed().as_secs_f64(),
            first_request_s: counts.first.map(seconds),
            last_request_s: counts.last.map(seconds),
            concurrent: self.concurrent.load(Ordering::Relaxed),
            max_concurrent: self.most.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            cpu_s: cpu_s() - counts.cpu_s,
        }
    }
}

/// A request that is under way.
pub struct Guard<'a>(&'a Counters);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.concurrent.fetch_sub(1, Ordering::Relaxed);
    }
}

fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
