//! Rows that a target does not take: they are put aside with the reason, instead of failing their part.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field};

use crate::error::{Class, Error, Result};
use crate::plain;

/// A row that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Why it was not taken, in the target's words.
    pub reason: String,
    /// The row as a JSON object, as far as the target has it.
    pub row: String,
}

/// The rows of one part that its target did not take. Clones share them.
#[derive(Debug, Clone)]
pub struct Rejects(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    rows: Mutex<Vec<Rejected>>,
}

/// Has a batch taken. Where a row of it is refused ([`Class::Rejected`]) and may be put aside, the halves of the batch
/// are tried, and so on, until the rows that are refused stand alone. `take` takes all of what it is given or nothing.
pub fn sift(
    rejects: Option<&Rejects>,
    batch: &RecordBatch,
    take: &mut dyn FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let error = match take(batch) {
        Err(error) if error.class == Class::Rejected && batch.num_rows() > 0 => error,
        taken => return taken,
    };
    let Some(rejects) = rejects else { return Err(error) };
    if batch.num_rows() == 1 {
        return rejects.add(batch, 0, error);
    }
    let half = batch.num_rows() / 2;
    sift(Some(rejects), &batch.slice(0, half), take)?;
    sift(Some(rejects), &batch.slice(half, batch.num_rows() - half), take)
}

impl Rejects {
    /// For a part; with more rows than `most` it fails.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, rows: Mutex::default() }))
    }

    /// Puts a row of a batch aside.
    ///
    /// # Errors
    /// If these are too many, so that the part fails.
    pub fn add(&self, batch: &RecordBatch, row: usize, reason: impl Display) -> Result<()> {
        let one: ArrayRef = Arc::new(StructArray::from(batch.slice(row, 1)));
        let field = Arc::new(Field::new("row", DataType::Struct(batch.schema().fields().clone()), false));
        // What has no text may be why the row is put aside.
        let text = plain::readable(&field, &one, &plain::PlainJson::default())?;
        self.add_text(text.value(0).to_owned(), reason)
    }

    /// Puts a row aside that the target has as a JSON object.
    ///
    /// # Errors
    /// If these are too many, so that the part fails.
    pub fn add_text(&self, row: String, reason: impl Display) -> Result<()> {
        let reason = reason.to_string();
        let mut rows = self.0.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= self.0.most {
            return Err(self.too_many(reason));
        }
        rows.push(Rejected { reason, row });
        Ok(())
    }

    /// The error that these are too many.
    pub fn too_many(&self, reason: impl Display) -> Error {
        Error::destination(format!("more than {} rows were not taken, the last because: {reason}", self.0.most))
    }

    /// Whether no more may be put aside.
    pub fn is_full(&self) -> bool {
        self.count() >= self.0.most as u64
    }

    /// How many rows there are.
    pub fn count(&self) -> u64 {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Forgets all but the first rows: what came after them is tried again.
    pub fn keep(&self, count: u64) {
        let mut rows = self.0.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    }

    /// All rows, which are given away.
    pub fn take(&self) -> Vec<Rejected> {
        std::mem::take(&mut *self.0.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
