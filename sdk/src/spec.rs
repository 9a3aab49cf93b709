//! What the specs of connectors and destinations have in common.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A connector's or destination's own part of the configuration. Unknown keys must be errors: derive `Deserialize`
/// with `deny_unknown_fields`.
pub trait Spec: DeserializeOwned + schemars::JsonSchema + Send + 'static {}

impl<T: DeserializeOwned + schemars::JsonSchema + Send + 'static> Spec for T {}

/// Refuses a zero where a key is accepted from CloudQuery's configurations and has no effect.
pub fn without_effect(keys: [(&str, Option<u64>); 2]) -> Result<()> {
    match keys.iter().find(|(_, value)| *value == Some(0)) {
        Some((name, _)) => {
            Err(Error::fatal(format!("`{name}` must be at least 1; leave it out, it has no effect here")))
        }
        None => Ok(()),
    }
}
