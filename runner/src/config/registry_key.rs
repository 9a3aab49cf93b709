//! `registry:`: CloudQuery's key for where a plugin comes from. What is built in comes from nowhere.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Document;
use super::diagnostic::Problem;

/// A registry that names what is built in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RegistryName {
    /// CloudQuery's own.
    Cloudquery,
    /// CloudQuery's former one.
    Github,
}

/// Whether the document asks for a plugin; that is a problem, and what else its `path` says does not matter then.
pub(super) fn refuse_plugin(document: &mut Document, problems: &mut Vec<Problem>) -> bool {
    let node = document.root.get("spec").and_then(|spec| spec.get("registry"));
    let Some((text, span)) = node.and_then(|node| Some((node.text()?, node.span))) else { return false };
    if !["grpc", "local", "docker"].contains(&text) {
        return false;
    }
    problems.push(
        Problem::new(span, format!("plugins are not supported yet, and `registry: {text}` asks for one"))
            .help("remove `registry`, and let `path` name what is built in"),
    );
    document.remove("registry");
    true
}
