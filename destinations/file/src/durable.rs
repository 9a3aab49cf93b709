//! Names that outlive a power cut: a file that was renamed, linked or removed is not until its folder is on the disk, nor
//! is a new folder until the one above it is.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_sdk::{Result, local};

use crate::temporary::failed;

/// Folders that are being put on the disk.
#[derive(Debug, Default)]
pub struct Names {
    folders: Mutex<HashMap<PathBuf, Arc<Waiting>>>,
    /// Held by the one who makes folders: others must not take one for durable that is there and not on the disk yet.
    making: Mutex<()>,
}

/// Those who wait for one folder. Many commits at once are one call of the system.
#[derive(Debug, Default)]
struct Waiting {
    /// How many changes there were.
    changes: AtomicU64,
    /// How many of them are on the disk.
    on_disk: Mutex<u64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a folder's names on the disk.
fn sync(folder: &Path) -> Result<()> {
    // Other systems than Unix make a new name safe by themselves, and open no folders.
    if cfg!(unix) {
        let folder = local::openable(folder);
        File::open(folder).and_then(|open| open.sync_all()).map_err(failed(folder))?;
    }
    Ok(())
}

impl Names {
    /// Waits until a name that has appeared or vanished is on the disk.
    pub fn settle(&self, name: &Path) -> Result<()> {
        let folder = name.parent().unwrap_or(Path::new(""));
        let waiting = Arc::clone(locked(&self.folders).entry(folder.to_owned()).or_default());
        let change = waiting.changes.fetch_add(1, Ordering::SeqCst) + 1;
        let settled = waiting.wait(folder, change);
        drop(waiting);
        let mut folders = locked(&self.folders);
        if folders.get(folder).is_some_and(|waiting| Arc::strong_count(waiting) == 1) {
            folders.remove(folder);
        }
        settled
    }

    /// Makes a folder and those above it, where they are not there.
    pub fn make(&self, folder: &Path) -> Result<()> {
        let folder = local::openable(folder);
        let _one = locked(&self.making);
        let missing: Vec<&Path> = folder.ancestors().take_while(|above| !local::openable(above).is_dir()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(failed(folder))?;
        missing.iter().filter_map(|new| new.parent()).try_for_each(sync)
    }
}

impl Waiting {
    fn wait(&self, folder: &Path, change: u64) -> Result<()> {
        let mut on_disk = locked(&self.on_disk);
        if *on_disk < change {
            // Those who have come meanwhile are done with it too.
            let changes = self.changes.load(Ordering::SeqCst);
            sync(folder)?;
            *on_disk = changes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn many_at_once_all_settle_and_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::default();
        std::thread::scope(|scope| {
            for number in 0..16 {
                let (names, folder) = (&names, folder.path().join(format!("{}/deep", number % 3)));
                scope.spawn(move || {
                    names.make(&folder).unwrap();
                    let file = folder.join(number.to_string());
                    fs::write(&file, "x").unwrap();
                    names.settle(&file).unwrap();
                });
            }
        });
        assert!(locked(&names.folders).is_empty());
        let gone = names.settle(&folder.path().join("gone/file")).unwrap_err().to_string();
        assert!(gone.contains("gone"), "{gone}");
        assert!(locked(&names.folders).is_empty());
    }
}
