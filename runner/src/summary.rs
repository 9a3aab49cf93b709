//! What a sync did, for people: a line for each table, the failures by cause, and the verdict.

use std::time::Duration;

use headwater_sdk::calls::meter::{Counts, Wait};

use crate::causes::advice;
use crate::sync::outcome::{PartTotals, SlowUnit, SourceOutcome, Stopped, SyncOutcome, TableTotals, Verdict};
use crate::sync::quarantine::TABLE;
use crate::text::{columns, count, duration, plural, shorten};

/// Causes of failure that are told in full.
const MOST_CAUSES: usize = 8;
/// Places that are redacted by default that are told by name.
const MOST_REDACTED: usize = 3;
/// Places that could not be opened that are told one by one.
const MOST_UNOPENED: usize = 3;

/// One table of one source, over all units.
struct Row<'a> {
    source: usize,
    table: &'a str,
    totals: &'a TableTotals,
}

/// What a summary tells beside what is always told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Telling {
    /// Tables without rows, and all causes of failure one by one.
    pub verbose: bool,
    /// The slowest units, and what they waited for.
    pub slow: bool,
}

/// The summary of a sync.
pub fn summary(outcome: &SyncOutcome, telling: Telling) -> String {
    let rows = rows(outcome);
    let mut blocks = vec![table_lines(outcome, &rows, telling.verbose)];
    if telling.slow {
        blocks.push(slow_lines(outcome));
    }
    blocks.push(redacted_lines(outcome, telling.verbose));
    blocks.push(trouble_lines(outcome, telling.verbose));
    let mut lines = Vec::new();
    for block in blocks.into_iter().filter(|block| !block.is_empty()) {
        lines.extend(block);
        lines.push(String::new());
    }
    lines.push(verdict_line(outcome, &rows));
    lines.join("\n")
}

fn rows(outcome: &SyncOutcome) -> Vec<Row<'_>> {
    let sources = outcome.sources.iter().enumerate();
    let rows =
        sources.flat_map(|(source, of)| of.tables.iter().map(move |(table, totals)| Row { source, table, totals }));
    rows.collect()
}

impl Row<'_> {
    fn part(&self, destination: usize) -> PartTotals {
        self.totals.parts.get(&destination).copied().unwrap_or_default()
    }

    fn written(&self, destination: usize) -> u64 {
        self.part(destination).written
    }

    fn deleted(&self, destination: usize) -> u64 {
        self.part(destination).deleted
    }

    fn is_empty(&self) -> bool {
        let totals = self.totals;
        totals.failed == 0 && totals.rows == 0 && totals.parts.values().all(|part| part.deleted == 0)
    }

    fn took(&self) -> Duration {
        self.totals.ended.saturating_sub(self.totals.began)
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
        .filter(|index| rows.iter().any(|row| row.written(*index) > 0 || row.deleted(*index) > 0))
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
        let written = by_destination(outcome, &shown, "rows", |row, index| row.written(index));
        let any_deleted = shown.iter().any(|row| row.totals.parts.values().any(|part| part.deleted > 0));
        let deleted = match any_deleted {
            true => by_destination(outcome, &shown, "deleted", |row, index| row.deleted(index)),
            false => Vec::new(),
        };
        let left_out = shown.iter().any(|row| row.totals.left_out > 0);
        let scopes = shown.iter().any(|row| row.totals.units > 1 || row.totals.failed > 0);
        let mut heading = vec!["  table".to_owned()];
        heading.extend(written.iter().chain(&deleted).map(|(heading, _)| heading.clone()));
        if left_out {
            heading.push("left out".to_owned());
        }
        if scopes {
            heading.push("scopes".to_owned());
        }
        heading.push("time".to_owned());
        let mut cells = vec![heading];
        for row in shown {
            let mark = if row.totals.failed > 0 { '!' } else { ' ' };
            let source = match outcome.sources.len() {
                1 => String::new(),
                _ => format!("{}: ", outcome.sources[row.source].name),
            };
            let mut line = vec![format!("{mark} {source}{}", row.table)];
            line.extend(written.iter().map(|(_, index)| count(row.written(*index))));
            line.extend(deleted.iter().map(|(_, index)| count(row.deleted(*index))));
            if left_out {
                line.push(count(row.totals.left_out));
            }
            if scopes {
                line.push(match row.totals.failed {
                    0 => count(row.totals.units as u64),
                    failed => format!("{} of {}", row.totals.units - failed, row.totals.units),
                });
            }
            line.push(duration(row.took()));
            cells.push(line);
        }
        lines.extend(columns(&cells));
    }
    if empty > 0 {
        lines.push(format!("  {} without rows", plural(empty, "table")));
    }
    lines
}

/// Places that were redacted though no rule says so, a line for each source.
fn redacted_lines(outcome: &SyncOutcome, verbose: bool) -> Vec<String> {
    let told = outcome.sources.iter().filter(|source| source.planned > 0 && !source.redacted.is_empty());
    let line = |source: &SourceOutcome| {
        let shown = if verbose { source.redacted.len() } else { MOST_REDACTED };
        let mut places: Vec<&str> = source.redacted.iter().take(shown).map(String::as_str).collect();
        let more = source.redacted.len() - places.len();
        let more = if more > 0 { format!("{} more", count(more as u64)) } else { String::new() };
        places.extend((!more.is_empty()).then_some(more.as_str()));
        let (name, number) = (&source.name, plural(source.redacted.len(), "place"));
        format!(
            "redacted {number} of source {name} known to hold secrets (`keep` asks for them): {}",
            places.join(", ")
        )
    };
    told.map(line).collect()
}

fn trouble_lines(outcome: &SyncOutcome, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for source in &outcome.sources {
        if let Some(error) = &source.failure {
            lines.push(format!("failed  source {}", source.name));
            lines.push(format!("   why  {}", shorten(&error.to_string(), 300)));
            lines.push("    do  `headwater check` tries the connection and changes nothing".to_owned());
        }
        lines.extend(unopened_lines(source, verbose));
        let missing = source.planned - source.done;
        if outcome.stopped.is_some() && (missing > 0 || !source.all_planned) {
            let units = match source.all_planned {
                true => plural(source.planned, "unit"),
                false => format!("at least {}", plural(source.planned, "unit")),
            };
            lines.push(format!("stopped {missing} of {units} of source {} did not run to their end", source.name));
            lines.push("    do  `headwater sync --resume` goes on where this one has stopped".to_owned());
        }
        lines.extend(source.causes.lines(if verbose { usize::MAX } else { MOST_CAUSES }));
    }
    for destination in &outcome.destinations {
        if let Some(error) = &destination.failure {
            lines.push(format!("failed  destination {}", destination.name));
            lines.push(format!("   why  {}", shorten(&error.to_string(), 300)));
            lines.extend(advice(error.class, error.code.as_deref()).map(|advice| format!("    do  {advice}")));
        }
    }
    for (index, destination) in outcome.destinations.iter().enumerate() {
        let tables = outcome.sources.iter().flat_map(|source| source.tables.values());
        let kept = tables.filter_map(|table| table.parts.get(&index)).map(|part| part.kept_earlier).sum();
        if kept > 0 {
            lines.push(format!(
                "{} of {} kept the rows of an earlier sync, as not all new ones could be read",
                plural(kept, "part"),
                destination.name
            ));
        }
        // How many rows there are of a kind, and of which tables.
        let counted = |kind: fn(&PartTotals) -> u64| {
            let tables = outcome.sources.iter().flat_map(|source| &source.tables);
            let of = tables.filter_map(|(name, table)| Some((name, kind(table.parts.get(&index)?))));
            let of: Vec<_> = of.filter(|(_, rows)| *rows > 0).collect();
            let shown: Vec<String> = of.iter().map(|(name, rows)| format!("{name} {}", count(*rows))).collect();
            let rows = of.iter().map(|(_, rows)| rows).sum::<u64>();
            (rows > 0).then(|| (rows_of(rows), shorten(&shown.join(", "), 200)))
        };
        let name = &destination.name;
        if let Some((rows, of)) = counted(|part| part.left_out) {
            lines.push(format!("left    out by the transformers of {name}, {rows}: {of}"));
        }
        let (rejected, without) = (counted(|part| part.rejected), counted(|part| part.without_value));
        if let Some((rows, of)) = &rejected {
            lines.push(format!("aside   {name} did not take {rows}: {of}"));
        }
        if let Some((rows, of)) = &without {
            lines.push(format!("aside   {name} took {rows} without all values: {of}"));
        }
        if rejected.or(without).is_some() {
            lines.push(format!("    do  look into {TABLE}, which has them with the reason"));
        }
    }
    lines
}

fn rows_of(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "row" } else { "rows" })
}

/// Places that could not be opened.
fn unopened_lines(source: &SourceOutcome, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let shown = if verbose { source.unopened.len() } else { MOST_UNOPENED };
    for (scope, error) in source.unopened.iter().take(shown) {
        lines.push(format!("failed  {scope} of source {} could not be opened", source.name));
        lines.push(format!("   why  {}", shorten(&error.to_string(), 300)));
    }
    let more = source.unopened.len().saturating_sub(shown) + source.more_unopened;
    if more > 0 {
        lines.push(format!("failed  {} more could not be opened", count(more as u64)));
    }
    lines
}

/// The slowest units, and what they waited for.
fn slow_lines(outcome: &SyncOutcome) -> Vec<String> {
    let mut lines = Vec::new();
    for source in outcome.sources.iter().filter(|source| !source.slowest.is_empty()) {
        lines.push(format!(
            "slowest units of {}, and what they waited for (calls at the same time added up)",
            source.name
        ));
        let heading =
            ["  unit", "time", "rows", "calls", "throttled", "API", "limiter", "turn", "memory", "destination"];
        let mut cells = vec![heading.map(str::to_owned).to_vec()];
        cells.extend(source.slowest.iter().map(slow_cells));
        lines.extend(columns(&cells));
        let Counts { calls, throttled, retried, .. } = source.counts;
        let share = throttled as f64 * 100.0 / calls.max(1) as f64;
        lines.push(format!(
            "  all units: {} calls, {} throttled ({share:.1} %), {} made again; waited {}",
            count(calls),
            count(throttled),
            count(retried),
            Wait::ALL.map(|what| format!("{} {}", what.as_str(), duration(source.counts.wait(what)))).join(", "),
        ));
    }
    lines
}

fn slow_cells(unit: &SlowUnit) -> Vec<String> {
    let scope = if unit.scope.is_empty() { String::new() } else { format!(" {}", unit.scope) };
    let mut cells = vec![
        format!("  {}{scope}", unit.table),
        duration(unit.took),
        count(unit.rows),
        count(unit.counts.calls),
        count(unit.counts.throttled),
    ];
    cells.extend(Wait::ALL.map(|what| duration(unit.counts.wait(what))));
    cells
}

fn verdict_line(outcome: &SyncOutcome, rows: &[Row<'_>]) -> String {
    let verdict = outcome.verdict();
    let took = duration(outcome.took);
    let interrupted = match outcome.stopped {
        Some(Stopped::Signal) => "interrupted, ",
        Some(Stopped::FirstFailure) => "stopped at the first failure, ",
        None => "",
    };
    if verdict == Verdict::Failed {
        return format!("{interrupted}failed: nothing was written, in {took}");
    }
    let good = rows.iter().filter(|row| row.totals.failed == 0).count();
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
            let written: u64 = rows.iter().map(|row| row.written(index)).sum();
            let deleted: u64 = rows.iter().map(|row| row.deleted(index)).sum();
            let deleted = if deleted > 0 { format!(" ({} deleted)", count(deleted)) } else { String::new() };
            let rows = if written == 1 { "row" } else { "rows" };
            format!("{} {rows} to {}{deleted}", count(written), destination.name)
        })
        .collect();
    let resumed = match outcome.resumed {
        Some(units) => format!(" (resumed: {} were there already)", plural(units, "unit")),
        None => String::new(),
    };
    format!("{interrupted}{}: {tables}, {}, in {took}{resumed}", verdict.as_str(), written.join(", "))
}
