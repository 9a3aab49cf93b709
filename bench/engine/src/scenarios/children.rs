//! `children`: as many users and child calls in one account as in a thousand.

use anyhow::Result;
use headwater_bench_server::{Config, Kind};

use super::Bench;
use crate::case::{Case, latency};
use crate::report::{Figures, Goal, Report, Unit};

const AT: Figures = Figures("children");

const SPREAD: u64 = 1000;

pub fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let users = if bench.quick { 50_000 } else { 500_000 };
    let case = |accounts| {
        let server = Config::default().empty().with_accounts(accounts).with_latency(latency(5.0));
        let server = server.with(Kind::Users, users / accounts).with(Kind::UserAttachedPolicies, 1);
        Case::new(server, &["aws_iam_users", "aws_iam_user_attached_policies"])
    };
    let mut times = Vec::new();
    for (accounts, name) in [(SPREAD, "a thousand accounts"), (1, "one account")] {
        let run = case(accounts).engine(&bench.programs)?;
        report.rows(&AT, format!("rows, {name}"), run.rows, &run.wrong);
        report.number(&AT, format!("time, {name} (5 ms)"), Unit::Seconds, run.seconds, None);
        report.number(&AT, format!("calls a second, {name}"), Unit::PerSecond, run.rate(), None);
        report.number(&AT, format!("peak memory, {name}"), Unit::Mebibytes, run.usage.peak_bytes as f64, None);
        times.push(run.seconds);
    }
    report.number(&AT, "one account by a thousand", Unit::Ratio, times[1] / times[0], Some(Goal::AtMost(1.2)));
    Ok(())
}
