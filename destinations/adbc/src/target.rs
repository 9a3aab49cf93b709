//! The destination, and what its parts share.

use std::sync::{Arc, OnceLock};

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::memory::Reserved;
use headwater_sdk::pool::Pool;
use headwater_sdk::{
    Budget, ColumnType, Destination, Error, Part, PartWriter, Range, Result, Stored, TablePlan, TableSchema, Timestamp,
    async_trait,
};

use crate::connect::Connect;
use crate::dialect::Dialect;
use crate::errors::Shown;
use crate::part::Writer;
use crate::session::Session;
use crate::store::{Limits, Store};
use crate::worker::{Orders, Worker};
use crate::{migrate, publish};

/// What DuckDB has at least: with less it cannot write wide tables.
const LEAST: u64 = 96 << 20;
/// One thread of DuckDB's for so many bytes.
const OF_A_THREAD: u64 = 48 << 20;

/// The destination.
pub struct Adbc {
    connect: Arc<Connect>,
    shown: Arc<Shown>,
    memory: OnceLock<Memory>,
    worker: tokio::sync::Mutex<Option<Running>>,
}

/// The memory of the run, and what parts hold of it.
struct Memory {
    budget: Budget,
    pool: Pool,
}

impl Memory {
    fn new(budget: &Budget) -> Self {
        Self { budget: budget.clone(), pool: Pool::new(budget) }
    }
}

/// The thread that has the database, and what that takes of the memory.
struct Running {
    worker: Worker,
    _reserved: Option<Reserved>,
}

/// What DuckDB may take of a run's memory. A destination has a quarter elsewhere; but an engine that sorts and joins needs
/// more for the rows of a large unit, and with a quarter of 512 MiB it cannot replace five million.
fn limits(budget: &Budget) -> Limits {
    let processors = std::thread::available_parallelism().map_or(1, |number| number.get() as u64);
    let bytes = (budget.total() / 2).max(LEAST);
    Limits { memory: bytes, threads: (bytes / OF_A_THREAD).clamp(1, processors) }
}

impl Adbc {
    /// A destination that is not opened yet.
    pub fn new(connect: Connect) -> Self {
        let shown = Arc::new(connect.shown());
        Self { connect: Arc::new(connect), shown, memory: OnceLock::new(), worker: tokio::sync::Mutex::default() }
    }

    fn memory(&self) -> &Memory {
        self.memory.get_or_init(|| Memory::new(&Budget::default()))
    }

    /// The way to the thread, which is started, and opens the database, when it is first needed.
    async fn orders(&self) -> Result<Orders> {
        let mut running = self.worker.lock().await;
        if let Some(broken) = running.take_if(|running| running.worker.orders.is_broken()) {
            // Units that wait in it fail; those that come are not to fail with them.
            let closed = broken.worker.close().await;
            tracing::warn!(place = self.shown.place, ?closed, "the connection is lost, and made anew");
        }
        if let Some(running) = running.as_ref() {
            return Ok(running.worker.orders.clone());
        }
        let budget = &self.memory().budget;
        let (connect, shown, limits) = (Arc::clone(&self.connect), Arc::clone(&self.shown), limits(budget));
        let is_file = connect.file.is_some();
        let worker = Worker::start(move || Store::open(&connect, &shown, limits)).await?;
        let _reserved = is_file.then(|| budget.reserve(limits.memory));
        Ok(running.insert(Running { worker, _reserved }).worker.orders.clone())
    }

    /// Has something read from the database, which is not changed; none where it is a file that is not there.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session, Dialect) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let (connect, shown) = (Arc::clone(&self.connect), Arc::clone(&self.shown));
        let read = move || {
            let dialect = connect.dialect()?;
            if let Some(file) = &connect.file
                && !file.location.check()?
            {
                // A missing library is said also where there is nothing to be read yet.
                connect.load()?;
                return Ok(None);
            }
            connect.read(&shown, |session| work(session, dialect)).map(Some)
        };
        tokio::task::spawn_blocking(read).await.map_err(Error::destination)?
    }
}

#[async_trait]
impl Destination for Adbc {
    async fn check(&self) -> Result<()> {
        self.read(|session, _| session.query("SELECT 1").map(|_| ())).await.map(|_| ())
    }

    fn use_memory(&self, budget: &Budget) {
        // Only the first call counts.
        let _ = self.memory.set(Memory::new(budget));
    }

    fn stores(&self, kind: &ColumnType) -> Stored {
        match self.connect.dialect() {
            Ok(dialect) => dialect.stored(kind),
            Err(_) => Stored::refusing("", "any value, because the database's dialect is not known"),
        }
    }

    async fn plan(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<Vec<TablePlan>> {
        let (dialect, wanted) = (self.connect.dialect()?, tables.to_vec());
        let planned = self.read(move |session, dialect| migrate::plan(session, dialect, &wanted, mode)).await?;
        match planned {
            Some(planned) => Ok(planned),
            None => migrate::plan_anew(dialect, tables, mode),
        }
    }

    async fn migrate(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
        let tables = tables.to_vec();
        let orders = self.orders().await?;
        orders.call(move |store| migrate::migrate(store, &tables, mode)).await
    }

    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>> {
        let dialect = self.connect.dialect()?;
        Ok(Box::new(Writer::new(self.orders().await?, dialect, &self.memory().pool, part)))
    }

    async fn delete(&self, table: &Arc<TableSchema>, matching: RecordBatch) -> Result<u64> {
        let (table, orders) = (Arc::clone(table), self.orders().await?);
        let name = format!("table {}", table.name);
        let deleted = orders.call(move |store| publish::delete(store, &table, &matching)).await;
        deleted.map_err(|error| error.while_doing(name))
    }

    async fn prune(
        &self,
        table: &Arc<TableSchema>,
        source: &str,
        within: &[Range],
        sync_time: Timestamp,
    ) -> Result<u64> {
        let (all, orders) = (Part::of_source(table, source, within, sync_time), self.orders().await?);
        let pruned = orders.call(move |store| publish::prune(store, &all)).await;
        pruned.map_err(|error| error.while_doing(format!("table {}", table.name)))
    }

    async fn close(&self) -> Result<()> {
        let worker = self.worker.lock().await.take();
        match worker {
            Some(running) => running.worker.close().await,
            None => Ok(()),
        }
    }
}
