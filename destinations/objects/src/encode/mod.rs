//! Record batches to the bytes of a file.

mod origin;
mod parquet;
mod text;

use std::fs::File;

use headwater_sdk::arrow::array::{BooleanArray, RecordBatch};
use headwater_sdk::arrow::compute::filter_record_batch;
use headwater_sdk::arrow::datatypes::SchemaRef;
use headwater_sdk::pool::Share;
use headwater_sdk::{ColumnType, Error, Result, Stored, TableSchema};

use crate::format::Encoding;
use crate::memory::{Memory, OPEN_FILE};
use crate::store::Out;

pub use origin::{NeedsMore, Origin, origin};

/// Writes the batches of one file.
pub enum Sink {
    /// Parquet.
    Parquet(Box<parquet::Sink>),
    /// JSON Lines or CSV.
    Text { sink: Box<text::Sink>, _share: Share },
}

impl Sink {
    /// Begins a file for batches of a schema.
    pub fn new(encoding: &Encoding, schema: &SchemaRef, file: Out, memory: &Memory) -> Result<Self> {
        let sink = match encoding {
            Encoding::Parquet(how) => {
                return Ok(Self::Parquet(Box::new(parquet::Sink::new(schema, file, how, memory)?)));
            }
            Encoding::Json { gzip } => text::Sink::json(file, *gzip),
            Encoding::Csv { gzip, delimiter, header } => text::Sink::csv(schema, file, *gzip, *delimiter, *header),
        };
        let share = memory.share();
        share.set(OPEN_FILE);
        Ok(Self::Text { sink: Box::new(sink), _share: share })
    }

    /// Writes batches; in Parquet they are a row group.
    pub fn write(&mut self, batches: &[RecordBatch]) -> Result<()> {
        match self {
            Self::Parquet(sink) => sink.write(batches),
            Self::Text { sink, .. } => batches.iter().try_for_each(|batch| sink.write(batch)),
        }
    }

    /// Writes what is still held back.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Parquet(sink) => sink.finish(),
            Self::Text { sink, .. } => sink.finish(),
        }
    }
}

/// Whether a table can be written at all, before anything is.
pub fn check(encoding: &Encoding, table: &TableSchema) -> Result<()> {
    match encoding {
        Encoding::Parquet(_) => parquet::check(&table.arrow()),
        Encoding::Json { .. } | Encoding::Csv { .. } => Ok(()),
    }
}

/// How a type's values are stored, and which of them cannot be had back.
pub fn stored(encoding: &Encoding, kind: &ColumnType) -> Stored {
    match encoding {
        Encoding::Parquet(_) => parquet::stored(kind),
        Encoding::Json { .. } => text::stored_json(kind),
        Encoding::Csv { .. } => text::stored_csv(kind),
    }
}

/// The rows of a file that are left out, in order, counted from 0.
pub struct Gone<'a> {
    rows: &'a [u64],
    /// The number of the next row.
    next: u64,
}

impl<'a> Gone<'a> {
    /// For rows that are counted from `first`.
    pub fn new(rows: &'a [u64], first: u64) -> Self {
        Self { rows: &rows[rows.partition_point(|row| *row < first)..], next: first }
    }

    /// The next batch without them.
    pub fn filter(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        let first = self.next;
        self.next += batch.num_rows() as u64;
        let (here, later) = self.rows.split_at(self.rows.partition_point(|row| *row < self.next));
        self.rows = later;
        if here.is_empty() {
            return Ok(batch);
        }
        let mut keep = vec![true; batch.num_rows()];
        here.iter().for_each(|row| keep[(row - first) as usize] = false);
        filter_record_batch(&batch, &BooleanArray::from(keep)).map_err(wrong)
    }
}

/// Copies a finished file without some of its rows, whose numbers are given in order, counted from 0.
pub fn without(rows: &[u64], encoding: &Encoding, from: File, to: Out, memory: &Memory) -> Result<()> {
    match encoding {
        Encoding::Parquet(how) => parquet::without(rows, from, to, how, memory),
        Encoding::Json { gzip } => text::without(rows, from, to, *gzip, false, false),
        Encoding::Csv { gzip, header, .. } => text::without(rows, from, to, *gzip, true, *header),
    }
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::destination(error)
}
