//! The folder that the files are in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_objects::{Place, Store, Template};
use headwater_sdk::{Error, Result, StateStore, async_trait, local};

use crate::state::State;
use crate::temporary::{self, Temporary};

/// The folder.
pub struct Folder {
    root: PathBuf,
    /// The folders in which a name has changed; those are not safe from a power cut yet.
    touched: Mutex<BTreeSet<PathBuf>>,
}

impl Folder {
    /// A folder that is not touched yet.
    pub fn new(root: &str) -> Self {
        Self { root: root.into(), touched: Mutex::default() }
    }

    /// Takes note that a file has appeared or vanished.
    pub fn touched(&self, file: &Path) {
        let folder = local::openable(file.parent().unwrap_or(Path::new("")));
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if !touched.contains(folder) {
            touched.insert(folder.to_owned());
        }
    }

    /// Makes the names that have changed safe from a power cut.
    pub fn settle(&self) -> Result<()> {
        settle(std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn settle(folders: BTreeSet<PathBuf>) -> Result<()> {
    // Other systems than Unix make a new name safe by themselves, and open no folders.
    for folder in folders.iter().filter(|_| cfg!(unix)) {
        std::fs::File::open(folder).and_then(|open| open.sync_all()).map_err(temporary::failed(folder))?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::destination)?
}

#[async_trait]
impl Store for Folder {
    type Scratch = Temporary;

    async fn check(&self) -> Result<()> {
        let root = self.root.clone();
        blocking(move || local::check_folder_or_above(&root)).await
    }

    async fn prepare(&self, names: &Template) -> Result<()> {
        let (root, depth) = (self.root.clone(), names.depth());
        blocking(move || {
            local::check_folder_or_above(&root)?;
            let root = local::openable(&root);
            std::fs::create_dir_all(root).map_err(temporary::failed(root))?;
            temporary::clean(root, depth);
            Ok(())
        })
        .await
    }

    /// Beside the file whose place it may take, so that it can be renamed.
    fn scratch(&self, name: Option<&str>) -> Result<Temporary> {
        match name {
            Some(name) => Temporary::new(Path::new(name).parent().unwrap_or(Path::new(""))),
            None => Temporary::new(local::openable(&self.root)),
        }
    }

    async fn exists(&self, name: &str) -> Result<bool> {
        let name = PathBuf::from(name);
        blocking(move || name.try_exists().map_err(temporary::failed(&name))).await
    }

    /// What was free a moment ago still is: two syncs of one configuration are not run at once.
    async fn put(&self, scratch: Temporary, name: &str, _: Place) -> Result<bool> {
        let name = PathBuf::from(name);
        let kept = name.clone();
        blocking(move || scratch.keep(&kept)).await?;
        self.touched(&name);
        Ok(true)
    }

    async fn remove(&self, name: &str) -> Result<()> {
        let name = PathBuf::from(name);
        let removed = name.clone();
        if blocking(move || temporary::remove(&removed)).await? {
            self.touched(&name);
        }
        Ok(())
    }

    fn state(self: Arc<Self>, _: &Template, key: &str) -> Box<dyn StateStore> {
        let root = self.root.clone();
        Box::new(State::new(self, &root, key))
    }

    async fn close(&self) -> Result<()> {
        let folders = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        blocking(move || settle(folders)).await
    }
}
