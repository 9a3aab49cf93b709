//! How a destination stores values, as it declares it: what is lost is said, and never silent.

use std::borrow::Cow;

/// How the values of a type are stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// The type in the target, such as `TEXT` or `timestamptz`.
    pub name: Cow<'static, str>,
    /// Which values are stored as others, as a part of a sentence: `NaN becomes NULL`.
    pub lost: Option<Cow<'static, str>>,
    /// Which values cannot be stored at all, as a part of a sentence: `text with U+0000`. Their unit fails.
    pub refused: Option<Cow<'static, str>>,
}

impl Stored {
    /// Every value can be had back.
    pub fn whole(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), lost: None, refused: None }
    }

    /// Some values are stored as others.
    pub fn losing(name: impl Into<Cow<'static, str>>, lost: impl Into<Cow<'static, str>>) -> Self {
        Self { lost: Some(lost.into()), ..Self::whole(name) }
    }

    /// Some values cannot be stored.
    pub fn refusing(name: impl Into<Cow<'static, str>>, refused: impl Into<Cow<'static, str>>) -> Self {
        Self { refused: Some(refused.into()), ..Self::whole(name) }
    }
}
