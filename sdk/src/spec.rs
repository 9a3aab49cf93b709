//! What the specs of connectors and destinations have in common.

use serde::de::DeserializeOwned;

/// A connector's or destination's own part of the configuration. Unknown keys must be errors: derive `Deserialize`
/// with `deny_unknown_fields`.
pub trait Spec: DeserializeOwned + schemars::JsonSchema + Send + 'static {}

impl<T: DeserializeOwned + schemars::JsonSchema + Send + 'static> Spec for T {}
