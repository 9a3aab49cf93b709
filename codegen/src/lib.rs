//! What a table is, read from Rust syntax: the model under the derive and under the generator.
//!
//! Two doors share it. [`expand`] turns an annotated struct into the impls of `#[derive(Table)]` and
//! `#[derive(Record)]`, at compile time. [`transcribe`] turns an API client's source into a service's `generated.rs`,
//! when `cargo xtask regenerate` asks for it. Both know only syntax: no Arrow, no API crate, no runtime.

pub mod attributes;
pub mod docs;
pub mod expand;
pub mod names;
pub mod paging;
pub mod service;
pub mod smithy;
pub mod source;
pub mod transcribe;

/// The crate whose traits are implemented by what is generated.
pub const SDK: &str = "headwater_sdk";
