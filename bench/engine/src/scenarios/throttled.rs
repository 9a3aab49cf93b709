//! `throttled`: a child table whose list may be called a hundred times a second.

use anyhow::{Context, Result};
use headwater_bench_server::{Config, Kind, Per, Throttle};

use super::Bench;
use crate::case::{Case, latency};
use crate::report::{Figures, Goal, Report, Unit};

const AT: Figures = Figures("throttled");

const API: &str = "ListAttachedUserPolicies";
const RATE: f64 = 100.0;
const BURST: f64 = 200.0;

pub fn run(bench: &Bench, report: &mut Report) -> Result<()> {
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
    report.rows(&AT, "rows of users and of one child table", run.rows, &run.wrong);
    let share = calls.throttled as f64 / calls.calls as f64;
    report.number(&AT, "refused calls of the limited API", Unit::Percent, share, Some(Goal::Below(0.03)));
    report.number(&AT, "time", Unit::Seconds, run.seconds, None);
    report.number(&AT, "time at the limit", Unit::Seconds, ideal, None);
    report.number(&AT, "time by that", Unit::Ratio, run.seconds / ideal, Some(Goal::AtMost(1.1)));
    Ok(())
}
