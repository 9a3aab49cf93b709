//! What a sync did, for people: a line for each table, the failures by cause, and the verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::causes::{Causes, advice};
use crate::sync::outcome::{SyncOutcome, TableOutcome, UnitOutcome, Verdict};
use crate::text::{columns, count, duration, plural, shorten};

/// Causes of failure that are told in full.
const MOST_CAUSES: usize = 8;

/// One table of one source, over all units.
struct Row<'a> {
    source: usize,
    table: &'a str,
    units: usize,
    failed: usize,
    read: u64,
    /// By destination.
    written: Vec<u64>,
    /// By destination.
    deleted: Vec<u64>,
    took: Duration,
}

/// The summary of a sync. With `verbose`, tables without rows and all causes of failure are told one by one.
pub fn summary(outcome: &SyncOutcome, verbose: bool) -> String {
    let rows = rows(outcome);
    let mut lines = table_lines(outcome, &rows, verbose);
    let trouble = trouble_lines(outcome, verbose);
    if !lines.is_empty() {
        lines.push(String::new());
    }
    if !trouble.is_empty() {
        lines.extend(trouble);
        lines.push(String::new());
    }
    lines.push(verdict_line(outcome, &rows));
    lines.join("\n")
}

fn rows(outcome: &SyncOutcome) -> Vec<Row<'_>> {
    let mut rows: BTreeMap<(usize, &str), (Row<'_>, Duration, Duration)> = BTreeMap::new();
    let none = || vec![0; outcome.destinations.len()];
    for (index, source) in outcome.sources.iter().enumerate() {
        for unit in &source.units {
            for table in &unit.tables {
                let (row, began, ended) = rows.entry((index, &table.table)).or_insert_with(|| {
                    let row = Row {
                        source: index,
                        table: &table.table,
                        units: 0,
                        failed: 0,
                        read: 0,
                        written: none(),
                        deleted: none(),
                        took: Duration::ZERO,
                    };
                    (row, unit.after, Duration::ZERO)
                });
                row.add(table);
                *began = unit.after.min(*began);
                *ended = ended_at(unit).max(*ended);
                row.took = ended.saturating_sub(*began);
            }
        }
    }
    rows.into_values().map(|(row, _, _)| row).collect()
}

fn ended_at(unit: &UnitOutcome) -> Duration {
    unit.after + unit.took
}

impl Row<'_> {
    fn add(&mut self, table: &TableOutcome) {
        self.units += 1;
        self.failed += usize::from(table.failed());
        self.read += table.rows;
        for part in &table.parts {
            let committed = part.committed.unwrap_or_default();
            self.written[part.destination] += committed.written;
            self.deleted[part.destination] += committed.deleted;
        }
    }

    fn is_empty(&self) -> bool {
        self.failed == 0 && self.read == 0 && self.deleted.iter().all(|deleted| *deleted == 0)
    }
}

/// The columns of a number that each destination has: one where they all agree, else one for each.
fn by_destination(
    outcome: &SyncOutcome,
    rows: &[&Row<'_>],
    heading: &str,
    number: fn(&Row<'_>, usize) -> u64,
) -> Vec<(String, usize)> {
    let used: Vec<usize> = (0..outcome.destinations.len())
        .filter(|index| rows.iter().any(|row| row.written[*index] > 0 || row.deleted[*index] > 0))
        .collect();
    match used.as_slice() {
        [] => vec![(heading.to_owned(), 0)],
        [first, others @ ..] => {
            let agree = |other: &usize| rows.iter().all(|row| number(row, *first) == number(row, *other));
            if others.iter().all(agree) {
                return vec![(heading.to_owned(), *first)];
            }
            used.iter().map(|index| (format!("{heading}: {}", outcome.destinations[*index].name), *index)).collect()
        }
    }
}

fn table_lines(outcome: &SyncOutcome, rows: &[Row<'_>], verbose: bool) -> Vec<String> {
    let shown: Vec<&Row<'_>> = rows.iter().filter(|row| verbose || !row.is_empty()).collect();
    let empty = rows.len() - shown.len();
    let mut lines = Vec::new();
    if !shown.is_empty() {
        let written = by_destination(outcome, &shown, "rows", |row, index| row.written[index]);
        let any_deleted = shown.iter().any(|row| row.deleted.iter().any(|deleted| *deleted > 0));
        let deleted = match any_deleted {
            true => by_destination(outcome, &shown, "deleted", |row, index| row.deleted[index]),
            false => Vec::new(),
        };
        let scopes = shown.iter().any(|row| row.units > 1 || row.failed > 0);
        let mut heading = vec!["  table".to_owned()];
        heading.extend(written.iter().chain(&deleted).map(|(heading, _)| heading.clone()));
        if scopes {
            heading.push("scopes".to_owned());
        }
        heading.push("time".to_owned());
        let mut cells = vec![heading];
        for row in shown {
            let mark = if row.failed > 0 { '!' } else { ' ' };
            let source = match outcome.sources.len() {
                1 => String::new(),
                _ => format!("{}: ", outcome.sources[row.source].name),
            };
            let mut line = vec![format!("{mark} {source}{}", row.table)];
            line.extend(written.iter().map(|(_, index)| count(row.written.get(*index).copied().unwrap_or_default())));
            line.extend(deleted.iter().map(|(_, index)| count(row.deleted.get(*index).copied().unwrap_or_default())));
            if scopes {
                line.push(match row.failed {
                    0 => count(row.units as u64),
                    failed => format!("{} of {}", row.units - failed, row.units),
                });
            }
            line.push(duration(row.took));
            cells.push(line);
        }
        lines.extend(columns(&cells));
    }
    if empty > 0 {
        lines.push(format!("  {} without rows", plural(empty, "table")));
    }
    lines
}

fn trouble_lines(outcome: &SyncOutcome, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for source in &outcome.sources {
        if let Some(error) = &source.failure {
            lines.push(format!("failed  source {}", source.name));
            lines.push(format!("   why  {}", shorten(&error.to_string(), 300)));
            lines.push("    do  `headwater check` tries the connection and changes nothing".to_owned());
        }
        for (scope, error) in &source.unopened {
            lines.push(format!("failed  {scope} of source {} could not be opened", source.name));
            lines.push(format!("   why  {}", shorten(&error.to_string(), 300)));
        }
        let missing = source.planned - source.units.len();
        if missing > 0 && outcome.interrupted {
            let units = plural(source.planned, "unit");
            lines.push(format!("stopped {missing} of {units} of source {} did not run to their end", source.name));
        }
    }
    for destination in &outcome.destinations {
        if let Some(error) = &destination.failure {
            lines.push(format!("failed  destination {}", destination.name));
            lines.push(format!("   why  {}", shorten(&error.to_string(), 300)));
            lines.extend(advice(error.class, error.code.as_deref()).map(|advice| format!("    do  {advice}")));
        }
    }
    lines.extend(Causes::of(outcome).lines(if verbose { usize::MAX } else { MOST_CAUSES }));
    for (index, destination) in outcome.destinations.iter().enumerate() {
        let kept = |table: &&TableOutcome| {
            let mut parts = table.parts.iter().filter(|part| part.destination == index);
            parts.any(|part| part.committed.is_some_and(|committed| committed.kept_earlier))
        };
        let kept = outcome.units().flat_map(|unit| &unit.tables).filter(kept).count();
        if kept > 0 {
            lines.push(format!(
                "{} of {} kept the rows of an earlier sync, as not all new ones could be read",
                plural(kept, "part"),
                destination.name
            ));
        }
    }
    lines
}

fn verdict_line(outcome: &SyncOutcome, rows: &[Row<'_>]) -> String {
    let verdict = outcome.verdict();
    let took = duration(outcome.took);
    let interrupted = if outcome.interrupted { "interrupted, " } else { "" };
    if verdict == Verdict::Failed {
        return format!("{interrupted}failed: nothing was written, in {took}");
    }
    let good = rows.iter().filter(|row| row.failed == 0).count();
    let tables = match rows.len() == good {
        true => plural(good, "table"),
        false => format!("{good} of {}", plural(rows.len(), "table")),
    };
    let written: Vec<String> = outcome
        .destinations
        .iter()
        .enumerate()
        .filter(|(_, destination)| destination.failure.is_none())
        .map(|(index, destination)| {
            let written: u64 = rows.iter().map(|row| row.written[index]).sum();
            let deleted: u64 = rows.iter().map(|row| row.deleted[index]).sum();
            let deleted = if deleted > 0 { format!(" ({} deleted)", count(deleted)) } else { String::new() };
            let rows = if written == 1 { "row" } else { "rows" };
            format!("{} {rows} to {}{deleted}", count(written), destination.name)
        })
        .collect();
    format!("{interrupted}{}: {tables}, {}, in {took}", verdict.as_str(), written.join(", "))
}
