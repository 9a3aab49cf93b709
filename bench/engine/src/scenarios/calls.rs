//! Calls that are refused, that hang from others, and that fail: `throttled`, `children` and `faults`.

use anyhow::{Context, Result};
use headwater_bench_server::{Config, Fault, FaultKind, Kind, Per, Throttle};

use super::{Bench, many_accounts};
use crate::case::{Case, latency};
use headwater_bench::report::{Figures, Goal, Report, Unit, grouped};

const THROTTLED: Figures = Figures("throttled");

const API: &str = "ListAttachedUserPolicies";
const RATE: f64 = 100.0;
const BURST: f64 = 200.0;

pub fn throttled(bench: &Bench, report: &mut Report) -> Result<()> {
    let users = if bench.quick { 3000 } else { 6000 };
    let throttle = Throttle {
        service: "iam".into(),
        api: API.into(),
        per: Per::Account,
        rate: RATE,
        burst: BURST,
        ..Throttle::default()
    };
    let server = Config::default().empty().with(Kind::Users, users).with(Kind::UserAttachedPolicies, 1);
    let server = server.with_latency(latency(20.0)).with_throttle(throttle);
    let case = Case::new(server, &["aws_iam_users", "aws_iam_user_attached_policies"]);
    let run = case.engine(&bench.programs)?;
    let calls = run.stats.apis.get(&format!("iam:{API}")).context("the limited list was not called")?;
    let ideal = (users as f64 - BURST) / RATE;
    report.rows(&THROTTLED, "rows of users and of one child table", run.rows, &run.wrong);
    let share = calls.throttled as f64 / calls.calls as f64;
    report.number(&THROTTLED, "refused calls of the limited API", Unit::Percent, share, Some(Goal::Below(0.03)));
    report.number(&THROTTLED, "time", Unit::Seconds, run.seconds, None);
    report.number(&THROTTLED, "time at the limit", Unit::Seconds, ideal, None);
    report.number(&THROTTLED, "time by that", Unit::Ratio, run.seconds / ideal, Some(Goal::AtMost(1.1)));
    Ok(())
}

const CHILDREN: Figures = Figures("children");

const SPREAD: u64 = 1000;

pub fn children(bench: &Bench, report: &mut Report) -> Result<()> {
    let users = if bench.quick { 50_000 } else { 500_000 };
    let case = |accounts| {
        let server = Config::default().empty().with_accounts(accounts).with_latency(latency(5.0));
        let server = server.with(Kind::Users, users / accounts).with(Kind::UserAttachedPolicies, 1);
        Case::new(server, &["aws_iam_users", "aws_iam_user_attached_policies"])
    };
    let mut times = Vec::new();
    for (accounts, name) in [(SPREAD, "a thousand accounts"), (1, "one account")] {
        let run = case(accounts).engine(&bench.programs)?;
        report.rows(&CHILDREN, format!("rows, {name}"), run.rows, &run.wrong);
        report.number(&CHILDREN, format!("time, {name} (5 ms)"), Unit::Seconds, run.seconds, None);
        report.number(&CHILDREN, format!("calls a second, {name}"), Unit::PerSecond, run.rate(), None);
        report.number(&CHILDREN, format!("peak memory, {name}"), Unit::Mebibytes, run.usage.peak_bytes as f64, None);
        times.push(run.seconds);
    }
    report.number(&CHILDREN, "one account by a thousand", Unit::Ratio, times[1] / times[0], Some(Goal::AtMost(1.2)));
    Ok(())
}

const FAULTS: Figures = Figures("faults");

const KINDS: [FaultKind; 5] =
    [FaultKind::InternalError, FaultKind::Unavailable, FaultKind::Reset, FaultKind::BadGateway, FaultKind::Truncate];

pub fn faults(bench: &Bench, report: &mut Report) -> Result<()> {
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
    report.rows(&FAULTS, rows, run.rows, &run.wrong);
    report.text(&FAULTS, "calls that failed", format!("{} of {}", grouped(failed), grouped(run.stats.calls)));
    report.number(&FAULTS, "time", Unit::Seconds, run.seconds, None);
    Ok(())
}
