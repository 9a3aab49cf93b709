//! `cargo xtask test`: all tests, with the local AWS that some of them need.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use headwater_e2e::{BINARY, DUCKDB, PYTHON, isolate};

use crate::process::{Steps, both, output_of, shown, status_of};
use crate::python::{self, Packages};
use crate::{binary, debian, duckdb};

/// What `cargo xtask test` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Leave the documentation's examples out
    #[arg(long)]
    no_doc: bool,
    /// Passed on to `cargo nextest run`, or to `cargo test` where nextest is not installed; the documentation's examples
    /// are left out then
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the tests. The test runner's summary is the last that is said, unless the documentation's examples failed.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let target = binary::target_folder()?;
    let steps = Steps::begin();
    steps.step("postgresql", debian::postgresql)?;
    let prepare = || {
        let python = steps.step("python", || python::prepare(&target, Packages::All))?;
        let duckdb = steps.step("duckdb", || duckdb::prepare(&target, &python))?;
        Ok((python, duckdb))
    };
    let ((python, duckdb), binary) = both(prepare, || steps.step("binary", binary::build))?;
    let mut test = binary::cargo();
    // Asked where it is going to run, because a toolchain's own cargo may not know of the extension.
    let nextest = output_of(binary::cargo().args(["nextest", "--version"])).is_ok();
    if nextest {
        test.args(["nextest", "run"]);
    } else {
        test.args(["test", "--lib", "--bins", "--tests"]);
    }
    test.args(["--locked", "--workspace"]).args(&arguments.rest);
    let mut examples = binary::cargo();
    examples.args(["test", "--locked", "--workspace", "--doc", "--quiet"]);
    let prepared = |command: &mut Command| {
        isolate(command).env(PYTHON, &python).env(DUCKDB, &duckdb).env(BINARY, &binary).stdin(Stdio::null());
    };
    prepared(&mut test);
    prepared(&mut examples);

    // Nextest does not run the examples in documentation, and its summary has to come last. Who asks for certain
    // tests does not mean these.
    let skipped = arguments.no_doc || !arguments.rest.is_empty();
    let examples_pass = skipped || steps.step("examples", || examples_pass(&mut examples))?;
    eprint!("{}", steps.report());
    let tests_pass = status_of(&mut test)?.success();
    if !examples_pass {
        eprintln!("error: `{}` failed, see above", shown(&examples));
    }
    Ok(if tests_pass && examples_pass { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the examples in the documentation. Most packages have none, and what is said of those is not worth reading.
fn examples_pass(examples: &mut Command) -> Result<bool> {
    let output = examples.stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", shown(examples)))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        eprintln!("{said}");
        return Ok(false);
    }
    let passed: u64 =
        said.lines().filter_map(|line| line.split_once("ok. ")?.1.split(' ').next()?.parse::<u64>().ok()).sum();
    eprintln!("examples in the documentation: {passed} passed");
    Ok(true)
}
