//! The configuration: CloudQuery's YAML, read strictly, with every mistake told at its place.

pub mod decode;
pub mod destination;
pub mod diagnostic;
pub mod failure;
pub mod interpolate;
pub mod parse;
mod references;
mod registry_key;
mod scalar;
pub mod source;
pub mod text;
mod transform;
pub mod transformer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::builtin::{Builtin, Registry};
use crate::state::key::fingerprint;
use destination::Destination;
use diagnostic::{Diagnostic, Diagnostics, Problem};
use headwater_sdk::WriteMode;
use interpolate::Variables;
use parse::{Entry, Node, Value};
use source::Source;
use text::{File, Span, is_secret_value};
use transformer::Transformer;

/// What is to be synced.
pub struct Configuration {
    /// The files that it was read from, as the user wrote them or as they were found in a folder.
    pub files: Vec<String>,
    /// The sources in the files' order.
    pub sources: Vec<Source>,
    /// The destinations in the files' order.
    pub destinations: Vec<Destination>,
    /// The transformers in the files' order.
    pub transformers: Vec<Transformer>,
}

/// Reads files and folders. Nothing is connected to and nothing is written.
pub fn load(paths: &[PathBuf], registry: &Registry, variables: Variables<'_>) -> Result<Configuration, Diagnostics> {
    let mut found = Diagnostics::default();
    let mut documents = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        match expand(path) {
            Ok(expanded) => files.extend(expanded),
            Err(diagnostic) => found.0.push(diagnostic),
        }
    }
    for (order, path) in files.iter().enumerate() {
        documents.extend(open(path, order, variables, &mut found));
    }
    let unread = !found.0.is_empty() || documents.iter().any(|document| !document.problems.is_empty());
    let mut sources = Vec::new();
    let mut destinations = Vec::new();
    let mut transformers = Vec::new();
    for document in &mut documents {
        let mut problems = std::mem::take(&mut document.problems);
        document.kind = document.find_kind(&mut problems);
        match document.kind {
            Some(Kind::Transformer) => transformers.extend(transformer::read(document, registry, &mut problems)),
            Some(Kind::Source) => sources.extend(source::read(document, registry, &mut problems)),
            Some(Kind::Destination) => destinations.extend(destination::read(document, registry, &mut problems)),
            None => {}
        }
        document.hide_unknown(&problems);
        found.0.extend(document.diagnostics(problems));
    }
    references::check(&documents, unread, &mut found);
    if found.0.is_empty() {
        references::check_tables(&documents, &sources, &mut found);
        references::check_modes(&documents, &sources, &destinations, &mut found);
        references::check_removals(&documents, &sources, &destinations, &mut found);
    }
    if found.0.is_empty() {
        transform::resolve(&documents, &sources, &mut destinations, &transformers, &mut found);
    }
    if !found.0.is_empty() {
        found.0.sort_by_key(Diagnostic::order);
        return Err(found);
    }
    let files = files.iter().map(|path| path.display().to_string()).collect();
    Ok(Configuration { files, sources, destinations, transformers })
}

impl Configuration {
    /// Whether only new rows of a table are read, and added to what a destination has.
    pub fn adds_what_is_new(&self) -> bool {
        let adds = |name: &String| {
            let mut destinations = self.destinations.iter();
            destinations.any(|of| of.spec.name == *name && of.spec.write_mode == WriteMode::Append)
        };
        self.sources.iter().any(|source| {
            source.spec.destinations.iter().any(adds)
                && source.written().any(|table| table.columns.iter().any(|column| column.incremental))
        })
    }

    /// In short, what a resumed sync must have in common with the one that was interrupted: the sources, their tables,
    /// what becomes of columns and rows, and where they go. Accounts, credentials and limits may change.
    pub fn fingerprint(&self) -> String {
        let rules: Vec<Vec<String>> = self.sources.iter().map(|source| source.spec.rules()).collect();
        let mut texts = Vec::new();
        for (source, rules) in self.sources.iter().zip(&rules) {
            texts.extend([&source.spec.name, &source.spec.path].map(String::as_str));
            texts.extend(rules.iter().map(String::as_str));
            texts.extend(
                source
                    .tables
                    .iter()
                    .flat_map(headwater_sdk::registry::Node::flatten)
                    .map(|table| table.schema.name.as_str()),
            );
            texts.extend(source.spec.destinations.iter().map(String::as_str));
        }
        for destination in &self.destinations {
            let spec = &destination.spec;
            texts.extend([spec.name.as_str(), &spec.path, spec.write_mode.as_str()]);
            texts.extend(spec.transformers.iter().map(String::as_str));
        }
        texts.extend(self.transformers.iter().map(|transformer| transformer.text.as_str()));
        fingerprint(texts)
    }
}

/// The files of a path: itself, or what a folder holds.
fn expand(path: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let shown = path.display();
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
        .map_err(|error| Diagnostic::plain(format!("{shown}: the folder cannot be read: {error}")))?;
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .filter(|path| {
            let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            !hidden && path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml") && path.is_file()
        })
        .collect();
    if files.is_empty() {
        return Err(Diagnostic::plain(format!("{shown}: there are no *.yml or *.yaml files in the folder")));
    }
    files.sort();
    Ok(files)
}

/// The documents of a file, with references replaced.
fn open(path: &Path, order: usize, variables: Variables<'_>, found: &mut Diagnostics) -> Vec<Document> {
    let name = path.display().to_string();
    let text = match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            found.0.push(Diagnostic::plain(format!("{name}: the file is not UTF-8 text")));
            return Vec::new();
        }
        Err(error) => {
            let diagnostic = Diagnostic::plain(format!("{name}: the file cannot be read: {error}"));
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            let help = "`headwater init aws` writes a configuration to start from";
            found.0.push(if missing { diagnostic.help(help) } else { diagnostic });
            return Vec::new();
        }
    };
    // Some editors put a byte order mark first; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let file = Arc::new(File { name, text, order });
    let trees = match parse::parse(&file) {
        Ok(trees) => trees,
        Err(problem) => {
            found.0.push(Diagnostic::new(&file, &Arc::default(), problem));
            return Vec::new();
        }
    };
    if trees.is_empty() {
        let help = "`headwater init aws` writes a configuration to start from";
        found.0.push(Diagnostic::plain(format!("{}: the file is empty", file.name)).help(help));
    }
    // The places of values that are never shown.
    let mut secrets = Vec::new();
    for tree in &trees {
        // A reference is no secret: what it stands for is.
        tree.scalars(false, &mut |span, scalar, by_key| {
            if (by_key && !scalar.text.contains("${")) || is_secret_value(&scalar.text) {
                secrets.push(span);
            }
        });
    }
    let secrets = Arc::new(secrets);
    let mut documents = Vec::new();
    for mut root in trees {
        let mut problems = Vec::new();
        interpolate::interpolate(&mut root, &file, variables, &mut problems);
        let (file, secrets) = (Arc::clone(&file), Arc::clone(&secrets));
        documents.push(Document { file, secrets, root, kind: None, problems });
    }
    documents
}

/// A value with a meaning that is not there yet: the key, whether a value is one, and what to do without it.
type UnsupportedValue = (&'static str, fn(&Node) -> bool, &'static str);

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Source,
    Destination,
    Transformer,
}

impl Kind {
    /// The word of the configuration.
    fn noun(self) -> &'static str {
        match self {
            Kind::Source => "source",
            Kind::Destination => "destination",
            Kind::Transformer => "transformer",
        }
    }
}

/// One document of a file.
struct Document {
    file: Arc<File>,
    secrets: Arc<Vec<Span>>,
    root: Node,
    kind: Option<Kind>,
    /// What was found wrong with its references.
    problems: Vec<Problem>,
}

impl Document {
    fn diagnostics(&self, mut problems: Vec<Problem>) -> Vec<Diagnostic> {
        // A value that carries a password may be told where a name was expected.
        self.root.scalars(false, &mut |_, scalar, _| {
            if is_secret_value(&scalar.text) {
                let shown = scalar.written.as_deref().unwrap_or("***");
                for problem in &mut problems {
                    for text in [Some(&mut problem.message), problem.help.as_mut()].into_iter().flatten() {
                        *text = text.replace(&scalar.text, shown);
                    }
                }
            }
        });
        problems.into_iter().map(|problem| Diagnostic::new(&self.file, &self.secrets, problem)).collect()
    }

    /// Keeps what stands behind unknown keys out of all messages: a misspelt key may be that of a secret.
    fn hide_unknown(&mut self, problems: &[Problem]) {
        let unknown: Vec<Span> =
            problems.iter().filter(|problem| problem.unknown_key).map(|problem| problem.span).collect();
        let secrets = Arc::make_mut(&mut self.secrets);
        self.root.entries_below(&mut |entry| {
            if unknown.contains(&entry.span) {
                // A reference is no secret here either.
                entry.value.scalars(true, &mut |span, scalar, _| {
                    if scalar.written.is_none() && !scalar.broken {
                        secrets.push(span);
                    }
                });
            }
        });
    }

    fn find_kind(&self, problems: &mut Vec<Problem>) -> Option<Kind> {
        const KINDS: [&str; 3] = ["source", "destination", "transformer"];
        const SHAPE: &str =
            "a document has two keys: `kind: source`, `kind: destination` or `kind: transformer`, and `spec:`";
        if !matches!(self.root.value, Value::Map(_)) {
            problems.push(Problem::new(self.root.span, "expected keys and values").help(SHAPE));
            return None;
        }
        for entry in self.root.entries().iter().filter(|entry| entry.key != "kind" && entry.key != "spec") {
            problems.push(failure::unknown_key(&entry.key, &["kind", "spec"], entry.span));
        }
        let Some(kind) = self.root.entry("kind") else {
            let first = self.root.entries().first().map_or(self.root.span, |entry| entry.span);
            problems.push(Problem::new(first, "the key `kind` is missing in this document").help(SHAPE));
            return None;
        };
        let span = kind.value.span;
        match kind.value.text() {
            Some("source") => Some(Kind::Source),
            Some("destination") => Some(Kind::Destination),
            Some("transformer") => Some(Kind::Transformer),
            Some(other) => {
                problems.push(failure::unknown("kind", &format!("`{other}`"), other, &KINDS, span));
                None
            }
            None => {
                problems.push(Problem::new(kind.span, "`kind` must be `source`, `destination` or `transformer`"));
                None
            }
        }
    }

    /// The document's `spec`, with the place of its key.
    fn spec(&self, what: &str, problems: &mut Vec<Problem>) -> Option<(Span, &Node)> {
        match self.root.entry("spec") {
            Some(entry) => Some((entry.span, &entry.value)),
            None => {
                let kind = self.root.entry("kind").map_or(self.root.span, |entry| entry.span);
                problems.push(failure::missing(kind, "spec", what));
                None
            }
        }
    }

    /// Makes the built-in from the `spec` within the document's `spec`.
    fn make<T: ?Sized + 'static>(
        &self,
        builtin: &Builtin<T>,
        owner: Span,
        problems: &mut Vec<Problem>,
    ) -> Option<Arc<T>> {
        match self.root.get("spec").and_then(|spec| spec.entry("spec")) {
            Some(Entry { span, value, .. }) => builtin.make(value, *span, problems),
            None => builtin.make(&Node { id: usize::MAX, span: owner, value: Value::Null }, owner, problems),
        }
    }

    /// Refuses keys that mean something which is not there yet.
    fn refuse_unsupported(&mut self, keys: &[(&str, &str)], problems: &mut Vec<Problem>) {
        for (key, help) in keys {
            if let Some(entry) = self.remove(key) {
                problems.push(Problem::new(entry.span, format!("`{key}` is not supported yet")).help(*help));
            }
        }
    }

    /// Refuses values that mean something which is not there yet.
    fn refuse_unsupported_values(&mut self, values: &[UnsupportedValue], problems: &mut Vec<Problem>) {
        for (key, unsupported, help) in values {
            if self.root.get("spec").and_then(|spec| spec.get(key)).is_some_and(unsupported)
                && let Some(entry) = self.remove(key)
            {
                let value = entry.value.text().map(|text| format!(": {text}")).unwrap_or_default();
                problems.push(Problem::new(entry.span, format!("`{key}{value}` is not supported yet")).help(*help));
            }
        }
    }

    /// Takes a key out of the document's `spec`.
    fn remove(&mut self, key: &str) -> Option<Entry> {
        let Value::Map(entries) = &mut self.root.value else { return None };
        let Value::Map(entries) = &mut entries.iter_mut().find(|entry| entry.key == "spec")?.value.value else {
            return None;
        };
        let index = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(index))
    }

    /// The name within the document's `spec`.
    fn name(&self) -> Option<&Node> {
        self.root.get("spec")?.get("name")
    }
}
