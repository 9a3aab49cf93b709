//! The Python environment of the demo and the tests: a virtual environment below the target folder, with the packages
//! of `requirements.txt` at their pinned versions.
//!
//! It is made anew only when the requirements or the interpreter changed. Whatever the user has set for pip (an index,
//! a proxy, a certificate) is what pip sees.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::process::{checked, output_of};
use crate::root::root;

/// What is installed.
const REQUIREMENTS_FILE: &str = "xtask/requirements.txt";

/// The oldest Python that the pinned packages run on.
const OLDEST: (u32, u32) = (3, 11);

/// Makes the environment if it is not there yet, and answers with its interpreter.
pub fn prepare(target: &Path) -> Result<PathBuf> {
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    // Two commands at once must not both install into the same folder.
    let lock = File::create(target.join("python.lock")).context("cannot make the lock of the Python environment")?;
    lock.lock().context("cannot lock the Python environment")?;
    let folder = target.join("python");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = folder.join("headwater-stamp");
    let file = root().join(REQUIREMENTS_FILE);
    let requirements = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let is_current = || fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == requirements);
    // The interpreter is a link to one that an upgrade of the system may have taken away.
    if is_current() && output_of(Command::new(&python).arg("--version")).is_ok() {
        return Ok(python);
    }
    eprintln!("python: making a virtual environment with moto and boto3 in {}", folder.display());
    let base = interpreter()?;
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove the old {}", folder.display()))?;
    }
    make(&base, &folder)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"]);
    checked(pip.arg(&file)).context(
        "pip could not install xtask/requirements.txt. It needs a package index: check the network, and what \
         `pip config list` says of an index or a proxy; then run the same command again.",
    )?;
    fs::write(&stamp, &requirements).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

/// The user's Python, installed by the system's packages where that is possible.
fn interpreter() -> Result<PathBuf> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    install_by_apt()?;
    match find()? {
        Some(found) => Ok(found),
        None => bail!("{}", advice("there is no `python3`")),
    }
}

/// The first interpreter on the path that is new enough; an error if there are only older ones.
fn find() -> Result<Option<PathBuf>> {
    let mut older = None;
    for name in ["python3", "python", "python3.13", "python3.12", "python3.11"] {
        let mut ask = Command::new(name);
        ask.args(["-c", "import sys; print(*sys.version_info[:2])"]).stderr(Stdio::null());
        let Ok(answer) = output_of(&mut ask) else { continue };
        let mut numbers = answer.split_whitespace().map_while(|number| number.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) if (major, minor) >= OLDEST => return Ok(Some(PathBuf::from(name))),
            (Some(major), Some(minor)) => older = Some(format!("`{name}` is Python {major}.{minor}")),
            _ => {}
        }
    }
    match older {
        Some(older) => bail!("{}", advice(&older)),
        None => Ok(None),
    }
}

/// Makes an empty environment. Debian has the module for it in a package of its own.
fn make(base: &Path, folder: &Path) -> Result<()> {
    let venv = || {
        let mut command = Command::new(base);
        command.args(["-m", "venv"]).arg(folder);
        command
    };
    let Err(first) = output_of(&mut venv()) else { return Ok(()) };
    install_by_apt().context(first)?;
    match output_of(&mut venv()) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.context(advice("the module `venv` is missing or broken"))),
    }
}

/// Installs Python with its module for virtual environments where this is Debian and we may.
fn install_by_apt() -> Result<()> {
    if !debian::install(&["python3", "python3-venv"])? {
        bail!("{}", advice("Python or its module `venv` is missing"));
    }
    Ok(())
}

fn advice(what: &str) -> String {
    let (major, minor) = OLDEST;
    format!(
        "The local AWS needs Python {major}.{minor} or newer with its module `venv`, and {what}.\n\
         Install it, and run the same command again:\n\
         \x20 Debian, Ubuntu   apt-get install python3 python3-venv\n\
         \x20 Fedora           dnf install python3\n\
         \x20 macOS            brew install python\n\
         \x20 Windows          winget install Python.Python.3.13"
    )
}
