//! The benchmarks themselves: which scenarios are run, one after another.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::case::Programs;
use crate::scenarios::{ALL, Bench, Scenario};
use headwater_bench::report::Report;
use headwater_bench::{document, machine};

/// What the benchmarks are told.
#[derive(clap::Args)]
pub struct Flags {
    /// Smaller estates and single runs: minutes instead of half an hour
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
    /// The server's binary; without it the one beside this one
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

/// Runs the scenarios; the answer is the exit code.
pub fn run(flags: &Flags) -> Result<u8> {
    if flags.list {
        for Scenario { name, what, .. } in &ALL {
            println!("{name:<10} {what}");
        }
        return Ok(0);
    }
    let chosen = choose(&flags.only)?;
    let engine = std::env::current_exe().context("it is not known where this binary is")?;
    let server = match &flags.server {
        Some(server) => server.clone(),
        None => engine.with_file_name("headwater-bench-server"),
    };
    if !server.is_file() {
        bail!("there is no server at {}: build it, or name it with --server", server.display());
    }
    let folder = tempfile::tempdir()?;
    let programs = Programs { engine, server, folder: folder.path().to_owned() };
    let bench = Bench { programs, quick: flags.quick };
    println!("on {}{}", machine::shown(), if flags.quick { ", quick" } else { "" });
    let mut report = Report::begin();
    for scenario in chosen {
        if let Err(error) = (scenario.run)(&bench, &mut report) {
            report.failed(scenario.name, &error);
        }
    }
    if let Some(file) = &flags.write {
        document::rewrite(file, "engine", &report.markdown())?;
    }
    match report.missed() {
        0 => Ok(0),
        missed => {
            eprintln!("{missed} goal{} missed", if missed == 1 { " is" } else { "s are" });
            Ok(1)
        }
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &String| {
        let known = || ALL.each_ref().map(|scenario| scenario.name).join(", ");
        ALL.iter().find(|scenario| scenario.name == name).with_context(|| format!("`{name}` is none of {}", known()))
    };
    names.iter().map(find).collect()
}
