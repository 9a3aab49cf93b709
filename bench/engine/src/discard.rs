//! The destination `discard`: it counts rows, adds up the hashes of their keys, and forgets them. It can be slow.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{
    ColumnType, Committed, Destination, Error, Outcome, Part, PartWriter, Result, Stored, TableSchema, async_trait,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::keys::{Sum, Sums};
use headwater_bench::usage;

/// Spec of the `discard` destination.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Write the rows by table, and the sums of their keys, to this file at the end, as JSON.
    pub sums: Option<PathBuf>,
    /// Take this long for each batch, in milliseconds.
    pub delay_ms: u64,
    /// Take nothing for this long, once, in seconds.
    pub stall_s: u64,
    /// Rows that are taken before that.
    pub stall_after_rows: u64,
}

/// The destination of a spec.
pub fn destination(spec: Spec) -> Result<Arc<dyn Destination>> {
    let inner = Inner { spec, taken: AtomicU64::new(0), stalled_until: OnceCell::new(), sums: Mutex::default() };
    Ok(Arc::new(Discard(Arc::new(inner))))
}

struct Discard(Arc<Inner>);

struct Inner {
    spec: Spec,
    /// Rows that were offered, committed or not.
    taken: AtomicU64,
    stalled_until: OnceCell<Instant>,
    /// Rows of parts that are committed.
    sums: Mutex<Sums>,
}

struct Writer {
    inner: Arc<Inner>,
    table: Arc<TableSchema>,
    sum: Sum,
}

#[async_trait]
impl Destination for Discard {
    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn stores(&self, kind: &ColumnType) -> Stored {
        Stored::whole(kind.name())
    }

    async fn migrate(&self, tables: &[Arc<TableSchema>], _: MigrateMode) -> Result<()> {
        let mut sums = self.0.sums.lock().unwrap_or_else(PoisonError::into_inner);
        // A table without a row is told as well.
        sums.extend(tables.iter().map(|table| (table.name.clone(), Sum::default())));
        Ok(())
    }

    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>> {
        Ok(Box::new(Writer { inner: Arc::clone(&self.0), table: part.table, sum: Sum::default() }))
    }

    async fn close(&self) -> Result<()> {
        let sums = self.0.sums.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.0.spec.sums {
            Some(file) => usage::write(file, &*sums).map_err(|error| Error::destination(format!("{error:#}"))),
            None => Ok(()),
        }
    }
}

impl Inner {
    /// Is as slow as it was told to be.
    async fn dawdle(&self, rows: u64) {
        let before = self.taken.fetch_add(rows, Ordering::Relaxed);
        if self.spec.stall_s > 0 && before >= self.spec.stall_after_rows {
            let until = || async { Instant::now() + Duration::from_secs(self.spec.stall_s) };
            tokio::time::sleep_until(*self.stalled_until.get_or_init(until).await).await;
        }
        if self.spec.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.spec.delay_ms)).await;
        }
    }
}

#[async_trait]
impl PartWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.inner.dawdle(batch.num_rows() as u64).await;
        self.sum.add_batch(&self.table.name, &batch).map_err(Error::destination)
    }

    async fn commit(mut self: Box<Self>, outcome: Outcome) -> Result<Committed> {
        let rows = self.sum.rows;
        if outcome == Outcome::Partial {
            self.sum.partial = rows;
        }
        let mut sums = self.inner.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.entry(self.table.name.clone()).or_default().add(self.sum);
        Ok(Committed { written: rows, ..Committed::default() })
    }
}
