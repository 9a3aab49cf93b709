//! Destination file: Parquet, JSON Lines and CSV in a local folder. What the files hold, and how they come to be, is
//! told in `headwater_objects`.
//!
//! A file is written under a name of its own, beside the one that it takes the place of, and renamed when it is whole.
//! Its contents and its name are on the disk when its unit counts as done. A unit that finished with errors never takes the
//! place of a file, also where two syncs run at once, if the file system has hard links. Rows that wait are in a temporary
//! file in the folder.
//!
//! Where the state of syncs is kept here, it is a file in the folder `_headwater`; readers of folders leave out names
//! that begin with `_`.

mod durable;
mod folder;
mod spec;
mod state;
mod temporary;

use headwater_objects::Objects;
use headwater_sdk::{Destination, Result};

pub use headwater_objects::{Compression, Format, FormatSpec};
pub use spec::Spec;

/// The destination that a spec describes. No file or folder is touched yet.
pub fn destination(spec: Spec) -> Result<Box<dyn Destination>> {
    let settings = spec.layout().settings()?;
    Ok(Box::new(Objects::new(folder::Folder::new(settings.template.root()), settings)))
}
