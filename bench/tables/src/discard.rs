//! The destination `discard`: it counts rows, and forgets them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_bench::usage;
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{
    ColumnType, Committed, Destination, Error, Outcome, Part, PartWriter, Result, Stored, TableSchema, async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Spec of the `discard` destination.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Write the number of rows of parts that are committed to this file at the end.
    pub rows: PathBuf,
}

/// The destination of a spec.
pub fn destination(spec: Spec) -> Result<Arc<dyn Destination>> {
    Ok(Arc::new(Discard { spec, rows: Arc::default() }))
}

struct Discard {
    spec: Spec,
    rows: Arc<AtomicU64>,
}

struct Writer {
    rows: u64,
    all: Arc<AtomicU64>,
}

#[async_trait]
impl Destination for Discard {
    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn stores(&self, kind: &ColumnType) -> Stored {
        Stored::whole(kind.name())
    }

    async fn migrate(&self, _: &[Arc<TableSchema>], _: MigrateMode) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, _: Part) -> Result<Box<dyn PartWriter>> {
        Ok(Box::new(Writer { rows: 0, all: Arc::clone(&self.rows) }))
    }

    async fn close(&self) -> Result<()> {
        let rows = self.rows.load(Ordering::Relaxed);
        usage::write(&self.spec.rows, &rows).map_err(|error| Error::destination(format!("{error:#}")))
    }
}

#[async_trait]
impl PartWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    async fn commit(self: Box<Self>, _: Outcome) -> Result<Committed> {
        self.all.fetch_add(self.rows, Ordering::Relaxed);
        Ok(Committed { written: self.rows, ..Committed::default() })
    }
}
