//! The acceptance suite on the real thing: see `common`.
#![allow(clippy::unwrap_used)]

mod common;

headwater_sdk::acceptance!(common::postgresql::Postgresql::start());
