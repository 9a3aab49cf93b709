//! The limiters of a source, by place and API. A place's limiters live as long as a unit of that place does, so memory
//! does not grow with the number of places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::limiter::{Fixed, Limiter};
use crate::selection::matches;

/// What a connector says about its calls.
#[derive(Debug, Clone)]
pub struct CallLimits {
    /// How many calls may be under way at once.
    pub concurrency: usize,
    /// How often a call that failed for a passing reason is made again.
    pub retries: u32,
    /// The longest pause between two tries, unless the service asks for a longer one.
    pub max_backoff: Duration,
    /// Limits that the user has set; the first that fits counts.
    pub rates: Vec<Rate>,
    /// How often a unit is read as a whole, where all of its failures may pass: a connector whose calls are not made again,
    /// such as one that reads a table in a single stream, says more than one.
    pub unit_tries: u32,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self { concurrency: 64, retries: 10, max_backoff: Duration::from_secs(30), rates: Vec::new(), unit_tries: 1 }
    }
}

/// A limit that the user has set. It holds in each place, such as a region of an account, on its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// Which calls: `ec2:Describe*` by service and operation, or without a colon `aws_ec2_*` by table.
    pub pattern: String,
    /// How many.
    pub fixed: Fixed,
}

/// All places of a source.
pub struct Limits {
    said: CallLimits,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    by_name: HashMap<Arc<str>, Weak<Place>>,
    /// When so many are known, those that are gone are forgotten.
    clean_at: usize,
}

/// The limiters of one place.
#[derive(Debug, Default)]
pub struct Place {
    by_name: Mutex<HashMap<&'static str, Arc<Limiter>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Limits {
    pub fn new(said: CallLimits) -> Self {
        Self { said, places: Mutex::default() }
    }

    pub fn retries(&self) -> u32 {
        self.said.retries
    }

    pub fn max_backoff(&self) -> Duration {
        self.said.max_backoff
    }

    /// The place of a name: the same for all units that are open at the same time.
    pub fn place(&self, name: &str) -> Arc<Place> {
        let mut places = lock(&self.places);
        if let Some(place) = places.by_name.get(name).and_then(Weak::upgrade) {
            return place;
        }
        if places.by_name.len() >= places.clean_at.max(1024) {
            places.by_name.retain(|_, place| place.strong_count() > 0);
            places.clean_at = places.by_name.len() * 2;
        }
        let place = Arc::new(Place::default());
        places.by_name.insert(name.into(), Arc::downgrade(&place));
        place
    }

    fn fixed(&self, fits: impl Fn(&str) -> bool) -> Option<Fixed> {
        self.said.rates.iter().find(|rate| fits(&rate.pattern)).map(|rate| rate.fixed)
    }
}

impl Place {
    /// The limiter of an API, such as `ec2 DescribeInstances`.
    pub fn api(&self, api: &'static str, limits: &Limits) -> Arc<Limiter> {
        let mut limiters = lock(&self.by_name);
        let new = || {
            let name = api.replacen(' ', ":", 1);
            Arc::new(Limiter::new(limits.fixed(|pattern| pattern.contains(':') && matches(pattern, &name))))
        };
        Arc::clone(limiters.entry(api).or_insert_with(new))
    }

    /// The limiter of a table, where the user has set one.
    pub fn table(&self, table: &'static str, limits: &Limits) -> Option<Arc<Limiter>> {
        if limits.said.rates.is_empty() {
            return None;
        }
        let fixed = limits.fixed(|pattern| !pattern.contains(':') && matches(pattern, table))?;
        let mut limiters = lock(&self.by_name);
        Some(Arc::clone(limiters.entry(table).or_insert_with(|| Arc::new(Limiter::new(Some(fixed))))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_place_share_its_limiters_and_no_place_is_kept() {
        let rates = vec![Rate { pattern: "ec2:Describe*".to_owned(), fixed: Fixed { per_second: 7.0, burst: 1.0 } }];
        let limits = Limits::new(CallLimits { rates, ..CallLimits::default() });
        let one = limits.place("1/eu-west-1");
        assert!(Arc::ptr_eq(&one, &limits.place("1/eu-west-1")));
        assert!(!Arc::ptr_eq(&one, &limits.place("1/us-east-1")));
        let limiter = one.api("ec2 DescribeVpcs", &limits);
        assert!(Arc::ptr_eq(&limiter, &one.api("ec2 DescribeVpcs", &limits)));
        assert_eq!(limiter.rate(), 7.0);
        assert!(one.api("iam ListUsers", &limits).rate() > 7.0);
        assert!(one.table("aws_ec2_vpcs", &limits).is_none());
        for number in 0..10_000 {
            limits.place(&number.to_string());
        }
        assert!(lock(&limits.places).by_name.len() <= 2048);
    }
}
