//! The rows of one unit, from the server's answer to batches.
//!
//! An answer that is cut short is told from one that is whole by the mark at the end of an Arrow stream, which the server
//! writes when it has carried out the query. Whatever goes wrong after the first rows it can only write behind them.

use std::time::Instant;

use arrow_ipc::reader::StreamDecoder;
use headwater_clickhouse_client::{Compression, Server, Statement, Tries, of_source, told};
use headwater_sdk::arrow::array::{Array, RecordBatch};
use headwater_sdk::arrow::buffer::Buffer;
use headwater_sdk::calls::meter::Wait;
use headwater_sdk::unit::{Unit, UnitRun};
use headwater_sdk::{Class, Error, Result};

use crate::convert::convert;
use crate::discover::Readable;
use crate::divide::Piece;
use crate::spec::Options;

/// The mark at the end of an Arrow stream (<https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format>).
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// So much of the end of an answer is kept, to find an exception in it.
const KEPT: usize = 32 << 10;

/// The statement that reads a unit.
fn statement(piece: &Piece, options: &Options) -> Statement {
    let table = &piece.table;
    let columns: Vec<&str> = table.columns.iter().map(|column| column.sql.as_str()).collect();
    let condition = piece.condition.as_ref().map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
    let sql = format!("SELECT {} FROM {}{condition} FORMAT ArrowStream", columns.join(", "), table.from);
    let compression = match options.compression {
        Compression::None => "none",
        Compression::Zstd => "zstd",
    };
    let settings = vec![
        ("output_format_arrow_compression_method", compression.to_owned()),
        ("max_block_size", options.rows.to_string()),
        ("preferred_block_size_bytes", options.bytes.to_string()),
    ];
    Statement { settings, ..sql.into() }
}

/// Reads a unit. A query that fails before its first rows is sent again where that may help; after that, rows would come
/// twice.
pub async fn read(server: &Server, options: &Options, piece: &Piece, unit: &Unit, run: &UnitRun) -> Result<()> {
    let statement = statement(piece, options);
    let mut tries = Tries::default();
    let turn = server.turn().await?;
    loop {
        let mut answer = Answer { server, options, piece, unit, run, rows: 0 };
        let began = Instant::now();
        let response = server.answer(&turn, &statement).await;
        run.calls.note_wait(Wait::Api, began.elapsed());
        let failed = match response {
            Ok(response) => match answer.take(response).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Err(error) => error,
        };
        match answer.rows {
            0 => tries.next(failed).await?,
            rows => return Err(failed.while_doing(format!("after {rows} rows"))),
        }
    }
}

/// An answer that is being read.
struct Answer<'a> {
    server: &'a Server,
    options: &'a Options,
    piece: &'a Piece,
    unit: &'a Unit,
    run: &'a UnitRun,
    rows: usize,
}

impl Answer<'_> {
    async fn take(&mut self, mut response: headwater_clickhouse_client::Response) -> Result<()> {
        let shown = &self.server.settings.shown;
        let mut decoder = StreamDecoder::new();
        let mut end = End::default();
        let mut broken = None;
        let lost = loop {
            let began = Instant::now();
            let piece = response.chunk().await;
            self.run.calls.note_wait(Wait::Api, began.elapsed());
            let piece = match piece {
                Ok(Some(piece)) => piece,
                Ok(None) => break None,
                Err(error) => break Some(headwater_clickhouse_client::lost(error, shown)),
            };
            end.push(&piece);
            let mut buffer = Buffer::from(piece);
            // Behind what cannot be read there may be the reason.
            while broken.is_none() && !buffer.is_empty() {
                match decoder.decode(&mut buffer) {
                    Ok(Some(batch)) => self.hand_on(&batch).await?,
                    Ok(None) => {}
                    Err(error) => broken = Some(error),
                }
            }
        };
        if lost.is_none() && broken.is_none() && end.0.ends_with(&END) && decoder.finish().is_ok() {
            return Ok(());
        }
        Err(told(&end.0, shown).or(lost).unwrap_or_else(|| {
            let why = broken.map(|error| format!(": {error}")).unwrap_or_default();
            Error::destination(format!("{shown}: the answer ended too early{why}")).with_code("Connection")
        }))
    }

    /// Hands on rows as batches of no more than was asked for.
    async fn hand_on(&mut self, batch: &RecordBatch) -> Result<()> {
        let table = &self.piece.table;
        if batch.num_columns() != table.columns.len() {
            return Err(Error::fatal(format!("{} columns came of {}", batch.num_columns(), table.columns.len())));
        }
        let rows = batch.num_rows();
        self.rows += rows;
        let columns = table.columns.iter().zip(batch.columns()).map(|(column, array)| {
            let array =
                convert(&column.kind, array).map_err(|error| error.while_doing(format!("column {}", column.own)))?;
            match array.null_count() {
                missing if missing > 0 && !column.nullable => Err(Error::fatal(format!(
                    "column {}: {missing} of {rows} values are missing, where the spec says that none is",
                    column.own
                ))),
                _ => Ok(array),
            }
        });
        let columns: Vec<_> = columns.collect::<Result<_>>()?;
        let bytes: usize = columns.iter().map(|array| array.to_data().get_slice_memory_size().unwrap_or(0)).sum();
        // The server goes by what it knows of the rows before, and may be somewhat over it.
        let limit = self.options.bytes;
        let by_bytes = if bytes / 2 > limit { bytes.div_ceil(limit) } else { 1 };
        let batches = rows.div_ceil(self.options.rows).max(by_bytes).clamp(1, rows.max(1));
        let most = rows.div_ceil(batches).max(1);
        for first in (0..rows).step_by(most) {
            let count = most.min(rows - first);
            let columns = match count == rows {
                true => columns.clone(),
                false => columns.iter().map(|array| array.slice(first, count)).collect(),
            };
            let framed = self.run.framed(self.unit, count, columns)?;
            self.run.send(&self.unit.node.schema, framed).await;
        }
        Ok(())
    }
}

/// The end of what has come so far.
#[derive(Default)]
struct End(Vec<u8>);

impl End {
    fn push(&mut self, piece: &[u8]) {
        if self.0.len() > KEPT {
            self.0.drain(..self.0.len() - KEPT);
        }
        self.0.extend_from_slice(&piece[piece.len().saturating_sub(KEPT)..]);
    }
}

/// What is read, for an error.
pub fn place(table: &Readable) -> String {
    format!("reading {}", table.from)
}

/// An error of reading, as one of a source.
pub fn failed(error: Error) -> Error {
    if error.class == Class::Destination { of_source(error) } else { error }
}
