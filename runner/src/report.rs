//! `--report FILE`: what a sync did, as JSON, written also when it failed.
//!
//! Units are noted in a temporary file as they end, and read back table by table, so that memory does not grow with
//! their number.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use headwater_sdk::calls::meter::{Counts, Wait};
use headwater_sdk::{Error, local};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use crate::sync::outcome::{PartOutcome, SourceOutcome, Stopped, SyncOutcome, TableOutcome, UnitOutcome};

/// The report. Its shape is part of the command line's contract: keys are added, not changed.
#[derive(Serialize)]
struct Report<'a> {
    headwater: &'static str,
    outcome: &'static str,
    interrupted: bool,
    /// Whether the first failure ended it, with `--fail-fast`.
    stopped_at_failure: bool,
    exit_code: u8,
    sync_time: String,
    start: String,
    end: String,
    duration_ms: u64,
    /// Units that an interrupted sync had committed, where this one resumed it.
    units_resumed: Option<usize>,
    memory_budget_bytes: u64,
    memory_peak_bytes: u64,
    sources: Vec<SourceReport<'a>>,
    destinations: Vec<DestinationReport<'a>>,
}

#[derive(Serialize)]
struct SourceReport<'a> {
    name: &'a str,
    path: &'a str,
    /// Why nothing of the source could be read.
    error: Option<ErrorReport>,
    /// What could not be opened, such as an account.
    not_opened: Vec<ErrorReport>,
    /// How many more could not be opened.
    more_not_opened: usize,
    units_planned: usize,
    /// Whether all units were known when it ended.
    all_units_planned: bool,
    units_run: usize,
    units_failed: usize,
    calls: CallsReport,
    /// Places that were redacted because they are known to hold secrets: `table.column.key`.
    redacted_by_default: &'a [String],
    tables: Vec<TableReport<'a>>,
}

#[derive(Serialize)]
struct TableReport<'a> {
    table: &'a str,
    outcome: &'static str,
    /// Rows read.
    rows: u64,
    /// How many of them the source's `rows` left out.
    left_out: u64,
    written: BTreeMap<&'a str, u64>,
    deleted: BTreeMap<&'a str, u64>,
    units: Units<'a>,
}

#[derive(Serialize, Deserialize)]
struct UnitReport {
    /// The root table that the unit reads; the table itself or one above it.
    root: String,
    scope: String,
    outcome: String,
    rows: u64,
    left_out: u64,
    start_ms: u64,
    duration_ms: u64,
    /// Calls of the unit with all its tables, and what it waited for; told with the root table.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    calls: Option<CallsReport>,
    destinations: Vec<PartReport>,
    errors: Vec<ErrorReport>,
    /// Errors beyond those listed.
    more_errors: u64,
}

/// Calls, and the waits of all of them added up.
#[derive(Serialize, Deserialize)]
struct CallsReport {
    made: u64,
    throttled: u64,
    retried: u64,
    api_ms: u64,
    limiter_ms: u64,
    turn_ms: u64,
    memory_ms: u64,
    destination_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct PartReport {
    name: String,
    committed: bool,
    written: u64,
    deleted: u64,
    /// Whether the rows were discarded and those of an earlier sync kept.
    kept_earlier: bool,
    /// Rows that the destination or a transformer did not take, and that were put aside.
    rejected: u64,
    /// Rows that were written without a value, and put aside as they were.
    without_value: u64,
    /// Rows that transformers have left out.
    left_out: u64,
    error: Option<ErrorReport>,
}

#[derive(Serialize)]
struct DestinationReport<'a> {
    name: &'a str,
    path: &'a str,
    write_mode: &'static str,
    error: Option<ErrorReport>,
}

#[derive(Serialize, Deserialize)]
struct ErrorReport {
    class: String,
    code: Option<String>,
    message: String,
    /// What was being done, outermost first.
    context: Vec<String>,
    /// The permission that is missing.
    permission: Option<String>,
    scope: Option<String>,
}

impl ErrorReport {
    fn new(error: &Error, scope: Option<&str>) -> Self {
        Self {
            class: error.class.as_str().to_owned(),
            code: error.code.clone(),
            message: error.message.clone(),
            context: error.context.clone(),
            permission: error.permission.clone(),
            scope: scope.filter(|scope| !scope.is_empty()).map(str::to_owned),
        }
    }
}

impl CallsReport {
    fn new(counts: &Counts) -> Self {
        let wait = |what: Wait| millis(counts.wait(what));
        Self {
            made: counts.calls,
            throttled: counts.throttled,
            retried: counts.retried,
            api_ms: wait(Wait::Api),
            limiter_ms: wait(Wait::Limiter),
            turn_ms: wait(Wait::Turn),
            memory_ms: wait(Wait::Memory),
            destination_ms: wait(Wait::Destination),
        }
    }
}

/// The units of a sync, on disk.
pub struct Spool {
    destinations: Vec<String>,
    state: Mutex<Noted>,
}

/// Where a unit's line begins, and how long it is.
type Line = (u64, u32);

/// The lines of units by source and table.
struct Noted {
    file: BufWriter<File>,
    at: u64,
    lines: BTreeMap<(usize, Arc<str>), Vec<Line>>,
    /// What could not be noted.
    failure: Option<std::io::Error>,
}

impl Spool {
    /// An empty one. `destinations` are the names in the configuration's order.
    pub fn new(destinations: Vec<String>) -> Result<Self> {
        let file = tempfile::tempfile().context("no temporary file can be made for the report")?;
        let state = Noted { file: BufWriter::new(file), at: 0, lines: BTreeMap::new(), failure: None };
        Ok(Self { destinations, state: Mutex::new(state) })
    }

    /// Notes a unit that has ended.
    pub fn add(&self, source: usize, unit: &UnitOutcome) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for table in &unit.tables {
            let report = unit_report(unit, table, &self.destinations);
            if let Err(error) = state.note((source, Arc::clone(&table.table)), &report) {
                state.failure.get_or_insert(error);
            }
        }
    }
}

impl Noted {
    fn note(&mut self, key: (usize, Arc<str>), report: &UnitReport) -> std::io::Result<()> {
        let line = serde_json::to_vec(report)?;
        self.file.write_all(&line)?;
        self.lines.entry(key).or_default().push((self.at, u32::try_from(line.len()).unwrap_or(u32::MAX)));
        self.at += line.len() as u64;
        Ok(())
    }

    /// The units of a table, by scope.
    fn read(&mut self, key: &(usize, Arc<str>)) -> Result<Vec<UnitReport>> {
        self.file.flush()?;
        let mut reader = BufReader::new(self.file.get_ref());
        let mut at = None;
        let mut units = Vec::new();
        for (begin, length) in self.lines.get(key).into_iter().flatten() {
            if at != Some(*begin) {
                reader.seek(SeekFrom::Start(*begin))?;
            }
            let mut line = vec![0; *length as usize];
            reader.read_exact(&mut line)?;
            at = Some(begin + u64::from(*length));
            units.push(serde_json::from_slice::<UnitReport>(&line)?);
        }
        units.sort_by(|a, b| (&a.scope, &a.root).cmp(&(&b.scope, &b.root)));
        Ok(units)
    }
}

/// The units of one table, read when they are written.
struct Units<'a> {
    spool: &'a Spool,
    key: (usize, Arc<str>),
}

impl Serialize for Units<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut state = self.spool.state.lock().unwrap_or_else(PoisonError::into_inner);
        let units = state.read(&self.key).map_err(S::Error::custom)?;
        let mut sequence = serializer.serialize_seq(Some(units.len()))?;
        for unit in units {
            sequence.serialize_element(&unit)?;
        }
        sequence.end()
    }
}

/// Whether a report can be written there, as far as that can be known beforehand.
pub fn check(path: &Path) -> Result<()> {
    let shown = path.display();
    ensure!(!path.is_dir(), "the report cannot be written to {shown}: it is a folder");
    let folder = local::openable(path.parent().unwrap_or(Path::new("")));
    ensure!(folder.is_dir(), "the report cannot be written to {shown}: the folder {} is not there", folder.display());
    Ok(())
}

/// Writes the report.
pub fn write(path: &Path, outcome: &SyncOutcome, spool: &Spool) -> Result<()> {
    let failed = || format!("the report cannot be written to {}", path.display());
    if let Some(error) = spool.state.lock().unwrap_or_else(PoisonError::into_inner).failure.take() {
        return Err(error).context("the units could not be noted in a temporary file").with_context(failed);
    }
    let mut file = BufWriter::new(File::create(path).with_context(failed)?);
    serde_json::to_writer_pretty(&mut file, &report(outcome, spool)).with_context(failed)?;
    file.write_all(b"\n").and_then(|()| file.flush()).with_context(failed)
}

fn report<'a>(outcome: &'a SyncOutcome, spool: &'a Spool) -> Report<'a> {
    let verdict = outcome.verdict();
    let sources = outcome.sources.iter().enumerate();
    Report {
        headwater: env!("CARGO_PKG_VERSION"),
        outcome: verdict.as_str(),
        interrupted: outcome.stopped == Some(Stopped::Signal),
        stopped_at_failure: outcome.stopped == Some(Stopped::FirstFailure),
        exit_code: verdict.exit_code(),
        sync_time: outcome.sync_time.to_rfc3339(),
        start: outcome.started.to_rfc3339(),
        end: outcome.ended.to_rfc3339(),
        duration_ms: millis(outcome.took),
        units_resumed: outcome.resumed,
        memory_budget_bytes: outcome.memory.1,
        memory_peak_bytes: outcome.memory.0,
        sources: sources.map(|(index, source)| source_report(index, source, outcome, spool)).collect(),
        destinations: outcome
            .destinations
            .iter()
            .map(|destination| DestinationReport {
                name: &destination.name,
                path: &destination.path,
                write_mode: destination.mode,
                error: destination.failure.as_ref().map(|error| ErrorReport::new(error, None)),
            })
            .collect(),
    }
}

fn source_report<'a>(
    index: usize,
    source: &'a SourceOutcome,
    outcome: &'a SyncOutcome,
    spool: &'a Spool,
) -> SourceReport<'a> {
    let tables = source.tables.iter().map(|(table, totals)| {
        let parts = || totals.parts.iter().map(|(at, part)| (outcome.destinations[*at].name.as_str(), part));
        TableReport {
            table,
            outcome: word(totals.failed > 0),
            rows: totals.rows,
            left_out: totals.left_out,
            written: parts().map(|(name, part)| (name, part.written)).collect(),
            deleted: parts().map(|(name, part)| (name, part.deleted)).collect(),
            units: Units { spool, key: (index, Arc::clone(table)) },
        }
    });
    SourceReport {
        name: &source.name,
        path: &source.path,
        error: source.failure.as_ref().map(|error| ErrorReport::new(error, None)),
        not_opened: source.unopened.iter().map(|(scope, error)| ErrorReport::new(error, Some(scope))).collect(),
        more_not_opened: source.more_unopened,
        units_planned: source.planned,
        all_units_planned: source.all_planned,
        units_run: source.done,
        units_failed: source.failed,
        calls: CallsReport::new(&source.counts),
        redacted_by_default: &source.redacted,
        tables: tables.collect(),
    }
}

fn unit_report(unit: &UnitOutcome, table: &TableOutcome, destinations: &[String]) -> UnitReport {
    let part = |part: &PartOutcome| {
        let committed = part.committed.unwrap_or_default();
        PartReport {
            name: destinations.get(part.destination).cloned().unwrap_or_default(),
            committed: part.committed.is_some(),
            written: committed.written,
            deleted: committed.deleted,
            kept_earlier: committed.kept_earlier,
            rejected: committed.rejected,
            without_value: committed.without_value,
            left_out: part.left_out,
            error: part.error.as_ref().map(|error| ErrorReport::new(error, Some(&unit.scope))),
        }
    };
    UnitReport {
        root: unit.table.to_string(),
        scope: unit.scope.to_string(),
        outcome: word(table.failed()).to_owned(),
        rows: table.rows,
        left_out: table.left_out,
        start_ms: millis(unit.after),
        duration_ms: millis(unit.took),
        calls: (unit.table == table.table).then(|| CallsReport::new(&unit.counts)),
        destinations: table.parts.iter().map(part).collect(),
        errors: table.errors.iter().map(|error| ErrorReport::new(error, Some(&unit.scope))).collect(),
        more_errors: table.more_errors,
    }
}

fn word(failed: bool) -> &'static str {
    if failed { "failed" } else { "complete" }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
