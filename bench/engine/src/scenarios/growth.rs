//! `growth`: the same accounts ten times fewer and ten times more.

use anyhow::Result;

use super::{Bench, many_accounts};
use crate::report::{Figures, Goal, Report, Unit, grouped};

const AT: Figures = Figures("growth");

/// How much worse than the middle one the largest may be.
const LINEAR: Goal = Goal::AtMost(1.2);

pub fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let middle = if bench.quick { 1000 } else { 10_000 };
    let mut seen = Vec::new();
    for accounts in [middle / 10, middle, middle * 10] {
        let run = many_accounts(accounts).engine(&bench.programs)?;
        let name = grouped(accounts);
        report.rows(&AT, format!("rows, {name} accounts"), run.rows, &run.wrong);
        let (by_row, peak) = (run.seconds / run.rows as f64, run.usage.peak_bytes as f64);
        report.number(&AT, format!("time by row, {name} accounts"), Unit::Micros, by_row, None);
        report.number(&AT, format!("peak memory, {name} accounts"), Unit::Mebibytes, peak, None);
        seen.push((by_row, peak));
    }
    let ([_, middle, largest], name) = ([seen[0], seen[1], seen[2]], "the largest by the middle one");
    report.number(&AT, format!("time by row, {name}"), Unit::Ratio, largest.0 / middle.0, Some(LINEAR));
    report.number(&AT, format!("peak memory, {name}"), Unit::Ratio, largest.1 / middle.1, Some(LINEAR));
    Ok(())
}
