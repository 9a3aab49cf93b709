//! `kind: destination`: where rows go, and what happens to those that are there already.

use std::sync::Arc;

use headwater_sdk::Destination as SdkDestination;
use headwater_sdk::WriteMode;
use headwater_sdk::destination::MigrateMode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::decode::decode;
use super::diagnostic::Problem;
use super::failure::missing_keys;
use super::registry_key::{RegistryName, refuse_plugin};
use super::{Document, UnsupportedValue};
use crate::builtin::Registry;

/// A destination: where rows go, and what happens to those that are there already.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationSpec {
    /// The destination's own name, by which sources refer to it.
    pub name: String,
    /// What it writes: the name of a built-in destination, such as `sqlite` or `cloudquery/sqlite`.
    pub path: String,
    /// Accepted as CloudQuery has it; what is built in needs no registry.
    #[serde(default)]
    pub registry: Option<RegistryName>,
    /// Accepted as CloudQuery has it; what is built in has the version of this program.
    #[serde(default)]
    pub version: Option<String>,
    /// What happens to rows that are there already.
    #[serde(default)]
    #[schemars(extend("default" = "overwrite-delete-stale"))]
    pub write_mode: WriteMode,
    /// What happens to a table that no longer fits.
    #[serde(default)]
    #[schemars(extend("default" = "safe"))]
    pub migrate_mode: MigrateMode,
    /// What a table's key is: `default`, the key that the table's documentation shows.
    #[serde(default)]
    pub pk_mode: Option<PkMode>,
    /// Accepted as CloudQuery has it, but only `false`.
    #[serde(default)]
    pub send_sync_summary: Option<bool>,
    /// Accepted as CloudQuery has it, but only when empty.
    #[serde(default)]
    pub transformers: Option<Vec<String>>,
    /// The destination's own part.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub spec: serde::de::IgnoredAny,
}

/// What a table's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PkMode {
    /// The key that the table's documentation shows.
    Default,
}

/// Keys of CloudQuery's that have a meaning which is not there yet, and what to do without them.
const UNSUPPORTED: [(&str, &str); 2] = [
    ("sync_group_id", "remove it: `_cq_sync_time` tells the rows of one sync from those of another"),
    ("docker_registry_auth_token", "remove it: only what is built in can be used"),
];

/// Values of CloudQuery's that have a meaning which is not there yet, and what to do without them.
const UNSUPPORTED_VALUES: [UnsupportedValue; 3] = [
    ("pk_mode", |node| node.text() == Some("cq-id-only"), "remove it: the key is the one in the table's documentation"),
    ("send_sync_summary", |node| node.text() == Some("true"), "remove it: `headwater sync --report FILE` writes one"),
    ("transformers", |node| !node.items().is_empty(), "remove it: rows are written as they are read"),
];

/// A destination that is ready to be written to.
pub struct Destination {
    /// Its configuration.
    pub spec: DestinationSpec,
    /// The target; not connected yet.
    pub target: Arc<dyn SdkDestination>,
}

/// Reads a document of `kind: destination`.
pub(super) fn read(document: &mut Document, registry: &Registry, problems: &mut Vec<Problem>) -> Option<Destination> {
    const WHAT: &str = "this destination";
    document.refuse_unsupported(&UNSUPPORTED, problems);
    document.refuse_unsupported_values(&UNSUPPORTED_VALUES, problems);
    let plugin = refuse_plugin(document, problems);
    let (owner, node) = document.spec(WHAT, problems)?;
    let spec: Option<DestinationSpec> = decode(node, owner, WHAT, problems);
    missing_keys(node, owner, &["name", "path"], WHAT, problems);
    let builtin = registry.destination_at(node.get("path").filter(|_| !plugin)?, problems)?;
    let (target, spec) = (document.make(builtin, owner, problems)?, spec?);
    if let Err(error) = target.supports(spec.write_mode) {
        let entry = node.entry("write_mode").or_else(|| node.entry("path"));
        let problem = Problem::new(entry.map_or(owner, |entry| entry.value.span), error.to_string());
        // Whoever left the key out does not know which mode this is about.
        problems.push(match node.entry("write_mode") {
            Some(_) => problem,
            None => problem.help(format!("`write_mode` is {} where it is not given", spec.write_mode.as_str())),
        });
        return None;
    }
    Some(Destination { spec, target })
}
