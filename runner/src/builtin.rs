//! The connectors, destinations and transformers that are built in. To add one is one line in [`Registry::builtin`].

use std::sync::Arc;

use headwater_sdk::registry::Node as Table;
use headwater_sdk::spec::Spec;
use headwater_sdk::text::nearest;
use headwater_sdk::{Connector, Destination, Result, Transformer};
use schemars::{Schema, SchemaGenerator};

use crate::config::decode::{decode, hide_secrets};
use crate::config::diagnostic::Problem;
use crate::config::parse::{Node, Value};
use crate::config::text::Span;

/// The prefixes that a built-in's `path` may have: CloudQuery's team name, and ours.
const PREFIXES: [&str; 2] = ["cloudquery/", "headwater/"];

type Make<T> = Box<dyn Fn(&Node, Span, &mut Vec<Problem>) -> Option<Arc<T>> + Send + Sync>;

/// A connector, destination or transformer that is built in.
pub struct Builtin<T: ?Sized> {
    /// The name, which is its `path` in the configuration.
    pub name: &'static str,
    make: Make<T>,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl<T: ?Sized + 'static> Builtin<T> {
    /// A built-in, and how it is made from its own `spec`.
    pub fn new<S: Spec, P: Into<Arc<T>> + 'static>(name: &'static str, make: fn(S) -> Result<P>) -> Self {
        let make = move |node: &Node, owner: Span, problems: &mut Vec<Problem>| {
            let spec: S = decode(node, owner, &format!("the `spec` of {name}"), problems)?;
            make(spec).map(P::into).map_err(|error| problems.push(refused(node, owner, error.to_string()))).ok()
        };
        Self { name, make: Box::new(make), schema: SchemaGenerator::subschema_for::<S> }
    }

    /// Makes it from the node of its `spec`; `owner` is the place of the key. Without one there is a problem.
    pub fn make(&self, node: &Node, owner: Span, problems: &mut Vec<Problem>) -> Option<Arc<T>> {
        (self.make)(node, owner, problems)
    }

    /// Makes it from an empty `spec`, where it can be.
    pub fn make_default(&self) -> Option<Arc<T>> {
        let nothing = Node { id: 0, span: Span::default(), value: Value::Null };
        self.make(&nothing, Span::default(), &mut Vec::new())
    }

    /// The JSON schema of its `spec`.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }

    /// All values of `path` that mean it.
    pub fn paths(&self) -> Vec<String> {
        let prefixed = PREFIXES.iter().map(|prefix| format!("{prefix}{}", self.name));
        std::iter::once(self.name.to_owned()).chain(prefixed).collect()
    }
}

/// The problem of a `spec` that a built-in refuses for what it says. The key or value that the message names first, in
/// backquotes, is where it stands.
fn refused(node: &Node, owner: Span, mut message: String) -> Problem {
    let named = message.split('`').nth(1).and_then(|named| find_named(node, named));
    hide_secrets(node, false, &mut message);
    Problem::new(named.unwrap_or(owner), message)
}

fn find_named(node: &Node, named: &str) -> Option<Span> {
    let key = named.split(':').next().unwrap_or(named);
    match &node.value {
        Value::Scalar(scalar) => (scalar.text == named).then_some(node.span),
        Value::List(items) => items.iter().find_map(|item| find_named(item, named)),
        Value::Map(entries) => entries.iter().find_map(|entry| match entry.key == key {
            true => Some(entry.span),
            false => find_named(&entry.value, named),
        }),
        Value::Null => None,
    }
}

/// Makes a source of a name, which has the tables that the one in its place knows, or says why it cannot.
type SourceStandIn = dyn Fn(&str, &[Table]) -> Result<Arc<dyn Connector>, String>;

/// Makes a destination of a name.
type DestinationStandIn = dyn Fn(&str) -> Arc<dyn Destination>;

/// What takes the place of sources and destinations, by their own names, so that nothing is connected to. What their `spec`
/// says does not matter then.
pub struct StandIn {
    /// Of a source.
    pub source: Box<SourceStandIn>,
    /// Of a destination.
    pub destination: Box<DestinationStandIn>,
}

/// What `path` can name.
pub struct Registry {
    /// Connectors.
    pub sources: Vec<Builtin<dyn Connector>>,
    /// Destinations.
    pub destinations: Vec<Builtin<dyn Destination>>,
    /// Transformers.
    pub transformers: Vec<Builtin<dyn Transformer>>,
    /// What takes the place of sources and destinations, in a test of a pipeline.
    pub stand_in: Option<StandIn>,
}

impl Registry {
    /// What is built into this binary.
    pub fn builtin() -> Self {
        Self {
            sources: vec![
                #[cfg(feature = "aws")]
                Builtin::new("aws", headwater_aws::connector),
                Builtin::new("clickhouse", headwater_clickhouse_source::connector),
                Builtin::new("file", headwater_file_source::connector),
                Builtin::new("postgresql", headwater_postgresql_source::connector),
                Builtin::new("xkcd", headwater_xkcd::connector),
            ],
            destinations: vec![
                Builtin::new("adbc", headwater_adbc::destination),
                Builtin::new("clickhouse", headwater_clickhouse::destination),
                Builtin::new("duckdb", headwater_adbc::duckdb::destination),
                Builtin::new("file", headwater_file::destination),
                Builtin::new("postgresql", headwater_postgresql::destination),
                #[cfg(feature = "s3")]
                Builtin::new("s3", headwater_s3::destination),
                Builtin::new("sqlite", headwater_sqlite::destination),
            ],
            transformers: vec![
                Builtin::new("contract", headwater_transformers::contract),
                Builtin::new("flatten", headwater_transformers::flatten),
                Builtin::new("sql", headwater_adbc::sql::transformer),
            ],
            stand_in: None,
        }
    }

    /// The connector of a `path`.
    pub fn source(&self, path: &str) -> Option<&Builtin<dyn Connector>> {
        find(&self.sources, path)
    }

    /// The connector that a document's `path` names. Without one there is a problem.
    pub fn source_at(&self, path: &Node, problems: &mut Vec<Problem>) -> Option<&Builtin<dyn Connector>> {
        find_at(path, ("source", &self.sources), ("destination", &self.destinations), problems)
    }

    /// The destination that a document's `path` names. Without one there is a problem.
    pub fn destination_at(&self, path: &Node, problems: &mut Vec<Problem>) -> Option<&Builtin<dyn Destination>> {
        find_at(path, ("destination", &self.destinations), ("source", &self.sources), problems)
    }

    /// The transformer that a document's `path` names. Without one there is a problem.
    pub fn transformer_at(&self, path: &Node, problems: &mut Vec<Problem>) -> Option<&Builtin<dyn Transformer>> {
        find_at(path, ("transformer", &self.transformers), ("destination", &self.destinations), problems)
    }

    /// Every table of a connector, where it can be made without a `spec`.
    pub fn tables(builtin: &Builtin<dyn Connector>) -> Option<Vec<Table>> {
        builtin.make_default().map(|connector| connector.tables())
    }
}

fn find<'a, T: ?Sized + 'static>(builtins: &'a [Builtin<T>], path: &str) -> Option<&'a Builtin<T>> {
    let name = short(path);
    builtins.iter().find(|builtin| builtin.name == name)
}

/// A path without the prefix of a team.
fn short(path: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path)
}

/// What the `path` of a document names, or a problem. `builtins` are of its own kind, `others` of the other.
fn find_at<'a, T: ?Sized + 'static, O: ?Sized + 'static>(
    path: &Node,
    (noun, builtins): (&str, &'a [Builtin<T>]),
    (other, others): (&str, &[Builtin<O>]),
    problems: &mut Vec<Problem>,
) -> Option<&'a Builtin<T>> {
    let text = path.text()?;
    let found = find(builtins, text);
    if found.is_none() {
        let known: Vec<&str> = builtins.iter().map(|builtin| builtin.name).collect();
        let is_other = find(others, text).is_some();
        problems.push(unknown_path(path.span, text, noun, &known, is_other.then_some(other)));
    }
    found
}

/// The problem of a `path` that names nothing that is built in. `noun` is what it should name, `known` are the names
/// there are, and `other` is the kind that it is a name of, if any.
fn unknown_path(span: Span, path: &str, noun: &str, known: &[&str], other: Option<&str>) -> Problem {
    if let Some(other) = other {
        return Problem::new(span, format!("`{path}` is a {other}, not a {noun}"))
            .help(format!("say `kind: {other}`, or choose a {noun}: {}", known.join(", ")));
    }
    let problem = Problem::new(span, format!("there is no {noun} `{path}`"));
    // The nearest name is looked for with the team's name left out, whatever team that is.
    let base = path.rsplit('/').next().unwrap_or(path);
    match nearest(base, known.iter().copied()) {
        Some(nearest) => problem.nearest(Some(nearest)),
        None => problem.help(format!("built in are: {}", known.join(", "))),
    }
}
