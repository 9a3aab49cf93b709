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
use crate::chain::Chains;
use crate::sync::quarantine::Quarantine;

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
    /// What happens to a row that the destination does not take, because a value or a constraint of the table is in the
    /// way.
    #[serde(default)]
    pub rejected_rows: RejectedRows,
    /// What a table's key is: `default`, the key that the table's documentation shows.
    #[serde(default)]
    pub pk_mode: Option<PkMode>,
    /// Accepted as CloudQuery has it, but only `false`.
    #[serde(default)]
    pub send_sync_summary: Option<bool>,
    /// The names of the transformers that rows pass on their way here, one after the other.
    #[serde(default)]
    pub transformers: Vec<String>,
    /// The destination's own part.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub spec: serde::de::IgnoredAny,
}

/// What happens to a row that the destination does not take.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectedRows {
    /// Where such rows go; `fail` by default.
    #[serde(default)]
    pub to: RejectedTo,
    /// With `file`: the folder of the files, which are JSON Lines.
    #[serde(default)]
    pub path: Option<String>,
    /// With more such rows in one table of a unit, the unit fails all the same; 1000 by default.
    #[serde(default)]
    pub most: Option<u32>,
}

/// Where rows go that the destination does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RejectedTo {
    /// Nowhere: the first one fails its unit.
    #[default]
    Fail,
    /// To the table `headwater_rejected_rows` of the destination, with the reason.
    Table,
    /// To files in a folder, with the reason.
    File,
}

/// Rejected rows of a table of a unit, unless the configuration says otherwise.
const MOST_REJECTED: u32 = 1000;

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
const UNSUPPORTED_VALUES: [UnsupportedValue; 2] = [
    ("pk_mode", |node| node.text() == Some("cq-id-only"), "remove it: the key is the one in the table's documentation"),
    ("send_sync_summary", |node| node.text() == Some("true"), "remove it: `headwater sync --report FILE` writes one"),
];

/// A destination that is ready to be written to.
pub struct Destination {
    /// Its configuration.
    pub spec: DestinationSpec,
    /// The target; not connected yet.
    pub target: Arc<dyn SdkDestination>,
    /// Where the rows go that it does not take.
    pub quarantine: Option<Quarantine>,
    /// What becomes of tables on their way here, by name.
    pub chains: Chains,
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
    let target = match (&registry.stand_in, &spec) {
        (Some(stand_in), Some(spec)) => (stand_in.destination)(&spec.name),
        _ => document.make(builtin, owner, problems)?,
    };
    let spec = spec?;
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
    let quarantine = match quarantine(&spec, &target, registry.stand_in.is_some()) {
        Ok(quarantine) => quarantine,
        Err(problem) => {
            let span = node.entry("rejected_rows").map_or(owner, |entry| entry.span);
            problems.push(Problem::new(span, problem));
            return None;
        }
    };
    Some(Destination { spec, target, quarantine, chains: Chains::default() })
}

/// Where rows go that are not taken, or why they cannot go there.
fn quarantine(
    spec: &DestinationSpec,
    target: &Arc<dyn SdkDestination>,
    is_test: bool,
) -> Result<Option<Quarantine>, String> {
    let rejected = &spec.rejected_rows;
    let most = rejected.most.unwrap_or(MOST_REJECTED) as usize;
    match (rejected.to, &rejected.path) {
        (RejectedTo::Fail, None) if rejected.most.is_none() => Ok(None),
        (RejectedTo::Fail, _) => Err("`rejected_rows` has no `to`: say `to: table`, or `to: file`".to_owned()),
        (RejectedTo::Table, Some(_)) => Err("`rejected_rows.path` is for `to: file` only".to_owned()),
        (RejectedTo::Table, None) => match target.supports(WriteMode::Append) {
            Ok(()) => Ok(Some(Quarantine::new(Arc::clone(target), true, most))),
            Err(error) => Err(format!("`rejected_rows` cannot go to a table here: {error}; say `to: file`")),
        },
        (RejectedTo::File, None) => Err("`rejected_rows` has no `path`, which is the folder of its files".to_owned()),
        // Whoever tests sees them with the other rows.
        (RejectedTo::File, Some(_)) if is_test => Ok(Some(Quarantine::new(Arc::clone(target), true, most))),
        (RejectedTo::File, Some(path)) => {
            let spec = headwater_file::Spec {
                path: path.clone(),
                format: headwater_file::Format::Jsonl,
                ..headwater_file::Spec::default()
            };
            let files = headwater_file::destination(spec);
            let files = files.and_then(|files| files.supports(WriteMode::Append).map(|()| files));
            let files = files.map_err(|error| format!("`rejected_rows`: {error}"))?;
            Ok(Some(Quarantine::new(files.into(), false, most)))
        }
    }
}
