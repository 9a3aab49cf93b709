//! Packages of Debian, where they can be installed: by root.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use headwater_e2e::LocalPostgresql;

use crate::process::output_of;

/// Installs packages; answers false where this user or system cannot.
pub fn install(packages: &[&str]) -> Result<bool> {
    let root = output_of(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !(root && Path::new("/etc/debian_version").exists()) {
        return Ok(false);
    }
    eprintln!("installing the packages {}", packages.join(" and "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        output_of(&mut command)
    };
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    // The list of packages is often missing on a fresh machine, and refreshing it takes longer than the rest.
    if apt(&install).is_err() {
        apt(&["update"])?;
        apt(&install)?;
    }
    Ok(true)
}

/// Makes sure that there is a PostgreSQL server for the tests to start.
pub fn postgresql() -> Result<()> {
    if LocalPostgresql::binaries().is_some() || install(&["postgresql"])? && LocalPostgresql::binaries().is_some() {
        return Ok(());
    }
    bail!(
        "The tests of the destination postgresql start a PostgreSQL server of their own, and none is installed.\n\
         Install one, and run the same command again:\n\
         \x20 Debian, Ubuntu   apt-get install --no-install-recommends postgresql\n\
         \x20 Fedora           dnf install postgresql-server\n\
         \x20 macOS            brew install postgresql@17"
    )
}
