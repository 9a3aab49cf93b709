//! Files that are being written: they have a name of their own until they are whole, and do not outlive the process.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use headwater_objects::Scratch;
use headwater_sdk::{Error, Result, Uuid};

const START: &str = ".headwater-";
const END: &str = ".tmp";

/// An I/O error with the file that it is about.
pub fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |error| Error::destination(format!("{path}: {error}"))
}

/// A file that is removed when it is dropped, unless it was given its final name.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    /// Holds the lock by which [`clean`] tells a file that is being written from one that a crash left behind.
    file: File,
    kept: bool,
}

impl Temporary {
    /// A new file in a folder, which is created where it does not exist.
    pub fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(failed(folder))?;
        loop {
            let path = folder.join(format!("{START}{}{END}", Uuid::new_v4()));
            let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).map_err(failed(&path))?;
            // Where the file system has no locks, leftovers cannot be told, and `clean` leaves them alone.
            let _ = file.lock();
            let temporary = Self { path, file, kept: false };
            // Another process may have cleaned it away before it was locked; then another one is made.
            if temporary.path.exists() {
                return Ok(temporary);
            }
        }
    }

    /// Makes the contents safe and gives the file its name, in place of a file that has it.
    pub fn keep(mut self, name: &Path) -> Result<()> {
        self.file.sync_all().map_err(failed(&self.path))?;
        fs::rename(&self.path, name).map_err(failed(name))?;
        self.kept = true;
        Ok(())
    }
}

impl Scratch for Temporary {
    fn file(&self) -> Result<File> {
        self.file.try_clone().map_err(failed(&self.path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is removed by the next sync.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what processes that ended in the middle left in a folder and, down to `depth`, in those below it. What
/// cannot be read or removed stays, since it is in nobody's way.
pub fn clean(folder: &Path, depth: usize) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(START) && name.ends_with(END));
        if kind.is_dir() && depth > 0 {
            clean(&entry.path(), depth - 1);
        } else if kind.is_file() && ours {
            remove_if_left_behind(&entry.path());
        }
    }
}

fn remove_if_left_behind(path: &Path) {
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return };
    if file.try_lock().is_ok() {
        let _ = fs::remove_file(path);
    }
}

/// Removes a file if it is there, and tells whether it was.
pub fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn leftovers_go_and_files_in_use_stay() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        let used = Temporary::new(&below).unwrap();
        let left = below.join(".headwater-left.tmp");
        let deep = folder.path().join("a/b/c/.headwater-deep.tmp");
        fs::create_dir_all(deep.parent().unwrap()).unwrap();
        let other = below.join(".other.tmp");
        for path in [&left, &deep, &other] {
            fs::write(path, "x").unwrap();
        }
        clean(folder.path(), 2);
        assert!(used.path.exists() && !left.exists() && other.exists());
        assert!(deep.exists(), "below the depth at which files are written");
        let path = used.path.clone();
        drop(used);
        assert!(!path.exists());
    }
}
