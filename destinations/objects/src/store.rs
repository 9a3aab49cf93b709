//! Where finished objects go: what a folder and a bucket have in common.

use std::fs::File;
use std::sync::Arc;

use headwater_sdk::{Result, StateStore, async_trait};

use crate::memory::Memory;
use crate::template::Template;

/// A file on the local disk, which is gone when this is dropped.
pub trait Scratch: Send + Sync + 'static {
    /// The file, to be written or read.
    fn file(&self) -> Result<File>;
}

/// Whether an object may take the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Whatever is there goes.
    Taken,
    /// What is there stays.
    Free,
}

/// A place for objects, each of which appears and is replaced as a whole. Names are those of the [`Template`].
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A file that an object is encoded in.
    type Scratch: Scratch;

    /// Whether the place can be reached and written to, without changing anything.
    async fn check(&self) -> Result<()>;

    /// Makes the place ready, and clears away what killed processes left of objects that were never whole.
    async fn prepare(&self, names: &Template) -> Result<()>;

    /// The memory that buffers are counted in; called once, before anything that needs any.
    fn use_memory(&self, memory: &Memory) {
        let _ = memory;
    }

    /// A new file for the object of a name, or for rows that wait. Called on threads that may block.
    fn scratch(&self, name: Option<&str>) -> Result<Self::Scratch>;

    /// Whether there is an object.
    async fn exists(&self, name: &str) -> Result<bool>;

    /// Makes a whole object seen under its name, and tells whether it was: not where the place had to be free and is
    /// not. Dropping the future leaves the earlier object, or in the last moment the new one, and nothing else.
    async fn put(&self, scratch: Self::Scratch, name: &str, place: Place) -> Result<bool>;

    /// Removes an object where there is one.
    async fn remove(&self, name: &str) -> Result<()>;

    /// Where the state of syncs is kept under a key.
    fn state(self: Arc<Self>, names: &Template, key: &str) -> Box<dyn StateStore>;

    /// Ends the sync: everything that was put is durable when this returns.
    async fn close(&self) -> Result<()>;
}
