//! What a row costs: `cpu`, its processor time and whose it is, and `memory`, what fills memory elsewhere.

use anyhow::{Result, ensure};
use headwater_bench_server::{Config, Kind};

use super::{BUDGET, Bench, MOST_MEMORY, TABLES, many_accounts, median};
use crate::bare::What;
use crate::case::{Case, Run, latency};
use crate::discard;
use headwater_bench::report::{Figures, Goal, Report, Unit};

const CPU: Figures = Figures("cpu");

/// Figures are said of so many rows.
const MILLION: f64 = 1e6;

pub fn cpu(bench: &Bench, report: &mut Report) -> Result<()> {
    let (rows, rounds) = if bench.quick { (200_000, 1) } else { (1_000_000, 3) };
    let server = Config::default().empty().with(Kind::Instances, rows).with_page("DescribeInstances", 1000);
    let case = Case::new(server, &TABLES[..1]);
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    let by_million = |run: &Run| run.usage.cpu_s / run.rows as f64 * MILLION;
    for round in 0..rounds {
        let run = case.engine(&bench.programs)?;
        if round == 0 {
            report.rows(&CPU, "rows of one table", run.rows, &run.wrong);
        }
        whole.push(by_million(&run));
        let run = case.bare(&bench.programs, What::Instances, 0)?;
        ensure!(run.wrong.is_empty(), "the bare loop: {}", run.wrong.join("; "));
        bare.push(by_million(&run));
    }
    let (whole, bare) = (median(whole), median(bare));
    report.number(&CPU, "processor time of a million rows", Unit::Seconds, whole, None);
    report.number(&CPU, "processor time of the bare loop", Unit::Seconds, bare, None);
    report.number(&CPU, "our part of the whole", Unit::Percent, (whole - bare) / whole, Some(Goal::AtMost(0.2)));
    Ok(())
}

const MEMORY: Figures = Figures("memory");

pub fn memory(bench: &Bench, report: &mut Report) -> Result<()> {
    let rows = if bench.quick { 200_000 } else { 1_000_000 };
    let large = Config::default().empty().with(Kind::Instances, rows);
    peak(bench, report, "one table of one account", &Case::new(large, &TABLES[..1]))?;

    let (accounts, each) = if bench.quick { (10, 40) } else { (50, 40) };
    let mut wide = Config::default().empty().with_accounts(accounts).with(Kind::Instances, each);
    wide.row_bytes = 1_000_000;
    wide.page_limits.insert("DescribeInstances".to_owned(), 5);
    peak(bench, report, "rows of 1 MB", &Case::new(wide.with_latency(latency(20.0)), &TABLES[..1]))?;

    let mut stalled = many_accounts(300);
    stalled.discard = discard::Spec { stall_s: 10, stall_after_rows: 5000, ..discard::Spec::default() };
    peak(bench, report, "a destination that stalls for 10 s", &stalled)
}

fn peak(bench: &Bench, report: &mut Report, name: &str, case: &Case) -> Result<()> {
    let run = case.clone().with_arguments(&BUDGET).engine(&bench.programs)?;
    report.rows(&MEMORY, format!("rows, {name}"), run.rows, &run.wrong);
    report.number(&MEMORY, format!("time, {name}"), Unit::Seconds, run.seconds, None);
    report.number(
        &MEMORY,
        format!("peak memory, {name}"),
        Unit::Mebibytes,
        run.usage.peak_bytes as f64,
        Some(MOST_MEMORY),
    );
    Ok(())
}
