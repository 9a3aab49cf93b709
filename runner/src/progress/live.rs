//! Progress on a terminal: the running tables in a region that is redrawn, the finished ones as lines above it.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use headwater_sdk::unit::Unit;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::board::{Board, TableProgress};
use super::{Planned, Progress, Vitals, log};
use crate::sync::outcome::UnitOutcome;
use crate::text::{count, duration, shorten};

/// How many times a second the region is redrawn at most.
const HERTZ: u8 = 10;

/// Lines of the terminal that the region leaves free.
const FREE_LINES: usize = 4;

/// Draws on standard error, which is a terminal.
pub struct Live {
    /// Made when there is something to show.
    bar: OnceLock<ProgressBar>,
    board: Mutex<Board>,
    start: Instant,
}

impl Default for Live {
    fn default() -> Self {
        Self { bar: OnceLock::new(), board: Mutex::default(), start: Instant::now() }
    }
}

impl Live {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(&self) -> &ProgressBar {
        self.bar.get_or_init(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(HERTZ));
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            log::draw_above(Some(bar.clone()));
            bar
        })
    }
}

impl Live {
    fn print(&self, lines: Vec<String>) {
        for line in lines {
            let columns = usize::from(console::Term::stderr().size().1);
            self.bar().println(shorten(&line, columns.saturating_sub(1)));
        }
    }
}

/// The lines of tables that are finished. Tables without rows are counted at the end; a screen full of them would push
/// the others away.
fn finished_lines(board: &mut Board, finish: impl FnOnce(&mut Board) -> Vec<&TableProgress>) -> Vec<String> {
    let width = board.width;
    let finished = finish(board);
    finished.iter().filter(|table| table.rows > 0 || table.failed > 0).map(|table| table.line(width)).collect()
}

impl Progress for Live {
    fn planned(&self, tables: Vec<Planned>) {
        *self.board() = Board::new(tables);
    }

    fn places(&self, source: usize, count: usize) {
        self.board().places(source, count);
    }

    fn found(&self, source: usize, units: &[Unit]) {
        self.board().found(source, units);
    }

    fn not_opened(&self, source: usize) {
        self.board().not_opened(source);
    }

    fn all_found(&self, source: usize) {
        let lines = finished_lines(&mut self.board(), |board| board.all_found(source));
        self.print(lines);
    }

    fn started(&self, source: usize, root: &str) {
        self.board().started(source, root);
    }

    fn rows(&self, source: usize, table: &str, rows: u64) {
        self.board().rows(source, table, rows);
    }

    fn dropped(&self, source: usize, root: &str) {
        self.board().dropped(source, root);
    }

    fn finished(&self, source: usize, unit: &UnitOutcome) {
        let lines = finished_lines(&mut self.board(), |board| board.finished(source, unit));
        self.print(lines);
    }

    fn interval(&self) -> Option<Duration> {
        Some(Duration::from_millis(1000 / u64::from(HERTZ)))
    }

    fn tick(&self, vitals: &Vitals) {
        let (height, columns) = console::Term::stderr().size();
        let size = (usize::from(height), usize::from(columns));
        let region = draw(&mut self.board(), vitals, self.start.elapsed(), size);
        self.bar().set_message(region);
        self.bar().tick();
    }

    fn end(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
            log::draw_above(None);
        }
    }
}

/// The region, at most `height` less a few lines high and `columns` wide.
fn draw(board: &mut Board, vitals: &Vitals, took: Duration, (height, columns): (usize, usize)) -> String {
    let totals = board.totals();
    let running = board.running();
    let room = height.saturating_sub(FREE_LINES).max(1);
    let fits = if running.len() > room { room.saturating_sub(1) } else { running.len() };
    let mut lines: Vec<String> = running[..fits].iter().map(|table| line(table, board.width)).collect();
    if running.len() > fits {
        lines.push(format!("  and {} more", running.len() - fits));
    }
    lines.push(format!("  {}  {}", totals.parts(vitals).join("  "), duration(took)));
    let lines: Vec<String> = lines.iter().map(|line| shorten(line, columns.saturating_sub(1))).collect();
    lines.join("\n")
}

fn line(table: &TableProgress, width: usize) -> String {
    let took = table.began.map_or(Duration::ZERO, |began| began.elapsed());
    let rows = format!("{} rows", count(table.rows));
    let units = if table.units > 1 { format!("  {}/{} scopes", table.done, table.units) } else { String::new() };
    let failed = if table.failed > 0 { format!("  {} failed", table.failed) } else { String::new() };
    format!("▸ {:width$}  {rows:>14}  {:>8}{units}{failed}", table.label, duration(took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_fits_the_terminal() {
        let planned = (0..40).map(|index| Planned {
            source: 0,
            source_name: "aws".into(),
            table: format!("aws_ec2_table_{index:02}").into(),
        });
        let mut board = Board::new(planned.collect());
        for index in 0..40 {
            board.started(0, &format!("aws_ec2_table_{index:02}"));
        }
        for table in board.tables.values_mut() {
            table.units = 3;
        }
        board.rows(0, "aws_ec2_table_00", 12_345);
        let vitals = Vitals { memory: 5 << 20, budget: 512 << 20, calls: 1000, throttled: 5 };
        let region = draw(&mut board, &vitals, Duration::from_secs(3), (24, 120));
        let lines: Vec<&str> = region.lines().collect();
        assert_eq!(lines.len(), 21);
        assert!(lines[0].contains("aws_ec2_table_00     12 345 rows"), "{region}");
        assert!(lines[0].ends_with("0/3 scopes"), "{region}");
        assert_eq!(lines[19], "  and 21 more");
        let last = "  0 of 40 tables  0 of 0+ units  12 345 rows  throttled 0.5 %  memory 5 MiB of 512 MiB  3.0 s";
        assert_eq!(lines[20], last);
        let narrow = draw(&mut board, &vitals, Duration::from_secs(3), (5, 20));
        assert!(narrow.lines().all(|line| line.chars().count() <= 19), "{narrow}");
        assert_eq!(narrow.lines().count(), 2);
    }
}
