//! Where finished objects go: what a folder and a bucket have in common.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use headwater_sdk::{Result, StateStore, async_trait};

use crate::memory::Memory;
use crate::template::Template;

/// A file on the local disk, which is gone when this is dropped.
pub trait Scratch: Send + Sync + 'static {
    /// The file, to be written or read.
    fn file(&self) -> Result<File>;

    /// Where it is, for whoever has to make room there: `in the folder lake`.
    fn place(&self) -> String;

    /// The file, to be written; errors say where it is.
    fn out(&self) -> Result<Out> {
        Ok(Out { file: self.file()?, place: self.place() })
    }
}

/// A scratch file that is being written.
pub struct Out {
    file: File,
    place: String,
}

impl Out {
    fn placed<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| io::Error::new(error.kind(), format!("{error}, {}", self.place)))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.placed(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.placed(flushed)
    }
}

/// Whether an object may take the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Whatever is there goes.
    Taken,
    /// What is there stays.
    Free,
}

/// A piece of an object: so many of its bytes, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// From its beginning.
    First(u64),
    /// At its end.
    Last(u64),
}

/// A place for objects, each of which appears and is replaced as a whole. Names are those of the [`Template`].
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A file that an object is encoded in.
    type Scratch: Scratch;

    /// Whether the place can be reached and written to, without changing anything.
    async fn check(&self) -> Result<()>;

    /// Makes the place ready after a [`Store::check`], and clears away what killed processes left of objects that were never
    /// whole.
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
    /// not. It is durable when this returns. Dropping the future leaves the earlier object, or in the last moment the new
    /// one, and nothing else.
    async fn put(&self, scratch: Self::Scratch, name: &str, place: Place) -> Result<bool>;

    /// Removes an object where there is one, durably.
    async fn remove(&self, name: &str) -> Result<()>;

    /// The names of the objects that begin with a prefix of one of these names, as far as they may be of them.
    async fn list(&self, names: &Template, prefix: &str) -> Result<Vec<String>>;

    /// A piece of an object.
    async fn read(&self, name: &str, piece: Piece) -> Result<Vec<u8>>;

    /// Where the state of syncs is kept under a key.
    fn state(self: Arc<Self>, names: &Template, key: &str) -> Box<dyn StateStore>;

    /// Ends the sync: nothing is under way any more when this returns.
    async fn close(&self) -> Result<()>;
}
