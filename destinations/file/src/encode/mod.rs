//! Record batches to the bytes of a file.

mod parquet;
mod text;

use std::fs::File;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::arrow::datatypes::SchemaRef;
use headwater_sdk::{Error, Result, TableSchema};

pub use self::parquet::Buffers;
use crate::spec::Encoding;

/// Writes the batches of one file.
pub enum Sink {
    /// Parquet.
    Parquet(Box<parquet::Sink>),
    /// JSON Lines or CSV.
    Text(Box<text::Sink>),
}

impl Sink {
    /// Begins a file for batches of a schema.
    pub fn new(encoding: Encoding, schema: &SchemaRef, file: File, buffers: &Buffers) -> Result<Self> {
        Ok(match encoding {
            Encoding::Parquet { zstd } => Self::Parquet(Box::new(parquet::Sink::new(schema, file, zstd, buffers)?)),
            Encoding::Json { gzip } => Self::Text(Box::new(text::Sink::json(file, gzip))),
            Encoding::Csv { gzip, delimiter, header } => {
                Self::Text(Box::new(text::Sink::csv(schema, file, gzip, delimiter, header)))
            }
        })
    }

    /// Writes a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Parquet(sink) => sink.write(batch),
            Self::Text(sink) => sink.write(batch),
        }
    }

    /// Writes what is still held back.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Parquet(sink) => sink.finish(),
            Self::Text(sink) => sink.finish(),
        }
    }
}

/// Whether a table can be written at all, before anything is.
pub fn check(encoding: Encoding, table: &TableSchema) -> Result<()> {
    match encoding {
        Encoding::Parquet { .. } => parquet::check(&table.arrow()),
        Encoding::Json { .. } | Encoding::Csv { .. } => Ok(()),
    }
}

/// Copies a finished file without some of its rows, whose numbers are given in order, counted from 0.
pub fn without(rows: &[u64], encoding: Encoding, from: File, to: File, buffers: &Buffers) -> Result<()> {
    match encoding {
        Encoding::Parquet { zstd } => parquet::without(rows, from, to, zstd, buffers),
        Encoding::Json { gzip } => text::without(rows, from, to, gzip, false, false),
        Encoding::Csv { gzip, header, .. } => text::without(rows, from, to, gzip, true, header),
    }
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::destination(error)
}
