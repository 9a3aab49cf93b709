//! What a sync did: the ground of the summary, the report and the exit code. Units are added up as they end, so that
//! memory does not grow with their number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_sdk::calls::meter::Counts;
use headwater_sdk::{Committed, Error, Timestamp};

use crate::causes::Causes;

/// Errors of one table of one unit beyond this many are counted only.
pub const MOST_ERRORS: usize = 20;
/// Places that could not be opened beyond this many are counted only.
pub const MOST_UNOPENED: usize = 100;
/// The slowest units that are remembered.
pub const SLOWEST: usize = 10;

/// A whole sync.
pub struct SyncOutcome {
    /// The rows' `_cq_sync_time`: when the sync began, or the one that it resumes.
    pub sync_time: Timestamp,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// In the configuration's order.
    pub sources: Vec<SourceOutcome>,
    /// In the configuration's order.
    pub destinations: Vec<DestinationOutcome>,
    /// What ended it early.
    pub stopped: Option<Stopped>,
    /// The units that an interrupted sync had committed, where this one resumes it.
    pub resumed: Option<usize>,
    /// The most memory that the budget had in use, and the budget, in bytes.
    pub memory: (u64, u64),
}

/// What ended a sync early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// A signal.
    Signal,
    /// The first failure, with `--fail-fast`.
    FirstFailure,
}

/// What became of a source.
#[derive(Default)]
pub struct SourceOutcome {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Why nothing of it could be read.
    pub failure: Option<Error>,
    /// What of it could not be opened, such as an account, and why; at most [`MOST_UNOPENED`].
    pub unopened: Vec<(String, Error)>,
    /// How many more could not be opened.
    pub more_unopened: usize,
    /// How many units are known.
    pub planned: usize,
    /// Whether all of them are.
    pub all_planned: bool,
    /// How many units ran to their end.
    pub done: usize,
    /// How many of those failed.
    pub failed: usize,
    /// By name.
    pub tables: BTreeMap<Arc<str>, TableTotals>,
    /// Why units failed.
    pub causes: Causes,
    /// The slowest units, slowest first.
    pub slowest: Vec<SlowUnit>,
    /// What all units did and waited for.
    pub counts: Counts,
    /// How long it took.
    pub took: Duration,
    /// The places that were redacted because they are known to hold secrets.
    pub redacted: Vec<String>,
}

/// One table over all units of a source.
#[derive(Debug, Default)]
pub struct TableTotals {
    /// Units that have it.
    pub units: usize,
    /// How many of them failed in this table.
    pub failed: usize,
    /// Rows read.
    pub rows: u64,
    /// How many of them the source's `rows` left out.
    pub left_out: u64,
    /// When its first unit began, from the start of the sync.
    pub began: Duration,
    /// When its last unit ended.
    pub ended: Duration,
    /// By the destination's place in [`SyncOutcome::destinations`].
    pub parts: BTreeMap<usize, PartTotals>,
}

/// What a destination did with one table over all units.
#[derive(Debug, Clone, Copy, Default)]
pub struct PartTotals {
    /// Rows written.
    pub written: u64,
    /// Stale rows deleted.
    pub deleted: u64,
    /// Parts that were committed.
    pub committed: usize,
    /// Parts whose rows were discarded and those of an earlier sync kept.
    pub kept_earlier: usize,
    /// Rows that the destination or a transformer did not take, and that were put aside.
    pub rejected: u64,
    /// Rows that were written without a value, and put aside as they were.
    pub without_value: u64,
    /// Rows that transformers have left out.
    pub left_out: u64,
}

/// A unit among the slowest.
#[derive(Debug, Clone)]
pub struct SlowUnit {
    /// Its root table.
    pub table: Arc<str>,
    /// Its scope's id.
    pub scope: Arc<str>,
    /// How long it took.
    pub took: Duration,
    /// Its rows, of all tables.
    pub rows: u64,
    /// What it did and waited for.
    pub counts: Counts,
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
    /// How far it was read, where it is to be kept.
    pub checkpoint: Option<String>,
    /// What it did and waited for.
    pub counts: Counts,
}

/// What became of one table of a unit.
pub struct TableOutcome {
    /// The table.
    pub table: Arc<str>,
    /// Rows read.
    pub rows: u64,
    /// How many of them the source's `rows` left out.
    pub left_out: u64,
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
    /// Rows that transformers have left out, without putting them aside.
    pub left_out: u64,
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

    /// Rows of all its tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

impl SourceOutcome {
    /// Notes a place that could not be opened.
    pub fn not_opened(&mut self, place: String, error: Error) {
        if self.unopened.len() < MOST_UNOPENED {
            self.unopened.push((place, error));
        } else {
            self.more_unopened += 1;
        }
    }

    /// Adds a unit that has ended.
    pub fn add(&mut self, unit: &UnitOutcome) {
        self.done += 1;
        self.failed += usize::from(unit.failed());
        for table in &unit.tables {
            let totals = self
                .tables
                .entry(Arc::clone(&table.table))
                .or_insert_with(|| TableTotals { began: unit.after, ..TableTotals::default() });
            totals.units += 1;
            totals.failed += usize::from(table.failed());
            totals.rows += table.rows;
            totals.left_out += table.left_out;
            totals.began = totals.began.min(unit.after);
            totals.ended = totals.ended.max(unit.after + unit.took);
            for part in &table.parts {
                let totals = totals.parts.entry(part.destination).or_default();
                let committed = part.committed.unwrap_or_default();
                totals.written += committed.written;
                totals.deleted += committed.deleted;
                totals.committed += usize::from(part.committed.is_some());
                totals.kept_earlier += usize::from(committed.kept_earlier);
                totals.rejected += committed.rejected;
                totals.without_value += committed.without_value;
                totals.left_out += part.left_out;
            }
            for error in table.all_errors() {
                self.causes.add(&table.table, &unit.scope, error);
            }
        }
        self.remember_slow(unit);
    }

    fn remember_slow(&mut self, unit: &UnitOutcome) {
        let at = self.slowest.partition_point(|slow| slow.took >= unit.took);
        if at >= SLOWEST {
            return;
        }
        self.slowest.truncate(SLOWEST - 1);
        self.slowest.insert(
            at,
            SlowUnit {
                table: Arc::clone(&unit.table),
                scope: Arc::clone(&unit.scope),
                took: unit.took,
                rows: unit.rows(),
                counts: unit.counts,
            },
        );
    }

    /// Whether anything of it failed.
    pub fn has_failed(&self) -> bool {
        self.failure.is_some() || !self.unopened.is_empty() || self.failed > 0
    }

    /// Whether every unit ran to its end.
    pub fn is_whole(&self) -> bool {
        self.all_planned && self.done == self.planned
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
    /// How it ended.
    pub fn verdict(&self) -> Verdict {
        let failed = self.stopped.is_some()
            || self.sources.iter().any(SourceOutcome::has_failed)
            || self.destinations.iter().any(|destination| destination.failure.is_some());
        let mut parts =
            self.sources.iter().flat_map(|source| source.tables.values()).flat_map(|table| table.parts.values());
        let something = parts.any(|part| part.committed > part.kept_earlier);
        match (failed, something || self.resumed.is_some_and(|units| units > 0)) {
            (false, _) => Verdict::Complete,
            (true, true) => Verdict::Partial,
            (true, false) => Verdict::Failed,
        }
    }
}
