//! The folder that the files are in.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_objects::{Piece, Place, Store, Template};
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

/// Adds the files of a folder, and down to `depth` of those below it, whose names begin with a prefix. Names are as
/// templates make them, and end with a slash where they are folders'.
fn add_files(folder: &str, prefix: &str, depth: usize, files: &mut Vec<String>) -> Result<()> {
    let path = local::openable(Path::new(folder));
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(temporary::failed(path))?,
    };
    for entry in entries {
        let entry = entry.map_err(temporary::failed(path))?;
        let kind = entry.file_type().map_err(temporary::failed(path))?;
        // What has no name in Unicode is none of ours.
        let Some(name) = entry.file_name().to_str().map(|name| format!("{folder}{name}")) else { continue };
        if !name.starts_with(prefix) {
            continue;
        }
        if kind.is_dir() && depth > 0 {
            add_files(&format!("{name}/"), "", depth - 1, files)?;
        } else if kind.is_file() {
            files.push(name);
        }
    }
    Ok(())
}

fn read(path: &Path, piece: Piece) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let bytes = match piece {
        Piece::First(bytes) => bytes,
        Piece::Last(bytes) => {
            let end = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(end.saturating_sub(bytes)))?;
            bytes
        }
    };
    let mut read = Vec::new();
    file.take(bytes).read_to_end(&mut read)?;
    Ok(read)
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

    async fn list(&self, names: &Template, prefix: &str) -> Result<Vec<String>> {
        let slashes = |text: &str| text.matches('/').count();
        let depth = (names.depth() + slashes(names.root())).saturating_sub(slashes(prefix));
        let prefix = prefix.to_owned();
        blocking(move || {
            let folder = &prefix[..prefix.rfind('/').map_or(0, |at| at + 1)];
            let mut files = Vec::new();
            add_files(folder, &prefix, depth, &mut files)?;
            Ok(files)
        })
        .await
    }

    async fn read(&self, name: &str, piece: Piece) -> Result<Vec<u8>> {
        let name = PathBuf::from(name);
        blocking(move || read(&name, piece).map_err(temporary::failed(&name))).await
    }

    fn state(self: Arc<Self>, _: &Template, key: &str) -> Box<dyn StateStore> {
        let root = self.root.clone();
        Box::new(State::new(self, &root, key))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
