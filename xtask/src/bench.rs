//! `cargo xtask bench`: benchmarks, built as they are released.

use std::process::{Command, ExitCode};

use anyhow::Result;
use headwater_e2e::{DUCKDB, PYTHON};

use crate::process::status_of;
use crate::python::{self, Packages};
use crate::root::root;
use crate::{binary, debian, duckdb};

/// What is measured.
#[derive(clap::Subcommand)]
pub enum What {
    /// The engine with the AWS connector, against a fast local AWS: some 40 minutes, or a few with --quick
    Engine(Arguments),
    /// The destinations, beside what writes the same rows alone: some 20 minutes, or a few with --quick
    Destinations(Arguments),
    /// Tables of databases to Arrow, Parquet and back, beside other programs: some 40 minutes, or a few with --quick
    Tables(TablesArguments),
}

/// What the benchmark of tables is told besides.
#[derive(clap::Args)]
pub struct TablesArguments {
    #[command(flatten)]
    common: Arguments,
    /// TPC-H's scale factor; with another than 1 nothing is written
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,
    /// How many times as large the table of the scenario `growth` is
    #[arg(long, value_name = "TIMES", default_value_t = 5.0)]
    growth: f64,
}

/// What a benchmark is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Smaller and single runs; nothing is written
    #[arg(long)]
    quick: bool,
    /// Run only these scenarios; nothing is written
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Leave docs/benchmarks.md as it is
    #[arg(long)]
    no_write: bool,
}

/// Builds the benchmark and runs it; it fails where a goal is missed.
pub fn run(what: &What) -> Result<ExitCode> {
    let mut is_whole = true;
    let (mut command, arguments) = match what {
        What::Engine(arguments) => {
            let packages = ["--release", "--package", "headwater-bench-server", "--package", "headwater-bench-engine"];
            let server = binary::built(&packages, "headwater-bench-server")?;
            let mut command = Command::new(binary::built(&packages, "headwater-bench-engine")?);
            command.arg("--server").arg(server);
            (command, arguments)
        }
        What::Destinations(arguments) => {
            debian::postgresql()?;
            let target = binary::target_folder()?;
            let python = python::prepare(&target, Packages::All)?;
            let duckdb = duckdb::prepare(&target, &python)?;
            let name = "headwater-bench-destinations";
            let mut command = Command::new(binary::built(&["--release", "--package", name], name)?);
            command.env(PYTHON, python).env(DUCKDB, duckdb);
            if !arguments.list && (arguments.only.is_empty() || arguments.only.iter().any(|name| name == "others")) {
                command.env("HEADWATER_BENCH_OTHERS", python::prepare(&target, Packages::Others)?);
            }
            (command, arguments)
        }
        What::Tables(TablesArguments { common, scale, growth }) => {
            debian::postgresql()?;
            let target = binary::target_folder()?;
            let name = "headwater-bench-tables";
            let mut command = Command::new(binary::built(&["--release", "--package", name], name)?);
            if !common.list {
                command.env(PYTHON, python::prepare(&target, Packages::All)?);
                command.env("HEADWATER_BENCH_OTHERS", python::prepare(&target, Packages::Tables)?);
            }
            command.args(["--scale", &scale.to_string(), "--growth", &growth.to_string()]);
            is_whole = *scale == 1.0;
            (command, common)
        }
    };
    for (flag, given) in [("--quick", arguments.quick), ("--list", arguments.list)] {
        if given {
            command.arg(flag);
        }
    }
    if !arguments.only.is_empty() {
        command.args(["--only", &arguments.only.join(",")]);
    }
    // Part of the figures, or of smaller estates, would stand there as if they were all.
    if is_whole && !(arguments.quick || arguments.no_write || arguments.list) && arguments.only.is_empty() {
        command.arg("--write").arg(root().join("docs/benchmarks.md"));
    }
    let status = status_of(&mut command)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
