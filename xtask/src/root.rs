//! The project's folder.

use std::path::PathBuf;

/// The workspace in which this command was started.
///
/// Cargo says it when it runs the command. What held when the command was compiled need not hold: copies of the
/// project that share a target folder share the compiled command too.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let package = PathBuf::from(package);
    package.parent().map(PathBuf::from).unwrap_or(package)
}
