//! `faults`: one call of a hundred fails, in all the ways that pass.

use anyhow::Result;
use headwater_bench_server::{Fault, FaultKind};

use super::{Bench, many_accounts};
use crate::report::{Figures, Report, Unit, grouped};

const AT: Figures = Figures("faults");

const KINDS: [FaultKind; 5] =
    [FaultKind::InternalError, FaultKind::Unavailable, FaultKind::Reset, FaultKind::BadGateway, FaultKind::Truncate];

pub fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let accounts = if bench.quick { 200 } else { 1000 };
    let mut case = many_accounts(accounts);
    // Small pages, so that calls fail in the middle of a list too.
    for api in ["DescribeInstances", "DescribeVolumes", "DescribeVpcs"] {
        case.server.page_limits.insert(api.to_owned(), 5);
    }
    for kind in KINDS {
        let probability = Some(0.01 / KINDS.len() as f64);
        case.server = case.server.with_fault(Fault { kind, probability, ..Fault::default() });
    }
    let run = case.engine(&bench.programs)?;
    let failed: u64 = run.stats.faults.values().sum();
    let rows = format!("rows of {} accounts, exit code 0", grouped(accounts));
    report.rows(&AT, rows, run.rows, &run.wrong);
    report.text(&AT, "calls that failed", format!("{} of {}", grouped(failed), grouped(run.stats.calls)));
    report.number(&AT, "time", Unit::Seconds, run.seconds, None);
    Ok(())
}
