//! The runner: configuration, connectors, batches, destinations, and nothing else.
//!
//! A library, so that tests and benchmarks reach every part; the binary is [`cli::main`].

pub mod builtin;
mod causes;
pub mod chain;
pub mod check;
pub mod cli;
pub mod columns;
pub mod config;
pub mod init;
pub mod pipeline;
pub mod plan;
pub mod progress;
pub mod report;
pub mod schema;
pub mod shard;
pub mod state;
pub mod summary;
pub mod sync;
pub mod tables;
pub mod text;

/// Gives memory back that is not used any more; the system's allocator keeps several times the budget.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
