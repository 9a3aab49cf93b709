//! What a sync did, unit by unit: the ground of the summary, the report and the exit code.

use std::sync::Arc;
use std::time::Duration;

use headwater_sdk::{Committed, Error, Timestamp};

/// Errors of one table of one unit beyond this many are counted only.
pub const MOST_ERRORS: usize = 20;

/// A whole sync.
pub struct SyncOutcome {
    /// The rows' `_cq_sync_time`, and when the sync began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// In the configuration's order.
    pub sources: Vec<SourceOutcome>,
    /// In the configuration's order.
    pub destinations: Vec<DestinationOutcome>,
    /// Whether a signal ended it early.
    pub interrupted: bool,
}

/// What became of a source.
pub struct SourceOutcome {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Why nothing of it could be read.
    pub failure: Option<Error>,
    /// What of it could not be opened, such as an account, and why.
    pub unopened: Vec<(String, Error)>,
    /// How many units it had.
    pub planned: usize,
    /// The units that ran to their end.
    pub units: Vec<UnitOutcome>,
    /// How long it took.
    pub took: Duration,
}

/// What became of a destination as a whole.
pub struct DestinationOutcome {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its write mode, as it is written in the configuration.
    pub mode: &'static str,
    /// What failed when the tables were made ready or when it was closed.
    pub failure: Option<Error>,
}

/// What became of a unit.
pub struct UnitOutcome {
    /// Its root table.
    pub table: Arc<str>,
    /// Its scope's id; empty where the source has one scope.
    pub scope: Arc<str>,
    /// When it began, measured from the start of the sync.
    pub after: Duration,
    /// How long it took.
    pub took: Duration,
    /// Its tables, parents first.
    pub tables: Vec<TableOutcome>,
}

/// What became of one table of a unit.
pub struct TableOutcome {
    /// The table.
    pub table: Arc<str>,
    /// Rows read.
    pub rows: u64,
    /// Whether all of its rows were read.
    pub complete: bool,
    /// What failed, at most [`MOST_ERRORS`].
    pub errors: Vec<Error>,
    /// How many more errors there were.
    pub more_errors: u64,
    /// What each of the source's destinations did, but those that could not be used at all.
    pub parts: Vec<PartOutcome>,
}

/// What a destination did with one table of a unit.
pub struct PartOutcome {
    /// The destination, by its place in [`SyncOutcome::destinations`].
    pub destination: usize,
    /// What was committed. Nothing, where it failed or there was nothing to commit.
    pub committed: Option<Committed>,
    /// What failed.
    pub error: Option<Error>,
}

impl TableOutcome {
    /// Whether anything about it failed.
    pub fn failed(&self) -> bool {
        !self.complete || !self.errors.is_empty() || self.parts.iter().any(|part| part.error.is_some())
    }

    /// Notes a failure; the table's rows are no longer all there.
    pub fn fail(&mut self, error: Error) {
        self.complete = false;
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(error);
        } else {
            self.more_errors += 1;
        }
    }

    /// All that failed, of the source and of the destinations.
    pub fn all_errors(&self) -> impl Iterator<Item = &Error> {
        self.errors.iter().chain(self.parts.iter().filter_map(|part| part.error.as_ref()))
    }
}

impl UnitOutcome {
    /// Whether anything in it failed.
    pub fn failed(&self) -> bool {
        self.tables.iter().any(TableOutcome::failed)
    }
}

/// How a sync ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing failed.
    Complete,
    /// Something failed, and something was committed.
    Partial,
    /// Something failed, and nothing was committed.
    Failed,
}

impl Verdict {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Complete => "complete",
            Verdict::Partial => "partial",
            Verdict::Failed => "failed",
        }
    }

    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Complete => 0,
            Verdict::Partial => 3,
            Verdict::Failed => 1,
        }
    }
}

impl SyncOutcome {
    /// Every unit that ran to its end.
    pub fn units(&self) -> impl Iterator<Item = &UnitOutcome> {
        self.sources.iter().flat_map(|source| &source.units)
    }

    /// How it ended.
    pub fn verdict(&self) -> Verdict {
        let source_failed = |source: &SourceOutcome| {
            source.failure.is_some() || !source.unopened.is_empty() || source.units.iter().any(UnitOutcome::failed)
        };
        let failed = self.interrupted
            || self.sources.iter().any(source_failed)
            || self.destinations.iter().any(|destination| destination.failure.is_some());
        let mut parts = self.units().flat_map(|unit| &unit.tables).flat_map(|table| &table.parts);
        let something = parts.any(|part| part.committed.is_some_and(|committed| !committed.kept_earlier));
        match (failed, something) {
            (false, _) => Verdict::Complete,
            (true, true) => Verdict::Partial,
            (true, false) => Verdict::Failed,
        }
    }
}
