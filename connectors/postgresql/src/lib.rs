//! Source `postgresql`: tables of a PostgreSQL database.
//!
//! A table is read with `COPY (SELECT …) TO STDOUT (FORMAT binary)`, and the bytes of each field go straight into the
//! column that they are of.

pub mod catalog;
mod connector;
pub mod copy;
mod cursor;
pub mod decode;
mod discover;
mod divide;
mod relations;
mod replication;
mod snapshot;
mod spec;
pub mod types;

pub use connector::connector;
pub use spec::Spec;
