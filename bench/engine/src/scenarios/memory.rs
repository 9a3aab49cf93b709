//! `memory`: what fills memory elsewhere, with a budget of 128 MiB.

use anyhow::Result;
use headwater_bench_server::{Config, Kind};

use super::{BUDGET, Bench, MOST_MEMORY, TABLES, many_accounts};
use crate::case::{Case, latency};
use crate::discard;
use crate::report::{Figures, Report, Unit};

const AT: Figures = Figures("memory");

pub fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let rows = if bench.quick { 200_000 } else { 1_000_000 };
    let large = Config::default().empty().with(Kind::Instances, rows);
    measure(bench, report, "one table of one account", &Case::new(large, &TABLES[..1]))?;

    let (accounts, each) = if bench.quick { (10, 40) } else { (50, 40) };
    let mut wide = Config::default().empty().with_accounts(accounts).with(Kind::Instances, each);
    wide.row_bytes = 1_000_000;
    wide.page_limits.insert("DescribeInstances".to_owned(), 5);
    measure(bench, report, "rows of 1 MB", &Case::new(wide.with_latency(latency(20.0)), &TABLES[..1]))?;

    let mut stalled = many_accounts(300);
    stalled.discard = discard::Spec { stall_s: 10, stall_after_rows: 5000, ..discard::Spec::default() };
    measure(bench, report, "a destination that stalls for 10 s", &stalled)
}

fn measure(bench: &Bench, report: &mut Report, name: &str, case: &Case) -> Result<()> {
    let run = case.clone().with_arguments(&BUDGET).engine(&bench.programs)?;
    report.rows(&AT, format!("rows, {name}"), run.rows, &run.wrong);
    report.number(&AT, format!("time, {name}"), Unit::Seconds, run.seconds, None);
    report.number(&AT, format!("peak memory, {name}"), Unit::Mebibytes, run.usage.peak_bytes as f64, Some(MOST_MEMORY));
    Ok(())
}
