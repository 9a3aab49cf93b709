//! The benchmarks themselves: which scenarios are run, one after another, and how one measurement is made.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use headwater_bench::{Report, document, machine, usage};

use crate::scenarios::{ALL, Scenario};
use crate::write::Written;

/// The share of the processors that other programs may have without a word.
const OTHERS: f64 = 0.1;

/// What the benchmarks are told.
#[derive(clap::Args)]
pub struct Flags {
    /// A tenth of the rows, and single runs
    #[arg(long)]
    quick: bool,
    /// Run only these scenarios
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Write the figures into this file, between its markers
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "only"])]
    write: Option<PathBuf>,
}

/// What all scenarios have at hand.
pub struct Bench {
    program: PathBuf,
    folder: PathBuf,
    /// Whether it is to be over soon.
    pub quick: bool,
}

/// What is measured once.
pub struct Case<'a> {
    /// The destination, or what writes alone.
    pub to: &'a str,
    /// Its spec.
    pub spec: String,
    /// Which rows.
    pub data: &'a str,
    /// How many.
    pub rows: u64,
    /// How.
    pub mode: &'a str,
    /// How often, of which the last is measured.
    pub syncs: u32,
    /// The table's name.
    pub table: &'a str,
    /// How many parts take the rows, in turns.
    pub parts: u64,
}

impl Bench {
    /// So many rows, or fewer where it is to be over soon.
    pub fn rows(&self, rows: u64) -> u64 {
        if self.quick { rows / 10 } else { rows }
    }

    /// How often something is measured.
    pub fn runs(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    /// This program.
    pub fn program(&self) -> PathBuf {
        self.program.clone()
    }

    /// A new folder.
    pub fn folder(&self) -> Result<PathBuf> {
        Ok(tempfile::Builder::new().prefix("run-").tempdir_in(&self.folder)?.keep())
    }

    /// Measures once.
    pub fn measure(&self, case: &Case<'_>) -> Result<Written> {
        let result = self.folder()?.join("result.json");
        let mut command = Command::new(&self.program);
        command.args(["write", "--to", case.to, "--spec", &case.spec, "--data", case.data, "--mode", case.mode]);
        command.args(["--rows", &case.rows.to_string(), "--syncs", &case.syncs.to_string(), "--table", case.table]);
        command.args(["--parts", &case.parts.to_string()]);
        if case.data == "lineitem" {
            let ring = self.folder.join("lineitem.parquet");
            if !ring.is_file() {
                let made = Command::new(&self.program).args(["ring", "lineitem"]).arg(&ring).status()?;
                ensure!(made.success(), "the rows of lineitem could not be made");
            }
            command.arg("--ring").arg(ring);
        }
        let before = machine::busy_s();
        let began = std::time::Instant::now();
        let output = command.arg("--result").arg(&result).stdin(Stdio::null()).output()?;
        let failed = || format!("{}: {}", case.to, String::from_utf8_lossy(&output.stderr).trim());
        ensure!(output.status.success(), failed());
        let written: Written = usage::read(&result)?;
        ensure!(written.rows == case.rows, "{}: {} of {} rows", case.to, written.rows, case.rows);
        // Servers take their share, so only what has nothing but itself is looked at.
        if matches!(case.to, "duckdb" | "file" | "sqlite" | "arrow-rs")
            && let (Some(before), Some(after)) = (before, machine::busy_s())
        {
            let share = (after - before) / (began.elapsed().as_secs_f64() * machine::processors() as f64);
            let own = written.cpu_s / (written.seconds * machine::processors() as f64);
            if share > own.max(0.5) + OTHERS {
                eprintln!("warning: other programs had {:.0} % of the processors meanwhile", (share - own) * 100.0);
            }
        }
        Ok(written)
    }
}

/// The run in the middle by time.
pub fn median(mut runs: Vec<Written>) -> Result<Written> {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    runs.get(runs.len() / 2).copied().context("nothing was measured")
}

/// Removes what a run has written.
pub fn clear(folder: &Path) {
    // What stays goes with the folder of all runs.
    let _ = std::fs::remove_dir_all(folder);
}

/// Runs the scenarios; the answer is the exit code.
pub fn run(flags: &Flags) -> Result<u8> {
    if flags.list {
        for Scenario { name, what, .. } in &ALL {
            println!("{name:<10} {what}");
        }
        return Ok(0);
    }
    for name in &flags.only {
        let known = || ALL.each_ref().map(|scenario| scenario.name).join(", ");
        let found = ALL.iter().any(|scenario| scenario.name == name);
        ensure!(found, "`{name}` is none of {}", known());
    }
    let folder = tempfile::Builder::new().prefix("headwater-bench-").tempdir()?;
    let program = std::env::current_exe().context("it is not known where this binary is")?;
    let bench = Bench { program, folder: folder.path().to_owned(), quick: flags.quick };
    println!("on {}{}", machine::shown(), if flags.quick { ", quick" } else { "" });
    let mut report = Report::begin();
    let chosen = |scenario: &&Scenario| flags.only.is_empty() || flags.only.iter().any(|name| name == scenario.name);
    for scenario in ALL.iter().filter(chosen) {
        if let Err(error) = (scenario.run)(&bench, &mut report) {
            report.failed(scenario.name, &error);
        }
    }
    if let Some(file) = &flags.write {
        document::rewrite(file, "destinations", &report.markdown())?;
    }
    match report.missed() {
        0 => Ok(0),
        missed => {
            eprintln!("{missed} goal{} missed", if missed == 1 { " is" } else { "s are" });
            Ok(1)
        }
    }
}
