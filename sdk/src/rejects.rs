//! Rows that a target does not take: they are put aside with the reason, instead of failing their part.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, StructArray, UInt64Array};
use arrow::compute::take_record_batch;
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
    /// Rows that transformers have put aside, which the target never sees.
    before: Vec<Rejected>,
    /// Rows, as they were, that the target takes without a value.
    values: Vec<Rejected>,
    bytes: usize,
}

impl Aside {
    fn len(&self) -> usize {
        self.rows.len() + self.before.len() + self.values.len()
    }
}

/// What became of the rows that were put aside.
#[derive(Debug, Default)]
pub struct Taken {
    /// Rows that are not written.
    pub rows: Vec<Rejected>,
    /// Rows that are written without a value.
    pub values: Vec<Rejected>,
}

impl Rejected {
    /// Rows of a batch, by their places, as the JSON objects that are put aside.
    ///
    /// # Errors
    /// If a row has no text at all.
    pub fn of(batch: &RecordBatch, rows: &[(usize, String)]) -> Result<Vec<Self>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let places = UInt64Array::from_iter_values(rows.iter().map(|(row, _)| *row as u64));
        let taken = take_record_batch(batch, &places).map_err(Error::fatal)?;
        let all: ArrayRef = Arc::new(StructArray::from(taken));
        let field = Arc::new(Field::new("row", DataType::Struct(batch.schema().fields().clone()), false));
        // What has no text may be why the row is put aside.
        let texts = plain::readable(&field, &all, &plain::PlainJson::default())?;
        let made = |(at, (_, reason)): (usize, &(usize, String))| Self {
            reason: reason.clone(),
            row: texts.value(at).to_owned(),
        };
        Ok(rows.iter().enumerate().map(made).collect())
    }

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
        let rejected = Rejected::of(batch, &[(row, reason.to_string())])?;
        rejected.into_iter().try_for_each(|rejected| self.push(rejected, |aside| &mut aside.rows))
    }

    /// Puts a row aside that the target has as a JSON object.
    ///
    /// # Errors
    /// If these are too many, so that the part fails.
    pub fn add_text(&self, row: String, reason: impl Display) -> Result<()> {
        self.push(Rejected { reason: reason.to_string(), row }, |aside| &mut aside.rows)
    }

    /// Puts rows aside that a transformer does not let pass, or lets pass without a value.
    ///
    /// # Errors
    /// If these are too many, so that the part fails.
    pub fn add_before(&self, taken: Taken) -> Result<()> {
        taken.rows.into_iter().try_for_each(|rejected| self.push(rejected, |aside| &mut aside.before))?;
        taken.values.into_iter().try_for_each(|rejected| self.push(rejected, |aside| &mut aside.values))
    }

    fn push(&self, rejected: Rejected, to: impl FnOnce(&mut Aside) -> &mut Vec<Rejected>) -> Result<()> {
        let mut aside = self.aside();
        if aside.len() >= self.0.most {
            return Err(self.too_many(rejected.reason));
        }
        if aside.bytes + rejected.bytes() > MOST_BYTES {
            let (rows, most, reason) = (aside.len() + 1, MOST_BYTES >> 20, rejected.reason);
            return Err(Error::destination(format!(
                "{rows} rows were not taken, which are more than the {most} MiB of one part that are put aside, the last \
                 because: {reason}"
            )));
        }
        aside.bytes += rejected.bytes();
        to(&mut aside).push(rejected);
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
        self.aside().len() >= self.0.most
    }

    /// Whether every row of the part is taken, so that what is missing of it is known to be gone.
    pub fn are_none(&self) -> bool {
        let aside = self.aside();
        aside.rows.is_empty() && aside.before.is_empty()
    }

    /// How many rows the target did not take.
    pub fn count(&self) -> u64 {
        self.aside().rows.len() as u64
    }

    /// Forgets all but the first of those rows: what came after them is tried again.
    pub fn keep(&self, count: u64) {
        let mut aside = self.aside();
        aside.rows.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        let Aside { rows, before, values, .. } = &*aside;
        aside.bytes = rows.iter().chain(before).chain(values).map(Rejected::bytes).sum();
    }

    /// The rows that are not written, which are given away.
    pub fn take(&self) -> Vec<Rejected> {
        self.take_all().rows
    }

    /// All rows, which are given away.
    pub fn take_all(&self) -> Taken {
        let Aside { rows, mut before, values, .. } = std::mem::take(&mut *self.aside());
        before.extend(rows);
        Taken { rows: before, values }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_target_forgets_is_only_its_own() {
        let rejects = Rejects::new(4);
        let row = |reason: &str| vec![Rejected { reason: reason.to_owned(), row: "{}".to_owned() }];
        rejects.add_before(Taken { rows: Vec::new(), values: row("value") }).unwrap();
        assert!(rejects.are_none(), "a row without a value is written");
        rejects.add_text("{}".to_owned(), "own").unwrap();
        rejects.add_before(Taken { rows: row("before"), values: Vec::new() }).unwrap();
        assert_eq!((rejects.count(), rejects.are_none(), rejects.is_full()), (1, false, false));
        // The target tries again.
        rejects.keep(0);
        assert_eq!((rejects.count(), rejects.are_none()), (0, false));
        rejects.add_text("{}".to_owned(), "own").unwrap();
        rejects.add_text("{}".to_owned(), "another").unwrap();
        let error = rejects.add_text("{}".to_owned(), "one more").unwrap_err().to_string();
        assert!(error.contains("more than 4 rows"), "{error}");
        let taken = rejects.take_all();
        let reasons = |rows: Vec<Rejected>| rows.into_iter().map(|row| row.reason).collect::<Vec<_>>();
        assert_eq!(reasons(taken.rows), ["before", "own", "another"]);
        assert_eq!(reasons(taken.values), ["value"]);
    }

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
