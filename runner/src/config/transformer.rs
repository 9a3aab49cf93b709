//! `kind: transformer`: what becomes of tables between a source and the destinations that name it.

use std::sync::Arc;

use headwater_sdk::Transformer as SdkTransformer;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Document;
use super::decode::decode;
use super::diagnostic::Problem;
use super::failure::missing_keys;
use super::registry_key::{RegistryName, refuse_plugin};
use crate::builtin::Registry;

/// A transformer: what becomes of tables between a source and the destinations that name it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformerSpec {
    /// The transformer's own name, by which destinations refer to it.
    pub name: String,
    /// What it does: the name of a built-in transformer, such as `contract`.
    pub path: String,
    /// Accepted as CloudQuery has it; what is built in needs no registry.
    #[serde(default)]
    pub registry: Option<RegistryName>,
    /// Accepted as CloudQuery has it; what is built in has the version of this program.
    #[serde(default)]
    pub version: Option<String>,
    /// The tables that it is for; without it, all tables. `*` stands for any text: `shop_*`.
    #[serde(default)]
    pub tables: Option<Vec<String>>,
    /// The transformer's own part.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub spec: serde::de::IgnoredAny,
}

/// A transformer that is ready to be asked.
pub struct Transformer {
    /// Its configuration.
    pub spec: TransformerSpec,
    /// What it is.
    pub made: Arc<dyn SdkTransformer>,
    /// All that is said of it, as a text that is another where something else is said.
    pub text: String,
}

/// Reads a document of `kind: transformer`.
pub(super) fn read(document: &mut Document, registry: &Registry, problems: &mut Vec<Problem>) -> Option<Transformer> {
    const WHAT: &str = "this transformer";
    let token = ("docker_registry_auth_token", "remove it: only what is built in can be used");
    document.refuse_unsupported(&[token], problems);
    let plugin = refuse_plugin(document, problems);
    let (owner, node) = document.spec(WHAT, problems)?;
    let before = problems.len();
    let spec: Option<TransformerSpec> = decode(node, owner, WHAT, problems);
    missing_keys(node, owner, &["name", "path"], WHAT, problems);
    let named = node.entry("tables").filter(|entry| entry.value.items().is_empty());
    if let Some(entry) = named.filter(|_| problems.len() == before) {
        let problem = Problem::new(entry.span, "`tables` names no table");
        problems.push(problem.help("leave it out where the transformer is for all tables"));
    }
    let builtin = registry.transformer_at(node.get("path").filter(|_| !plugin)?, problems)?;
    let made = document.make(builtin, owner, problems)?;
    Some(Transformer { spec: spec?, made, text: node.to_text() })
}
