//! What stands between a source and a destination: transformers, which change the rows of a table batch by batch.
//!
//! A transformer keeps nothing from one batch to the next, so that units can be run in any order, at once, and again.
//! Transformers stand in a chain: the table that one makes is the table that the next is given.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::connector::{Undiscovered, Wrong};
use crate::error::Result;
use crate::rejects::Rejected;
use crate::schema::{Column, TableSchema};

/// Makes other tables of tables.
pub trait Transformer: Send + Sync {
    /// What becomes of a table; nothing, where it passes as it is. Asked when the configuration is read. The columns that are
    /// [`TableSchema::fixed`] must stay, with their types and their values.
    ///
    /// # Errors
    /// If the transformer's `spec` does not fit the table, or what it needs is not here.
    fn table(&self, table: &Arc<TableSchema>) -> Result<Option<Arc<dyn TableTransform>>, Undiscovered>;
}

/// What becomes of one table. Called from several tasks at once, on threads that may be blocked.
pub trait TableTransform: Send + Sync {
    /// The table that comes of it.
    fn schema(&self) -> &Arc<TableSchema>;

    /// Whether rows or values may be put aside, for which there must be a place.
    fn puts_aside(&self) -> bool {
        false
    }

    /// A batch of the table that was given as one of the table that comes of it.
    ///
    /// # Errors
    /// If it cannot be done; the unit's table fails.
    fn apply(&self, batch: &RecordBatch) -> Result<Transformed>;
}

/// What came of a batch.
#[derive(Debug)]
pub struct Transformed {
    /// The rows that go on.
    pub batch: RecordBatch,
    /// The rows that do not go on, though they should have, with the reason.
    pub rows: Vec<Rejected>,
    /// The rows that go on without a value that they should have, as they were, with the reason.
    pub values: Vec<Rejected>,
}

impl Transformed {
    /// A batch of which nothing was put aside.
    pub fn whole(batch: RecordBatch) -> Self {
        Self { batch, rows: Vec::new(), values: Vec::new() }
    }
}

/// Why a column must stay as it is: without it rows could not be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixed {
    /// One of Headwater's own: `_cq_…`.
    Sync,
    /// It tells the rows of a unit from those of others.
    Scope,
    /// It is part of the key.
    Key,
}

impl Fixed {
    /// What is said of such a column: `… is part of the key`.
    pub fn what(self) -> &'static str {
        match self {
            Fixed::Sync => "is Headwater's own",
            Fixed::Scope => "tells the rows of a unit from those of others",
            Fixed::Key => "is part of the key",
        }
    }
}

impl TableSchema {
    /// Whether a column must stay, and why.
    pub fn fixed(&self, column: &Column) -> Option<Fixed> {
        if column.name.starts_with("_cq_") {
            Some(Fixed::Sync)
        } else if self.scopes.has(&column.name) || self.divided_by.contains(&column.name) {
            Some(Fixed::Scope)
        } else {
            column.key.then_some(Fixed::Key)
        }
    }

    /// What is wrong with a table that was made of this one: a column that must stay is gone or another, or two have one name.
    pub fn check_transformed(&self, made: &TableSchema) -> Result<(), Wrong> {
        let wrong = |message: String, help: &str| {
            Err(Wrong { at: Vec::new(), message: format!("`{}`: {message}", self.name), help: Some(help.to_owned()) })
        };
        for column in &self.columns {
            let Some(fixed) = self.fixed(column) else { continue };
            let (name, what) = (&column.name, fixed.what());
            match made.column(name) {
                None => return wrong(format!("`{name}` {what}, and is left out"), "let it pass as it is"),
                Some(other) if other.kind != column.kind => {
                    let (from, to) = (column.kind.name(), other.kind.name());
                    return wrong(
                        format!("`{name}` {what}, and becomes {to} instead of {from}"),
                        "let it pass as it is",
                    );
                }
                Some(other) if other.key != column.key => {
                    return wrong(
                        format!("`{name}` is part of the key here and not there"),
                        "the key cannot be changed",
                    );
                }
                Some(_) => {}
            }
        }
        for (index, column) in made.columns.iter().enumerate() {
            let same = |other: &Column| other.name.eq_ignore_ascii_case(&column.name);
            if column.name.is_empty() {
                return wrong("a column has no name".to_owned(), "give it one");
            }
            if made.columns[..index].iter().any(same) {
                return wrong(format!("two columns would be named `{}`", column.name), "give one of them another name");
            }
            if self.column(&column.name).is_none() && column.name.starts_with("_cq_") {
                return wrong(format!("`{}` begins with `_cq_`", column.name), "choose another name");
            }
        }
        Ok(())
    }
}

/// Something wrong at a place in a transformer's `spec`.
pub fn wrong(at: &[&str], message: impl Into<String>, help: Option<String>) -> Wrong {
    Wrong { at: at.iter().map(|step| (*step).to_owned()).collect(), message: message.into(), help }
}
