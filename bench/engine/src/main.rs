//! Benchmarks of the engine: the real connector, the real command line and the loopback AWS of `bench/server`.
//!
//! Whatever is measured is a process of its own: this binary again, with a subcommand.

// The figures are the output.
#![allow(clippy::print_stdout)]

mod bare;
mod bench;
mod case;
mod discard;
mod keys;
mod scenarios;
mod server;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use headwater::builtin::{Builtin, Registry};
use headwater::cli;
use headwater_bench::usage;

/// Measures the engine, scenario by scenario; fails where a goal is missed.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    bench: bench::Flags,
}

#[derive(Subcommand)]
enum Command {
    /// The command line of headwater, with one more destination: `discard`, which counts rows
    Run {
        /// Write the processor time and the memory that it used to this file, as JSON
        #[arg(long, value_name = "FILE")]
        usage: Option<PathBuf>,
        /// What headwater is told: `sync aws.yaml --memory 128MiB`
        #[arg(last = true, value_name = "ARGS")]
        arguments: Vec<OsString>,
    },
    /// Read the same with the bare clients
    #[command(hide = true)]
    Bare(bare::Flags),
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let code = match flags.command {
        Some(Command::Run { usage, arguments }) => run(usage, arguments),
        Some(Command::Bare(flags)) => bare::run(&flags).map(|()| 0),
        None => bench::run(&flags.bench),
    };
    code.map_or_else(
        |error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}

/// Runs headwater's own command line in this process.
fn run(usage: Option<PathBuf>, arguments: Vec<OsString>) -> Result<u8> {
    let mut registry = Registry::builtin();
    registry.destinations.push(Builtin::new("discard", discard::destination));
    let code = cli::main(std::iter::once("headwater".into()).chain(arguments), &registry);
    if let Some(file) = usage {
        usage::write(&file, &usage::Usage::now()?)?;
    }
    Ok(code)
}
