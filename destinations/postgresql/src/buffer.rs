//! Rows of a part that have not been sent yet.

use bytes::Bytes;
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::arrow::datatypes::Fields;
use headwater_sdk::pool::batch_bytes;
use headwater_sdk::{Part, Result};

use crate::ddl::is_numbered;
use crate::encode::Rows;

/// Encoded rows, to which more are added.
pub struct Buffer {
    fields: Fields,
    bytes: Vec<u8>,
    count: u64,
    /// Of the next row, where rows have one.
    pub number: Option<i64>,
    /// The same rows as they came, where single ones may have to be put aside.
    pieces: Option<Vec<Piece>>,
    /// The bytes of these.
    kept: u64,
}

/// Rows that are sent together.
#[derive(Clone, Default)]
pub struct Bundle {
    /// Encoded.
    pub bytes: Bytes,
    /// How many.
    pub count: u64,
    /// As they came, where single ones may have to be put aside.
    pub pieces: Vec<Piece>,
}

/// Rows of one batch, of which one may be refused.
#[derive(Clone)]
pub struct Piece {
    fields: Fields,
    /// The rows.
    pub batch: RecordBatch,
    number: Option<i64>,
}

impl Piece {
    /// The rows, encoded.
    pub fn encode(&self) -> Result<Bytes> {
        let mut bytes = Vec::new();
        Rows::new(&self.fields, &self.batch)?.write(self.number, &mut bytes)?;
        Ok(bytes.into())
    }

    /// Both halves, the later one first, or none of a single row.
    pub fn halves(&self) -> Option<[Self; 2]> {
        let (rows, half) = (self.batch.num_rows(), self.batch.num_rows() / 2);
        let part = |from: usize, count| Self {
            fields: self.fields.clone(),
            batch: self.batch.slice(from, count),
            number: self.number.map(|number| number + from as i64),
        };
        (half > 0).then(|| [part(half, rows - half), part(0, half)])
    }
}

impl Buffer {
    /// For the rows of a part.
    pub fn new(part: &Part) -> Self {
        Self {
            fields: part.table.arrow().fields().clone(),
            bytes: Vec::new(),
            count: 0,
            number: is_numbered(&part.table).then_some(0),
            pieces: part.rejects.is_some().then(Vec::new),
            kept: 0,
        }
    }

    /// Adds all rows of a batch, or none.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let before = self.bytes.len();
        let written = Rows::new(&self.fields, batch)?.write(self.number, &mut self.bytes);
        if written.is_err() {
            self.bytes.truncate(before);
            return written;
        }
        if let Some(pieces) = &mut self.pieces {
            self.kept += batch_bytes(batch);
            pieces.push(Piece { fields: self.fields.clone(), batch: batch.clone(), number: self.number });
        }
        self.count += batch.num_rows() as u64;
        if let Some(number) = &mut self.number {
            *number += batch.num_rows() as i64;
        }
        Ok(())
    }

    /// The bytes of memory that it takes.
    pub fn size(&self) -> u64 {
        self.bytes.capacity() as u64 + self.kept
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        drop(self.take());
    }

    /// All rows, which stay: an attempt to send them may have to be made again.
    pub fn peek(&mut self) -> Bundle {
        let bundle = self.take();
        (self.bytes, self.count) = (bundle.bytes.to_vec(), bundle.count);
        if let Some(pieces) = &mut self.pieces {
            pieces.clone_from(&bundle.pieces);
        }
        bundle
    }

    /// Gives all rows away.
    pub fn take(&mut self) -> Bundle {
        self.kept = 0;
        Bundle {
            bytes: std::mem::take(&mut self.bytes).into(),
            count: std::mem::take(&mut self.count),
            pieces: self.pieces.as_mut().map(std::mem::take).unwrap_or_default(),
        }
    }
}
