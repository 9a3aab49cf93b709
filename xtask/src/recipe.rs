//! CONTRIBUTING's recipe for a new table, followed to the letter in a scratch copy.
//!
//! The recipe shows the real diff of a table that the project has. The test takes that table out of the copy, follows
//! the recipe, and asks for what the project has: the same generated file, and a service that compiles.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::regenerate::{Project, run_in};

/// The file that the recipe edits.
const SERVICE: &str = "connectors/aws/ec2/src/lib.rs";
/// The file that the recipe regenerates.
const GENERATED: &str = "connectors/aws/ec2/src/generated.rs";

/// The lines that the recipe's diff adds.
fn added(root: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(root.join("CONTRIBUTING.md"))?;
    let diff = text.split("```diff\n").nth(1).and_then(|rest| rest.split("```").next());
    let diff = diff.context("CONTRIBUTING.md has no ```diff block")?;
    let lines = diff.lines().filter(|line| !line.starts_with("+++"));
    Ok(lines.filter_map(|line| line.strip_prefix('+')).map(str::to_owned).collect())
}

/// Copies what a clone has: no build results, no history.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name == ".git" {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            copy(&path, &to.join(&name))?;
        } else if kind.is_file() {
            std::fs::copy(&path, to.join(&name)).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// The folder of build results that this test itself was built in, so that the client crates are not built again.
fn target_folder() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "debug"));
    Ok(folder.and_then(Path::parent).context("tests are built below target/debug")?.to_owned())
}

#[test]
fn add_a_table() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let added = added(&root)?;
    ensure!(added.len() <= 10, "a table takes at most ten lines, and the recipe shows {}", added.len());
    let scratch = tempfile::tempdir()?;
    copy(&root, scratch.path())?;
    let service = scratch.path().join(SERVICE);
    let present = std::fs::read_to_string(&service)?;
    let block = format!("{}\n", added.join("\n"));
    ensure!(
        present.matches(&block).count() == 1,
        "{SERVICE} does not have the table that CONTRIBUTING.md shows:\n{block}"
    );

    // Before: a project that has not got the table.
    std::fs::write(&service, present.replace(&block, ""))?;
    run_in(&Project::open_at(scratch.path())?, false)?;
    let expected = std::fs::read_to_string(root.join(GENERATED))?;
    let before = std::fs::read_to_string(scratch.path().join(GENERATED))?;
    ensure!(before != expected, "the table's record is transcribed for another table too; show one that stands alone");

    // The recipe: seven lines, and a regenerated file.
    std::fs::write(&service, &present)?;
    run_in(&Project::open_at(scratch.path())?, false)?;
    ensure!(std::fs::read_to_string(scratch.path().join(GENERATED))? == expected, "{GENERATED} is not what it was");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--quiet", "--package", "headwater-aws-ec2"])
        .current_dir(scratch.path())
        .env("CARGO_TARGET_DIR", target_folder()?)
        .output()?;
    ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Ok(())
}
