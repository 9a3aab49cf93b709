//! What is redacted without a rule, because it is known to hold secrets, and what rules ask for all the same.

use std::collections::HashSet;

use headwater_sdk::selection::matches;

use super::compile::{Compiler, shown};
use super::draft::Within;
use super::known::{HARMLESS, KNOWN};
use super::path::Target;
use super::rewrite::Act;
use crate::config::diagnostic::Problem;
use crate::config::parse::{Entry, Node};

/// A place that a rule asks for though it is known to hold a secret.
pub struct Keep<'a> {
    node: &'a Node,
    target: Target,
    tables: Vec<usize>,
    used: bool,
}

impl<'a> Compiler<'a, '_> {
    /// Notes what a rule asks for.
    pub fn keep(&mut self, rule: &'a Node, entry: &'a Entry, tables: &[usize]) {
        for item in entry.value.items() {
            let Some(target) = self.target(item) else { continue };
            for list in ["redact", "hash"] {
                let others = rule.get(list).map(Node::items).unwrap_or_default();
                if others.iter().any(|other| other.text() == item.text()) {
                    let message = format!("`{}` stands in `keep` and in `{list}`", shown(item));
                    self.problems.push(Problem::new(item.span, message).help("leave it out in one of them"));
                }
            }
            self.keeps.push(Keep { node: item, target, tables: tables.to_vec(), used: false });
        }
    }

    /// Redacts what is known to hold secrets, unless a rule says otherwise.
    pub fn redact_secrets(&mut self) {
        for table in 0..self.drafts.len() {
            for column in 0..self.drafts[table].columns.len() {
                for target in self.secrets(table, column) {
                    self.redact_secret(table, column, target);
                }
            }
        }
    }

    /// The places within a column that are known to hold secrets.
    fn secrets(&self, table: usize, column: usize) -> Vec<Target> {
        let draft = &self.drafts[table];
        let of = &draft.table.columns[column];
        let harmless = |place: &Target| {
            let mut found = HARMLESS.iter().filter(|(table, _)| *table == draft.table.name);
            found.any(|(_, path)| Target::parse(path).is_ok_and(|path| path == *place))
        };
        let marked = of.secrets.iter().filter_map(|place| Target::parse_within(&of.name, place));
        let marked = marked.filter(|place| !harmless(place));
        let whole = of.sensitive.then(|| Target::whole(&of.name));
        let known = KNOWN.iter().filter(|(pattern, _)| matches(pattern, &draft.table.name));
        let known = known.filter_map(|(_, path)| Target::parse(path).ok()).filter(|path| path.column.fits(&of.name));
        let mut secrets: Vec<Target> = Vec::new();
        for secret in whole.into_iter().chain(marked).chain(known) {
            let reachable = draft.reach(column, &secret.steps, Act::Redact).is_ok();
            if reachable && draft.table.fixed(of).is_none() && !secrets.iter().any(|other| other.covers(&secret.steps))
            {
                secrets.push(secret);
            }
        }
        secrets
    }

    fn redact_secret(&mut self, table: usize, column: usize, secret: Target) {
        let draft = &mut self.drafts[table];
        let name = &draft.table.columns[column].name;
        let mut kept = false;
        for keep in self.keeps.iter_mut().filter(|keep| keep.tables.contains(&table)) {
            if keep.target.column.fits(name) && keep.target.covers(&secret.steps) {
                (keep.used, kept) = (true, true);
            }
        }
        let said = &mut draft.columns[column];
        let covered = |within: &Within| secret.steps.starts_with(&within.steps);
        if kept || said.left_out || said.whole.is_some() || said.within.iter().any(covered) {
            return;
        }
        let shown = secret.shown_steps();
        let dot = if shown.is_empty() || shown.starts_with('[') { "" } else { "." };
        self.redacted.push(format!("{}.{name}{dot}{shown}", draft.table.name));
        match secret.steps.is_empty() {
            true => said.whole = Some(Act::Redact),
            false => said.within.push(Within { shown, steps: secret.steps, act: Act::Redact }),
        }
    }

    /// Refuses what is asked for though it is not redacted: it is a misspelt name, or a rule that is not needed.
    pub fn check_keeps(&mut self) {
        let mut found = Vec::new();
        // To ask for all there may be is never wrong.
        let unused = |keep: &&Keep<'_>| !keep.used && keep.target.column.text != "*";
        for Keep { node, target, tables, .. } in self.keeps.iter().filter(unused) {
            let mut columns = tables.iter().flat_map(|table| &self.drafts[*table].table.columns);
            found.push(match columns.any(|column| target.column.fits(&column.name)) || tables.is_empty() {
                false => self.no_column(node, target, tables),
                true => Problem::new(node.span, format!("nothing of `{}` is redacted by default", shown(node)))
                    .help("leave it out of `keep`; whole places are kept, as they are redacted"),
            });
        }
        self.problems.extend(found);
    }

    /// An identifier is made of the key without a secret, so it would tell of a key that is hashed.
    pub fn hash_ids(&mut self) {
        let hashed: HashSet<String> =
            self.drafts.iter().filter(|draft| draft.has_hashed_key()).map(|draft| draft.table.name.clone()).collect();
        for draft in &mut self.drafts {
            if hashed.contains(&draft.table.name) {
                draft.hash_ids(false);
            }
            if draft.table.parent.as_ref().is_some_and(|parent| hashed.contains(parent)) {
                draft.hash_ids(true);
            }
        }
    }
}
