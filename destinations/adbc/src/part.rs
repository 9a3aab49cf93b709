//! The rows of one part on their way: held as Arrow, and handed to the database when the unit has finished, or when they
//! are many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_sdk::arrow::array::{Array, RecordBatch};
use headwater_sdk::memory::Lease;
use headwater_sdk::pool::batch_bytes;
use headwater_sdk::rejects::sift;
use headwater_sdk::{Budget, Committed, Error, Outcome, Part, PartWriter, Result, async_trait};

use crate::dialect::Dialect;
use crate::publish::publish;
use crate::store::Waiting;
use crate::worker::Orders;

/// A part hands on its rows when they are so many bytes.
const MANY: u64 = 16 << 20;

/// The memory that all parts together hold, and the database's.
#[derive(Clone)]
pub struct Memory(Arc<Shared>);

struct Shared {
    budget: Budget,
    held: AtomicU64,
    database: Lease,
}

impl Memory {
    /// Of a budget: a sixteenth of it for rows that wait, and half for the database.
    pub fn new(budget: &Budget) -> Self {
        Self(Arc::new(Shared { budget: budget.clone(), held: AtomicU64::new(0), database: budget.lease() }))
    }

    fn of_rows(&self) -> u64 {
        self.0.budget.total() / 16
    }

    /// What the database may take for itself.
    pub fn of_database(&self) -> u64 {
        self.0.budget.total() / 2
    }

    /// Counts what it takes.
    pub fn count_database(&self, bytes: u64) {
        self.0.database.set(bytes);
    }

    fn is_full(&self) -> bool {
        self.0.held.load(Ordering::Relaxed) > self.of_rows()
    }
}

/// What a part holds of it.
struct Share {
    memory: Memory,
    lease: Lease,
}

impl Share {
    fn set(&self, bytes: u64) {
        let held = &self.memory.0.held;
        held.fetch_add(bytes, Ordering::Relaxed);
        held.fetch_sub(self.lease.bytes(), Ordering::Relaxed);
        self.lease.set(bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Writes one part.
pub struct Writer {
    orders: Orders,
    share: Share,
    part: Arc<Part>,
    columns: Arc<Waiting>,
    held: Vec<RecordBatch>,
    rows: u64,
    stage: Option<String>,
    failed: bool,
}

impl Writer {
    /// A part without rows.
    pub fn new(orders: Orders, dialect: Dialect, memory: Memory, part: Part) -> Self {
        let share = Share { lease: memory.0.budget.lease(), memory };
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
        let bytes = taken.iter().map(batch_bytes).sum::<u64>() + self.share.lease.bytes();
        self.held.append(&mut taken);
        self.rows = rows;
        self.share.set(bytes);
        let many = MANY.min(self.share.memory.of_rows());
        if bytes >= many || (bytes >= many / 16 && self.share.memory.is_full()) {
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

    /// Puts what is held into a temporary table of the part's own.
    async fn hand_on(&mut self) -> Result<()> {
        let (columns, held, stage) = (Arc::clone(&self.columns), std::mem::take(&mut self.held), self.stage.clone());
        let staged = self.orders.call(move |store| match stage {
            Some(stage) => store.add(&stage, &columns, &held).map(|()| stage),
            None => store.stage(&columns, &held),
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
        // It was removed with the transaction.
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
