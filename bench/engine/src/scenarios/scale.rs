//! Many accounts: `accounts`, beside the bare loop over the same clients, and `growth`, ten times fewer and ten times more.

use anyhow::{Context, Result, bail};

use super::{Bench, MOST_MEMORY, many_accounts, median};
use crate::bare::What;
use crate::case::{Case, Run};
use headwater_bench::report::{Figures, Goal, Report, Unit, grouped};

const ACCOUNTS: Figures = Figures("accounts");

/// How many accounts the bare loop reads at once: all, and less where connections fail.
const AT_ONCE: [usize; 6] = [0, 5000, 2000, 1000, 500, 200];

pub fn accounts(bench: &Bench, report: &mut Report) -> Result<()> {
    let (accounts, rounds) = if bench.quick { (1000, 1) } else { (10_000, 3) };
    let case = many_accounts(accounts);
    let (mut engine, mut bare) = (Vec::new(), Vec::new());
    let mut at_once = None;
    for _ in 0..rounds {
        engine.push(case.engine(&bench.programs)?);
        bare.push(match at_once {
            Some(at_once) => case.bare(&bench.programs, What::Accounts, at_once)?,
            None => {
                let (most, run) = largest(bench, &case)?;
                at_once = Some(most);
                run
            }
        });
    }
    let first = engine.first().context("nothing was measured")?;
    let wrong: Vec<String> = engine.iter().flat_map(|run| run.wrong.clone()).collect();
    report.rows(&ACCOUNTS, format!("rows of {} accounts", grouped(accounts)), first.rows, &wrong);
    let of = |runs: &[Run], what: fn(&Run) -> f64| median(runs.iter().map(what));
    report.number(&ACCOUNTS, "time", Unit::Seconds, of(&engine, |run| run.seconds), None);
    report.number(
        &ACCOUNTS,
        "peak memory",
        Unit::Mebibytes,
        of(&engine, |run| run.usage.peak_bytes as f64),
        Some(MOST_MEMORY),
    );
    report.number(&ACCOUNTS, "calls a second", Unit::PerSecond, of(&engine, Run::rate), None);
    let bare_name = match at_once {
        Some(0) | None => "calls a second of the bare loop".to_owned(),
        Some(most) => format!("calls a second of the bare loop, {most} accounts at once"),
    };
    report.number(&ACCOUNTS, bare_name, Unit::PerSecond, of(&bare, Run::rate), None);
    // By time: the SDK fetches the credentials of some accounts twice, and those calls are no speed.
    let share = of(&bare, |run| run.seconds) / of(&engine, |run| run.seconds);
    report.number(&ACCOUNTS, "share of the bare loop's speed", Unit::Percent, share, Some(Goal::AtLeast(0.9)));
    for (name, runs) in [("processor time", &engine), ("processor time of the bare loop", &bare)] {
        report.number(&ACCOUNTS, name, Unit::Seconds, of(runs, |run| run.usage.cpu_s), None);
    }
    report.number(
        &ACCOUNTS,
        "peak memory of the bare loop",
        Unit::Mebibytes,
        of(&bare, |run| run.usage.peak_bytes as f64),
        None,
    );
    Ok(())
}

/// The bare loop with as many accounts at once as work.
fn largest(bench: &Bench, case: &Case) -> Result<(usize, Run)> {
    for at_once in AT_ONCE {
        let run = case.bare(&bench.programs, What::Accounts, at_once)?;
        match run.wrong.first() {
            None => return Ok((at_once, run)),
            Some(wrong) if at_once == 0 => eprintln!("the bare loop, all accounts at once: {wrong}"),
            Some(wrong) => eprintln!("the bare loop, {at_once} accounts at once: {wrong}"),
        }
    }
    bail!("the bare loop works with no number of accounts at once")
}

const GROWTH: Figures = Figures("growth");

/// How much worse than the middle one the largest may be.
const LINEAR: Goal = Goal::AtMost(1.2);

pub fn growth(bench: &Bench, report: &mut Report) -> Result<()> {
    let middle = if bench.quick { 1000 } else { 10_000 };
    let mut seen = Vec::new();
    for accounts in [middle / 10, middle, middle * 10] {
        let run = many_accounts(accounts).engine(&bench.programs)?;
        let name = grouped(accounts);
        report.rows(&GROWTH, format!("rows, {name} accounts"), run.rows, &run.wrong);
        let (by_row, peak) = (run.seconds / run.rows as f64, run.usage.peak_bytes as f64);
        report.number(&GROWTH, format!("time by row, {name} accounts"), Unit::Micros, by_row, None);
        report.number(&GROWTH, format!("peak memory, {name} accounts"), Unit::Mebibytes, peak, None);
        seen.push((by_row, peak));
    }
    let ([_, middle, largest], name) = ([seen[0], seen[1], seen[2]], "the largest by the middle one");
    report.number(&GROWTH, format!("time by row, {name}"), Unit::Ratio, largest.0 / middle.0, Some(LINEAR));
    report.number(&GROWTH, format!("peak memory, {name}"), Unit::Ratio, largest.1 / middle.1, Some(LINEAR));
    Ok(())
}
