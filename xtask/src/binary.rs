//! Binaries of the workspace, built, and the folder that cargo builds into.

use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand};

use crate::root::root;

/// The cargo that runs this very command, else the one on the path.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The folder that cargo builds into, wherever the user wants it.
pub fn target_folder() -> Result<PathBuf> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec();
    Ok(metadata.context("`cargo metadata` failed")?.target_directory.into_std_path_buf())
}

/// Builds the binary in the dev profile, and answers with its path.
///
/// All packages are selected though only one is built: then the tests' build, which selects them all too, has the
/// same features everywhere and builds nothing twice.
pub fn build() -> Result<PathBuf> {
    built(&["--workspace", "--bin", "headwater"], "headwater")
}

/// Builds what cargo is told to, and answers with the path of the executable of that name.
pub fn built(arguments: &[&str], name: &str) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--locked"]).args(arguments);
    command.args(["--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo")?;
    let stdout = child.stdout.take().context("cargo has no standard output")?;
    let mut binary = None;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("cargo's messages cannot be read")?
            && artifact.target.name == name
            && let Some(executable) = artifact.executable
        {
            binary = Some(executable.into_std_path_buf());
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("`{name}` does not build: cargo said why above");
    }
    binary.with_context(|| format!("cargo built no executable named `{name}`"))
}
