//! What the benchmarks have in common: figures with goals, what a process used, and the document that they are written
//! into.

// The figures are the output.
#![allow(clippy::print_stdout)]

pub mod document;
pub mod machine;
pub mod report;
pub mod usage;

pub use report::{Figures, Goal, Report, Unit};
pub use usage::Usage;
