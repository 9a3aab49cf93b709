//! What the specs of connectors and destinations have in common.

use std::path::Path;

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

/// The password of a spec's `password` or `password_file`, of which the first line counts; none where neither is there.
///
/// # Errors
/// If both are there, or the file cannot be read.
pub fn password(password: Option<&str>, file: Option<&Path>) -> Result<Option<String>> {
    match (password, file) {
        (Some(_), Some(_)) => Err(Error::fatal("`password_file` and `password` cannot both be there; leave one out")),
        (Some(password), None) => Ok(Some(password.to_owned())),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Error::fatal(format!("`password_file: {}` cannot be read: {error}", file.display()))
            })?;
            Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
        }
        (None, None) => Ok(None),
    }
}
