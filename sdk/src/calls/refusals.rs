//! Calls that the service refuses: what is denied for the first rows of a table is not asked for all others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Class, Error};

/// A call that was refused this often, and never let through, is not made any more.
const ENOUGH: u32 = 8;

/// What was refused to a unit, by the table and the part of it that was asked for.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<(&'static str, &'static str), Refusal>>);

#[derive(Debug)]
enum Refusal {
    /// It was let through: a resource may have a policy of its own, so the others are asked too.
    Never,
    Times(u32, Error),
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, HashMap<(&'static str, &'static str), Refusal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The refusal that stands, where a call need not be made.
    pub fn standing(&self, table: &'static str, what: &'static str) -> Option<Error> {
        match self.lock().get(&(table, what)) {
            Some(Refusal::Times(times, error)) if *times >= ENOUGH => Some(error.clone()),
            _ => None,
        }
    }

    /// Notes how a call ended.
    pub fn note(&self, table: &'static str, what: &'static str, error: Option<&Error>) {
        let refused = error.filter(|error| matches!(error.class, Class::Denied | Class::Unsupported));
        let mut refusals = self.lock();
        let entry = refusals.entry((table, what));
        match refused {
            None => *entry.or_insert(Refusal::Never) = Refusal::Never,
            Some(error) => match entry.or_insert_with(|| Refusal::Times(0, error.clone())) {
                Refusal::Never => {}
                Refusal::Times(times, _) => *times += 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_refused_is_soon_not_asked_any_more() {
        let refusals = Refusals::default();
        let denied = Error::new(Class::Denied, "no");
        for _ in 0..ENOUGH {
            assert!(refusals.standing("keys", "list").is_none());
            refusals.note("keys", "list", Some(&denied));
        }
        assert_eq!(refusals.standing("keys", "list").expect("it stands").message, "no");
        assert!(refusals.standing("keys", "tags").is_none());
        refusals.note("policies", "list", None);
        for _ in 0..ENOUGH * 2 {
            refusals.note("policies", "list", Some(&denied));
        }
        assert!(refusals.standing("policies", "list").is_none(), "it was let through once");
    }
}
