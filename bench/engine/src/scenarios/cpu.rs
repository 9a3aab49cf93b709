//! `cpu`: the processor time of a row, and whose it is.

use anyhow::{Result, ensure};
use headwater_bench_server::{Config, Kind};

use super::{Bench, TABLES, median};
use crate::bare::What;
use crate::case::{Case, Run};
use crate::report::{Figures, Goal, Report, Unit};

const AT: Figures = Figures("cpu");

/// Figures are said of so many rows.
const MILLION: f64 = 1e6;

pub fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let (rows, rounds) = if bench.quick { (200_000, 1) } else { (1_000_000, 3) };
    let server = Config::default().empty().with(Kind::Instances, rows).with_page("DescribeInstances", 1000);
    let case = Case::new(server, &TABLES[..1]);
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    let by_million = |run: &Run| run.usage.cpu_s / run.rows as f64 * MILLION;
    for round in 0..rounds {
        let run = case.engine(&bench.programs)?;
        if round == 0 {
            report.rows(&AT, "rows of one table", run.rows, &run.wrong);
        }
        whole.push(by_million(&run));
        let run = case.bare(&bench.programs, What::Instances, 0)?;
        ensure!(run.rows == rows, "the bare loop read {} of {rows} rows: {}", run.rows, run.wrong.join("; "));
        bare.push(by_million(&run));
    }
    let (whole, bare) = (median(whole), median(bare));
    report.number(&AT, "processor time of a million rows", Unit::Seconds, whole, None);
    report.number(&AT, "processor time of the bare loop", Unit::Seconds, bare, None);
    report.number(&AT, "our part of the whole", Unit::Percent, (whole - bare) / whole, Some(Goal::AtMost(0.2)));
    Ok(())
}
