//! Files that are being written: they have a name of their own until they are whole, and do not outlive the process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use headwater_objects::{Place, Scratch};
use headwater_sdk::text::fnv1a;
use headwater_sdk::{Error, Result, Uuid};

const START: &str = ".headwater-";
const END: &str = ".tmp";

/// A file that so long nothing was written to is nobody's any more.
const OLD: Duration = Duration::from_secs(2 * 24 * 3600);

/// What the names of files of this system begin with, where it can be told from others: all its processes see each
/// other's locks, which those of other systems may not.
static OURS: LazyLock<Option<String>> = LazyLock::new(|| {
    let boot = fs::read("/proc/sys/kernel/random/boot_id").ok().filter(|boot| !boot.is_empty())?;
    Some(format!("{START}{:016x}-", fnv1a(boot)))
});

/// An I/O error with the file that it is about.
pub fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |error| Error::destination(format!("{path}: {error}"))
}

/// A file whose own name is removed when it is dropped, unless it was exchanged for the final one.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    /// Holds the lock by which [`clean`] tells a file that is being written from one that a crash left behind.
    file: File,
    kept: bool,
}

impl Temporary {
    /// A new file in a folder.
    pub fn new(folder: &Path) -> Result<Self> {
        loop {
            let start = OURS.as_deref().unwrap_or(START);
            let path = folder.join(format!("{start}{}{END}", Uuid::new_v4()));
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

    /// Makes the contents safe and gives the file its name, and tells whether it has it: not where it had to be free and is
    /// not.
    pub fn keep(mut self, name: &Path, place: Place) -> Result<bool> {
        self.file.sync_all().map_err(failed(&self.path))?;
        if place == Place::Free {
            match fs::hard_link(&self.path, name) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
                // Not every file system has links. What was free a moment ago still is, unless two syncs run at once.
                Err(_) => {}
            }
        }
        fs::rename(&self.path, name).map_err(failed(name))?;
        self.kept = true;
        Ok(true)
    }
}

impl Scratch for Temporary {
    fn file(&self) -> Result<File> {
        self.file.try_clone().map_err(failed(&self.path))
    }

    fn place(&self) -> String {
        format!("in the folder {}", self.path.parent().unwrap_or(Path::new(".")).display())
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
        } else if kind.is_file() && ours && is_left_behind(&entry.path(), OURS.as_deref()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether nobody writes to a file any more. The lock of a process of this system tells it at once; one of another system
/// may hold a lock that is not seen here.
fn is_left_behind(path: &Path, ours: Option<&str>) -> bool {
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return false };
    let name = path.file_name().and_then(|name| name.to_str());
    let of_this_system = ours.zip(name).is_some_and(|(ours, name)| name.starts_with(ours));
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => false,
        Ok(()) if of_this_system => true,
        _ => {
            let written = file.metadata().and_then(|metadata| metadata.modified());
            written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age > OLD))
        }
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
        let ours = OURS.as_deref().unwrap();
        let deep = folder.path().join(format!("a/b/c/{ours}deep.tmp"));
        fs::create_dir_all(deep.parent().unwrap()).unwrap();
        let used = Temporary::new(&below).unwrap();
        let left = below.join(format!("{ours}left.tmp"));
        let [elsewhere, old, other] =
            [".headwater-elsewhere.tmp", ".headwater-old.tmp", ".other.tmp"].map(|name| below.join(name));
        for path in [&left, &deep, &elsewhere, &old, &other] {
            fs::write(path, "x").unwrap();
        }
        let before = |age: Duration| std::time::SystemTime::now() - age;
        for path in [&used.path, &old, &other] {
            File::options().write(true).open(path).unwrap().set_modified(before(OLD * 2)).unwrap();
        }
        clean(folder.path(), 2);
        assert!(used.path.exists() && !left.exists() && !old.exists() && other.exists());
        assert!(elsewhere.exists(), "another system may be writing to it");
        assert!(deep.exists(), "below the depth at which files are written");
        assert!(!is_left_behind(&elsewhere, None), "a system that is not told from others");
        let path = used.path.clone();
        drop(used);
        assert!(!path.exists());
    }
}
