//! The real binary against a local AWS. `cargo xtask test` runs these.

// A test may panic where something is not as it has to be.
#![allow(clippy::unwrap_used)]

mod accounts;
mod again;
mod columns;
mod destinations;
mod engine;
mod failures;
mod parquet;
mod postgresql;
mod resume;
mod support;
mod tables;
