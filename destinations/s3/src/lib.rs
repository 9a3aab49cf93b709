//! Destination s3: Parquet, JSON Lines and CSV in a bucket of Amazon S3, or of a server that speaks its protocol. What
//! the objects hold, and how they come to be, is told in `headwater_objects`.
//!
//! An object is encoded into an unnamed file of the folder for temporary files (`TMPDIR`), and sent when its unit has
//! finished: with one call where it is small, and else in parts of 5 to 8 MiB, several at once, which together become the
//! object in one moment. Only parts on their way are in memory, at most a quarter of what the destination may hold; so neither
//! the number of tables nor the size of an object matters. (From 80 GB on parts are larger, because S3 takes no more than
//! 10,000 of them.) What a failed or given up upload has sent is removed at once, and what a killed process has, by a sync
//! two days later.
//!
//! A unit that finished with errors is stored only where its object is not there: `If-None-Match: *` makes sure of it
//! also where two syncs run at once.
//!
//! Where the state of syncs is kept here, it is in objects whose names begin with `_headwater/`. They are changed by
//! `If-Match` only, so that two syncs never mix theirs.

mod bucket;
mod client;
mod errors;
mod leftovers;
mod spec;
mod state;
mod upload;

use headwater_objects::Objects;
use headwater_sdk::{Destination, Result};

pub use headwater_objects::{Compression, Format, FormatSpec};
pub use spec::{Encryption, Spec};

/// The destination that a spec describes. Nothing is connected to yet.
pub fn destination(spec: Spec) -> Result<Box<dyn Destination>> {
    let layout = spec.layout().settings()?;
    let bucket = bucket::Bucket::new(spec.settings(&layout)?);
    Ok(Box::new(Objects::new(bucket, layout)))
}
