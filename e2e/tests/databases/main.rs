//! The real binary against databases as sources. `cargo xtask test` runs these.

// A test may panic where something is not as it has to be.
#![allow(clippy::unwrap_used)]

mod cursors;
mod divided;
mod nasty;
mod replication;
mod support;
mod wrong;
