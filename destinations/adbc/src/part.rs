//! The rows of one part on their way: held as Arrow, and handed to the database when the unit has finished, or when they
//! are many.

use std::sync::Arc;

use headwater_sdk::arrow::array::{Array, RecordBatch};
use headwater_sdk::pool::{Pool, Share, batch_bytes};
use headwater_sdk::rejects::sift;
use headwater_sdk::{Committed, Error, Outcome, Part, PartWriter, Result, WriteMode, async_trait};

use crate::dialect::Dialect;
use crate::publish::publish;
use crate::store::{Stage, Waiting};
use crate::worker::Orders;

/// Writes one part.
pub struct Writer {
    orders: Orders,
    share: Share,
    part: Arc<Part>,
    columns: Arc<Waiting>,
    held: Vec<RecordBatch>,
    rows: u64,
    stage: Option<Stage>,
    failed: bool,
}

impl Writer {
    /// A part without rows.
    pub fn new(orders: Orders, dialect: Dialect, pool: &Pool, part: Part) -> Self {
        let share = pool.share();
        let columns = Arc::new(Waiting::new(dialect, part.table.columns.iter(), !part.table.key().is_empty()));
        Self { orders, share, part: Arc::new(part), columns, held: Vec::new(), rows: 0, stage: None, failed: false }
    }

    async fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.part.check_columns(batch)?;
        let table = self.part.table.arrow();
        let (mut taken, mut rows) = (Vec::new(), self.rows);
        sift(self.part.rejects.as_ref(), batch, &mut |batch| {
            self.check_key(batch)?;
            taken.push(self.columns.convert(&table, batch, rows)?);
            rows += batch.num_rows() as u64;
            Ok(())
        })?;
        let bytes = taken.iter().map(batch_bytes).sum::<u64>() + self.share.bytes();
        self.held.append(&mut taken);
        self.rows = rows;
        self.share.set(bytes);
        if self.share.is_enough() {
            self.hand_on().await?;
        }
        Ok(())
    }

    fn check_key(&self, batch: &RecordBatch) -> Result<()> {
        let mut columns = self.part.table.columns.iter().zip(batch.columns());
        match columns.find(|(column, array)| column.key && array.null_count() > 0) {
            None => Ok(()),
            Some((column, _)) => {
                Err(Error::rejected(format!("a row came without `{}`, which is part of the key", column.name)))
            }
        }
    }

    /// Puts what is held into the table itself, in a transaction that is open as long as the part, or into a temporary table
    /// of the part's own.
    async fn hand_on(&mut self) -> Result<()> {
        let (part, columns) = (Arc::clone(&self.part), Arc::clone(&self.columns));
        let (held, stage) = (std::mem::take(&mut self.held), self.stage.clone());
        // Rows that may be put aside have to be there when that turns out.
        let streams = part.mode == WriteMode::Append && part.table.key().is_empty() && part.rejects.is_none();
        let staged = self.orders.call(move |store| {
            let begun = match stage {
                None if streams => store.stream(&part, &columns)?,
                stage => stage,
            };
            let Some(stage) = begun else { return store.stage(&columns, &held).map(Stage::Waiting) };
            match store.add(&stage, &columns, &held) {
                Ok(()) => Ok(stage),
                Err(error) => {
                    store.forget(&stage);
                    Err(error)
                }
            }
        });
        self.stage = Some(staged.await?);
        self.share.set(0);
        Ok(())
    }
}

#[async_trait]
impl PartWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        // Until it has gone well the part is not whole, also if this call is given up.
        self.failed = true;
        let taken = self.take(&batch).await;
        taken.map_err(|error| error.while_doing(format!("table {}", self.part.table.name)))?;
        self.failed = false;
        Ok(())
    }

    async fn commit(mut self: Box<Self>, outcome: Outcome) -> Result<Committed> {
        let table = format!("table {}", self.part.table.name);
        if self.failed {
            return Err(Error::destination("rows could not be written, so the part is not whole").while_doing(table));
        }
        let (part, columns, rows) = (Arc::clone(&self.part), Arc::clone(&self.columns), self.rows);
        let (held, stage) = (std::mem::take(&mut self.held), self.stage.clone());
        let done = self.orders.call(move |store| publish(store, &part, &columns, stage, &held, rows, outcome));
        let committed = done.await.map_err(|error| error.while_doing(table))?;
        // It went with the transaction.
        self.stage = None;
        Ok(committed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(stage) = self.stage.take() {
            self.orders.discard(stage);
        }
    }
}
