//! How far changes were read, and what is known of each table since it was copied.

use std::collections::BTreeMap;

use headwater_sdk::{Error, Result};
use serde::{Deserialize, Serialize};

use super::message::Lsn;
use super::tables::Tracked;

/// What is kept between syncs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// All transactions that were committed before this place have been read.
    pub lsn: Lsn,
    /// The tables that were copied, by their names in destinations.
    pub tables: BTreeMap<String, Copied>,
}

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Its number in the database: a table that was made anew is another one.
    pub oid: u32,
    /// The columns of its key.
    pub key: Vec<String>,
    /// Which of its rows the publication had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Its columns.
    pub columns: Vec<Known>,
    /// The transactions that the copy has already, until they all have been read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<Moment>,
}

/// A column as it was when it was last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its number in the table.
    pub number: i16,
    /// Its name, and what it is in destinations.
    pub name: String,
    /// Its type, and what that is in destinations.
    pub kind: String,
}

/// A moment at which tables were copied: which transactions had been committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// All before this one had ended.
    pub first: u64,
    /// All from this one on had not.
    pub end: u64,
    /// These had not either.
    pub running: Vec<u64>,
    /// Where the log was when it was over: what is committed behind it is not in the copy.
    pub lsn: Lsn,
}

impl Reached {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Error::fatal(format!("what is kept of how far changes were read cannot be understood: {error}"))
        })
    }

    /// As a checkpoint.
    ///
    /// # Errors
    /// Never, with what is in it.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::fatal)
    }
}

impl Copied {
    /// A table as it was found, copied at a moment.
    pub fn new(table: &Tracked, moment: Option<Moment>) -> Self {
        let key = table.found.schema.key().into_iter().map(str::to_owned).collect();
        let filter = table.filter().map(str::to_owned);
        Self { oid: table.found.relation.oid, key, filter, columns: table.known(), moment }
    }

    /// Why the table cannot be followed by its changes from here on, and has to be copied anew: rows are not told of that
    /// have changed with the table.
    pub fn differs(&self, table: &Tracked) -> Option<String> {
        let now = Self::new(table, None);
        if self.oid != now.oid {
            return Some("it was made anew".to_owned());
        }
        if self.key != now.key {
            return Some("its key is another".to_owned());
        }
        if self.filter != now.filter {
            return Some("the publication has other rows of it".to_owned());
        }
        let names = table.found.relation.columns.iter().map(|column| &column.name);
        now.columns.iter().zip(names).zip(table.fills()).find_map(|((column, name), fills)| {
            match self.columns.iter().find(|known| known.number == column.number) {
                Some(known) if known == column => None,
                Some(_) => Some(format!("column {name} is another")),
                None if fills => Some(format!("column {name} is new, and not empty")),
                None => None,
            }
        })
    }
}

impl Moment {
    /// Reads `txid_snapshot`.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str, lsn: Lsn) -> Result<Self> {
        let read = || {
            let mut parts = text.split(':');
            let (first, end) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let running = parts.next()?.split(',').filter(|text| !text.is_empty());
            Some(Self { first, end, running: running.map(|text| text.parse().ok()).collect::<Option<_>>()?, lsn })
        };
        read().ok_or_else(|| Error::fatal(format!("the server's snapshot `{text}` cannot be read")))
    }

    /// Whether a transaction that was committed at a place is one of those that the copy has.
    pub fn has(&self, xid: u32, commit: Lsn) -> bool {
        if commit >= self.lsn {
            return false;
        }
        // The number without its upper half, which is that of a number not far from the end.
        let mut whole = self.end & !0xffff_ffff | u64::from(xid);
        if whole > self.end.saturating_add(1 << 31) {
            whole = whole.saturating_sub(1 << 32);
        } else if whole.saturating_add(1 << 31) < self.end {
            whole += 1 << 32;
        }
        whole < self.first || whole < self.end && !self.running.contains(&whole)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_moment_has_what_was_committed_before() {
        let moment = Moment::parse("10:20:12,15", Lsn(100)).unwrap();
        let has: Vec<u32> = (8..24).filter(|xid| moment.has(*xid, Lsn(50))).collect();
        assert_eq!(has, [8, 9, 10, 11, 13, 14, 16, 17, 18, 19]);
        assert!(!moment.has(9, Lsn(100)), "what is committed later is not in it");
        // Numbers begin anew after 2^32.
        let moment = Moment::parse("4294967290:4294967300:4294967295", Lsn(100)).unwrap();
        let has = [4_294_967_289, 4_294_967_294, 4_294_967_295, 0, 3, 4].map(|xid| moment.has(xid, Lsn(1)));
        assert_eq!(has, [true, true, false, true, true, false]);
        assert!(Moment::parse("1:2", Lsn(0)).is_err());
    }
}
