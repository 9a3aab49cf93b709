//! Progress as plain lines: one for each table that is finished, and a sign of life every ten seconds.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headwater_sdk::Timestamp;
use headwater_sdk::unit::Unit;
use serde_json::{Value, json};

use super::board::{Board, TableProgress};
use super::log::LogFormat;
use super::{Planned, Progress, Vitals};
use crate::sync::outcome::UnitOutcome;
use crate::text::duration;

/// How often a sign of life is given.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Writes plain lines to standard error.
pub struct Plain {
    format: LogFormat,
    state: Mutex<State>,
}

struct State {
    board: Board,
    start: Instant,
    /// When a line was last written.
    last: Instant,
}

impl Plain {
    /// Progress in the given format.
    pub fn new(format: LogFormat) -> Self {
        let now = Instant::now();
        Self { format, state: Mutex::new(State { board: Board::default(), start: now, last: now }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line of text, or what it says as JSON.
    fn write(&self, line: &str, message: &str, mut fields: Value) {
        match self.format {
            LogFormat::Text => eprintln!("{} {line}", now()),
            LogFormat::Json => {
                fields["timestamp"] = now().into();
                fields["level"] = "INFO".into();
                fields["message"] = message.into();
                eprintln!("{fields}");
            }
        }
    }
}

impl Plain {
    /// Tells of the tables that are finished.
    fn tell(&self, width: usize, finished: Vec<&TableProgress>) {
        for table in finished {
            let fields = json!({
                "table": table.label, "rows": table.rows, "scopes": table.units, "failed": table.failed,
                "error": table.failure,
            });
            self.write(&table.line(width), "table finished", fields);
        }
    }
}

/// The time of day to the second.
fn now() -> String {
    let text = Timestamp::now().to_rfc3339();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

impl Progress for Plain {
    fn planned(&self, tables: Vec<Planned>) {
        self.state().board = Board::new(tables);
    }

    fn places(&self, source: usize, count: usize) {
        self.state().board.places(source, count);
    }

    fn found(&self, source: usize, units: &[Unit]) {
        self.state().board.found(source, units);
    }

    fn not_opened(&self, source: usize) {
        self.state().board.not_opened(source);
    }

    fn all_found(&self, source: usize) {
        let mut state = self.state();
        let width = state.board.width;
        self.tell(width, state.board.all_found(source));
    }

    fn started(&self, source: usize, root: &str) {
        self.state().board.started(source, root);
    }

    fn rows(&self, source: usize, table: &str, rows: u64) {
        self.state().board.rows(source, table, rows);
    }

    fn dropped(&self, source: usize, root: &str) {
        self.state().board.dropped(source, root);
    }

    fn finished(&self, source: usize, unit: &UnitOutcome) {
        let mut state = self.state();
        let width = state.board.width;
        self.tell(width, state.board.finished(source, unit));
        state.last = Instant::now();
    }

    fn interval(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    fn tick(&self, vitals: &Vitals) {
        let mut state = self.state();
        if state.last.elapsed() < HEARTBEAT {
            return;
        }
        state.last = Instant::now();
        let totals = state.board.totals();
        let running: Vec<&str> = state.board.running().iter().take(3).map(|table| table.label.as_str()).collect();
        let waiting = if running.is_empty() { String::new() } else { format!(", reading {}", running.join(", ")) };
        let took = duration(state.start.elapsed());
        let line = format!("… {}, {took}{waiting}", totals.parts(vitals).join(", "));
        let fields = json!({
            "tables_finished": totals.done, "tables": totals.tables, "rows": totals.rows, "reading": running,
            "units_finished": totals.units_done, "units_failed": totals.units_failed, "units": totals.units,
            "all_units_known": totals.all_found, "rows_per_second": totals.rows_per_second,
            "places_opened": totals.opened, "places_not_opened": totals.not_opened, "places": totals.places,
            "calls": vitals.calls, "throttled": vitals.throttled,
            "memory_bytes": vitals.memory, "memory_budget_bytes": vitals.budget,
        });
        self.write(&line, "still running", fields);
    }
}
