//! Units of work: one root table for one scope, with its children. A unit is scheduled, reported and committed on
//! its own.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray};
use tokio::sync::mpsc;

use crate::batch::{BatchBuilder, BatchLimits, Columns};
use crate::calls::Calls;
use crate::calls::meter::Wait;
use crate::destination::Removed;
use crate::error::{Class, Error, Result};
use crate::memory::{Lease, held};
use crate::range::Range;
use crate::registry::Node;
use crate::schema::TableSchema;
use crate::table::{Anything, Table};
use crate::types::Timestamp;

pub use crate::read::{Job, run_unit};

/// What is scheduled: a root table for one scope.
#[derive(Clone)]
pub struct Unit {
    /// The root table, with the children that were selected.
    pub node: Arc<Node>,
    /// The scope's id, such as `123456789012/eu-west-1`.
    pub scope: String,
    /// The scope itself, of the connector's own type.
    pub handle: Anything,
    /// The column values by which rows of this unit are told from others'.
    pub predicate: Vec<(String, String)>,
    /// The ranges of values that rows of this unit are in, and no others.
    pub ranges: Vec<Range>,
}

impl Unit {
    /// The unit's name, the same in every run: `aws_ec2_instances@123456789012/eu-west-1`.
    pub fn id(&self) -> String {
        unit_id(&self.node.schema.name, &self.scope)
    }
}

/// The name of the unit of a root table and a scope.
pub fn unit_id(table: &str, scope: &str) -> String {
    if scope.is_empty() { table.to_owned() } else { format!("{table}@{scope}") }
}

/// What a running unit says, in order.
pub enum Message {
    /// Rows of a table, and the memory that they hold.
    Batch(Arc<TableSchema>, RecordBatch, Lease),
    /// A failure in a table: its rows of this unit are not all there.
    Failure(Arc<TableSchema>, Error),
    /// Rows of a table that are no more, in order with its batches, and the memory that their keys hold. The unit is then
    /// committed only if all of it was read.
    Removed(Arc<TableSchema>, Removed, Lease),
    /// How far the source was read: kept when all that the unit has sent is committed, and given to its next run.
    Checkpoint(String),
}

/// What all tables of a running unit share.
pub struct UnitRun {
    /// The source's name.
    pub source: String,
    /// The rows' `_cq_sync_time`.
    pub sync_time: Timestamp,
    /// The unit's calls.
    pub calls: Calls,
    /// When a batch is handed on.
    pub limits: BatchLimits,
    /// How far an earlier sync has read this unit, in the connector's own words.
    pub checkpoint: Option<String>,
    sender: mpsc::Sender<Message>,
    /// In the order in which they came, parents first.
    builders: Mutex<Vec<Builder>>,
    /// What was denied is told once for each table and call.
    denied: Mutex<HashSet<(String, Vec<String>)>>,
}

/// A table's builder, once for those who know its rows and once for those who do not.
struct Builder {
    table: String,
    typed: Arc<dyn Any + Send + Sync>,
    erased: Arc<dyn Collected>,
}

/// Collected rows of any table.
trait Collected: Send + Sync {
    fn take(&self) -> (Arc<TableSchema>, Result<Option<RecordBatch>>);
}

/// A builder that several tasks share, and the memory of what it has collected.
pub(crate) struct Shared<T: Table> {
    schema: Arc<TableSchema>,
    pub builder: Mutex<BatchBuilder<T>>,
    pub lease: Lease,
}

impl<T: Table> Collected for Shared<T> {
    fn take(&self) -> (Arc<TableSchema>, Result<Option<RecordBatch>>) {
        let batch = lock(&self.builder).take();
        self.lease.set(0);
        (Arc::clone(&self.schema), batch)
    }
}

impl UnitRun {
    /// A unit that is about to run, and says what happens to `sender`.
    pub fn new(source: &str, sync_time: Timestamp, calls: Calls, sender: mpsc::Sender<Message>) -> Arc<Self> {
        Self::after(None, source, sync_time, calls, sender)
    }

    /// A unit that goes on where an earlier sync has stopped.
    pub fn after(
        checkpoint: Option<String>,
        source: &str,
        sync_time: Timestamp,
        calls: Calls,
        sender: mpsc::Sender<Message>,
    ) -> Arc<Self> {
        Arc::new(Self {
            source: source.to_owned(),
            sync_time,
            calls,
            limits: BatchLimits::default(),
            checkpoint,
            sender,
            builders: Mutex::default(),
            denied: Mutex::default(),
        })
    }

    /// Says that something failed in a table.
    pub async fn fail(&self, table: &Arc<TableSchema>, error: Error) {
        if matches!(error.class, Class::Denied | Class::Unsupported)
            && !lock(&self.denied).insert((table.name.clone(), error.context.clone()))
        {
            return;
        }
        // The receiver is gone only when the sync was stopped, and then nobody is left to be told.
        let _ = self.sender.send(Message::Failure(Arc::clone(table), error)).await;
    }

    /// Says that something failed by which a table and all below it lack rows.
    pub async fn fail_all(&self, node: &Node, error: Error) {
        for below in node.flatten() {
            self.fail(&below.schema, error.clone()).await;
        }
    }

    /// Says how far the source was read. What the unit sends of all its tables is kept together with it.
    pub async fn reached(&self, checkpoint: String) {
        let _ = self.sender.send(Message::Checkpoint(checkpoint)).await;
    }

    /// A batch of a unit's root table, one of [`TableSchema::of_database`]: `columns` are the table's own.
    ///
    /// # Errors
    /// If they are not the table's.
    pub fn framed(&self, unit: &Unit, rows: usize, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        self.framed_of(&unit.node.schema, unit, rows, columns)
    }

    /// The same of any table of a unit.
    ///
    /// # Errors
    /// If they are not the table's.
    pub fn framed_of(
        &self,
        table: &Arc<TableSchema>,
        unit: &Unit,
        rows: usize,
        columns: Vec<ArrayRef>,
    ) -> Result<RecordBatch> {
        let time = TimestampMicrosecondArray::from_value(self.sync_time.0, rows).with_timezone("UTC");
        let texts = unit.predicate.iter().filter(|(name, _)| table.scopes.has(name)).map(|(_, value)| value);
        let mut all: Vec<ArrayRef> = vec![Arc::new(time)];
        for text in std::iter::once(&self.source).chain(texts) {
            all.push(Arc::new(StringArray::new_repeated(text, rows)));
        }
        all.extend(columns);
        RecordBatch::try_new_with_options(table.arrow(), all, &RecordBatchOptions::new().with_row_count(Some(rows)))
            .map_err(|error| Error::fatal(format!("table {}: {error}; this is a bug in its connector", table.name)))
    }

    /// Hands on rows of a table, for a connector whose tables are not derived. The batch's schema is
    /// [`TableSchema::arrow`], its rows carry [`UnitRun::source`] and [`UnitRun::sync_time`].
    pub async fn send(&self, table: &Arc<TableSchema>, batch: RecordBatch) {
        self.hand_on(table, Ok(Some(batch))).await;
    }

    /// Says that rows of a table are no more, in order with those that are sent.
    pub async fn remove(&self, table: &Arc<TableSchema>, removed: Removed) {
        let lease = self.calls.memory().lease();
        if let Removed::Keys(keys) = &removed {
            lease.set(keys.get_array_memory_size() as u64);
        }
        let began = Instant::now();
        let _ = self.sender.send(Message::Removed(Arc::clone(table), removed, lease)).await;
        self.calls.note_wait(Wait::Destination, began.elapsed());
    }

    pub(crate) async fn hand_on(&self, table: &Arc<TableSchema>, batch: Result<Option<RecordBatch>>) {
        match batch {
            Ok(None) => {}
            Ok(Some(batch)) => {
                let lease = self.calls.memory().lease();
                lease.set(held(&batch));
                let began = Instant::now();
                let _ = self.sender.send(Message::Batch(Arc::clone(table), batch, lease)).await;
                self.calls.note_wait(Wait::Destination, began.elapsed());
            }
            Err(error) => self.fail(table, error).await,
        }
    }

    /// Hands on the rows that are collected, of all tables.
    pub(crate) async fn hand_on_all(&self) {
        let builders: Vec<Arc<dyn Collected>> =
            lock(&self.builders).iter().map(|builder| Arc::clone(&builder.erased)).collect();
        for builder in builders {
            let (table, batch) = builder.take();
            self.hand_on(&table, batch).await;
        }
    }

    /// The unit's builder of a table: child tables of many parent rows share one.
    pub(crate) fn builder<T: Table>(
        &self,
        schema: &Arc<TableSchema>,
        columns: &Columns<T>,
        scope: &T::Scope,
    ) -> Arc<Shared<T>> {
        let mut builders = lock(&self.builders);
        if let Some(builder) = builders.iter().find(|builder| builder.table == schema.name) {
            return match Arc::clone(&builder.typed).downcast() {
                Ok(builder) => builder,
                Err(_) => unreachable!("a table's name stands for one Rust type"),
            };
        }
        let builder =
            BatchBuilder::new(Arc::clone(schema), columns, (&self.source, self.sync_time), scope, self.limits);
        let shared = Arc::new(Shared {
            schema: Arc::clone(schema),
            builder: Mutex::new(builder),
            lease: self.calls.memory().lease(),
        });
        builders.push(Builder {
            table: schema.name.clone(),
            typed: Arc::clone(&shared) as _,
            erased: Arc::clone(&shared) as _,
        });
        shared
    }
}

/// A lock whose holder panicked still guards rows that are whole, so it is taken over.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The code of the error that a table has because its parent table has one.
pub const PARENT_FAILED: &str = "ParentFailed";

/// The code of an error that was a panic.
pub const PANIC: &str = "Panic";
