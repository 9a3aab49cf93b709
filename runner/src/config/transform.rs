//! What transformers make of the tables of the sources: known, and found right or wrong, before anything is written.

use std::collections::HashSet;
use std::sync::Arc;

use headwater_sdk::selection::matches;
use headwater_sdk::text::nearest;
use headwater_sdk::{TableSchema, TableTransform, Undiscovered, WriteMode, Wrong};

use super::destination::Destination;
use super::diagnostic::{Diagnostics, Problem};
use super::parse::Node;
use super::references::of;
use super::source::Source;
use super::transformer::Transformer;
use super::{Document, Kind};
use crate::chain::Chain;

/// Gives each destination what becomes of its tables, and tells what is wrong with that.
pub fn resolve(
    documents: &[Document],
    sources: &[Source],
    destinations: &mut [Destination],
    transformers: &[Transformer],
    found: &mut Diagnostics,
) {
    // Nothing was wrong so far, so that each document is one of them.
    let documents_of: Vec<&Document> = of(documents, Kind::Transformer).collect();
    let mut problems: Vec<Vec<Problem>> = transformers.iter().map(|_| Vec::new()).collect();
    let mut asked = Asked { documents: &documents_of, transformers, problems: &mut problems };
    for (document, destination) in of(documents, Kind::Destination).zip(destinations.iter_mut()) {
        let mut own = Vec::new();
        let items = document.root.get("spec").and_then(|spec| spec.get("transformers"));
        let items = items.map(Node::items).unwrap_or_default();
        let append = destination.spec.write_mode == WriteMode::Append;
        let to_here = |source: &&Source| source.spec.destinations.contains(&destination.spec.name);
        for table in sources.iter().filter(to_here).flat_map(Source::written) {
            if destination.chains.contains_key(&table.name) {
                continue;
            }
            // Where nothing is overwritten, there is no key that must stay.
            let mut table = if append { Arc::new(table.without_key()) } else { table };
            let mut steps = Vec::new();
            for (name, item) in destination.spec.transformers.iter().zip(items) {
                let Some(step) = asked.ask(name, &table) else { continue };
                if step.puts_aside() && destination.quarantine.is_none() {
                    let message =
                        format!("`{name}` puts rows of `{}` aside, and it is not said where they go", table.name);
                    let problem = Problem::new(item.span, message);
                    own.push(problem.help("say `rejected_rows: { to: table }` in this destination, or `to: file`"));
                }
                table = Arc::clone(step.schema());
                steps.push((name.clone(), step));
            }
            if let Some(chain) = Chain::new(steps) {
                destination.chains.insert(table.name.clone(), Arc::new(chain));
            }
        }
        // One is enough for all tables.
        own.dedup_by_key(|problem| problem.span);
        found.0.extend(document.diagnostics(own));
    }
    check_patterns(&documents_of, sources, destinations, transformers, &mut problems);
    for (document, problems) in documents_of.iter().zip(problems) {
        found.0.extend(document.diagnostics(problems));
    }
}

struct Asked<'a> {
    documents: &'a [&'a Document],
    transformers: &'a [Transformer],
    problems: &'a mut [Vec<Problem>],
}

impl Asked<'_> {
    /// What a transformer does with a table. What is wrong with that is told once, whichever destination it is for.
    fn ask(&mut self, name: &str, table: &Arc<TableSchema>) -> Option<Arc<dyn TableTransform>> {
        let index = self.transformers.iter().position(|transformer| transformer.spec.name == name)?;
        let transformer = &self.transformers[index];
        if transformer.spec.tables.as_ref().is_some_and(|all| !all.iter().any(|pattern| matches(pattern, &table.name)))
        {
            return None;
        }
        let made = transformer.made.table(table).and_then(|step| {
            if let Some(step) = &step {
                table.check_transformed(step.schema()).map_err(|wrong| Undiscovered::Wrong(vec![wrong]))?;
            }
            Ok(step)
        });
        match made {
            Ok(step) => step,
            Err(error) => {
                self.tell(index, error);
                None
            }
        }
    }

    fn tell(&mut self, index: usize, error: Undiscovered) {
        let spec = self.documents[index].root.get("spec");
        let own = spec.and_then(|spec| spec.entry("spec"));
        let path = spec.and_then(|spec| spec.entry("path")).map(|entry| entry.value.span);
        let place = own.map(|entry| entry.span).or(path).unwrap_or(self.documents[index].root.span);
        let wrongs = match error {
            Undiscovered::Wrong(wrongs) => wrongs,
            Undiscovered::Failed(error) => {
                let mut problem = Problem::new(path.unwrap_or(place), error.to_string());
                problem.failure = true;
                return self.add(index, problem);
            }
        };
        for Wrong { at, message, help } in wrongs {
            let span = own.and_then(|entry| entry.value.place(&at)).unwrap_or(place);
            let problem = Problem::new(span, message);
            self.add(
                index,
                match help {
                    Some(help) => problem.help(help),
                    None => problem,
                },
            );
        }
    }

    fn add(&mut self, index: usize, problem: Problem) {
        let problems = &mut self.problems[index];
        // At one place the first of several tables will do.
        if !problems.iter().any(|other| other.span == problem.span) {
            problems.push(problem);
        }
    }
}

/// A pattern of a transformer must mean a table of those destinations that name it.
fn check_patterns(
    documents: &[&Document],
    sources: &[Source],
    destinations: &[Destination],
    transformers: &[Transformer],
    problems: &mut [Vec<Problem>],
) {
    for ((document, transformer), problems) in documents.iter().zip(transformers).zip(problems) {
        let by: HashSet<&str> = destinations
            .iter()
            .filter(|destination| destination.spec.transformers.contains(&transformer.spec.name))
            .map(|destination| destination.spec.name.as_str())
            .collect();
        let reaching =
            sources.iter().filter(|source| source.spec.destinations.iter().any(|of| by.contains(of.as_str())));
        let names: Vec<String> = reaching.flat_map(Source::written).map(|table| table.name.clone()).collect();
        let items = document.root.get("spec").and_then(|spec| spec.get("tables")).map(Node::items).unwrap_or_default();
        for item in items {
            let Some(pattern) = item.text().filter(|pattern| !names.iter().any(|name| matches(pattern, name))) else {
                continue;
            };
            let noun = if pattern.contains('*') { "no table fits" } else { "there is no table" };
            let problem = Problem::new(item.span, format!("{noun} `{pattern}` on the way through this transformer"));
            problems.push(match nearest(pattern, names.iter().map(String::as_str)) {
                Some(nearest) => problem.nearest(Some(nearest)),
                None => problem.help("it is for the tables that sources write to the destinations that name it"),
            });
        }
    }
}
