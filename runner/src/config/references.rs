//! What documents say about each other: names that come twice, destinations that are not there.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_sdk::text::nearest;
use headwater_sdk::{Column, TableSchema, WriteMode};

use super::destination::Destination;
use super::diagnostic::{Diagnostic, Diagnostics, Problem};
use super::parse::Node;
use super::source::Source;
use super::{Document, Kind};

/// Checks names and references. `unread` says that a file could not be read, so that what is missing may be there.
pub fn check(documents: &[Document], unread: bool, found: &mut Diagnostics) {
    for kind in [Kind::Source, Kind::Destination, Kind::Transformer] {
        check_names(documents, kind, found);
    }
    let complete = !unread && documents.iter().all(|document| document.kind.is_some() && document.name().is_some());
    check_list(documents, (Kind::Source, "destinations", Kind::Destination), unread, found);
    check_list(documents, (Kind::Destination, "transformers", Kind::Transformer), unread, found);
    check_used(documents, complete, found);
    if !complete || documents.is_empty() {
        return;
    }
    for (kind, noun) in [(Kind::Source, "source"), (Kind::Destination, "destination")] {
        if of(documents, kind).next().is_none() {
            let mut files: Vec<&str> = documents.iter().map(|document| document.file.name.as_str()).collect();
            files.dedup();
            found.0.push(
                Diagnostic::plain(format!("{}: there is no {noun}", files.join(", ")))
                    .help(format!("add a document with `kind: {noun}`, after a line with ---")),
            );
        }
    }
}

/// Checks that the documents of one kind name others by their names, under `key`.
fn check_list(documents: &[Document], (by, key, of_kind): (Kind, &str, Kind), unread: bool, found: &mut Diagnostics) {
    let noun = of_kind.noun();
    // A document whose kind is misspelt may well be the one that is meant.
    let maybe = documents.iter().filter(|document| document.kind.is_none_or(|kind| kind == of_kind));
    let names: Vec<&str> = maybe.filter_map(|document| document.name()?.text()).collect();
    // That there is no destination at all is told once.
    let told_elsewhere = names.is_empty() && of_kind == Kind::Destination;
    for document in of(documents, by) {
        let mut problems = Vec::new();
        let list = document.root.get("spec").and_then(|spec| spec.get(key));
        let items = list.map(Node::items).unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            let Some(name) = item.text() else { continue };
            if items[..index].iter().any(|earlier| earlier.text() == Some(name)) {
                problems.push(Problem::new(item.span, format!("the {noun} `{name}` is listed twice")));
            } else if !names.contains(&name) && !told_elsewhere && !unread {
                let problem = Problem::new(item.span, format!("there is no {noun} named `{name}`"));
                problems.push(match nearest(name, names.iter().copied()) {
                    Some(nearest) => problem.nearest(Some(nearest)),
                    None if names.is_empty() => problem.help(format!("add a document with `kind: {noun}`")),
                    None => problem.help(format!("there are: {}", names.join(", "))),
                });
            }
        }
        found.0.extend(document.diagnostics(problems));
    }
}

/// A transformer that no destination names does nothing, which nobody can have meant.
fn check_used(documents: &[Document], complete: bool, found: &mut Diagnostics) {
    let listed = of(documents, Kind::Destination).filter_map(|document| document.root.get("spec")?.get("transformers"));
    let used: Vec<&str> = listed.flat_map(Node::items).filter_map(Node::text).collect();
    for document in of(documents, Kind::Transformer).filter(|_| complete) {
        let Some(node) = document.name() else { continue };
        let Some(name) = node.text().filter(|name| !used.contains(name)) else { continue };
        let problem = Problem::new(node.span, format!("no destination names the transformer `{name}`"));
        let help = format!("say `transformers: [{name}]` in a destination, or remove the document");
        found.0.extend(document.diagnostics(vec![problem.help(help)]));
    }
}

/// Two sources may write the same table to one destination only if it looks the same.
pub fn check_tables(documents: &[Document], sources: &[Source], found: &mut Diagnostics) {
    let mut seen: HashMap<(&str, String), (&str, Arc<TableSchema>)> = HashMap::new();
    // Nothing was wrong so far, so that each document is one of the sources.
    for (document, source) in of(documents, Kind::Source).zip(sources) {
        let mut problems = Vec::new();
        let list = document.root.get("spec").and_then(|spec| spec.get("destinations"));
        for written in source.written() {
            for (index, destination) in source.spec.destinations.iter().enumerate() {
                let key = (destination.as_str(), written.name.clone());
                let (first, schema) = seen.entry(key).or_insert_with(|| (&source.spec.name, Arc::clone(&written)));
                let Some(what) = difference(&schema.columns, &written.columns, first, &source.spec.name) else {
                    continue;
                };
                let (table, second) = (&written.name, &source.spec.name);
                let item = list.and_then(|list| list.items().get(index));
                problems.push(
                    Problem::new(
                        item.map_or(document.root.span, |item| item.span),
                        format!(
                            "the sources `{first}` and `{second}` write different tables named `{table}` to \
                             `{destination}`: {what}"
                        ),
                    )
                    .help("give each of them a destination of its own, the same `columns`, or skip the table in one"),
                );
            }
        }
        found.0.extend(document.diagnostics(problems));
    }
}

/// A table of which only new rows are read cannot have rows that are known to be gone, or to be there already.
pub fn check_modes(documents: &[Document], sources: &[Source], destinations: &[Destination], found: &mut Diagnostics) {
    for (document, source) in of(documents, Kind::Source).zip(sources) {
        let mut problems = Vec::new();
        let list = document.root.get("spec").and_then(|spec| spec.get("destinations"));
        let cursor =
            |table: &TableSchema| table.columns.iter().find(|column| column.incremental).map(|of| of.name.clone());
        let incremental = source.written().find_map(|table| Some((cursor(&table)?, table.clone())));
        let Some((cursor, table)) = incremental else { continue };
        for (index, name) in source.spec.destinations.iter().enumerate() {
            let mode = destinations.iter().find(|of| of.spec.name == *name).map(|of| of.spec.write_mode);
            if mode != Some(WriteMode::OverwriteDeleteStale) {
                continue;
            }
            let item = list.and_then(|list| list.items().get(index));
            let message = format!(
                "`{name}` deletes what a sync has not read, but of {} only new rows are read, by the cursor `{cursor}`",
                table.name
            );
            let help = "say `write_mode: overwrite` there, or `append`, or leave `cursor` out";
            problems.push(Problem::new(item.map_or(document.root.span, |item| item.span), message).help(help));
        }
        found.0.extend(document.diagnostics(problems));
    }
}

/// A source that says which rows are no more needs destinations that remove them, and keep the others.
pub fn check_removals(
    documents: &[Document],
    sources: &[Source],
    destinations: &[Destination],
    found: &mut Diagnostics,
) {
    let removing = of(documents, Kind::Source).zip(sources).filter(|(_, source)| source.connector.removes());
    for (document, source) in removing {
        let mut problems = Vec::new();
        let node = document.root.get("spec");
        let list = node.and_then(|spec| spec.get("destinations"));
        for (index, name) in source.spec.destinations.iter().enumerate() {
            let Some(destination) = destinations.iter().find(|of| of.spec.name == *name) else { continue };
            let mode = destination.spec.write_mode;
            let (message, help) = if mode != WriteMode::Overwrite {
                let message = format!("`{name}` cannot take changes in write mode `{}`", mode.as_str());
                (message, "say `write_mode: overwrite` there: its tables are then as those of the source are")
            } else if !destination.target.removes() {
                let message =
                    format!("`{name}` cannot take changes: it does not remove single rows with others that come");
                (message, "destinations `postgresql` and `sqlite` do")
            } else {
                continue;
            };
            let item = list.and_then(|list| list.items().get(index));
            problems.push(Problem::new(item.map_or(document.root.span, |item| item.span), message).help(help));
        }
        let filtered = source
            .tables
            .iter()
            .find(|table| source.shapes.of(&table.schema.name).is_some_and(|shape| shape.leaves_rows_out()));
        if let Some(table) = filtered {
            let span = node.and_then(|spec| spec.entry("rows")).map_or(document.root.span, |entry| entry.span);
            let message = format!("`rows` leaves out rows of {}, whose changes would not be known", table.schema.name);
            problems
                .push(Problem::new(span, message).help("give the publication a row filter instead (PostgreSQL 15)"));
        }
        found.0.extend(document.diagnostics(problems));
    }
}

/// What the first columns are that differ for a destination, if any do: what is said of them does not matter.
fn difference(first: &[Column], second: &[Column], of_first: &str, of_second: &str) -> Option<String> {
    let at = (0..first.len().max(second.len())).find(|at| {
        let told = |column: &Column| (column.name.clone(), column.kind.clone(), column.nullable, column.key);
        first.get(*at).map(told) != second.get(*at).map(told)
    })?;
    let has = |columns: &[Column], name: &str| columns.iter().any(|column| column.name == name);
    Some(match (first.get(at), second.get(at)) {
        (Some(a), Some(b)) if a.name == b.name => {
            let name = &a.name;
            let (a, b) = if a.kind != b.kind {
                (a.kind.name(), b.kind.name())
            } else if a.key != b.key {
                let word = |key: bool| if key { "part of the key" } else { "not part of the key" }.to_owned();
                (word(a.key), word(b.key))
            } else {
                let word = |nullable: bool| if nullable { "nullable" } else { "not nullable" }.to_owned();
                (word(a.nullable), word(b.nullable))
            };
            format!("`{name}` is {a} in `{of_first}` and {b} in `{of_second}`")
        }
        (Some(a), _) if !has(second, &a.name) => format!("only `{of_first}` has a column `{}`", a.name),
        (_, Some(b)) if !has(first, &b.name) => format!("only `{of_second}` has a column `{}`", b.name),
        (Some(column), _) | (None, Some(column)) => format!("`{}` stands at another place", column.name),
        (None, None) => return None,
    })
}

pub(super) fn of(documents: &[Document], kind: Kind) -> impl Iterator<Item = &Document> {
    documents.iter().filter(move |document| document.kind == Some(kind))
}

fn check_names(documents: &[Document], kind: Kind, found: &mut Diagnostics) {
    let mut seen: HashMap<&str, String> = HashMap::new();
    for document in of(documents, kind) {
        let Some(node) = document.name() else { continue };
        let Some(name) = node.text() else { continue };
        let mut problems = Vec::new();
        if name.is_empty() {
            problems.push(Problem::new(node.span, "a name must not be empty"));
        }
        let (line, column) = document.file.position(node.span);
        let place = format!("{}:{line}:{column}", document.file.name);
        match seen.get(name) {
            Some(first) => {
                let noun = kind.noun();
                problems.push(
                    Problem::new(node.span, format!("there are two {noun}s named `{name}`"))
                        .help(format!("the first is at {first}; give one of them another name")),
                );
            }
            None => drop(seen.insert(name, place)),
        }
        found.0.extend(document.diagnostics(problems));
    }
}
