//! The state of syncs: for each key a file that is only added to, `_headwater/KEY.state` in the root folder.
//!
//! Its first line says what run it is, and each other line is a unit that is done. A process that is killed may leave a
//! line in the middle; reading ends there, and the next line is written in its place.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_objects::{safe_name, saved};
use headwater_sdk::{Error, Result, SavedRun, StateStore, Timestamp, UnitHash, async_trait, local};

use crate::folder::Folder;
use crate::temporary;

/// The state that is kept under one key.
pub struct State {
    folder: Arc<Folder>,
    path: Arc<Path>,
    open: Arc<Mutex<Option<Open>>>,
}

/// The file, which no other process may use meanwhile.
struct Open {
    file: File,
    /// Where the last whole line ends.
    end: u64,
}

impl State {
    /// Nothing is opened yet.
    pub fn new(folder: Arc<Folder>, root: &Path, key: &str) -> Self {
        let path = root.join("_headwater").join(format!("{}.state", safe_name(key)));
        Self { folder, path: path.into(), open: Arc::default() }
    }

    /// Does something with the file on a thread that may block.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder, &Path, &mut Option<Open>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (folder, path, open) = (Arc::clone(&self.folder), Arc::clone(&self.path), Arc::clone(&self.open));
        let work = move || work(&folder, &path, &mut open.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await.map_err(Error::destination)?
    }
}

impl Open {
    fn new(path: &Path, create: bool) -> Result<Option<Self>> {
        let failed = temporary::failed(path);
        let file = match OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && !create => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        // Where the file system has no locks, it is on the user not to run a sync twice at the same time.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::destination(format!(
                "another sync of this configuration is running, and has locked {}; wait until it has ended",
                path.display()
            )));
        }
        Ok(Some(Self { file, end: 0 }))
    }

    fn read(&mut self) -> std::io::Result<Option<SavedRun>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        let (saved, end) = saved::parse(&bytes);
        self.end = end as u64;
        Ok(saved)
    }

    /// Writes behind the last whole line.
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(text.as_bytes())?;
        self.end += text.len() as u64;
        Ok(())
    }
}

#[async_trait]
impl StateStore for State {
    async fn load(&self) -> Result<Option<SavedRun>> {
        self.work(|_, path, open| {
            if open.is_none() {
                *open = Open::new(path, false)?;
            }
            let Some(open) = open else { return Ok(None) };
            open.read().map_err(temporary::failed(path))
        })
        .await
    }

    async fn start(&self, sync_time: Timestamp, fingerprint: &str) -> Result<()> {
        let head = saved::head(sync_time, fingerprint)?;
        self.work(move |folder, path, open| {
            let failed = temporary::failed(path);
            if open.is_none() {
                let parent = path.parent().unwrap_or(Path::new(""));
                local::check_folder_or_above(parent)?;
                folder.names().make(parent)?;
                *open = Open::new(path, true)?;
                folder.names().settle(path)?;
            }
            let open = open.as_mut().ok_or_else(saved::not_begun)?;
            open.file.set_len(0).map_err(&failed)?;
            open.end = 0;
            open.write(&head).map_err(failed)
        })
        .await
    }

    async fn resume(&self, _sync_time: Timestamp) -> Result<()> {
        // The file was locked when the run was loaded, so it is still the one.
        self.work(|_, path, open| {
            let open = open.as_mut().ok_or_else(saved::not_begun)?;
            open.file.set_len(open.end).map_err(temporary::failed(path))
        })
        .await
    }

    async fn add(&self, units: &[UnitHash]) -> Result<()> {
        let lines = saved::lines(units);
        self.work(move |_, path, open| {
            let open = open.as_mut().ok_or_else(saved::not_begun)?;
            open.write(&lines).map_err(temporary::failed(path))
        })
        .await
    }

    async fn clear(&self) -> Result<()> {
        self.work(|_, path, open| {
            let open = open.as_mut().ok_or_else(saved::not_begun)?;
            // The file itself stays: another process may be about to lock it.
            open.end = 0;
            open.file.set_len(0).map_err(temporary::failed(path))
        })
        .await
    }
}
