//! The acceptance suite on a real server, which is read by its own protocol.
#![allow(clippy::unwrap_used)]

mod common;

use common::Postgresql;

headwater_sdk::acceptance!(Postgresql::start());
