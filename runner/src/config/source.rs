//! `kind: source`: what is read, and where it goes.

use std::sync::Arc;

use headwater_sdk::{Class, Connector, Error, Selection, TableSchema, Undiscovered, Wrong};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::Document;
use super::decode::decode;
use super::diagnostic::Problem;
use super::failure::missing_keys;
use super::registry_key::{RegistryName, refuse_plugin};
use super::text::Span;
use crate::builtin::Registry;
use crate::columns::spec::{ColumnRule, RowRule};
use crate::columns::{Shapes, compile};
use crate::sync::panics::caught;
use headwater_sdk::registry::Node as Table;

/// A source: where rows come from, which tables are read, and where they go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// The source's own name; rows carry it as `_cq_source_name`.
    pub name: String,
    /// What it reads: the name of a built-in connector, such as `aws` or `cloudquery/aws`.
    pub path: String,
    /// Accepted as CloudQuery has it; what is built in needs no registry.
    #[serde(default)]
    pub registry: Option<RegistryName>,
    /// Accepted as CloudQuery has it; what is built in has the version of this program.
    #[serde(default)]
    pub version: Option<String>,
    /// The tables to read. `*` stands for any text: `aws_s3_*`.
    pub tables: Vec<String>,
    /// The tables to leave out, with all that hang from them. `*` stands for any text.
    #[serde(default)]
    pub skip_tables: Vec<String>,
    /// Whether tables that hang from another are left out unless they are named themselves.
    #[serde(default = "yes")]
    pub skip_dependent_tables: bool,
    /// The names of the destinations that the rows go to.
    pub destinations: Vec<String>,
    /// What becomes of columns: which are left out, renamed, hashed or redacted. What is known to hold secrets, such as
    /// user data, is redacted also without a rule.
    #[serde(default)]
    pub columns: Vec<ColumnRule>,
    /// The secret by which values are hashed, at least 16 characters: `${HASH_KEY}` or `${file:hash.key}`. The same
    /// value has the same hash wherever the key is the same.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub hash_key: Option<SecretString>,
    /// Which rows are written.
    #[serde(default)]
    pub rows: Vec<RowRule>,
    /// Accepted as CloudQuery has it, and without effect: `_cq_id` is always the same for the same key.
    #[serde(default)]
    pub deterministic_cq_id: Option<bool>,
    /// The connector's own part.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub spec: serde::de::IgnoredAny,
}

fn yes() -> bool {
    true
}

/// Keys of CloudQuery's that have a meaning which is not there yet, and what to do without them.
const UNSUPPORTED: [(&str, &str); 7] = [
    ("backend_options", "remove it: every table is read in full"),
    ("otel_endpoint", "remove it: `headwater sync --report FILE` writes what happened"),
    ("otel_endpoint_insecure", "remove it, together with `otel_endpoint`"),
    ("docker_registry_auth_token", "remove it: only what is built in can be used"),
    ("scheduler", "remove it: there is one scheduler"),
    ("backend", "remove it: every table is read in full"),
    ("backend_spec", "remove it: every table is read in full"),
];

/// A source that is ready to run.
pub struct Source {
    /// Its configuration.
    pub spec: SourceSpec,
    /// Where the rows come from; not connected yet.
    pub connector: Arc<dyn Connector>,
    /// All tables that it has, or that were found.
    pub all: Vec<Table>,
    /// The tables that are read, as the connector knows them.
    pub tables: Vec<Table>,
    /// What is done with their columns and rows.
    pub shapes: Arc<Shapes>,
}

impl Source {
    /// The tables as destinations see them, parents before their children.
    pub fn written(&self) -> impl Iterator<Item = Arc<TableSchema>> + '_ {
        self.tables.iter().flat_map(Table::flatten).map(|node| self.shapes.schema(&node.schema))
    }
}

impl SourceSpec {
    fn selection(&self) -> Selection {
        Selection {
            tables: self.tables.clone(),
            skip: self.skip_tables.clone(),
            skip_dependent: self.skip_dependent_tables,
        }
    }

    /// What becomes of columns and rows, as texts that are other texts where it is something else. Nothing where there
    /// are no rules. The key of hashes is in it.
    pub(super) fn rules(&self) -> Vec<String> {
        if self.columns.is_empty() && self.rows.is_empty() {
            return Vec::new();
        }
        let key = self.hash_key.as_ref().map_or("", |key| key.expose_secret());
        vec![json!([self.columns, self.rows]).to_string(), key.to_owned()]
    }
}

/// Reads a document of `kind: source`.
pub(super) fn read(document: &mut Document, registry: &Registry, problems: &mut Vec<Problem>) -> Option<Source> {
    const WHAT: &str = "this source";
    document.refuse_unsupported(&UNSUPPORTED, problems);
    if let Some(entry) = document.remove("concurrency") {
        let problem = Problem::new(entry.span, "`concurrency` does not belong here");
        problems.push(problem.help("put it into the connector's own `spec:`, one level further in"));
    }
    let plugin = refuse_plugin(document, problems);
    let (owner, node) = document.spec(WHAT, problems)?;
    let before = problems.len();
    let spec: Option<SourceSpec> = decode(node, owner, WHAT, problems);
    missing_keys(node, owner, &["name", "path", "tables", "destinations"], WHAT, problems);
    for (key, noun) in [("tables", "table"), ("destinations", "destination")] {
        let entry = node.entry(key).filter(|entry| entry.value.items().is_empty());
        if let Some(entry) = entry.filter(|_| problems.len() == before) {
            problems.push(Problem::new(entry.span, format!("`{key}` names no {noun}")));
        }
    }
    let builtin = registry.source_at(node.get("path").filter(|_| !plugin)?, problems)?;
    let connector = match (&registry.stand_in, &spec) {
        (Some(stand_in), Some(spec)) => {
            let known = Registry::tables(builtin).unwrap_or_default();
            let made = (stand_in.source)(&spec.name, &known);
            made.map_err(|message| problems.push(Problem::new(owner, message))).ok()
        }
        _ => document.make(builtin, owner, problems),
    };
    let spec = spec?;
    let selection = spec.selection();
    // With a wrong `spec:` the tables are still known, so misspelt ones are told at the same time.
    let tables = match &connector {
        Some(connector) => find_tables(document, &spec.name, connector, &selection, owner, problems)?,
        None => Registry::tables(builtin).unwrap_or_default(),
    };
    let selected = selection.apply(tables.clone());
    let before = problems.len();
    // In a test there need not be rows for all tables.
    if !tables.is_empty() && !spec.tables.is_empty() && registry.stand_in.is_none() {
        check_tables(document, &selection, &tables, &selected, builtin.name, problems);
    }
    let rules = compile::Source {
        spec: document.root.get("spec")?,
        file: &document.file,
        hash_key: spec.hash_key.as_ref(),
        all: &tables,
        selected: &selected,
    };
    // Where tables are misspelt or not known, it is not known either which columns there are.
    let shapes = match problems.len() == before && !tables.is_empty() {
        true => compile::compile(&rules, problems),
        false => Shapes::default(),
    };
    Some(Source { spec, connector: connector?, all: tables, tables: selected, shapes: Arc::new(shapes) })
}

/// The connector's tables, of which the source is asked where they are not known without it.
fn find_tables(
    document: &Document,
    name: &str,
    connector: &Arc<dyn Connector>,
    selection: &Selection,
    owner: Span,
    problems: &mut Vec<Problem>,
) -> Option<Vec<Table>> {
    let node = document.root.get("spec").and_then(|spec| spec.entry("spec"));
    let place = node.map_or(owner, |entry| entry.span);
    match ask(connector, selection) {
        Ok(tables) => return Some(tables),
        Err(Undiscovered::Failed(error)) => {
            let mut problem =
                Problem::new(place, format!("the tables of the source `{name}` cannot be found: {error}"));
            problem.failure = true;
            problems.push(problem);
        }
        Err(Undiscovered::Wrong(wrongs)) => {
            for Wrong { at, message, help } in wrongs {
                let span = node.map_or(owner, |entry| entry.value.place(&at).unwrap_or(entry.span));
                let problem = Problem::new(span, message);
                problems.push(match help {
                    Some(help) => problem.help(help),
                    None => problem,
                });
            }
        }
    }
    None
}

/// Asks on a thread and a runtime of its own: a configuration is read wherever it is wanted.
fn ask(connector: &Arc<dyn Connector>, selection: &Selection) -> Result<Vec<Table>, Undiscovered> {
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::fatal(format!("a thread cannot be started: {error}")))?;
        runtime.block_on(caught(Class::Fatal, connector.discover(selection)))?
    };
    std::thread::scope(|scope| match scope.spawn(ask).join() {
        Ok(found) => found,
        Err(_) => Err(Error::fatal("the tables could not be found: the connector panicked").into()),
    })
}

fn check_tables(
    document: &Document,
    selection: &Selection,
    tables: &[Table],
    selected: &[Table],
    connector: &str,
    problems: &mut Vec<Problem>,
) {
    let Some(node) = document.root.get("spec") else { return };
    let unmatched = selection.unmatched(tables);
    for unmatched in &unmatched {
        let key = if unmatched.skip { "skip_tables" } else { "tables" };
        let items = node.get(key).map(|list| list.items()).unwrap_or_default();
        let Some(item) = items.iter().find(|item| item.text() == Some(unmatched.pattern.as_str())) else { continue };
        let noun = if unmatched.pattern.contains('*') { "no table fits" } else { "there is no table" };
        let problem = Problem::new(item.span, format!("{noun} `{}`", unmatched.pattern));
        problems.push(match &unmatched.nearest {
            Some(nearest) => problem.nearest(Some(nearest)),
            None => problem.help(format!("`headwater tables {connector}` lists them all")),
        });
    }
    if unmatched.is_empty() && selected.is_empty() {
        let span = node.entry("skip_tables").or_else(|| node.entry("tables")).map_or(node.span, |entry| entry.span);
        problems.push(Problem::new(span, "no table is left to read").help("`skip_tables` leaves out all of `tables`"));
    }
}
