//! The benchmarks themselves: which scenarios are run, one after another, and how one measurement is made.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_bench::usage::{self, MEASURED, Measured};
use headwater_bench::{Figures, Report, Unit, document, machine};
use serde_json::json;

use crate::scenarios::{ALL, Scenario};

/// The variable that names a Python with the packages of `others/requirements.txt`.
const OTHERS: &str = "HEADWATER_BENCH_OTHERS";

/// What takes so many seconds is told well enough by one run.
const LONG: f64 = 30.0;

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
    /// TPC-H's scale factor: 1 is six million rows
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,
    /// How many times as large the table of `growth` is
    #[arg(long, value_name = "TIMES", default_value_t = 5.0)]
    growth: f64,
    /// Write the figures into this file, between its markers
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "only"])]
    write: Option<PathBuf>,
}

/// What all scenarios have at hand.
pub struct Bench {
    program: PathBuf,
    folder: PathBuf,
    /// A Python with what is measured beside headwater.
    pub python: PathBuf,
    quick: bool,
    /// TPC-H's scale factor.
    pub scale: f64,
    /// How many times as large the table of `growth` is.
    pub growth: f64,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// The process, from its start to its end.
    pub own: Measured,
    /// Processor seconds of the server meanwhile.
    pub server_s: f64,
}

/// What headwater writes where.
pub struct Sync<'a> {
    /// The source's `path`, and its `spec`.
    pub source: (&'a str, serde_json::Value),
    /// The destination's.
    pub destination: (&'a str, serde_json::Value),
    /// The table.
    pub table: &'a str,
}

impl Bench {
    /// A new folder.
    pub fn folder(&self) -> Result<PathBuf> {
        Ok(tempfile::Builder::new().prefix("run-").tempdir_in(&self.folder)?.keep())
    }

    /// Runs a command; `server` is the process that it talks to.
    pub fn measure(&self, command: &Command, server: Option<u32>) -> Result<Run> {
        let folder = self.folder()?;
        let result = folder.join("result.json");
        let mut measured = Command::new(&self.python);
        measured.arg(MEASURED).arg(&result).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => measured.env(name, value),
                None => measured.env_remove(name),
            };
        }
        let used = || server.and_then(usage::of_family).unwrap_or_default();
        let before = used();
        let output = measured.current_dir(&folder).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(6).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        ensure!(output.status.success(), "{}: {}", command.get_program().display(), last.join(" "));
        // The server ends a connection a moment after its client did.
        std::thread::sleep(Duration::from_millis(100));
        let run = Run { own: usage::read(&result)?, server_s: used() - before };
        fs::remove_dir_all(&folder)?;
        Ok(run)
    }

    /// The median of several runs by time, or the only one of what takes long.
    pub fn median(&self, mut run: impl FnMut() -> Result<Run>) -> Result<Run> {
        let mut runs = vec![run()?];
        while !self.quick && runs.len() < 3 && runs[0].own.seconds < LONG {
            runs.push(run()?);
        }
        middle(runs)
    }

    /// The medians of what is compared with each other: runs of both alternate.
    pub fn both(
        &self,
        mut one: impl FnMut() -> Result<Run>,
        mut other: impl FnMut() -> Result<Run>,
    ) -> Result<(Run, Run)> {
        let (mut ones, mut others) = (Vec::new(), Vec::new());
        for _ in 0..if self.quick { 1 } else { 3 } {
            ones.push(one()?);
            others.push(other()?);
        }
        Ok((middle(ones)?, middle(others)?))
    }

    /// One run of `headwater sync`.
    pub fn sync(&self, sync: &Sync<'_>, server: Option<u32>) -> Result<Run> {
        let folder = self.folder()?;
        let file = folder.join("tables.yaml");
        let source = json!({ "kind": "source", "spec": {
            "name": "source", "path": sync.source.0, "tables": [sync.table], "destinations": ["destination"],
            "spec": sync.source.1,
        } });
        let destination = json!({ "kind": "destination", "spec": {
            "name": "destination", "path": sync.destination.0, "write_mode": "append", "spec": sync.destination.1,
        } });
        fs::write(&file, format!("{source}\n---\n{destination}\n"))?;
        let mut command = Command::new(&self.program);
        let words: [OsString; 5] = ["run".into(), "--".into(), "sync".into(), "--quiet".into(), file.into()];
        command.args(words).args(["--state", "none"]);
        let run = self.measure(&command, server);
        fs::remove_dir_all(&folder)?;
        run
    }

    /// The same to nowhere; that these were all rows is looked at.
    pub fn discard(
        &self,
        source: (&str, serde_json::Value),
        table: &str,
        rows: u64,
        server: Option<u32>,
    ) -> Result<Run> {
        let counted = self.folder.join("rows.json");
        let destination = ("discard", json!({ "rows": counted }));
        let run = self.sync(&Sync { source, destination, table }, server)?;
        let read: u64 = usage::read(&counted)?;
        ensure!(read == rows, "{read} of {rows} rows");
        Ok(run)
    }
}

fn middle(mut runs: Vec<Run>) -> Result<Run> {
    runs.sort_by(|a, b| a.own.seconds.total_cmp(&b.own.seconds));
    runs.get(runs.len() / 2).copied().context("nothing was measured")
}

/// Time, rows a second, processor time and memory of a run.
pub fn tell(report: &mut Report, at: &Figures, name: &str, rows: u64, run: &Run) {
    report.number(at, format!("{name}: time"), Unit::Seconds, run.own.seconds, None);
    report.number(at, format!("{name}: rows a second"), Unit::PerSecond, rows as f64 / run.own.seconds, None);
    report.number(at, format!("{name}: processor time"), Unit::Seconds, run.own.cpu_s, None);
    report.number(at, format!("{name}: processor time of the server"), Unit::Seconds, run.server_s, None);
    report.number(at, format!("{name}: peak memory"), Unit::Mebibytes, run.own.peak_bytes as f64, None);
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
    let bench = Bench {
        program: std::env::current_exe().context("it is not known where this binary is")?,
        folder: folder.path().to_owned(),
        python: std::env::var_os(OTHERS).with_context(|| format!("{OTHERS} names no Python"))?.into(),
        quick: flags.quick,
        scale: if flags.quick { flags.scale / 10.0 } else { flags.scale },
        growth: flags.growth,
    };
    println!("on {}{}", machine::shown(), if flags.quick { ", quick" } else { "" });
    let mut report = Report::begin();
    let chosen = |scenario: &&Scenario| flags.only.is_empty() || flags.only.iter().any(|name| name == scenario.name);
    let mut tables = crate::scenarios::Tables::new(&bench)?;
    for scenario in ALL.iter().filter(chosen) {
        if let Err(error) = (scenario.run)(&mut tables, &mut report) {
            report.failed(scenario.name, &error);
        }
    }
    if let Some(file) = &flags.write {
        document::rewrite(file, "tables", &report.markdown())?;
    }
    match report.missed() {
        0 => Ok(0),
        missed => {
            eprintln!("{missed} goal{} missed", if missed == 1 { " is" } else { "s are" });
            Ok(1)
        }
    }
}
