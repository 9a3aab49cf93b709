//! `cargo xtask bench`: benchmarks, built as they are released.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::binary;
use crate::process::status_of;
use crate::root::root;

/// What is measured.
#[derive(clap::Subcommand)]
pub enum What {
    /// The engine with the AWS connector, against a fast local AWS: some 40 minutes, or a few with --quick
    Engine(Engine),
}

/// What `cargo xtask bench engine` is told.
#[derive(clap::Args)]
pub struct Engine {
    /// Smaller estates and single runs; nothing is written
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
    let What::Engine(arguments) = what;
    let packages = ["--release", "--package", "headwater-bench-server", "--package", "headwater-bench-engine"];
    let server = binary::built(&packages, "headwater-bench-server")?;
    let engine = binary::built(&packages, "headwater-bench-engine")?;
    let mut command = Command::new(engine);
    command.arg("--server").arg(server);
    for (flag, given) in [("--quick", arguments.quick), ("--list", arguments.list)] {
        if given {
            command.arg(flag);
        }
    }
    if !arguments.only.is_empty() {
        command.args(["--only", &arguments.only.join(",")]);
    }
    // Part of the figures, or of smaller estates, would stand there as if they were all.
    if !(arguments.quick || arguments.no_write || arguments.list) && arguments.only.is_empty() {
        command.arg("--write").arg(root().join("docs/benchmarks.md"));
    }
    let status = status_of(&mut command)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
