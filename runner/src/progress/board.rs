//! How far each table is, which the live table and the plain lines are drawn from.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_sdk::unit::Unit;

use super::{Planned, Vitals};
use crate::sync::outcome::UnitOutcome;
use crate::text::{bytes, count, duration, plural, shorten};

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

/// How far a source is with finding its units.
#[derive(Debug, Default)]
struct SourceProgress {
    /// Places, such as accounts, that are known, and how many of them were opened or could not be.
    places: usize,
    opened: usize,
    not_opened: usize,
    /// Whether all units are known.
    all_found: bool,
    units: usize,
    done: usize,
    failed: usize,
}

/// All tables of a sync.
#[derive(Debug, Default)]
pub struct Board {
    /// By source and table.
    pub tables: BTreeMap<(usize, Arc<str>), TableProgress>,
    /// The length of the longest label.
    pub width: usize,
    sources: BTreeMap<usize, SourceProgress>,
    /// When so many rows were read: for the last few seconds.
    samples: VecDeque<(Instant, u64)>,
}

/// The rate of rows is measured over this.
const MEASURED: Duration = Duration::from_secs(5);

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
            let progress =
                TableProgress { label, units: 0, running: 0, done: 0, failed: 0, rows: 0, began: None, failure: None };
            board.tables.insert((table.source, table.table), progress);
        }
        board
    }

    fn table(&mut self, source: usize, table: &str) -> Option<&mut TableProgress> {
        self.tables.get_mut(&(source, Arc::from(table)))
    }

    fn source(&mut self, source: usize) -> &mut SourceProgress {
        self.sources.entry(source).or_default()
    }

    /// More places are known.
    pub fn places(&mut self, source: usize, count: usize) {
        self.source(source).places += count;
    }

    /// A place was opened.
    pub fn found(&mut self, source: usize, units: &[Unit]) {
        let state = self.source(source);
        state.opened += 1;
        state.units += units.len();
        for node in units.iter().flat_map(|unit| unit.node.flatten()) {
            if let Some(table) = self.table(source, &node.schema.name) {
                table.units += 1;
            }
        }
    }

    /// A place could not be opened.
    pub fn not_opened(&mut self, source: usize) {
        self.source(source).not_opened += 1;
    }

    /// All units of a source are known. Answers the tables that are finished with it.
    pub fn all_found(&mut self, source: usize) -> Vec<&TableProgress> {
        self.source(source).all_found = true;
        let of_source = self.tables.iter().filter(|((of, _), _)| *of == source);
        of_source.map(|(_, table)| table).filter(|table| table.units > 0 && table.done == table.units).collect()
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
        let state = self.source(source);
        state.done += 1;
        state.failed += usize::from(unit.failed());
        let all_found = state.all_found;
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
            if all_found && table.done == table.units {
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

    /// How far the sync is.
    pub fn totals(&mut self) -> Totals {
        let rows = self.tables.values().map(|table| table.rows).sum();
        let now = Instant::now();
        self.samples.push_back((now, rows));
        while self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > MEASURED) && self.samples.len() > 2 {
            self.samples.pop_front();
        }
        let first = self.samples.front().copied().unwrap_or((now, rows));
        let passed = now.duration_since(first.0).as_secs_f64();
        let found = |source: usize| self.sources.get(&source).is_some_and(|source| source.all_found);
        let sum = |count: fn(&SourceProgress) -> usize| self.sources.values().map(count).sum();
        Totals {
            done: self.tables.iter().filter(|((source, _), table)| found(*source) && table.done == table.units).count(),
            tables: self.tables.len(),
            units_done: sum(|source| source.done),
            units_failed: sum(|source| source.failed),
            units: sum(|source| source.units),
            all_found: self.tables.keys().all(|(source, _)| found(*source)),
            opened: sum(|source| source.opened),
            not_opened: sum(|source| source.not_opened),
            places: sum(|source| source.places),
            rows,
            rows_per_second: if passed > 0.5 { ((rows - first.1) as f64 / passed) as u64 } else { 0 },
        }
    }
}

/// How far a sync is.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    /// Tables that are finished.
    pub done: usize,
    /// Tables.
    pub tables: usize,
    /// Units that have ended.
    pub units_done: usize,
    /// How many of those failed.
    pub units_failed: usize,
    /// Units that are known.
    pub units: usize,
    /// Whether all units are known.
    pub all_found: bool,
    /// Places, such as accounts, that were opened.
    pub opened: usize,
    /// Places that could not be opened.
    pub not_opened: usize,
    /// Places that are known.
    pub places: usize,
    /// Rows read.
    pub rows: u64,
    /// Rows read in a second, of late.
    pub rows_per_second: u64,
}

impl Totals {
    /// The parts of a line that tell it, most important first.
    pub fn parts(&self, vitals: &Vitals) -> Vec<String> {
        let more = if self.all_found { "" } else { "+" };
        let mut parts = vec![
            format!("{} of {} tables", self.done, self.tables),
            format!("{} of {}{more} units", count(self.units_done as u64), count(self.units as u64)),
            format!("{} rows", count(self.rows)),
        ];
        if self.units_failed > 0 {
            parts.push(format!("{} failed", plural(self.units_failed, "unit")));
        }
        if self.rows_per_second > 0 {
            parts.push(format!("{} rows/s", count(self.rows_per_second)));
        }
        if self.places > self.opened + self.not_opened {
            parts.push(format!("{} of {} opened", count(self.opened as u64), count(self.places as u64)));
        }
        if self.not_opened > 0 {
            parts.push(format!("{} not opened", count(self.not_opened as u64)));
        }
        if vitals.throttled > 0 {
            let share = vitals.throttled as f64 * 100.0 / vitals.calls.max(1) as f64;
            parts.push(format!("throttled {share:.1} %"));
        }
        parts.push(format!("memory {} of {}", bytes(vitals.memory), bytes(vitals.budget)));
        parts
    }
}
