//! Drivers, loaded once and never let go: a library may have threads that outlive its last use.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use adbc_core::options::AdbcVersion;
use adbc_core::{LOAD_FLAG_ALLOW_RELATIVE_PATHS, LOAD_FLAG_DEFAULT};
use adbc_driver_manager::ManagedDriver;
use headwater_sdk::{Error, Result};

/// The environment variable that names libduckdb.
pub const LIBDUCKDB: &str = "HEADWATER_LIBDUCKDB";
/// The function with which DuckDB's library begins as an ADBC driver.
pub const DUCKDB_ENTRYPOINT: &str = "duckdb_adbc_init";

type Key = (String, Option<String>);

static LOADED: LazyLock<Mutex<HashMap<Key, ManagedDriver>>> = LazyLock::new(Mutex::default);

/// Loads a driver, or takes the one that is loaded already.
pub fn load(name: &str, entrypoint: Option<&str>) -> Result<ManagedDriver> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (name.to_owned(), entrypoint.map(str::to_owned));
    if let Some(driver) = loaded.get(&key) {
        return Ok(driver.clone());
    }
    let flags = LOAD_FLAG_DEFAULT | LOAD_FLAG_ALLOW_RELATIVE_PATHS;
    let load = |version| ManagedDriver::load_from_name(name, entrypoint.map(str::as_bytes), version, flags, None);
    // An older driver knows the first version of ADBC only.
    let driver = load(AdbcVersion::V110).or_else(|error| load(AdbcVersion::V100).map_err(|_| error));
    let driver = driver.map_err(|error| {
        let message: String = error.message.lines().next().unwrap_or_default().chars().take(400).collect();
        Error::destination(format!(
            "the ADBC driver {name} cannot be loaded: {message}\n\
             name the path of its shared library in `driver`, or install it: `pip install adbc-driver-postgresql` (or \
             -sqlite, -snowflake …) has it in the package's folder, and `dbc install` where it is found by name"
        ))
    })?;
    Ok(loaded.entry(key).or_insert(driver).clone())
}

/// What libduckdb is called here.
fn file_name() -> &'static str {
    match std::env::consts::OS {
        "windows" => "duckdb.dll",
        "macos" => "libduckdb.dylib",
        _ => "libduckdb.so",
    }
}

/// The folders in which a system has libraries.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(beside) = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)) {
        folders.push(beside.join("lib"));
        folders.insert(0, beside);
    }
    for variable in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        let paths: OsString = std::env::var_os(variable).unwrap_or_default();
        folders.extend(std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()));
    }
    let usual = [
        "/usr/local/lib",
        "/usr/local/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/lib",
        "/opt/homebrew/opt/duckdb/lib",
        "/home/linuxbrew/.linuxbrew/lib",
        "/opt/duckdb",
        "C:\\Program Files\\DuckDB",
    ];
    folders.extend(usual.iter().map(PathBuf::from));
    folders
}

/// Where libduckdb is: named by the spec or the environment, beside the binary, or in the usual places of a system.
pub fn find_libduckdb(named: Option<&Path>, variable: Option<OsString>) -> Result<PathBuf> {
    let by_variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
    for (path, from) in
        [(named, "`library`".to_owned()), (by_variable.as_deref(), format!("the environment's {LIBDUCKDB}"))]
    {
        let Some(path) = path else { continue };
        let path = if path.is_dir() { path.join(file_name()) } else { path.to_owned() };
        return match path.is_file() {
            // The loader looks for a name without a folder elsewhere.
            true => std::path::absolute(&path).map_err(Error::destination),
            false => Err(Error::destination(format!("{from} names {}, which is no file", path.display()))),
        };
    }
    let found = folders().into_iter().map(|folder| folder.join(file_name())).find(|path| path.is_file());
    found.ok_or_else(|| {
        let name = file_name();
        Error::destination(format!(
            "{name}, the library of DuckDB, is not here; it is loaded at run time, and never downloaded. To get it:\n\
             - `brew install duckdb`, or the package libduckdb of your system;\n\
             - the archive libduckdb-… of a release of DuckDB (duckdb.org, Installation, C/C++);\n\
             - `npm pack @duckdb/node-bindings-linux-x64`, whose archive has it (or -linux-arm64, -darwin-arm64 …).\n\
             Then put {name} beside the binary or into /usr/local/lib, or name it in `library` or {LIBDUCKDB}."
        ))
    })
}
