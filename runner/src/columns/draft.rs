//! One table while its rules are read: what is said of each column, and then the table that comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_sdk::arrow::datatypes::FieldRef;
use headwater_sdk::schema::{ID, PARENT_ID};
use headwater_sdk::{Column, ColumnType, Extension, Fixed, TableSchema};

use super::change::{Change, Nowhere};
use super::filter::bind::Bound;
use super::hash::Hasher;
use super::path::Step;
use super::rewrite::Act;
use super::{Made, Output, Shape, shape};
use crate::config::diagnostic::Problem;
use crate::config::text::Span;

/// A place within a column: the steps, how they are written, and what is done there.
pub struct Within {
    /// The steps.
    pub steps: Vec<Step>,
    /// How they are written.
    pub shown: String,
    /// What is done there.
    pub act: Act,
}

/// What is said of one column.
#[derive(Default)]
pub struct ColumnDraft {
    /// Whether it is left out.
    pub left_out: bool,
    /// Its new name, and where that stands.
    pub name: Option<(String, Span)>,
    /// What is done with all of it.
    pub whole: Option<Act>,
    /// What is done within it.
    pub within: Vec<Within>,
    /// Whether it is an identifier made of a key that is hashed.
    pub id: bool,
}

/// One table while its rules are read.
pub struct Draft<'a> {
    /// The connector's table.
    pub table: &'a Arc<TableSchema>,
    /// What is said of its columns, in their order.
    pub columns: Vec<ColumnDraft>,
    /// The filters of its rows.
    pub filters: Vec<Bound>,
}

impl<'a> Draft<'a> {
    /// A table of which nothing is said yet.
    pub fn new(table: &'a Arc<TableSchema>) -> Self {
        let columns = table.columns.iter().map(|_| ColumnDraft::default()).collect();
        Self { table, columns, filters: Vec::new() }
    }

    /// Whether a path leads somewhere within a column.
    pub fn reach(&self, column: usize, steps: &[Step], act: Act) -> Result<(), Nowhere> {
        let column = &self.table.columns[column];
        match (column.kind.extension, &column.shape) {
            (Some(Extension::Json), Some(documented)) => shape::check(documented, steps),
            _ => Change::within(&Arc::new(column.field()), steps, act).map(drop),
        }
    }

    /// Whether a key column is hashed, so that identifiers made of it are hashed too.
    pub fn has_hashed_key(&self) -> bool {
        let hashed = |draft: &ColumnDraft| {
            draft.whole == Some(Act::Hash) || draft.within.iter().any(|within| within.act == Act::Hash)
        };
        let mut columns = self.table.columns.iter().zip(&self.columns);
        columns.any(|(column, draft)| self.table.fixed(column) == Some(Fixed::Key) && hashed(draft))
    }

    /// Has the identifiers hashed, of rows or of their parents' rows.
    pub fn hash_ids(&mut self, of_parent: bool) {
        let name = if of_parent { PARENT_ID } else { ID };
        for (column, draft) in self.table.columns.iter().zip(&mut self.columns) {
            draft.id |= column.name == name;
        }
    }

    /// The table that comes of it; nothing where it stays as it is.
    pub fn finish(self, hasher: Option<&Hasher>, problems: &mut Vec<Problem>) -> Option<Shape> {
        self.check_names(problems);
        let touched = |draft: &ColumnDraft| {
            draft.left_out || draft.id || draft.name.is_some() || draft.whole.is_some() || !draft.within.is_empty()
        };
        if self.filters.is_empty() && !self.columns.iter().any(touched) {
            return None;
        }
        let mut columns = Vec::new();
        let mut outputs = Vec::new();
        for (from, (column, draft)) in self.table.columns.iter().zip(&self.columns).enumerate() {
            if !draft.left_out {
                let (column, made) = made(column, draft);
                columns.push(column);
                outputs.push(Output { from, made });
            }
        }
        let schema = Arc::new(self.table.with_columns(columns));
        Some(Shape { schema, columns: outputs, filters: self.filters, hasher: hasher.cloned() })
    }

    /// Two columns must not have one name. Databases may not tell upper case from lower case.
    fn check_names(&self, problems: &mut Vec<Problem>) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        let all = || self.table.columns.iter().zip(&self.columns).filter(|(_, draft)| !draft.left_out);
        for (column, _) in all().filter(|(_, draft)| draft.name.is_none()) {
            seen.insert(column.name.to_lowercase(), &column.name);
        }
        for (column, draft) in all() {
            let Some((name, span)) = &draft.name else { continue };
            if let Some(other) = seen.insert(name.to_lowercase(), &column.name) {
                let message = format!("`{}` has a column `{name}` already: `{other}`", self.table.name);
                let message = match other == name {
                    true => format!("`{}` has a column `{name}` already", self.table.name),
                    false => message,
                };
                let problem = Problem::new(*span, message);
                problems.push(problem.help("choose another name, or exclude or rename the column that has it"));
            }
        }
    }
}

/// A column as it becomes, and how it is made.
fn made(column: &Column, draft: &ColumnDraft) -> (Column, Made) {
    let mut to = column.clone();
    if let Some((name, _)) = &draft.name {
        to.name.clone_from(name);
    }
    if draft.id {
        return (to, Made::Id);
    }
    let field = Arc::new(column.field());
    let changes = match draft.whole {
        Some(act) => vec![Change::whole(&field, act)],
        None => changes(&field, &draft.within),
    };
    let Some(last) = changes.last() else { return (to, Made::Same) };
    to.kind = ColumnType { data_type: last.to.data_type().clone(), extension: Extension::of(&last.to) };
    to.nullable = last.to.is_nullable();
    describe(&mut to, draft);
    (to, Made::Changed(changes))
}

fn changes(field: &FieldRef, within: &[Within]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for within in within {
        // All places within JSON are found in one pass.
        if changes.last_mut().is_some_and(|last| last.add(&within.steps, within.act)) {
            continue;
        }
        let field = changes.last().map_or(field, |last| &last.to);
        // That the path leads somewhere was found out before. So where it leads nowhere now, earlier changes have
        // hashed all that it led to, and there is nothing left to hide.
        changes.extend(Change::within(field, &within.steps, within.act));
    }
    changes
}

/// Says in the documentation what was done with a column.
fn describe(column: &mut Column, draft: &ColumnDraft) {
    let word = |act: Act| match act {
        Act::Hash => "Hashed",
        Act::Redact => "Redacted",
    };
    let mut say = |text: String| {
        if !column.description.is_empty() {
            column.description.push(' ');
        }
        column.description.push_str(&text);
    };
    if let Some(act) = draft.whole {
        say(format!("{}.", word(act)));
        (column.shape, column.sensitive) = (None, false);
        column.secrets.clear();
        return;
    }
    for act in [Act::Hash, Act::Redact] {
        let places = draft.within.iter().filter(|within| within.act == act);
        let places: Vec<String> = places.map(|within| format!("`{}`", within.shown)).collect();
        if !places.is_empty() {
            say(format!("{}: {}.", word(act), places.join(", ")));
        }
    }
    column.secrets.retain(|secret| !draft.within.iter().any(|within| within.shown == *secret));
    for within in &draft.within {
        if let Some(shape) = &mut column.shape {
            shape::mark(shape, &within.steps);
        }
    }
    if !column.shape.as_ref().is_none_or(|shape| shape.is_object() || shape.is_array()) {
        column.shape = None;
    }
}
