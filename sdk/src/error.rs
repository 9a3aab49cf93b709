//! What can go wrong between an API and a destination, by class, so that the engine knows what to do about it.

use std::fmt;
use std::time::Duration;

/// The result of anything that talks to an API or a destination.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is: it decides whether a call is tried again and how it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The service asked for fewer calls.
    Throttled,
    /// The network or the service failed in a way that a later call may not meet.
    Transient,
    /// The credentials do not allow this call, or are not accepted at all.
    Denied,
    /// The thing asked for does not exist.
    NotFound,
    /// The service, or this region of it, does not offer the call.
    Unsupported,
    /// The destination refused or could not store what it was given.
    Destination,
    /// A row, or a value of it, is one that the destination cannot take; others are not concerned.
    Rejected,
    /// Anything else: trying again would not help.
    Fatal,
}

impl Class {
    /// The class as one word, as it stands in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Throttled => "throttled",
            Class::Transient => "transient",
            Class::Denied => "denied",
            Class::NotFound => "not_found",
            Class::Unsupported => "unsupported",
            Class::Destination => "destination",
            Class::Rejected => "rejected",
            Class::Fatal => "fatal",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One failure: what was tried, what came back, and its class. It never holds a secret: whoever builds one puts in
/// names, codes and the service's own message, not requests.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.describe())]
pub struct Error {
    /// What kind of failure it is.
    pub class: Class,
    /// The service's own code, such as `AccessDenied`, where it has one.
    pub code: Option<String>,
    /// What happened, in the service's or the library's words.
    pub message: String,
    /// What was being done, such as `ec2 DescribeInstances`, outermost first.
    pub context: Vec<String>,
    /// The permission that the call needs, such as `ec2:DescribeInstances`, where it was denied for want of one.
    pub permission: Option<String>,
    /// How long the service asks to wait before the next call.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// An error of a class with a message.
    pub fn new(class: Class, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        Self { class, code: None, message, context: Vec::new(), permission: None, retry_after: None }
    }

    /// A failure that trying again would not mend.
    pub fn fatal(message: impl fmt::Display) -> Self {
        Self::new(Class::Fatal, message)
    }

    /// A failure of a destination.
    pub fn destination(message: impl fmt::Display) -> Self {
        Self::new(Class::Destination, message)
    }

    /// A row or a value that a destination cannot take.
    pub fn rejected(message: impl fmt::Display) -> Self {
        Self::new(Class::Rejected, message)
    }

    /// The same error with the service's code.
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same error, said to have happened while doing `what`.
    pub fn while_doing(mut self, what: impl fmt::Display) -> Self {
        self.context.insert(0, what.to_string());
        self
    }

    /// Whether the service's code is one of `codes`.
    pub fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for step in &self.context {
            text.push_str(step);
            text.push_str(": ");
        }
        match &self.code {
            Some(code) if !self.message.contains(code.as_str()) => {
                text.push_str(code);
                text.push_str(": ");
            }
            _ => {}
        }
        text.push_str(&self.message);
        text
    }
}
