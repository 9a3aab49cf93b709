//! Benchmarks of tables: TPC-H's lineitem out of a database and into one, beside other programs that do the same.
//!
//! Whatever is measured is a process of its own: for headwater this binary again, with a subcommand.

// The figures are the output.
#![allow(clippy::print_stdout)]

mod bench;
mod discard;
mod lineitem;
mod others;
mod scenarios;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use headwater::builtin::{Builtin, Registry};
use headwater::cli;

/// Measures tables, scenario by scenario; fails where a goal is missed.
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
        /// What headwater is told: `sync tables.yaml --memory 128MiB`
        #[arg(last = true, value_name = "ARGS")]
        arguments: Vec<OsString>,
    },
}

/// What is built in, and `discard`.
fn registry() -> Registry {
    let mut registry = Registry::builtin();
    registry.destinations.push(Builtin::new("discard", discard::destination));
    registry
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let code = match flags.command {
        Some(Command::Run { arguments }) => {
            Ok(cli::main(std::iter::once("headwater".into()).chain(arguments), &registry()))
        }
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
