//! What a source's `columns` and `rows` make of its tables: columns left out, renamed, hashed and redacted, rows left out.
//!
//! All of it is worked out when the configuration is read ([`compile`]): a table that something is to be done with has
//! a [`Shape`], which is its schema as destinations see it and the way from a batch of the connector to one of theirs. A
//! table without one is passed on as it is.

mod change;
pub mod compile;
mod draft;
mod filter;
mod hash;
mod known;
mod rewrite;
mod secrets;
mod shape;
pub mod spec;

use std::collections::HashMap;
use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder, RecordBatch,
    RecordBatchOptions,
};
use headwater_sdk::arrow::compute::{FilterBuilder, FilterPredicate, prep_null_mask_filter};
use headwater_sdk::arrow::datatypes::Schema;
use headwater_sdk::{Error, Result, TableSchema, path};

use change::Change;
use filter::bind::Bound;
use filter::evaluate::evaluate;
use hash::Hasher;

/// The tables of a source that are not written as they are read.
#[derive(Debug, Default)]
pub struct Shapes {
    by_table: HashMap<String, Arc<Shape>>,
    /// The places that are redacted because they are known to hold secrets: `table.column`, `table.column.key`.
    pub redacted: Vec<String>,
}

impl Shapes {
    /// What is done with a table, if anything is.
    pub fn of(&self, table: &str) -> Option<&Arc<Shape>> {
        self.by_table.get(table)
    }

    /// A table as destinations see it.
    pub fn schema(&self, table: &Arc<TableSchema>) -> Arc<TableSchema> {
        Arc::clone(self.of(&table.name).map_or(table, |shape| &shape.schema))
    }
}

/// What is done with one table.
#[derive(Debug)]
pub struct Shape {
    /// The table as destinations see it.
    pub schema: Arc<TableSchema>,
    columns: Vec<Output>,
    /// All of them must hold.
    filters: Vec<Bound>,
    hasher: Option<Hasher>,
}

/// A column that is written.
#[derive(Debug)]
struct Output {
    /// Its place in the connector's table.
    from: usize,
    made: Made,
}

/// How a column is made.
#[derive(Debug)]
enum Made {
    /// As it is.
    Same,
    /// By changes, one after the other.
    Changed(Vec<Change>),
    /// An identifier that was made of a key whose columns are hashed: it is hashed too, or it would give them away.
    Id,
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::fatal(error)
}

impl Shape {
    /// A batch of the connector as destinations see it. It may have fewer rows, or none.
    ///
    /// # Errors
    /// Where the batch is not one of the connector's table, or has a value that a filter cannot read.
    pub fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.try_apply(batch).map_err(|error| error.while_doing(format_args!("columns of {}", self.schema.name)))
    }

    /// The keys of rows that are no more, as destinations see them.
    ///
    /// # Errors
    /// Where they are not the keys of the connector's table.
    pub fn apply_to_keys(&self, table: &TableSchema, keys: &RecordBatch) -> Result<RecordBatch> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (output, column) in self.columns.iter().zip(&self.schema.columns).filter(|(_, column)| column.key) {
            let own = table.columns.get(output.from).and_then(|own| keys.column_by_name(&own.name));
            let own = own.ok_or_else(|| wrong(format!("column {}: it is not among the keys", column.name)))?;
            columns.push(self.made(&output.made, Arc::clone(own))?);
            fields.push(column.field());
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(wrong)
    }

    /// Whether rows are left out.
    pub fn leaves_rows_out(&self) -> bool {
        !self.filters.is_empty()
    }

    fn try_apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let passing = self.passing(batch)?;
        let rows = passing.as_ref().map_or(batch.num_rows(), FilterPredicate::count);
        let columns: Result<Vec<ArrayRef>> =
            self.columns.iter().map(|column| self.column(column, batch, passing.as_ref())).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.arrow(), columns?, &options).map_err(wrong)
    }

    fn column(&self, column: &Output, batch: &RecordBatch, passing: Option<&FilterPredicate>) -> Result<ArrayRef> {
        let array = batch.columns().get(column.from).ok_or_else(|| wrong("a column is missing"))?;
        // What is left out is not worked on.
        let array = match passing {
            Some(passing) => passing.filter(array).map_err(wrong)?,
            None => Arc::clone(array),
        };
        self.made(&column.made, array)
    }

    fn made(&self, made: &Made, mut array: ArrayRef) -> Result<ArrayRef> {
        match made {
            Made::Same => {}
            Made::Changed(changes) => {
                for change in changes {
                    array = change.apply(&array, self.hasher.as_ref())?;
                }
            }
            Made::Id => array = Arc::new(self.ids(&array)?),
        }
        Ok(array)
    }

    /// The rows for which the filters hold; nothing where all do.
    fn passing(&self, batch: &RecordBatch) -> Result<Option<FilterPredicate>> {
        let mut passing: Option<BooleanArray> = None;
        for filter in &self.filters {
            let holds = evaluate(filter, batch)?;
            // What is not known does not hold.
            let holds = if holds.null_count() > 0 { prep_null_mask_filter(&holds) } else { holds };
            passing = Some(match passing {
                Some(before) => BooleanArray::new(before.values() & holds.values(), None),
                None => holds,
            });
        }
        let passing = passing.filter(|passing| passing.true_count() < batch.num_rows());
        // Worked out once for all columns.
        Ok(passing.map(|passing| FilterBuilder::new(&passing).optimize().build()))
    }

    fn ids(&self, array: &ArrayRef) -> Result<FixedSizeBinaryArray> {
        let hasher = self.hasher.as_ref().ok_or_else(|| wrong("there is no key for hashing"))?;
        let ids = array.as_fixed_size_binary_opt().ok_or_else(|| wrong("an identifier is not of 16 bytes"))?;
        let mut hashed = FixedSizeBinaryBuilder::with_capacity(ids.len(), 16);
        for row in 0..ids.len() {
            match ids.is_valid(row) {
                true => hashed.append_value(hasher.uuid(ids.value(row))).map_err(wrong)?,
                false => hashed.append_null(),
            }
        }
        Ok(hashed.finish())
    }
}

#[cfg(test)]
mod tests;
