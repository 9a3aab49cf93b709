//! The thread that owns the connection, and the destination that hands it work. SQLite has one writer at a time and
//! blocks, so one thread does everything; callers wait for its answers, which bounds what is in memory.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::memory::Lease;
use headwater_sdk::pool::Pool;
use headwater_sdk::{
    Budget, ColumnType, Committed, Destination, Error, Outcome, Part, PartWriter, Range, Removed, Result, StateStore,
    Stored, TablePlan, TableSchema, Timestamp, async_trait,
};
use tokio::sync::{mpsc, oneshot};

use crate::changes::Changes;
use crate::ddl::stored;
use crate::explain::explain;
use crate::location::Location;
use crate::migrate::plan;
use crate::state::State;
use crate::store::Store;

/// How many pieces of work wait for the thread, so that they are made safe from a power cut together. Each belongs to a
/// caller that waits.
const QUEUE: usize = 64;
/// How long the first of these may wait for others.
const TOGETHER: Duration = Duration::from_millis(20);
/// The page cache where memory allows.
const CACHE: u64 = 32 << 20;

/// Does something, and answers the caller when it is known whether that is safe.
type Work = Box<dyn FnOnce(&mut Store) -> Answer + Send>;
type Answer = Box<dyn FnOnce(&Result<()>) + Send>;

enum Order {
    Do(Work),
    Close(oneshot::Sender<Result<()>>),
}

fn stopped<E>(_: E) -> Error {
    Error::destination("the database is closed, or its writer has stopped")
}

/// The way to the thread.
#[derive(Clone)]
pub struct Orders(mpsc::Sender<Order>);

impl Orders {
    /// Has the thread do something, and waits for its answer.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        // Whoever asked may have been stopped meanwhile; then nobody waits for the answer.
        let work: Work = Box::new(move |store| {
            let done = work(store);
            Box::new(move |safe| drop(answer.send(safe.clone().and(done))))
        });
        self.0.send(Order::Do(work)).await.map_err(stopped)?;
        answered.await.map_err(stopped)?
    }
}

struct Worker {
    orders: Orders,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread and opens the database in it.
    async fn start(location: Location, cache: u64) -> Result<Self> {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let (opened, answer) = oneshot::channel();
        let run = move || {
            let mut store = match Store::open(location, cache) {
                Ok(store) => {
                    let _ = opened.send(Ok(()));
                    store
                }
                Err(error) => return drop(opened.send(Err(error))),
            };
            let mut answers: Vec<Answer> = Vec::new();
            while let Some(order) = waiting.blocking_recv() {
                let (mut next, began) = (Some(order), Instant::now());
                // What waits is made safe by one wait for the disk.
                while let Some(Order::Do(work)) = next {
                    answers.push(work(&mut store));
                    next = if began.elapsed() < TOGETHER { waiting.try_recv().ok() } else { None };
                }
                let safe = store.sync();
                answers.drain(..).for_each(|answer| answer(&safe));
                if let Some(Order::Close(answer)) = next {
                    return drop(answer.send(store.finish()));
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("sqlite".to_owned())
            .spawn(run)
            .map_err(|error| Error::destination(format!("no thread could be started for the database: {error}")))?;
        answer.await.map_err(stopped)??;
        Ok(Self { orders: Orders(queue), thread })
    }

    async fn close(self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.orders.0.send(Order::Close(answer)).await.map_err(stopped)?;
        let closed = answered.await.map_err(stopped)?;
        // It has answered, so it is about to end.
        let _ = self.thread.join();
        closed
    }
}

/// The destination.
pub struct Sqlite(Arc<Shared>);

/// What the destination and what it hands out share.
pub struct Shared {
    /// Where the database is.
    pub location: Location,
    /// Counts the page cache.
    memory: OnceLock<Lease>,
    /// What open parts hold.
    pool: OnceLock<Pool>,
    worker: tokio::sync::Mutex<Option<Worker>>,
}

impl Sqlite {
    /// A destination whose database is not opened yet.
    pub fn new(location: Location) -> Self {
        Self(Arc::new(Shared {
            location,
            memory: OnceLock::new(),
            pool: OnceLock::new(),
            worker: tokio::sync::Mutex::default(),
        }))
    }
}

impl Shared {
    /// The way to the thread, which is started, and opens the database, when it is first needed.
    pub async fn orders(&self) -> Result<Orders> {
        let mut worker = self.worker.lock().await;
        if let Some(worker) = worker.as_ref() {
            return Ok(worker.orders.clone());
        }
        let started = Worker::start(self.location.clone(), self.memory.get().map_or(CACHE, Lease::bytes)).await?;
        Ok(worker.insert(started).orders.clone())
    }
}

#[async_trait]
impl Destination for Sqlite {
    async fn check(&self) -> Result<()> {
        let location = self.0.location.clone();
        tokio::task::spawn_blocking(move || location.check()).await.map_err(Error::destination)?
    }

    fn use_memory(&self, budget: &Budget) {
        let lease = budget.lease();
        lease.set((budget.total() / 16).min(CACHE));
        // Only the first call counts, before the database is opened.
        let _ = self.0.memory.set(lease);
        let _ = self.0.pool.set(Pool::new(budget));
    }

    fn stores(&self, kind: &ColumnType) -> Stored {
        stored(kind)
    }

    async fn plan(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<Vec<TablePlan>> {
        let (location, tables) = (self.0.location.clone(), tables.to_vec());
        let plan = move || {
            location.check()?;
            let db = location.open_to_read()?;
            plan(db.as_ref(), &tables, mode).map_err(|error| explain(&error, location.path()))
        };
        tokio::task::spawn_blocking(plan).await.map_err(Error::destination)?
    }

    async fn migrate(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
        let location = self.0.location.clone();
        // What is certain to fail fails before a file is made.
        tokio::task::spawn_blocking(move || location.check()).await.map_err(Error::destination)??;
        let tables = tables.to_vec();
        let orders = self.0.orders().await?;
        orders.call(move |store| store.migrate(&tables, mode)).await
    }

    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>> {
        let orders = self.0.orders().await?;
        let folder = self.0.location.path().parent().map(Path::to_owned).unwrap_or_default();
        let changes = Changes::new(folder, self.0.pool.get_or_init(Pool::default));
        Ok(Box::new(Writer { orders, part: Arc::new(part), changes: Some(changes) }))
    }

    fn removes(&self) -> bool {
        true
    }

    async fn delete(&self, table: &Arc<TableSchema>, matching: RecordBatch) -> Result<u64> {
        let (table, orders) = (Arc::clone(table), self.0.orders().await?);
        orders.call(move |store| store.delete(&table, &matching)).await
    }

    async fn prune(
        &self,
        table: &Arc<TableSchema>,
        source: &str,
        within: &[Range],
        sync_time: Timestamp,
    ) -> Result<u64> {
        let (all, orders) = (Part::of_source(table, source, within, sync_time), self.0.orders().await?);
        let pruned = orders.call(move |store| store.prune(&all)).await;
        pruned.map_err(|error| error.while_doing(format!("table {}", table.name)))
    }

    async fn state(&self, key: &str) -> Result<Option<Box<dyn StateStore>>> {
        Ok(Some(Box::new(State::new(Arc::clone(&self.0), key))))
    }

    async fn close(&self) -> Result<()> {
        let worker = self.0.worker.lock().await.take();
        match worker {
            Some(worker) => worker.close().await,
            None => Ok(()),
        }
    }
}

struct Writer {
    orders: Orders,
    part: Arc<Part>,
    /// Gone while a call is under way, and for good when one failed or was given up: then the part is not whole.
    changes: Option<Changes>,
}

impl Writer {
    fn in_table(&self) -> String {
        format!("table {}", self.part.table.name)
    }

    fn changes(&mut self) -> Result<Changes> {
        self.changes.take().ok_or_else(|| {
            let error = Error::destination("rows could not be written, so the part is not whole");
            error.while_doing(self.in_table())
        })
    }

    /// Keeps what has come, on disk where it is much.
    async fn keep(&mut self, mut changes: Changes, spill: bool) -> Result<()> {
        if spill {
            let spilled = tokio::task::spawn_blocking(move || changes.spill().map(|()| changes));
            let spilled = spilled.await.map_err(Error::destination)?;
            changes = spilled.map_err(|error| error.while_doing(self.in_table()))?;
        }
        self.changes = Some(changes);
        Ok(())
    }
}

#[async_trait]
impl PartWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let mut changes = self.changes()?;
        self.part.check_columns(&batch).map_err(|error| error.while_doing(self.in_table()))?;
        let spill = changes.write(batch);
        self.keep(changes, spill).await
    }

    async fn remove(&mut self, removed: Removed) -> Result<()> {
        let mut changes = self.changes()?;
        removed.check(&self.part)?;
        let spill = changes.remove(removed);
        self.keep(changes, spill).await
    }

    async fn commit(mut self: Box<Self>, outcome: Outcome) -> Result<Committed> {
        let (changes, part) = (self.changes()?, Arc::clone(&self.part));
        let committed = self.orders.call(move |store| store.commit(&part, changes, outcome)).await;
        committed.map_err(|error| error.while_doing(self.in_table()))
    }
}
