//! Source `postgresql`: tables of a PostgreSQL database.
//!
//! A table is read with `COPY (SELECT …) TO STDOUT (FORMAT binary)`, and the bytes of each field go straight into the
//! column that they are of.

pub mod catalog;
pub mod copy;
pub mod decode;
pub mod types;
