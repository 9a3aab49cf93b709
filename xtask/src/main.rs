//! The regenerate door and the developer's commands: `cargo xtask --help`.

// These commands answer on standard output; what they do meanwhile goes to standard error.
#![allow(clippy::print_stdout)]

mod bench;
mod binary;
mod debian;
mod demo;
mod duckdb;
mod fidelity;
mod process;
mod python;
#[cfg(test)]
mod recipe;
mod regenerate;
mod regions;
mod root;
mod stats;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The developer's commands.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the engine
    #[command(subcommand)]
    Bench(bench::What),
    /// Sync a local AWS, with a believable estate in it, to SQLite and Parquet
    Demo(demo::Arguments),
    /// Transcribe the pinned API clients into each service's generated.rs, and list the tables
    Regenerate {
        /// Write nothing; fail where a file is not what would be generated
        #[arg(long)]
        check: bool,
    },
    /// Write down which service AWS offers in which region, from the facts that botocore ships
    Regions,
    /// Count tables, columns and lines, generated and written by hand, per connector
    Stats,
    /// Prepare what the tests need, and run them all
    Test(test::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Bench(what) => bench::run(&what),
        Command::Demo(arguments) => demo::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Regenerate { check } => regenerate::run(check).map(|()| ExitCode::SUCCESS),
        Command::Regions => regions::run().map(|()| ExitCode::SUCCESS),
        Command::Stats => stats::run().map(|()| ExitCode::SUCCESS),
        Command::Test(arguments) => test::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
