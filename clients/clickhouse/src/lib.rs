//! ClickHouse over its HTTP interface: settings, statements, errors, and what may be tried again.
//!
//! The destination and the source share it.

mod errors;
mod server;
mod settings;
pub mod sql;

pub use errors::{lost, of_source, passes, told};
pub use reqwest::Response;
pub use server::{Abilities, Server, Statement, Tries, Turn};
pub use settings::{Compression, Connection, Settings};
