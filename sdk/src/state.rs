//! What is kept of a sync so that it can be continued: when it began, of which configuration it is, and which of its
//! units are done.

use std::collections::HashMap;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::error::{Class, Error, Result};
use crate::types::Timestamp;

/// A unit's id as it is kept: the first 16 bytes of its SHA-256, so that many units need little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnitHash(pub [u8; 16]);

impl UnitHash {
    /// Of a unit's id, such as `aws:aws_ec2_instances@123456789012/eu-west-1`.
    pub fn of(id: &str) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&Sha256::digest(id)[..16]);
        Self(first)
    }
}

/// A run that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedRun {
    /// The rows' `_cq_sync_time`.
    pub sync_time: Timestamp,
    /// What was configured, in short.
    pub fingerprint: String,
    /// The units that are done.
    pub units: Vec<UnitHash>,
}

/// Keeps the newest run of one configuration. A run that another process has begun since is never added to: then
/// [`StateStore::add`] is an error.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The run that is kept, if any; nothing is created to find out.
    async fn load(&self) -> Result<Option<SavedRun>>;

    /// Begins a run without units, in place of the one that is kept.
    async fn start(&self, sync_time: Timestamp, fingerprint: &str) -> Result<()>;

    /// Takes over the run that was loaded, by its time; an error where it is not there any more.
    async fn resume(&self, sync_time: Timestamp) -> Result<()>;

    /// Adds units that are done. What was added outlives the process when this returns.
    async fn add(&self, units: &[UnitHash]) -> Result<()>;

    /// Forgets the run.
    async fn clear(&self) -> Result<()>;

    /// How far units were read by this run and those before it, by the units' ids; nothing is created to find out.
    async fn checkpoints(&self) -> Result<HashMap<String, String>> {
        Ok(HashMap::new())
    }

    /// Keeps how far a unit was read, beyond the end of the run. It outlives the process when this returns.
    async fn reached(&self, unit: &str, checkpoint: &str) -> Result<()> {
        let _ = (unit, checkpoint);
        Err(Error::new(Class::Unsupported, "how far a table was read cannot be kept here; keep the state in a file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_hash_is_the_same_for_ever() {
        // Computed independently: printf %s aws:aws_ec2_instances@123456789012/eu-west-1 | sha256sum
        let hash = UnitHash::of("aws:aws_ec2_instances@123456789012/eu-west-1");
        assert_eq!(u128::from_be_bytes(hash.0), 0xdc5d6a1e0a1490a22686bf0800771191);
    }
}
