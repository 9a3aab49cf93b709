//! What the configuration says about the database.

use std::path::PathBuf;

use headwater_postgresql_client::{Place, Settings as Connect};
use headwater_sdk::spec::without_effect;
use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// Connections at once, where the spec does not say it.
const CONNECTIONS: usize = 4;
/// The fill factor, where the spec does not say it: room for a second version of every row, and some more.
const FILL: u32 = 45;

/// Where and how the PostgreSQL destination writes.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Where the database is: `postgresql://user@host:5432/database?sslmode=verify-full`, or `host=… dbname=…`.
    #[schemars(length(min = 1))]
    pub connection_string: String,
    /// The password, where it does not stand in the connection string.
    #[serde(default)]
    pub password: Option<String>,
    /// A file whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The schema that the tables are in; it must exist. By default the first that there is of the user's search path,
    /// mostly `public`.
    #[serde(default)]
    pub schema: Option<String>,
    /// Certificates in PEM of those who may certify the server, instead of those that the system trusts. Where they are
    /// named, the server is verified (`sslmode=verify-ca` at least), unless it says `sslmode=disable`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Seconds after which the server ends a statement. By default the server's own.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub statement_timeout: Option<u64>,
    /// Connections at once; by default 4.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub connections: Option<usize>,
    /// Hundredths of each page that are filled at first, in tables with a key that are created; by default 45. Every sync
    /// replaces all rows of such a table, and a new version of a row is cheap where it fits into the page of the old one.
    #[serde(default)]
    #[schemars(range(min = 10, max = 100))]
    pub fillfactor: Option<u32>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written in one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written in one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size_bytes: Option<u64>,
}

/// What is needed to write.
#[derive(Clone)]
pub struct Settings {
    /// How to connect.
    pub connect: Connect,
    /// The schema.
    pub schema: Option<String>,
    /// Connections at once.
    pub connections: usize,
    /// Hundredths of each page of a new table with a key that are filled at first.
    pub fill: u32,
    /// The place without the password.
    pub shown: String,
}

impl Spec {
    /// Reads the spec; nothing is connected to.
    pub fn settings(&self) -> Result<Settings> {
        without_effect([("batch_size", self.batch_size), ("batch_size_bytes", self.batch_size_bytes)])?;
        if self.connections == Some(0) {
            return Err(Error::fatal("`connections` must be at least 1"));
        }
        if self.fillfactor.is_some_and(|fill| !(10..=100).contains(&fill)) {
            return Err(Error::fatal("`fillfactor` must be from 10 to 100"));
        }
        let place = Place {
            connection_string: &self.connection_string,
            password: self.password.as_deref(),
            password_file: self.password_file.as_deref(),
            ca_file: self.ca_file.as_deref(),
            statement_timeout: self.statement_timeout,
        };
        let connect = place.settings()?;
        Ok(Settings {
            shown: connect.shown.clone(),
            connect,
            schema: self.schema.clone(),
            connections: self.connections.unwrap_or(CONNECTIONS),
            fill: self.fillfactor.unwrap_or(FILL),
        })
    }
}
