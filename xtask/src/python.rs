//! The Python environment of the demo and the tests: a virtual environment below the target folder, with the packages
//! of `requirements.txt` at their pinned versions, and for the tests those of `requirements-tests.txt`.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packages {
    /// The local AWS, and what asks it.
    Aws,
    /// The servers and drivers of the tests, too.
    All,
    /// What the destinations are measured beside, in an environment of its own.
    Others,
    /// What tables are measured beside, in another.
    Tables,
}

impl Packages {
    fn files(self) -> &'static [&'static str] {
        match self {
            Packages::Aws => &["xtask/requirements.txt"],
            Packages::All => &["xtask/requirements.txt", "xtask/requirements-tests.txt"],
            Packages::Others => &["bench/destinations/others/requirements.txt"],
            Packages::Tables => &["bench/tables/others/requirements.txt"],
        }
    }

    /// The folder of the environment, below the target folder.
    fn folder(self) -> &'static str {
        match self {
            Packages::Aws | Packages::All => "python",
            Packages::Others => "python-others",
            Packages::Tables => "python-tables",
        }
    }

    /// The oldest Python that they run on.
    fn oldest(self) -> (u32, u32) {
        match self {
            Packages::Aws => (3, 10),
            Packages::All | Packages::Others | Packages::Tables => (3, 11),
        }
    }

    /// What the files say, one behind the other.
    fn requirements(self) -> Result<String> {
        let read = |name: &&str| {
            let file = root().join(name);
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
        };
        self.files().iter().map(read).collect()
    }
}

/// Makes the environment if it is not there yet, and answers with its interpreter.
pub fn prepare(target: &Path, packages: Packages) -> Result<PathBuf> {
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    // Two commands at once must not both install into the same folder.
    let lock = File::create(target.join("python.lock")).context("cannot make the lock of the Python environment")?;
    lock.lock().context("cannot lock the Python environment")?;
    let folder = target.join(packages.folder());
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = folder.join("headwater-stamp");
    let requirements = packages.requirements()?;
    // An environment with more than is needed is as good.
    let is_current = || fs::read_to_string(&stamp).is_ok_and(|made_for| made_for.starts_with(&requirements));
    // The interpreter is a link to one that an upgrade of the system may have taken away.
    if is_current() && output_of(Command::new(&python).arg("--version")).is_ok() {
        return Ok(python);
    }
    eprintln!("python: making a virtual environment of {} in {}", packages.files().join(" and "), folder.display());
    let base = interpreter(packages)?;
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove the old {}", folder.display()))?;
    }
    make(&base, &folder, packages)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    for file in packages.files() {
        pip.arg("--requirement").arg(root().join(file));
    }
    checked(&mut pip).context(
        "pip could not install what xtask/requirements*.txt name. It needs a package index: check the network, and what \
         `pip config list` says of an index or a proxy; then run the same command again.",
    )?;
    fs::write(&stamp, &requirements).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

/// The user's Python, installed by the system's packages where that is possible.
fn interpreter(packages: Packages) -> Result<PathBuf> {
    if let Some(found) = find(packages)? {
        return Ok(found);
    }
    install_by_apt(packages)?;
    match find(packages)? {
        Some(found) => Ok(found),
        None => bail!("{}", advice(packages, "there is no `python3`")),
    }
}

/// The first interpreter on the path that is new enough; an error if there are only older ones.
fn find(packages: Packages) -> Result<Option<PathBuf>> {
    let mut older = None;
    for name in ["python3", "python", "python3.13", "python3.12", "python3.11", "python3.10"] {
        let mut ask = Command::new(name);
        ask.args(["-c", "import sys; print(*sys.version_info[:2])"]).stderr(Stdio::null());
        let Ok(answer) = output_of(&mut ask) else { continue };
        let mut numbers = answer.split_whitespace().map_while(|number| number.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) if (major, minor) >= packages.oldest() => return Ok(Some(PathBuf::from(name))),
            (Some(major), Some(minor)) => older = Some(format!("`{name}` is Python {major}.{minor}")),
            _ => {}
        }
    }
    match older {
        Some(older) => bail!("{}", advice(packages, &older)),
        None => Ok(None),
    }
}

/// Makes an empty environment. Debian has the module for it in a package of its own.
fn make(base: &Path, folder: &Path, packages: Packages) -> Result<()> {
    let venv = || {
        let mut command = Command::new(base);
        command.args(["-m", "venv"]).arg(folder);
        command
    };
    let Err(first) = output_of(&mut venv()) else { return Ok(()) };
    install_by_apt(packages).context(first)?;
    match output_of(&mut venv()) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.context(advice(packages, "the module `venv` is missing or broken"))),
    }
}

/// Installs Python with its module for virtual environments where this is Debian and we may.
fn install_by_apt(packages: Packages) -> Result<()> {
    if !debian::install(&["python3", "python3-venv"])? {
        bail!("{}", advice(packages, "Python or its module `venv` is missing"));
    }
    Ok(())
}

fn advice(packages: Packages, what: &str) -> String {
    let (major, minor) = packages.oldest();
    format!(
        "The local servers need Python {major}.{minor} or newer with its module `venv`, and {what}.\n\
         Install it, and run the same command again:\n\
         \x20 Debian, Ubuntu   apt-get install python3 python3-venv\n\
         \x20 Fedora           dnf install python3\n\
         \x20 macOS            brew install python\n\
         \x20 Windows          winget install Python.Python.3.13"
    )
}
