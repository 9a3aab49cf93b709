//! Units of work: one root table for one scope, with its children. A unit is scheduled, reported and committed on
//! its own.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use arrow::array::RecordBatch;
use futures::stream::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::batch::{BatchBuilder, BatchLimits};
use crate::error::{Error, Result};
use crate::fetch::Calls;
use crate::registry::Node;
use crate::schema::TableSchema;
use crate::table::{Anything, Context, Row, Table};
use crate::types::Timestamp;

/// What is scheduled: a root table for one scope.
#[derive(Clone)]
pub struct Unit {
    /// The root table, with the children that were selected.
    pub node: Node,
    /// The scope's id, such as `123456789012/eu-west-1`.
    pub scope: String,
    /// The scope itself, of the connector's own type.
    pub handle: Anything,
    /// The column values by which rows of this unit are told from others'.
    pub predicate: Vec<(String, String)>,
}

impl Unit {
    /// The unit's name, the same in every run: `aws_ec2_instances@123456789012/eu-west-1`.
    pub fn id(&self) -> String {
        if self.scope.is_empty() {
            return self.node.schema.name.clone();
        }
        format!("{}@{}", self.node.schema.name, self.scope)
    }
}

/// What a running unit says, in order.
pub enum Message {
    /// Rows of a table.
    Batch(Arc<TableSchema>, RecordBatch),
    /// A failure in a table: its rows of this unit are not all there.
    Failure(Arc<TableSchema>, Error),
}

/// What all tables of a running unit share.
pub struct UnitRun {
    /// The source's name.
    pub source: String,
    /// The rows' `_cq_sync_time`.
    pub sync_time: Timestamp,
    /// The limit on calls.
    pub calls: Calls,
    /// When a batch is handed on.
    pub limits: BatchLimits,
    sender: mpsc::Sender<Message>,
    builders: Mutex<HashMap<String, Anything>>,
}

impl UnitRun {
    /// A unit that is about to run, and says what happens to `sender`.
    pub fn new(source: &str, sync_time: Timestamp, calls: Calls, sender: mpsc::Sender<Message>) -> Arc<Self> {
        Arc::new(Self {
            source: source.to_owned(),
            sync_time,
            calls,
            limits: BatchLimits::default(),
            sender,
            builders: Mutex::default(),
        })
    }

    /// Says that something failed in a table.
    pub async fn fail(&self, table: &Arc<TableSchema>, error: Error) {
        // The receiver is gone only when the sync was stopped, and then nobody is left to be told.
        let _ = self.sender.send(Message::Failure(Arc::clone(table), error)).await;
    }

    /// Says that something failed by which a table and all below it lack rows.
    pub async fn fail_all(&self, node: &Node, error: Error) {
        for below in node.flatten() {
            self.fail(&below.schema, error.clone()).await;
        }
    }

    /// Hands on rows of a table, for a connector whose tables are not derived. The batch's schema is
    /// [`TableSchema::arrow`], its rows carry [`UnitRun::source`] and [`UnitRun::sync_time`].
    pub async fn send(&self, table: &Arc<TableSchema>, batch: RecordBatch) {
        self.hand_on(table, Ok(Some(batch))).await;
    }

    async fn hand_on(&self, table: &Arc<TableSchema>, batch: Result<Option<RecordBatch>>) {
        match batch {
            Ok(None) => {}
            Ok(Some(batch)) => drop(self.sender.send(Message::Batch(Arc::clone(table), batch)).await),
            Err(error) => self.fail(table, error).await,
        }
    }

    /// The unit's builder of a table: child tables of many parent rows share one.
    fn builder<T: Table>(&self, schema: &Arc<TableSchema>, scope: &T::Scope) -> Arc<Mutex<BatchBuilder<T>>> {
        let mut builders = lock(&self.builders);
        let any = builders.entry(schema.name.clone()).or_insert_with(|| {
            let builder = BatchBuilder::<T>::new(Arc::clone(schema), &self.source, self.sync_time, scope, self.limits);
            Arc::new(Mutex::new(builder))
        });
        match Arc::clone(any).downcast() {
            Ok(builder) => builder,
            Err(_) => unreachable!("a table's name stands for one Rust type"),
        }
    }
}

/// A lock whose holder panicked still guards rows that are whole, so it is taken over.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A table to read: for which unit, scope and parent row.
#[derive(Clone)]
pub struct Job {
    /// The running unit.
    pub run: Arc<UnitRun>,
    /// The table and its children.
    pub node: Arc<Node>,
    /// The API's client, of the table's type.
    pub client: Anything,
    /// The scope, of the table's type.
    pub scope: Anything,
    /// The parent row, or `()`.
    pub parent: Anything,
    /// The parent row's `_cq_id`.
    pub parent_id: Option<Uuid>,
}

/// Runs a unit's root table with all below it, and hands on every row.
pub async fn run_unit(run: Arc<UnitRun>, unit: &Unit, client: Anything) {
    let job = Job {
        run,
        node: Arc::new(unit.node.clone()),
        client,
        scope: Arc::clone(&unit.handle),
        parent: Arc::new(()),
        parent_id: None,
    };
    let table = Arc::clone(&job.node.table);
    table.run(job.clone()).await;
    for node in job.node.flatten() {
        node.table.flush(Job { node: Arc::new(node.clone()), ..job.clone() }).await;
    }
}

fn typed<X: Any + Send + Sync>(any: &Anything, what: &str, table: &str) -> Result<Arc<X>> {
    Arc::clone(any)
        .downcast()
        .map_err(|_| Error::fatal(format!("table {table} was given the wrong {what}; this is a bug in its connector")))
}

fn context<T: Table>(job: &Job) -> Result<Context<T>> {
    Ok(Context {
        client: T::Client::clone(&*typed::<T::Client>(&job.client, "client", T::NAME)?),
        scope: typed(&job.scope, "scope", T::NAME)?,
        parent: typed(&job.parent, "parent", T::NAME)?,
        calls: job.run.calls.clone(),
    })
}

/// Reads a table for one scope and one parent row. The next page is fetched while children of earlier rows are read;
/// how many of those are open at once is bounded, so memory is too.
pub(crate) async fn run_table<T: Table>(job: Job) {
    let schema = Arc::clone(&job.node.schema);
    let cx = match context::<T>(&job) {
        Ok(cx) => cx,
        Err(error) => return job.run.fail(&schema, error).await,
    };
    let builder = job.run.builder::<T>(&schema, &cx.scope);
    let children: Vec<Arc<Node>> = job.node.children.iter().cloned().map(Arc::new).collect();
    // Tasks of their own, so that children move on whatever this table is waiting for.
    let mut open = Children { tasks: JoinSet::new(), tables: children.clone() };
    let mut pages = T::pages(&cx);
    let mut whole = true;
    loop {
        let page = pages.next().await;
        let records = match page {
            None => break,
            Some(Err(error)) => {
                whole = false;
                job.run.fail(&schema, error).await;
                break;
            }
            Some(Ok(records)) => records,
        };
        let made = records.into_iter().map(|record| {
            let cx = cx.clone();
            async move { T::row(&cx, record?).await }
        });
        let mut rows = futures::stream::iter(made).buffered(job.run.calls.per_table);
        while let Some(made) = rows.next().await {
            let (row, problems) = match made {
                Ok(made) => made,
                Err(error) => {
                    whole = false;
                    job.run.fail(&schema, error).await;
                    continue;
                }
            };
            for problem in problems {
                job.run.fail(&schema, problem).await;
            }
            let (id, batch) = {
                let mut builder = lock(&builder);
                let id = builder.push(&row, job.parent_id);
                (id, if builder.is_full() { builder.take() } else { Ok(None) })
            };
            job.run.hand_on(&schema, batch).await;
            let id = match id {
                Ok(id) => id,
                Err(error) => {
                    whole = false;
                    job.run.fail(&schema, error).await;
                    continue;
                }
            };
            if children.is_empty() {
                continue;
            }
            let row: Arc<Row<T>> = Arc::new(row);
            for child in &children {
                while open.tasks.len() >= job.run.calls.per_table {
                    open.next(&job).await;
                }
                let table = Arc::clone(&child.table);
                open.tasks.spawn(table.run(Job {
                    node: Arc::clone(child),
                    parent: Arc::clone(&row) as Anything,
                    parent_id: Some(id),
                    ..job.clone()
                }));
            }
        }
    }
    while !open.tasks.is_empty() {
        open.next(&job).await;
    }
    if !whole {
        // What hangs from the rows that are missing is missing too.
        let error = Error::fatal(format!("not all rows of the parent table {} could be read", T::NAME));
        let error = error.with_code(PARENT_FAILED);
        for child in &children {
            job.run.fail_all(child, error.clone()).await;
        }
    }
}

/// The child tables of rows that are being read.
struct Children {
    tasks: JoinSet<()>,
    tables: Vec<Arc<Node>>,
}

impl Children {
    /// Waits until one of them is done. One that panicked fails its tables of this unit and nothing else.
    async fn next(&mut self, job: &Job) {
        if let Some(Err(error)) = self.tasks.join_next().await
            && error.is_panic()
        {
            let error = Error::fatal("the connector panicked while it read a row's children; this is a bug");
            let error = error.with_code(PANIC);
            for child in &self.tables {
                job.run.fail_all(child, error.clone()).await;
            }
        }
    }
}

/// The code of the error that a table has because its parent table has one.
pub const PARENT_FAILED: &str = "ParentFailed";

/// The code of an error that was a panic.
pub const PANIC: &str = "Panic";

pub(crate) async fn flush_table<T: Table>(job: Job) {
    // A scope of the wrong type has failed the table when it was read.
    let Ok(scope) = typed::<T::Scope>(&job.scope, "scope", T::NAME) else { return };
    let builder = job.run.builder::<T>(&job.node.schema, &scope);
    let batch = lock(&builder).take();
    job.run.hand_on(&job.node.schema, batch).await;
}
