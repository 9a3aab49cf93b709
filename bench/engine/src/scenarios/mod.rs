//! The scenarios, in the order in which they run.

mod calls;
mod cost;
mod scale;

use anyhow::Result;

use crate::case::{Case, Programs, latency};
use headwater_bench::report::{Goal, Report};
use headwater_bench_server::Config;

/// What all scenarios have at hand.
pub struct Bench {
    /// The programs.
    pub programs: Programs,
    /// Whether the estates are small.
    pub quick: bool,
}

/// A scenario.
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// Measures it.
    pub run: fn(&Bench, &mut Report) -> Result<()>,
}

/// All scenarios.
pub static ALL: [Scenario; 7] = [
    Scenario {
        name: "accounts",
        what: "10,000 accounts with three tables each: time, memory, and calls a second beside those of the bare loop",
        run: scale::accounts,
    },
    Scenario {
        name: "throttled",
        what: "an API with a limit: how many calls are refused, and how long it takes",
        run: calls::throttled,
    },
    Scenario {
        name: "children",
        what: "500,000 users with a child call each, in one account and in a thousand",
        run: calls::children,
    },
    Scenario {
        name: "faults",
        what: "one call of a hundred fails: not a row may be lost or doubled",
        run: calls::faults,
    },
    Scenario {
        name: "growth",
        what: "a tenth and ten times as many accounts: time by row, and memory",
        run: scale::growth,
    },
    Scenario {
        name: "cpu",
        what: "a million rows without latency: processor time beside that of the bare loop",
        run: cost::cpu,
    },
    Scenario {
        name: "memory",
        what: "one large table, rows of a megabyte, a destination that stalls: memory",
        run: cost::memory,
    },
];

const KIB: f64 = 1024.0;

/// What a process may have resident at most with a budget of [`BUDGET`].
const MOST_MEMORY: Goal = Goal::Below(256.0 * KIB * KIB);

/// The command line of what is measured for its memory.
const BUDGET: [&str; 2] = ["--memory", "128MiB"];

/// The tables of an account.
const TABLES: [&str; 3] = ["aws_ec2_instances", "aws_ec2_ebs_volumes", "aws_ec2_vpcs"];

/// So many accounts with a hundred rows in three tables each, where a call takes 20 ms.
fn many_accounts(accounts: u64) -> Case {
    Case::new(Config::default().with_accounts(accounts).with_latency(latency(20.0)), &TABLES).with_arguments(&BUDGET)
}

/// The middle one of some numbers.
fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([7.0]), 7.0);
    }
}
