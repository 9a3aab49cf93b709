//! `--report FILE`: what a sync did, as JSON, written also when it failed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use headwater_sdk::{Error, local};
use serde::Serialize;

use crate::sync::outcome::{PartOutcome, SourceOutcome, SyncOutcome, TableOutcome, UnitOutcome};

/// The report. Its shape is part of the command line's contract: keys are added, not changed.
#[derive(Serialize)]
struct Report<'a> {
    headwater: &'static str,
    outcome: &'static str,
    interrupted: bool,
    exit_code: u8,
    sync_time: String,
    start: String,
    end: String,
    duration_ms: u64,
    sources: Vec<SourceReport<'a>>,
    destinations: Vec<DestinationReport<'a>>,
}

#[derive(Serialize)]
struct SourceReport<'a> {
    name: &'a str,
    path: &'a str,
    /// Why nothing of the source could be read.
    error: Option<ErrorReport<'a>>,
    /// What could not be opened, such as an account.
    not_opened: Vec<ErrorReport<'a>>,
    units_planned: usize,
    units_run: usize,
    units_failed: usize,
    tables: Vec<TableReport<'a>>,
}

#[derive(Serialize)]
struct TableReport<'a> {
    table: &'a str,
    outcome: &'static str,
    rows: u64,
    written: BTreeMap<&'a str, u64>,
    deleted: BTreeMap<&'a str, u64>,
    units: Vec<UnitReport<'a>>,
}

#[derive(Serialize)]
struct UnitReport<'a> {
    /// The root table that the unit reads; the table itself or one above it.
    root: &'a str,
    scope: &'a str,
    outcome: &'static str,
    rows: u64,
    start_ms: u64,
    duration_ms: u64,
    destinations: Vec<PartReport<'a>>,
    errors: Vec<ErrorReport<'a>>,
    /// Errors beyond those listed.
    more_errors: u64,
}

#[derive(Serialize)]
struct PartReport<'a> {
    name: &'a str,
    committed: bool,
    written: u64,
    deleted: u64,
    /// Whether the rows were discarded and those of an earlier sync kept.
    kept_earlier: bool,
    error: Option<ErrorReport<'a>>,
}

#[derive(Serialize)]
struct DestinationReport<'a> {
    name: &'a str,
    path: &'a str,
    write_mode: &'static str,
    error: Option<ErrorReport<'a>>,
}

#[derive(Serialize)]
struct ErrorReport<'a> {
    class: &'static str,
    code: Option<&'a str>,
    message: &'a str,
    /// What was being done, outermost first.
    context: &'a [String],
    scope: Option<&'a str>,
}

impl<'a> ErrorReport<'a> {
    fn new(error: &'a Error, scope: Option<&'a str>) -> Self {
        Self {
            class: error.class.as_str(),
            code: error.code.as_deref(),
            message: &error.message,
            context: &error.context,
            scope,
        }
    }
}

/// Checks that a report can be written, before anything is done that it would tell of.
pub fn check(path: &Path) -> Result<()> {
    let shown = path.display();
    ensure!(!path.is_dir(), "the report cannot be written to {shown}: it is a folder");
    let folder = local::openable(path.parent().unwrap_or(Path::new("")));
    ensure!(folder.is_dir(), "the report cannot be written to {shown}: the folder {} is not there", folder.display());
    Ok(())
}

/// Writes the report.
pub fn write(path: &Path, outcome: &SyncOutcome) -> Result<()> {
    let mut text = serde_json::to_string_pretty(&report(outcome)).context("the report cannot be put together")?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("the report cannot be written to {}", path.display()))
}

fn report(outcome: &SyncOutcome) -> Report<'_> {
    let verdict = outcome.verdict();
    Report {
        headwater: env!("CARGO_PKG_VERSION"),
        outcome: verdict.as_str(),
        interrupted: outcome.interrupted,
        exit_code: verdict.exit_code(),
        sync_time: outcome.started.to_rfc3339(),
        start: outcome.started.to_rfc3339(),
        end: outcome.ended.to_rfc3339(),
        duration_ms: millis(outcome.took),
        sources: outcome.sources.iter().map(|source| source_report(source, outcome)).collect(),
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

fn source_report<'a>(source: &'a SourceOutcome, outcome: &'a SyncOutcome) -> SourceReport<'a> {
    let mut tables: BTreeMap<&str, Vec<(&UnitOutcome, &TableOutcome)>> = BTreeMap::new();
    for unit in &source.units {
        for table in &unit.tables {
            tables.entry(&table.table).or_default().push((unit, table));
        }
    }
    SourceReport {
        name: &source.name,
        path: &source.path,
        error: source.failure.as_ref().map(|error| ErrorReport::new(error, None)),
        not_opened: source.unopened.iter().map(|(scope, error)| ErrorReport::new(error, Some(scope))).collect(),
        units_planned: source.planned,
        units_run: source.units.len(),
        units_failed: source.units.iter().filter(|unit| unit.failed()).count(),
        tables: tables.into_iter().map(|(table, units)| table_report(table, units, outcome)).collect(),
    }
}

fn table_report<'a>(
    table: &'a str,
    mut units: Vec<(&'a UnitOutcome, &'a TableOutcome)>,
    outcome: &'a SyncOutcome,
) -> TableReport<'a> {
    units.sort_by(|a, b| a.0.scope.cmp(&b.0.scope));
    let mut written = BTreeMap::new();
    let mut deleted = BTreeMap::new();
    for part in units.iter().flat_map(|(_, table)| &table.parts) {
        let committed = part.committed.unwrap_or_default();
        let name = outcome.destinations[part.destination].name.as_str();
        *written.entry(name).or_default() += committed.written;
        *deleted.entry(name).or_default() += committed.deleted;
    }
    TableReport {
        table,
        outcome: word(units.iter().any(|(_, table)| table.failed())),
        rows: units.iter().map(|(_, table)| table.rows).sum(),
        written,
        deleted,
        units: units.into_iter().map(|(unit, table)| unit_report(unit, table, outcome)).collect(),
    }
}

fn unit_report<'a>(unit: &'a UnitOutcome, table: &'a TableOutcome, outcome: &'a SyncOutcome) -> UnitReport<'a> {
    let part = |part: &'a PartOutcome| {
        let committed = part.committed.unwrap_or_default();
        PartReport {
            name: &outcome.destinations[part.destination].name,
            committed: part.committed.is_some(),
            written: committed.written,
            deleted: committed.deleted,
            kept_earlier: committed.kept_earlier,
            error: part.error.as_ref().map(|error| ErrorReport::new(error, Some(&unit.scope))),
        }
    };
    UnitReport {
        root: &unit.table,
        scope: &unit.scope,
        outcome: word(table.failed()),
        rows: table.rows,
        start_ms: millis(unit.after),
        duration_ms: millis(unit.took),
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
