//! The database drivers that the tests load, from packages of Python and from where `cargo xtask test` has put them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{DUCKDB, PYTHON};

/// What the Python of the tests says, without the last line break.
pub fn python(code: &str, arguments: &[&str]) -> Result<String> {
    let python = std::env::var_os(PYTHON)
        .with_context(|| format!("{PYTHON} names no Python; run the tests with `cargo xtask test`"))?;
    let output = Command::new(python).args(["-c", code]).args(arguments).output().context("Python cannot be run")?;
    ensure!(output.status.success(), "Python failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// The shared library of an ADBC driver, such as `adbc_driver_sqlite`, of the package of that name.
pub fn adbc_driver(package: &str) -> Result<PathBuf> {
    let code = "import importlib, sys; print(importlib.import_module(sys.argv[1])._driver_path())";
    Ok(PathBuf::from(python(code, &[package])?))
}

/// The library of DuckDB.
pub fn libduckdb() -> Result<PathBuf> {
    let path = std::env::var_os(DUCKDB).map(PathBuf::from);
    path.with_context(|| format!("{DUCKDB} names no library of DuckDB; run the tests with `cargo xtask test`"))
}
