//! What the configuration says about changes.

use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// How changes are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplicationSpec {
    /// The replication slot, by which the server keeps what has not been read yet. It is this source's alone.
    #[schemars(length(min = 1, max = 63))]
    pub slot: String,
    /// The publication, whose tables are read.
    #[schemars(length(min = 1, max = 63))]
    pub publication: String,
    /// Whether the slot and the publication are made where they are not there, and tables that are read are added to the
    /// publication.
    #[serde(default)]
    pub create: bool,
    /// A sync ends behind the transaction with which it has read so many changes.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_changes: Option<i32>,
    /// A sync reads so many bytes of the server's log at most, and the transaction that they end in.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_bytes: Option<u64>,
    /// How many bytes of the server's log the slot may hold back. Where it still holds back more after a sync, the sync
    /// fails, though what it has read stays; and so does `headwater check`.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_lag: Option<u64>,
}

impl ReplicationSpec {
    /// What can be told to be wrong without a connection.
    ///
    /// # Errors
    /// If anything is.
    pub fn check(&self) -> Result<()> {
        let letters = |text: &str| text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if self.slot.is_empty() || self.slot.len() > 63 || !letters(&self.slot) {
            return Err(Error::fatal("`slot` must be a name of small letters, digits and `_`, of at most 63"));
        }
        if self.publication.is_empty() || self.publication.len() > 63 || self.publication.contains('\0') {
            return Err(Error::fatal("`publication` must be a name of at most 63 bytes"));
        }
        if self.max_changes.is_some_and(|most| most < 1) || self.max_bytes == Some(0) || self.max_lag == Some(0) {
            return Err(Error::fatal("`max_changes`, `max_bytes` and `max_lag` must be at least 1"));
        }
        Ok(())
    }
}
