//! How far each table is, which the live table and the plain lines are drawn from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Planned;
use crate::sync::outcome::UnitOutcome;
use crate::text::{count, duration, plural, shorten};

/// One table of one source.
#[derive(Debug)]
pub struct TableProgress {
    /// Its name, with that of the source before it where there are several.
    pub label: String,
    /// How many units have it.
    pub units: usize,
    /// How many of them run. Only a root table's are counted.
    pub running: usize,
    /// How many have ended.
    pub done: usize,
    /// How many of those have failed in this table.
    pub failed: usize,
    /// Rows so far.
    pub rows: u64,
    /// When its first unit began.
    pub began: Option<Instant>,
    /// The first failure.
    pub failure: Option<String>,
}

impl TableProgress {
    /// The line that says that the table is finished. `width` is that of the longest label.
    pub fn line(&self, width: usize) -> String {
        let took = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        let mark = if self.failed > 0 { '!' } else { '✓' };
        let rows = format!("{} {}", count(self.rows), if self.rows == 1 { "row " } else { "rows" });
        let mut line = format!("{mark} {:width$}  {rows:>14}  {:>8}", self.label, duration(took));
        match (self.failed, self.units) {
            (0, 1) => {}
            (0, units) => line.push_str(&format!("  {}", plural(units, "scope"))),
            (_, 1) => line.push_str("  failed"),
            (failed, units) => line.push_str(&format!("  {failed} of {} failed", plural(units, "scope"))),
        }
        if let Some(failure) = &self.failure {
            line.push_str(&format!(": {}", shorten(failure, 120)));
        }
        line
    }
}

/// All tables of a sync.
#[derive(Debug, Default)]
pub struct Board {
    /// By source and table.
    pub tables: BTreeMap<(usize, Arc<str>), TableProgress>,
    /// The length of the longest label.
    pub width: usize,
}

impl Board {
    /// The board of what will be read.
    pub fn new(planned: Vec<Planned>) -> Self {
        let names: HashMap<usize, Arc<str>> =
            planned.iter().map(|table| (table.source, Arc::clone(&table.source_name))).collect();
        let mut board = Board::default();
        for table in planned {
            let label = match names.len() {
                1 => table.table.to_string(),
                _ => format!("{}: {}", table.source_name, table.table),
            };
            board.width = board.width.max(label.chars().count());
            let progress = TableProgress {
                label,
                units: table.units,
                running: 0,
                done: 0,
                failed: 0,
                rows: 0,
                began: None,
                failure: None,
            };
            board.tables.insert((table.source, table.table), progress);
        }
        board
    }

    fn table(&mut self, source: usize, table: &str) -> Option<&mut TableProgress> {
        self.tables.get_mut(&(source, Arc::from(table)))
    }

    /// A unit has begun.
    pub fn started(&mut self, source: usize, root: &str) {
        if let Some(table) = self.table(source, root) {
            table.running += 1;
            table.began.get_or_insert_with(Instant::now);
        }
    }

    /// A unit was given up.
    pub fn dropped(&mut self, source: usize, root: &str) {
        if let Some(table) = self.table(source, root) {
            table.running = table.running.saturating_sub(1);
        }
    }

    /// Rows have been handed on.
    pub fn rows(&mut self, source: usize, table: &str, rows: u64) {
        if let Some(table) = self.table(source, table) {
            table.rows += rows;
        }
    }

    /// A unit has ended. Answers the tables that are finished with it.
    pub fn finished(&mut self, source: usize, unit: &UnitOutcome) -> Vec<&TableProgress> {
        self.dropped(source, &unit.table);
        let began = Instant::now().checked_sub(unit.took);
        let mut finished = Vec::new();
        for outcome in &unit.tables {
            let Some(table) = self.table(source, &outcome.table) else { continue };
            table.done += 1;
            table.began = table.began.or(began);
            if outcome.failed() {
                table.failed += 1;
                table.failure = table.failure.take().or_else(|| outcome.all_errors().next().map(ToString::to_string));
            }
            if table.done == table.units {
                finished.push((source, Arc::clone(&outcome.table)));
            }
        }
        finished.iter().filter_map(|key| self.tables.get(key)).collect()
    }

    /// The tables whose units run, those that began first at the top.
    pub fn running(&self) -> Vec<&TableProgress> {
        let mut running: Vec<_> = self.tables.values().filter(|table| table.running > 0).collect();
        running.sort_by_key(|table| table.began);
        running
    }

    /// How many tables are finished, how many there are, and how many rows were read.
    pub fn totals(&self) -> (usize, usize, u64) {
        let done = self.tables.values().filter(|table| table.done == table.units).count();
        (done, self.tables.len(), self.tables.values().map(|table| table.rows).sum())
    }
}
