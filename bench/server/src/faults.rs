//! Which fault happens to a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::call::Call;
use crate::estate::account_index;
use crate::latency::Chance;
use crate::rules::{Fault, fits};

struct Rule {
    fault: Fault,
    accounts: Vec<u64>,
    seen: AtomicU64,
    happened: AtomicU64,
}

/// The faults with their counters.
pub struct Faults(Vec<Rule>);

impl Faults {
    pub fn new(faults: &[Fault]) -> Self {
        let rule = |fault: &Fault| Rule {
            accounts: fault.accounts.iter().map(|account| account_index(*account)).collect(),
            fault: fault.clone(),
            seen: AtomicU64::new(0),
            happened: AtomicU64::new(0),
        };
        Self(faults.iter().map(rule).collect())
    }

    /// The fault that happens to the call, `age` after the configuration came into force.
    pub fn next(&self, call: &Call, age: Duration, chance: &Chance) -> Option<&Fault> {
        self.0.iter().find(|rule| rule.takes(call, age, chance)).map(|rule| &rule.fault)
    }
}

impl Rule {
    fn takes(&self, call: &Call, age: Duration, chance: &Chance) -> bool {
        let Fault { service, api, probability, every, times, account_every, regions, from_s, to_s, .. } = &self.fault;
        let age = age.as_secs_f64();
        if from_s.is_some_and(|from| age < from) || to_s.is_some_and(|to| age >= to) {
            return false;
        }
        if !(fits(service, call.service.name()) && fits(api, &call.api)) {
            return false;
        }
        if !self.accounts.is_empty() && !self.accounts.contains(&call.subject) {
            return false;
        }
        if account_every.is_some_and(|every| !call.subject.is_multiple_of(every)) {
            return false;
        }
        if !regions.is_empty() && !regions.contains(&call.region) {
            return false;
        }
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if every.is_some_and(|every| !seen.is_multiple_of(every)) {
            return false;
        }
        if probability.is_some_and(|probability| chance.share() >= probability) {
            return false;
        }
        match times {
            None => true,
            Some(times) => self.happened.fetch_add(1, Ordering::Relaxed) < *times,
        }
    }
}
