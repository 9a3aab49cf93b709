//! Benchmarks of the destinations: millions of rows through each of them, beside what writes the same rows alone.
//!
//! Whatever is measured is a process of its own: this binary again, with a subcommand.

// The figures are the output.
#![allow(clippy::print_stdout)]

mod bench;
mod data;
mod others;
mod scenarios;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The allocator of headwater, and of what it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the destinations, scenario by scenario; fails where a goal is missed.
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
    /// One measurement
    Write(write::Flags),
    /// Rows for measurements, as a file
    #[command(hide = true)]
    Ring {
        #[arg(value_enum)]
        kind: data::Kind,
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let code = match flags.command {
        Some(Command::Write(flags)) => write::run(&flags).map(|()| 0),
        Some(Command::Ring { kind, file }) => data::Data::write_ring(kind, &file).map(|()| 0),
        None => bench::run(&flags.bench),
    };
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
