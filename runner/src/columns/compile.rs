//! `columns` and `rows` of a source and the tables that it reads, into the shapes of those tables; with every mistake at
//! its place.

use std::collections::HashSet;
use std::ops::Range;

use headwater_sdk::Fixed;
use headwater_sdk::registry::Node as Table;
use headwater_sdk::selection::matches;
use headwater_sdk::text::nearest;
use secrecy::{ExposeSecret, SecretString};

use super::Shapes;
use super::change::Nowhere;
use super::draft::{Draft, Within};
use super::filter::bind::bind;
use super::filter::parse::parse;
use super::hash::Hasher;
use super::path::Target;
use super::rewrite::Act;
use super::secrets::Keep;
use crate::config::diagnostic::Problem;
use crate::config::parse::{Entry, Node, Value};
use crate::config::text::{File, Span};

/// What is known when a source's rules are read.
pub struct Source<'a> {
    /// The `spec` of the document, which could be read.
    pub spec: &'a Node,
    /// The file that it stands in.
    pub file: &'a File,
    /// The key of hashes.
    pub hash_key: Option<&'a SecretString>,
    /// The connector's tables.
    pub all: &'a [Table],
    /// Those of them that are read.
    pub selected: &'a [Table],
}

/// The lists of a rule, but `tables`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Select,
    Exclude,
    Hash,
    Redact,
}

impl List {
    fn act(self) -> Option<Act> {
        match self {
            List::Hash => Some(Act::Hash),
            List::Redact => Some(Act::Redact),
            List::Select | List::Exclude => None,
        }
    }

    fn done(self) -> &'static str {
        match self {
            List::Select => "selected",
            List::Exclude => "excluded",
            List::Hash => "hashed",
            List::Redact => "redacted",
        }
    }
}

/// Reads the rules. Where there are problems, the shapes are of no use.
pub fn compile(source: &Source<'_>, problems: &mut Vec<Problem>) -> Shapes {
    let drafts = source.selected.iter().flat_map(Table::flatten).map(|node| Draft::new(&node.schema)).collect();
    let mut compiler = Compiler { source, drafts, keeps: Vec::new(), redacted: Vec::new(), problems };
    let hasher = compiler.hasher();
    for rule in source.spec.get("columns").map(Node::items).unwrap_or_default() {
        compiler.column_rule(rule);
    }
    for rule in source.spec.get("rows").map(Node::items).unwrap_or_default() {
        compiler.row_rule(rule);
    }
    compiler.redact_secrets();
    compiler.check_keeps();
    compiler.hash_ids();
    let Compiler { drafts, redacted, problems, .. } = compiler;
    let mut shapes = Shapes { redacted, ..Shapes::default() };
    for draft in drafts {
        let name = draft.table.name.clone();
        if let Some(shape) = draft.finish(hasher.as_ref(), problems) {
            shapes.by_table.insert(name, shape.into());
        }
    }
    shapes
}

/// What is found out while rules are read.
pub(super) struct Compiler<'a, 'b> {
    source: &'b Source<'a>,
    /// The tables that are read.
    pub(super) drafts: Vec<Draft<'a>>,
    /// What is asked for though it is known to hold secrets.
    pub(super) keeps: Vec<Keep<'a>>,
    /// What is redacted because it is known to hold secrets.
    pub(super) redacted: Vec<String>,
    /// What is wrong.
    pub(super) problems: &'b mut Vec<Problem>,
}

/// What may be shown of a text: not what a variable holds.
pub(super) fn shown(node: &Node) -> &str {
    match &node.value {
        Value::Scalar(scalar) => scalar.written.as_deref().unwrap_or(&scalar.text),
        _ => "",
    }
}

/// Whether a text comes from a variable, so that nothing of it may be shown.
fn is_hidden(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.written.is_some())
}

impl<'a> Compiler<'a, '_> {
    /// The place of a part of a text.
    fn place(&self, node: &Node, at: &Range<usize>) -> Span {
        match node.text() {
            Some(text) if !is_hidden(node) => self.source.file.within(node.span, text, at),
            _ => node.span,
        }
    }

    fn hasher(&mut self) -> Option<Hasher> {
        let rules = self.source.spec.get("columns").map(Node::items).unwrap_or_default();
        let first = rules.iter().find_map(|rule| rule.entry("hash").filter(|entry| !entry.value.items().is_empty()));
        let key_at = self.source.spec.entry("hash_key").map(|entry| entry.span);
        const HELP: &str = "a key is a secret of at least 16 characters, such as `openssl rand -hex 32` writes";
        match (self.source.hash_key, first) {
            (Some(key), _) if key.expose_secret().len() < Hasher::SHORTEST_KEY => {
                let span = key_at.unwrap_or(self.source.spec.span);
                self.problems.push(Problem::new(span, "`hash_key` is too short: it could be guessed").help(HELP));
                None
            }
            (Some(key), _) => Hasher::new(key).ok(),
            (None, Some(entry)) => {
                let problem = Problem::new(entry.span, "`hash` needs a key: `hash_key` is missing in this source");
                self.problems.push(problem.help(format!("add `hash_key: ${{HASH_KEY}}`; {HELP}")));
                None
            }
            (None, None) => None,
        }
    }

    /// The tables that a rule is for.
    fn tables(&mut self, rule: &'a Node) -> Vec<usize> {
        let Some(entry) = rule.entry("tables").filter(|entry| !matches!(entry.value.value, Value::Null)) else {
            return (0..self.drafts.len()).collect();
        };
        if entry.value.items().is_empty() {
            let problem = Problem::new(entry.span, "`tables` names no table");
            self.problems.push(problem.help("name some, or leave the key out where the rule is for all of them"));
        }
        let mut found = HashSet::new();
        for item in entry.value.items() {
            let Some(pattern) = item.text() else { continue };
            let before = found.len();
            let fitting = |(index, draft): (usize, &Draft<'_>)| matches(pattern, &draft.table.name).then_some(index);
            let fits: Vec<usize> = self.drafts.iter().enumerate().filter_map(fitting).collect();
            if fits.is_empty() && before == found.len() {
                let problem = self.unmatched_table(item, pattern);
                self.problems.push(problem);
            }
            found.extend(fits);
        }
        let mut found: Vec<usize> = found.into_iter().collect();
        found.sort_unstable();
        found
    }

    fn unmatched_table(&self, item: &Node, pattern: &str) -> Problem {
        let shown = shown(item);
        let all = || self.source.all.iter().flat_map(Table::flatten).map(|node| node.schema.name.as_str());
        if all().any(|name| matches(pattern, name)) {
            return Problem::new(item.span, format!("this source does not read `{shown}`"))
                .help("a rule is for tables that `tables` of the source selects");
        }
        let noun = if pattern.contains('*') { "no table fits" } else { "there is no table" };
        let read = self.drafts.iter().map(|draft| draft.table.name.as_str());
        Problem::new(item.span, format!("{noun} `{shown}`")).nearest(nearest(pattern, read))
    }

    fn column_rule(&mut self, rule: &'a Node) {
        let tables = self.tables(rule);
        if rule.entries().iter().all(|entry| entry.key == "tables") {
            let problem = Problem::new(rule.span, "this rule says nothing");
            self.problems
                .push(problem.help("it may `select`, `exclude`, `rename`, `hash`, `redact` and `keep` columns"));
        }
        for entry in rule.entries() {
            match entry.key.as_str() {
                "select" => self.select(entry, &tables),
                "exclude" => self.list(List::Exclude, entry, &tables),
                "hash" => self.list(List::Hash, entry, &tables),
                "redact" => self.list(List::Redact, entry, &tables),
                "rename" => self.rename(entry, &tables),
                "keep" => self.keep(rule, entry, &tables),
                _ => {}
            }
        }
    }

    pub(super) fn target(&mut self, item: &Node) -> Option<Target> {
        match Target::parse(item.text()?) {
            Ok(target) => Some(target),
            Err(wrong) => {
                let span = self.place(item, &wrong.at);
                self.problems.push(Problem::new(span, format!("`{}`: {}", shown(item), wrong.message)));
                None
            }
        }
    }

    fn select(&mut self, entry: &'a Entry, tables: &[usize]) {
        let before = self.problems.len();
        if entry.value.items().is_empty() {
            let problem = Problem::new(entry.span, "`select` names no column");
            self.problems.push(problem.help("name some, or leave the key out where all of them are wanted"));
        }
        let mut kept: HashSet<(usize, usize)> = HashSet::new();
        for item in entry.value.items() {
            kept.extend(self.columns(List::Select, item, tables).into_iter().map(|(at, _)| at));
        }
        if self.problems.len() > before {
            return;
        }
        for table in tables {
            let draft = &mut self.drafts[*table];
            for (column, (of, said)) in draft.table.columns.iter().zip(&mut draft.columns).enumerate() {
                said.left_out |= draft.table.fixed(of).is_none() && !kept.contains(&(*table, column));
            }
        }
    }

    fn list(&mut self, list: List, entry: &'a Entry, tables: &[usize]) {
        for item in entry.value.items() {
            for ((table, column), target) in self.columns(list, item, tables) {
                let said = &mut self.drafts[table].columns[column];
                match list.act() {
                    None => said.left_out = true,
                    Some(act) if target.steps.is_empty() => said.whole = said.whole.max(Some(act)),
                    Some(act) => said.within.push(Within { shown: target.shown_steps(), steps: target.steps, act }),
                }
            }
        }
    }

    /// The columns that an item of a list is about: table and column, and the way into it. What it cannot be about is a
    /// problem, one for each item.
    fn columns(&mut self, list: List, item: &Node, tables: &[usize]) -> Vec<((usize, usize), Target)> {
        let Some(target) = self.target(item) else { return Vec::new() };
        if list.act().is_none() && !target.steps.is_empty() {
            let problem = Problem::new(item.span, format!("only whole columns can be {}", list.done()));
            self.problems.push(problem.help("`redact` hides a value within a column"));
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut refused = None;
        let mut nowhere: Option<(String, Nowhere)> = None;
        let mut any = false;
        for table in tables {
            let draft = &self.drafts[*table];
            for (column, of) in draft.table.columns.iter().enumerate() {
                if !target.column.fits(&of.name) {
                    continue;
                }
                any = true;
                let fixed = draft.table.fixed(of);
                // A pattern is never about Headwater's own columns.
                if fixed == Some(Fixed::Sync) && target.column.pattern {
                    continue;
                }
                if let Some(reason) = fixed.and_then(|fixed| refusal(list, fixed)) {
                    refused.get_or_insert_with(|| (of.name.clone(), draft.table.name.clone(), reason));
                    continue;
                }
                match list.act().map(|act| draft.reach(column, &target.steps, act)) {
                    Some(Err(wrong)) => {
                        if nowhere.as_ref().is_none_or(|(_, earlier)| wrong.unreached && !earlier.unreached) {
                            nowhere = Some((of.name.clone(), wrong));
                        }
                    }
                    _ => found.push(((*table, column), target.clone())),
                }
            }
        }
        let problem = match (refused, nowhere) {
            (Some((column, table, (reason, help))), _) => Some(match target.column.pattern {
                true => Problem::new(
                    item.span,
                    format!("`{}` also fits `{column}` of `{table}`, which {reason}", shown(item)),
                )
                .help("write patterns that do not fit it, or name the columns"),
                false => Problem::new(item.span, format!("`{column}` of `{table}` {reason}")).help(help),
            }),
            // What is elsewhere reached by the same path would be written as it is.
            (None, Some((column, Nowhere { message, nearest, unreached }))) if found.is_empty() || unreached => Some(
                Problem::new(item.span, format!("`{}`: in `{column}` {message}", shown(item)))
                    .nearest(nearest.as_deref()),
            ),
            (None, None) if !any && !tables.is_empty() => Some(self.no_column(item, &target, tables)),
            (None, None) if found.is_empty() && !tables.is_empty() => Some(
                Problem::new(item.span, format!("`{}` fits only columns that cannot be {}", shown(item), list.done()))
                    .help("leave it out of the list, or name other columns"),
            ),
            _ => None,
        };
        self.problems.extend(problem);
        found
    }

    pub(super) fn no_column(&self, item: &Node, target: &Target, tables: &[usize]) -> Problem {
        self.no_column_at(item.span, if is_hidden(item) { shown(item) } else { &target.column.text }, target, tables)
    }

    fn no_column_at(&self, span: Span, shown: &str, target: &Target, tables: &[usize]) -> Problem {
        let noun = if target.column.pattern { "no column fits" } else { "there is no column" };
        let of = match tables {
            [one] => format!(" in `{}`", self.drafts[*one].table.name),
            _ => " in the tables of this rule".to_owned(),
        };
        let columns = tables.iter().flat_map(|table| &self.drafts[*table].table.columns);
        let nearest = nearest(&target.column.text, columns.map(|column| column.name.as_str()));
        Problem::new(span, format!("{noun} `{shown}`{of}")).nearest(nearest)
    }

    fn rename(&mut self, entry: &'a Entry, tables: &[usize]) {
        for Entry { key, span, value } in entry.value.entries() {
            let Some(name) = value.text() else { continue };
            if name.is_empty() || name.starts_with("_cq_") {
                let message = "a column's name is not empty and does not begin with `_cq_`";
                self.problems.push(Problem::new(value.span, message).help("choose another name"));
                continue;
            }
            let target = Target::whole(key);
            let mut any = false;
            for table in tables {
                let draft = &mut self.drafts[*table];
                let Some(column) = draft.table.columns.iter().position(|column| column.name == *key) else { continue };
                let first = !std::mem::replace(&mut any, true);
                let said = &mut draft.columns[column];
                let table = &draft.table.name;
                let problem = match (draft.table.fixed(&draft.table.columns[column]), &said.name) {
                    (Some(Fixed::Sync), _) => {
                        Some((format!("`{key}` is Headwater's own, and keeps its name"), "leave it out of `rename`"))
                    }
                    (Some(Fixed::Scope), _) => Some((
                        format!(
                            "`{key}` of `{table}` tells the rows of a unit from those of others, and keeps its name"
                        ),
                        "leave it out of `rename`",
                    )),
                    (_, Some((other, _))) if other != name => Some((
                        format!("`{key}` of `{table}` is renamed to `{other}` already"),
                        "leave it out in one of the rules",
                    )),
                    _ => None,
                };
                match problem {
                    Some((message, help)) if first => self.problems.push(Problem::new(*span, message).help(help)),
                    Some(_) => {}
                    None => said.name = Some((name.to_owned(), value.span)),
                }
            }
            if !any && !tables.is_empty() {
                let problem = self.no_column_at(*span, key, &target, tables);
                self.problems.push(problem);
            }
        }
    }

    fn row_rule(&mut self, rule: &'a Node) {
        let tables = self.tables(rule);
        let Some(node) = rule.get("where") else { return };
        let Some(text) = node.text() else { return };
        let bound = parse(text).and_then(|expr| {
            let bound = tables.iter().map(|table| bind(&expr, self.drafts[*table].table).map(|bound| (*table, bound)));
            bound.collect::<Result<Vec<_>, _>>()
        });
        match bound {
            Ok(bound) => {
                for (table, filter) in bound {
                    self.drafts[table].filters.push(filter);
                }
            }
            Err(_) if is_hidden(node) => {
                let message = format!("the filter `{}` is not accepted with what its variables hold", shown(node));
                self.problems.push(Problem::new(node.span, message));
            }
            Err(wrong) => {
                let problem = Problem::new(self.place(node, &wrong.at), wrong.message);
                self.problems.push(match wrong.help {
                    Some(help) => problem.help(help),
                    None => problem,
                });
            }
        }
    }
}

/// Why a column cannot be in a list, and what to do instead.
fn refusal(list: List, fixed: Fixed) -> Option<(String, &'static str)> {
    let done = list.done();
    match (list, fixed) {
        (List::Select, _) | (List::Hash, Fixed::Key) => None,
        (_, Fixed::Sync) => Some((format!("is Headwater's own, and cannot be {done}"), "leave it out of the list")),
        (_, Fixed::Scope) => Some((
            format!("tells the rows of a unit from those of others, and cannot be {done}"),
            "leave it out of the list",
        )),
        (_, Fixed::Key) => Some((
            format!("is part of the key, and cannot be {done}"),
            "`hash` hides its values, and rows can still be told apart",
        )),
    }
}
