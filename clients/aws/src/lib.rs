//! What every client of AWS stands on, be it a connector's or a destination's: the HTTP client, and errors by class with
//! the permission that was missing.
//!
//! This crate turns on the superset of the client crates' shared features (see its Cargo.toml), so that adding a
//! client recompiles no other.

pub mod errors;
pub mod http;
mod permissions;
pub mod profile;
mod unverified;
