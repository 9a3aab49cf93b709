//! A local AWS for tests and the demo: moto's server, an estate to put into it, and the environment in which nothing
//! can reach a real account by mistake.
//!
//! The tests of this package run the real binary against it. They need a Python with moto, and the binary:
//! `cargo xtask test` prepares both and names them in [`PYTHON`] and [`BINARY`].

pub mod drivers;
pub mod environment;
pub mod headwater;
pub mod local_aws;
pub mod local_clickhouse;
pub mod local_postgresql;
mod output;
mod small_disk;
mod unsupported;

pub use environment::isolate;
pub use headwater::{Headwater, Run};
pub use local_aws::{LocalAws, Settings};
pub use local_clickhouse::LocalClickhouse;
pub use local_postgresql::LocalPostgresql;
pub use small_disk::SmallDisk;
pub use unsupported::unsupported;

/// The environment variable that names the Python interpreter of the tests.
pub const PYTHON: &str = "HEADWATER_TEST_PYTHON";

/// The environment variable that names the binary under test.
pub const BINARY: &str = "HEADWATER_TEST_BINARY";

/// The environment variable that names the library of DuckDB that the tests load.
pub const DUCKDB: &str = "HEADWATER_TEST_DUCKDB";

/// The account that moto takes every caller to be of who has not assumed a role elsewhere.
pub const ACCOUNT: &str = "123456789012";
