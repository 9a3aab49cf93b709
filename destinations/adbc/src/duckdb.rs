//! Destination duckdb: a DuckDB file, through the ADBC driver that DuckDB's own library is.

use std::path::PathBuf;

use headwater_sdk::spec::without_effect;
use headwater_sdk::{Destination, Result};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::connect::{Connect, DuckdbFile};
use crate::dialect::Dialect;
use crate::location::Location;
use crate::spec::Options;
use crate::target::Adbc;

/// Where and how the DuckDB destination writes.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The database file, such as `./cloud.duckdb`; `path` means the same. It is created where it does not exist; its
    /// folder must exist. Behind a question mark stand options: `./cloud.duckdb?threads=2`.
    #[serde(alias = "path")]
    #[schemars(length(min = 1))]
    pub connection_string: String,
    /// The library of DuckDB (`libduckdb.so`, `.dylib` or `duckdb.dll`), or the folder that it is in. By default the
    /// environment's HEADWATER_LIBDUCKDB, then beside the binary, then where the system has libraries.
    #[serde(default)]
    pub library: Option<PathBuf>,
    /// Options of DuckDB, such as `memory_limit: 2GB` and `threads: "4"`. By default DuckDB has a part of the run's
    /// memory.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub options: Options,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written in one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written in one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size_bytes: Option<u64>,
}

/// The destination that a spec describes. Nothing is loaded, opened or created yet.
pub fn destination(spec: Spec) -> Result<Box<dyn Destination>> {
    without_effect([("batch_size", spec.batch_size), ("batch_size_bytes", spec.batch_size_bytes)])?;
    let (location, more) = Location::parse(&spec.connection_string)?;
    let mut options = spec.options;
    for (key, value) in more {
        options.entry(key).or_insert_with(|| SecretString::from(value));
    }
    Ok(Box::new(Adbc::new(Connect {
        place: location.path().display().to_string(),
        driver: None,
        entrypoint: None,
        options,
        connection_options: Options::new(),
        dialect: Some(Dialect::Duckdb),
        file: Some(DuckdbFile { location, library: spec.library }),
    })))
}
