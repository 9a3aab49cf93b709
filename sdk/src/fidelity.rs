//! How a destination stores values, as it declares it: what is lost is said, and never silent.

use std::borrow::Cow;

/// How the values of a type are stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// The type in the target, such as `TEXT` or `timestamptz`.
    pub name: Cow<'static, str>,
    /// Which values cannot be had back, as a part of a sentence: `NaN becomes NULL`. None where all can be.
    pub lost: Option<Cow<'static, str>>,
}

impl Stored {
    /// Every value can be had back.
    pub fn whole(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), lost: None }
    }

    /// Some values cannot be had back.
    pub fn losing(name: impl Into<Cow<'static, str>>, lost: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), lost: Some(lost.into()) }
    }
}
