//! The rows of a query in batches.

use headwater_postgresql_client::Wire;
use headwater_sdk::arrow::array::ArrayRef;
use headwater_sdk::sql::quote;
use headwater_sdk::{Error, Result};

use crate::decode::Decoder;
use crate::types::Mapped;

/// How large a batch gets; what is reached first counts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows.
    pub rows: usize,
    /// Bytes of memory, about.
    pub bytes: usize,
}

/// Rows of a batch: how many, and their columns.
pub type Batch = (usize, Vec<ArrayRef>);

/// The size of a batch is looked at whenever so many bytes have come.
const LOOK: usize = 32 << 10;

/// `SELECT` of columns, to which `FROM` and the rest are added.
pub fn select(columns: &[Mapped]) -> String {
    let columns: Vec<&str> = columns.iter().map(|column| column.select.as_str()).collect();
    format!("SELECT {}", columns.join(", "))
}

/// A table with the name of its schema.
pub fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", quote(schema), quote(table))
}

/// A query whose rows come. Where it is dropped before its end, so should be the connection, which cancels it.
pub struct Rows<'a> {
    wire: &'a mut Wire,
    decoder: Decoder,
    limits: Limits,
    done: bool,
}

impl<'a> Rows<'a> {
    /// Begins to read the rows of a query, such as [`select`] and what comes behind it.
    ///
    /// # Errors
    /// If the query cannot be sent.
    pub async fn begin(wire: &'a mut Wire, query: &str, columns: &[Mapped], limits: Limits) -> Result<Self> {
        let decoder = Decoder::new(columns)?;
        wire.query(&format!("COPY ({query}) TO STDOUT (FORMAT binary)")).await?;
        Ok(Self { wire, decoder, limits, done: false })
    }

    /// The next batch; none at the end.
    ///
    /// # Errors
    /// If the query fails, or a value is not one of its column's type.
    pub async fn next(&mut self) -> Result<Option<Batch>> {
        let mut unseen = 0;
        while !self.done {
            let Some(piece) = self.wire.next().await? else {
                self.done = true;
                if !self.decoder.is_done() {
                    return Err(Error::fatal("the server ended a COPY in the middle"));
                }
                break;
            };
            self.decoder.feed(piece)?;
            unseen += piece.len();
            let full = self.decoder.rows() >= self.limits.rows;
            if full || unseen >= LOOK && self.decoder.size() >= self.limits.bytes {
                return self.take().map(Some);
            }
            if unseen >= LOOK {
                unseen = 0;
            }
        }
        if self.decoder.rows() == 0 { Ok(None) } else { self.take().map(Some) }
    }

    fn take(&mut self) -> Result<Batch> {
        Ok((self.decoder.rows(), self.decoder.take()?))
    }
}
