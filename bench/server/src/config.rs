//! The configuration: how large the estate is, how it is paged, how slow it is, and what fails.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::rules::{Fault, Latency, Throttle};

/// The regions of an account that has turned on none of its own.
const REGIONS: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-north-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ca-central-1",
    "sa-east-1",
];

/// How many accounts and regions an id has room for.
const MOST_ACCOUNTS: u64 = 1 << 24;
const MOST_REGIONS: usize = 1 << 8;
const MOST_ROWS: u64 = 1 << 32;

/// Accounts with other counts than the rest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Heavy {
    /// The accounts, by index or by id.
    pub accounts: Vec<u64>,
    /// Their counts; a kind that is not named has the count of all accounts.
    pub resources: BTreeMap<Kind, u64>,
}

/// What the server pretends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The port, or 0 for any that is free; read at the start only.
    pub port: u16,
    /// How many accounts the organization has. Account 0 is the management account; the id of account `n` is
    /// 100000000000 + `n`.
    pub accounts: u64,
    /// The regions that are enabled.
    pub regions: Vec<String>,
    /// How many of the regions have resources, from the first on; 0 is all of them.
    pub populated_regions: usize,
    /// How many rows there are of a kind in each region, account or parent; a kind that is not named has its usual count.
    pub resources: BTreeMap<Kind, u64>,
    /// Accounts with other counts than the rest.
    pub heavy: Vec<Heavy>,
    /// Rows of a page by operation, where the client says nothing: `{"DescribeInstances": 100}`.
    pub page_sizes: BTreeMap<String, u64>,
    /// Rows of a page by operation at most, whatever the client says.
    pub page_limits: BTreeMap<String, u64>,
    /// Rows of EC2 and IAM lists are padded by a tag to this many bytes.
    pub row_bytes: usize,
    /// How many organizational units there are; one of two is nested in the one before it.
    pub ous: u64,
    /// Every so many accounts one is suspended, and no role can be assumed in it.
    pub suspended_every: Option<u64>,
    /// Accounts, by index or by id, in which no role can be assumed.
    pub accounts_denied: Vec<u64>,
    /// How many seconds a session of a role lasts at most.
    pub session_s: u64,
    /// How long a request takes.
    pub latency: Latency,
    /// Limits of requests.
    pub throttles: Vec<Throttle>,
    /// What fails.
    pub faults: Vec<Fault>,
    /// Requests a second that the server answers at most; the others wait.
    pub max_rate: Option<f64>,
    /// What chance starts from: the same requests in the same order fail in the same way.
    pub seed: u64,
    /// Whether a list that is not imitated is empty rather than an error.
    pub unknown_empty: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            accounts: 1,
            regions: REGIONS.map(str::to_owned).to_vec(),
            populated_regions: 0,
            resources: BTreeMap::new(),
            heavy: Vec::new(),
            page_sizes: BTreeMap::new(),
            page_limits: BTreeMap::new(),
            row_bytes: 0,
            ous: 0,
            suspended_every: None,
            accounts_denied: Vec::new(),
            session_s: 3600,
            latency: Latency::None,
            throttles: Vec::new(),
            faults: Vec::new(),
            max_rate: None,
            seed: 1,
            unknown_empty: true,
        }
    }
}

impl Config {
    /// The configuration with that many accounts.
    pub fn with_accounts(mut self, accounts: u64) -> Self {
        self.accounts = accounts;
        self
    }

    /// The configuration with these regions.
    pub fn with_regions<R: Into<String>>(mut self, regions: impl IntoIterator<Item = R>) -> Self {
        self.regions = regions.into_iter().map(Into::into).collect();
        self
    }

    /// The configuration with that many rows of a kind in each place.
    pub fn with(mut self, kind: Kind, count: u64) -> Self {
        self.resources.insert(kind, count);
        self
    }

    /// The configuration with no rows but those that are asked for after this.
    pub fn empty(mut self) -> Self {
        self.resources.extend(Kind::ALL.map(|kind| (kind, 0)));
        self
    }

    /// The configuration with one account that has other counts than the rest.
    pub fn with_heavy(mut self, account: u64, resources: impl IntoIterator<Item = (Kind, u64)>) -> Self {
        self.heavy.push(Heavy { accounts: vec![account], resources: resources.into_iter().collect() });
        self
    }

    /// The configuration with pages of that many rows for an operation, where the client says nothing.
    pub fn with_page(mut self, api: &str, rows: u64) -> Self {
        self.page_sizes.insert(api.to_owned(), rows);
        self
    }

    /// The configuration with that latency.
    pub fn with_latency(mut self, latency: Latency) -> Self {
        self.latency = latency;
        self
    }

    /// The configuration with one more limit.
    pub fn with_throttle(mut self, throttle: Throttle) -> Self {
        self.throttles.push(throttle);
        self
    }

    /// The configuration with one more fault.
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// What cannot work.
    pub fn problem(&self) -> Option<String> {
        let counts = self.resources.values().chain(self.heavy.iter().flat_map(|heavy| heavy.resources.values()));
        if self.accounts == 0 || self.accounts > MOST_ACCOUNTS {
            return Some(format!("`accounts` is between 1 and {MOST_ACCOUNTS}"));
        }
        if self.regions.is_empty() || self.regions.len() > MOST_REGIONS {
            return Some(format!("`regions` are between 1 and {MOST_REGIONS}"));
        }
        if counts.into_iter().any(|count| *count > MOST_ROWS) {
            return Some(format!("a count is {MOST_ROWS} at most"));
        }
        if self.page_sizes.values().chain(self.page_limits.values()).any(|rows| *rows == 0) {
            return Some("a page has at least one row".into());
        }
        if self.throttles.iter().any(|rule| rule.rate < 0.0 || rule.burst < 1.0) {
            return Some("a throttle has a `rate` of 0 or more and a `burst` of 1 or more".into());
        }
        if self.faults.iter().any(|rule| rule.every == Some(0) || rule.account_every == Some(0)) {
            return Some("`every` and `account_every` of a fault are 1 or more".into());
        }
        let finite = match self.latency {
            Latency::None => true,
            Latency::Constant { ms } => ms >= 0.0 && ms.is_finite(),
            Latency::Uniform { min_ms, max_ms } => min_ms >= 0.0 && max_ms >= min_ms && max_ms.is_finite(),
            Latency::Lognormal { median_ms, p99_ms } => median_ms > 0.0 && p99_ms >= median_ms && p99_ms.is_finite(),
        };
        if !finite {
            return Some("`latency` is not negative, and its larger number is not the smaller one".into());
        }
        if self.suspended_every == Some(0) || self.max_rate.is_some_and(|rate| rate <= 0.0) {
            return Some("`suspended_every` and `max_rate` are more than 0".into());
        }
        None
    }
}
