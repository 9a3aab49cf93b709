//! What the configuration says about a database with any driver.

use std::collections::BTreeMap;
use std::path::PathBuf;

use headwater_sdk::spec::without_effect;
use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::connect::Connect;
use crate::dialect::Dialect;

/// Options of a driver by name. Their values may be secrets, and are never shown.
pub type Options = BTreeMap<String, SecretString>;

/// Where and how the ADBC destination writes.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The driver: the path of its shared library or of its manifest (`.toml`), or its name, by which a manifest or a
    /// library is looked for as all programs with ADBC do: in ADBC_DRIVER_PATH, the user's and the system's folders.
    #[schemars(length(min = 1))]
    pub driver: String,
    /// The function of the library that begins with it, where its name cannot be told from that of the library.
    #[serde(default)]
    pub entrypoint: Option<String>,
    /// Options of the database, such as `uri`, `username` and `password`, as the driver documents them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub options: Options,
    /// Options of the connection, such as `adbc.connection.db_schema`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub connection_options: Options,
    /// Whose SQL the database speaks, where the driver does not tell: `duckdb`, `postgresql` or `sqlite`.
    #[serde(default)]
    pub dialect: Option<Dialect>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written in one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written in one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size_bytes: Option<u64>,
}

impl Spec {
    /// How the database is reached; nothing is loaded or connected to.
    pub(crate) fn connect(self) -> Result<Connect> {
        if self.driver.trim().is_empty() {
            return Err(Error::fatal(
                "`driver` is empty; name a driver, such as /usr/lib/libadbc_driver_sqlite.so or postgresql",
            ));
        }
        without_effect([("batch_size", self.batch_size), ("batch_size_bytes", self.batch_size_bytes)])?;
        let name = PathBuf::from(&self.driver);
        let place = name.file_stem().map_or_else(|| self.driver.clone(), |stem| stem.to_string_lossy().into_owned());
        Ok(Connect {
            place,
            driver: Some(self.driver),
            entrypoint: self.entrypoint,
            options: self.options,
            connection_options: self.connection_options,
            dialect: self.dialect,
            file: None,
        })
    }
}
