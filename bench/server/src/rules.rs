//! What may go wrong, and how long everything takes: the parts of the configuration that are rules.

use serde::{Deserialize, Serialize};

/// How long a request takes before it is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Latency {
    /// No time.
    #[default]
    None,
    /// Always the same time.
    Constant {
        /// Milliseconds.
        ms: f64,
    },
    /// Any time between two.
    Uniform {
        /// Milliseconds at least.
        min_ms: f64,
        /// Milliseconds at most.
        max_ms: f64,
    },
    /// Mostly short, with a long tail.
    Lognormal {
        /// Milliseconds that half of the requests take at most.
        median_ms: f64,
        /// Milliseconds that 99 of 100 requests take at most.
        p99_ms: f64,
    },
}

/// Who shares a token bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each region of each account has its own.
    #[default]
    AccountRegion,
    /// Each account has its own.
    Account,
    /// Each region has its own, for all accounts.
    Region,
    /// There is one.
    All,
}

/// A limit of requests, as a token bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// The service: `ec2`, `iam`, `sts`, `s3`, `organizations`, or `*`.
    pub service: String,
    /// Names of operations, with `*` for any text: `Describe*`.
    pub api: String,
    /// Who shares the bucket. All operations that the rule is about share it as well.
    pub per: Per,
    /// Requests a second.
    pub rate: f64,
    /// How many requests a full bucket allows at once.
    pub burst: f64,
    /// The seconds of a `Retry-After` header; AWS sends none.
    pub retry_after_s: Option<u64>,
    /// The HTTP status, where it is not the one that the service is known for.
    pub status: Option<u16>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            service: "*".into(),
            api: "*".into(),
            per: Per::default(),
            rate: 20.0,
            burst: 100.0,
            retry_after_s: None,
            status: None,
        }
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// HTTP 500 with the service's own error.
    #[default]
    InternalError,
    /// HTTP 503 with `ServiceUnavailable`.
    Unavailable,
    /// HTTP 502 without a body, as from a balancer.
    BadGateway,
    /// The connection is reset without an answer.
    Reset,
    /// The body is cut in its middle, and the connection closed.
    Truncate,
    /// HTTP 403 with the service's own error.
    Denied,
    /// The error of a throttle, without one.
    Throttled,
    /// No answer, ever.
    Hang,
    /// The true answer after a further delay.
    Slow,
}

impl FaultKind {
    /// The name in the configuration and in the statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::InternalError => "internal_error",
            Self::Unavailable => "unavailable",
            Self::BadGateway => "bad_gateway",
            Self::Reset => "reset",
            Self::Truncate => "truncate",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Hang => "hang",
            Self::Slow => "slow",
        }
    }
}

/// A fault and when it happens. A request suffers the first fault that takes it; one without `probability` and
/// `every` takes all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// The service: `ec2`, `iam`, `sts`, `s3`, `organizations`, or `*`.
    pub service: String,
    /// Names of operations, with `*` for any text: `List*`.
    pub api: String,
    /// What happens.
    pub kind: FaultKind,
    /// The share of the requests that it happens to, between 0 and 1.
    pub probability: Option<f64>,
    /// It happens to every so many requests: 3 is the third, the sixth ….
    pub every: Option<u64>,
    /// It happens this often at most.
    pub times: Option<u64>,
    /// The accounts, by index or by id, that it happens to; of `AssumeRole` it is the account of the role.
    pub accounts: Vec<u64>,
    /// It happens to every so many accounts: those whose index can be divided by it.
    pub account_every: Option<u64>,
    /// The regions that it happens in.
    pub regions: Vec<String>,
    /// It begins this many seconds after the configuration came into force.
    pub from_s: Option<f64>,
    /// It ends this many seconds after the configuration came into force.
    pub to_s: Option<f64>,
    /// The delay of `slow`, in milliseconds.
    pub delay_ms: u64,
    /// The seconds of a `Retry-After` header.
    pub retry_after_s: Option<u64>,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            service: "*".into(),
            api: "*".into(),
            kind: FaultKind::default(),
            probability: None,
            every: None,
            times: None,
            accounts: Vec::new(),
            account_every: None,
            regions: Vec::new(),
            from_s: None,
            to_s: None,
            delay_ms: 1000,
            retry_after_s: None,
        }
    }
}

/// Whether a name fits a pattern in which `*` is any text.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            rest.is_empty()
                || (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| fits(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "ListUsers", true),
            ("List*", "ListUsers", true),
            ("List*", "GetUser", false),
            ("*User*", "ListUsers", true),
            ("*User", "ListUsers", false),
            ("ListUsers", "ListUsers", true),
            ("L*U*s", "ListUsers", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
