//! Token buckets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::call::Call;
use crate::rules::{Per, Throttle, fits};

/// Full buckets are forgotten from this many on; a new one is full as well.
const MANY: usize = 65_536;

struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// The limits with their buckets.
pub struct Throttles {
    rules: Vec<Throttle>,
    buckets: Mutex<HashMap<(usize, u64, usize), Bucket>>,
}

impl Throttles {
    pub fn new(rules: Vec<Throttle>) -> Self {
        Self { rules, buckets: Mutex::default() }
    }

    /// Takes a token from each bucket that the call belongs to, and says which rule has none left.
    pub fn exceeded(&self, call: &Call) -> Option<&Throttle> {
        if self.rules.is_empty() {
            return None;
        }
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > MANY {
            buckets.retain(|(rule, ..), bucket| {
                let rule = &self.rules[*rule];
                bucket.tokens + (now - bucket.filled).as_secs_f64() * rule.rate < rule.burst
            });
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if !(fits(&rule.service, call.service.name()) && fits(&rule.api, &call.api)) {
                continue;
            }
            // No region has the last number.
            let region = call.region_index.unwrap_or(usize::MAX);
            let (account, region) = match rule.per {
                Per::AccountRegion => (call.caller.account, region),
                Per::Account => (call.caller.account, 0),
                Per::Region => (0, region),
                Per::All => (0, 0),
            };
            let bucket = buckets.entry((index, account, region)).or_insert(Bucket { tokens: rule.burst, filled: now });
            let filled = now.saturating_duration_since(bucket.filled).as_secs_f64() * rule.rate;
            bucket.tokens = (bucket.tokens + filled).min(rule.burst);
            bucket.filled = now;
            if bucket.tokens < 1.0 {
                return Some(rule);
            }
            bucket.tokens -= 1.0;
        }
        None
    }
}
