//! The folder that the files are in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_objects::{Place, Store, Template};
use headwater_sdk::{Error, Result, StateStore, async_trait, local};

use crate::durable::Names;
use crate::state::State;
use crate::temporary::{self, Temporary};

/// The folder.
pub struct Folder {
    root: PathBuf,
    names: Arc<Names>,
}

impl Folder {
    /// A folder that is not touched yet.
    pub fn new(root: &str) -> Self {
        Self { root: root.into(), names: Arc::default() }
    }

    /// What makes names durable.
    pub fn names(&self) -> &Names {
        &self.names
    }
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
        let (root, depth, names) = (self.root.clone(), names.depth(), Arc::clone(&self.names));
        blocking(move || {
            local::check_folder_or_above(&root)?;
            let root = local::openable(&root);
            names.make(root)?;
            temporary::clean(root, depth);
            Ok(())
        })
        .await
    }

    /// Beside the file whose place it may take, so that it can be renamed.
    fn scratch(&self, name: Option<&str>) -> Result<Temporary> {
        let folder = match name {
            Some(name) => local::openable(Path::new(name).parent().unwrap_or(Path::new(""))),
            None => local::openable(&self.root),
        };
        self.names.make(folder)?;
        Temporary::new(folder)
    }

    async fn exists(&self, name: &str) -> Result<bool> {
        let name = PathBuf::from(name);
        blocking(move || name.try_exists().map_err(temporary::failed(&name))).await
    }

    async fn put(&self, scratch: Temporary, name: &str, place: Place) -> Result<bool> {
        let (name, names) = (PathBuf::from(name), Arc::clone(&self.names));
        blocking(move || {
            let kept = scratch.keep(&name, place)?;
            if kept {
                names.settle(&name)?;
            }
            Ok(kept)
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<()> {
        let (name, names) = (PathBuf::from(name), Arc::clone(&self.names));
        blocking(move || if temporary::remove(&name)? { names.settle(&name) } else { Ok(()) }).await
    }

    fn state(self: Arc<Self>, _: &Template, key: &str) -> Box<dyn StateStore> {
        let root = self.root.clone();
        Box::new(State::new(self, &root, key))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
