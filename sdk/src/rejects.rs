//! Rows that a target does not take: they are put aside with the reason, instead of failing their part.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    aside: Mutex<Aside>,
}

#[derive(Debug, Default)]
struct Aside {
    rows: Vec<Rejected>,
    bytes: usize,
}

impl Rejected {
    fn bytes(&self) -> usize {
        self.reason.len() + self.row.len()
    }
}

/// The bytes of one part that are put aside: these rows wait in memory for the end of their part.
const MOST_BYTES: usize = 16 << 20;

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
    /// For a part; with more rows than `most`, or more than 16 MiB of them, it fails.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, aside: Mutex::default() }))
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
        let rejected = Rejected { reason: reason.to_string(), row };
        let mut aside = self.aside();
        if aside.rows.len() >= self.0.most {
            return Err(self.too_many(rejected.reason));
        }
        if aside.bytes + rejected.bytes() > MOST_BYTES {
            let (rows, most, reason) = (aside.rows.len() + 1, MOST_BYTES >> 20, rejected.reason);
            return Err(Error::destination(format!(
                "{rows} rows were not taken, which are more than the {most} MiB of one part that are put aside, the last \
                 because: {reason}"
            )));
        }
        aside.bytes += rejected.bytes();
        aside.rows.push(rejected);
        Ok(())
    }

    fn aside(&self) -> MutexGuard<'_, Aside> {
        self.0.aside.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.aside().rows.len() as u64
    }

    /// Forgets all but the first rows: what came after them is tried again.
    pub fn keep(&self, count: u64) {
        let mut aside = self.aside();
        aside.rows.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        aside.bytes = aside.rows.iter().map(Rejected::bytes).sum();
    }

    /// All rows, which are given away.
    pub fn take(&self) -> Vec<Rejected> {
        std::mem::take(&mut *self.aside()).rows
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_that_are_put_aside_are_counted_in_bytes_too() {
        let rejects = Rejects::new(100);
        let half = "x".repeat(MOST_BYTES / 2 - 1);
        rejects.add_text(half.clone(), "a").unwrap();
        rejects.add_text(half.clone(), "b").unwrap();
        let error = rejects.add_text(String::new(), "c").unwrap_err().to_string();
        assert!(error.contains("3 rows were not taken") && error.contains("16 MiB"), "{error}");
        assert!(error.ends_with("because: c"), "{error}");
        rejects.keep(1);
        rejects.add_text(half, "d").unwrap();
        assert_eq!(rejects.take().len(), 2);
        rejects.add_text("x".repeat(MOST_BYTES - 1), "e").unwrap();
    }
}
