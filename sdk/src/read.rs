//! Reads a derived table for one scope and one parent row, with all that hangs from it.
//!
//! The next page is fetched while the rows of a page are made and their children are read. How many children are open
//! at once is bounded for each depth, so memory is too.

use std::any::Any;
use std::sync::Arc;

use futures::stream::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::admission::{Admission, PAGE, ROW, Size, level};
use crate::batch::Columns;
use crate::error::{Error, Result};
use crate::fetch::{Page, Pages};
use crate::memory::Lease;
use crate::registry::Node;
use crate::schema::TableSchema;
use crate::table::{Anything, Context, Row, Table};
use crate::task;
use crate::unit::{PANIC, PARENT_FAILED, Shared, Unit, UnitRun, lock};

/// A builder whose unit is short of memory hands on what it has from this many bytes on.
const WORTH_HANDING_ON: usize = 64 << 10;

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
    /// How many tables are above it.
    pub depth: usize,
    /// The memory of the pages above it.
    pub held: Option<Arc<Held>>,
}

/// Memory of pages whose rows have children that are being read.
pub struct Held {
    _page: Arc<Lease>,
    _above: Option<Arc<Held>>,
}

/// Runs a unit's root table with all below it, and hands on every row.
pub async fn run_unit(run: Arc<UnitRun>, unit: &Unit, client: Anything) {
    let job = Job {
        run: Arc::clone(&run),
        node: Arc::clone(&unit.node),
        client,
        scope: Arc::clone(&unit.handle),
        parent: Arc::new(()),
        parent_id: None,
        depth: 0,
        held: None,
    };
    run_node(job).await;
    run.hand_on_all().await;
}

/// Reads a table that is derived, with all below it.
async fn run_node(job: Job) {
    match &job.node.table {
        Some(table) => Arc::clone(table).run(job).await,
        None => {
            let error = Error::fatal("the table is not derived, so its connector has to read it; this is a bug in it");
            job.run.fail_all(&job.node, error).await;
        }
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
        admission: Admission { size: job.run.calls.size(T::NAME), depth: job.depth, run: Arc::downgrade(&job.run) },
    })
}

/// Reads a table for one scope and one parent row.
pub(crate) async fn run_table<T: Table>(job: Job, columns: Columns<T>) {
    let schema = Arc::clone(&job.node.schema);
    let cx = match context::<T>(&job) {
        Ok(cx) => cx,
        Err(error) => return job.run.fail(&schema, error).await,
    };
    let builder = job.run.builder::<T>(&schema, &columns, &cx.scope);
    let size = Arc::clone(&cx.admission.size);
    let mut reader = Reader::<T> { job, schema, builder, size, open: JoinSet::new(), whole: true };
    if T::GETS {
        reader.rows_with_calls(cx).await;
    } else {
        reader.rows(cx).await;
    }
    reader.end().await;
}

/// A table that is being read.
struct Reader<T: Table> {
    job: Job,
    schema: Arc<TableSchema>,
    builder: Arc<Shared<T>>,
    size: Arc<Size>,
    /// The children of rows. Tasks of their own, so that they move on whatever this table is waiting for.
    open: JoinSet<()>,
    /// Whether all rows could be read.
    whole: bool,
}

impl<T: Table> Reader<T> {
    /// Rows that are made of their record alone.
    async fn rows(&mut self, cx: Context<T>) {
        let mut pages = Ahead::new(T::pages(&cx));
        while let Some(page) = pages.next().await {
            let Page { rows, lease } = match page {
                Ok(page) => page,
                Err(error) => {
                    self.fail(error).await;
                    break;
                }
            };
            let lease = Arc::new(lease);
            let (count, mut bytes) = (rows.len() as u64, 0);
            lock(&self.builder.builder).expect(rows.len());
            for record in rows {
                let made = match record {
                    Ok(record) => T::row(&cx, record).await,
                    Err(error) => Err(error),
                };
                bytes += self.take(made, &lease).await;
            }
            lease.set(self.size.note(count, bytes));
            self.relieve().await;
        }
    }

    /// Rows that take calls of their own: those of several rows, also of two pages, are under way together.
    async fn rows_with_calls(&mut self, cx: Context<T>) {
        let pages = Ahead::new(T::pages(&cx));
        let pages = futures::stream::unfold(pages, |mut pages| async move { Some((pages.next().await?, pages)) });
        let records = pages.flat_map(|page| {
            let (rows, page) = match page {
                Ok(page) => (page.rows, page.lease),
                Err(error) => (vec![Err(error)], cx.calls.memory().lease()),
            };
            let page = Arc::new(page);
            futures::stream::iter(rows.into_iter().map(move |record| (record, Arc::clone(&page))))
        });
        let records = records.then(|record| {
            let cx = cx.clone();
            // One after another, in the order in which they are taken: a later row that is admitted first would be held
            // until an earlier one is made, which may wait for that memory.
            async move {
                let passed = cx.calls.pass(cx.level(ROW)).await;
                (record, passed, cx.admit_row().await)
            }
        });
        let made = records.map(|((record, page), passed, lease)| {
            let cx = cx.clone();
            async move {
                let record = match record {
                    Ok(record) => record,
                    Err(error) => return (Err(error), page),
                };
                task::own(async move {
                    let (_page, _passed) = (page, passed);
                    (T::row(&cx, record).await, Arc::new(lease))
                })
                .await
            }
        });
        let made = made.buffered(cx.calls.concurrency());
        futures::pin_mut!(made);
        while let Some((row, lease)) = made.next().await {
            let bytes = self.take(row, &lease).await;
            if bytes > 0 {
                lease.set(self.size.note(1, bytes));
            }
            self.relieve().await;
        }
    }

    /// Takes a row, or why there is none. Answers about how many bytes it took.
    async fn take(&mut self, made: Result<(Row<T>, Vec<Error>)>, page: &Arc<Lease>) -> u64 {
        let (row, problems) = match made {
            Ok(made) => made,
            Err(error) => {
                self.fail(error).await;
                return 0;
            }
        };
        for problem in problems {
            self.job.run.fail(&self.schema, problem).await;
        }
        let (id, bytes, batch) = {
            let mut builder = lock(&self.builder.builder);
            let before = builder.bytes();
            let id = builder.push(&row, self.job.parent_id);
            let bytes = (builder.bytes() - before) as u64;
            if builder.is_full() {
                let batch = builder.take();
                self.builder.lease.set(0);
                (id, bytes, batch)
            } else {
                (id, bytes, Ok(None))
            }
        };
        self.job.run.hand_on(&self.schema, batch).await;
        match id {
            Ok(id) if !self.job.node.children.is_empty() => self.open_children(row, id, page).await,
            Ok(_) => {}
            Err(error) => self.fail(error).await,
        }
        bytes
    }

    /// Counts what is collected, and hands it on where memory is short.
    async fn relieve(&mut self) {
        let batch = {
            let mut builder = lock(&self.builder.builder);
            let bytes = builder.bytes();
            self.builder.lease.set(bytes as u64);
            if bytes >= WORTH_HANDING_ON && self.job.run.calls.memory().is_tight() {
                let batch = builder.take();
                self.builder.lease.set(0);
                batch
            } else {
                Ok(None)
            }
        };
        self.job.run.hand_on(&self.schema, batch).await;
    }

    async fn open_children(&mut self, row: Row<T>, id: Uuid, page: &Arc<Lease>) {
        let row: Anything = Arc::new(row);
        let depth = self.job.depth + 1;
        let held = Arc::new(Held { _page: Arc::clone(page), _above: self.job.held.clone() });
        for index in 0..self.job.node.children.len() {
            while let Some(ended) = self.open.try_join_next() {
                self.ended(ended).await;
            }
            let calls = self.job.run.calls.clone();
            let pass = calls.pass(level(depth, PAGE));
            futures::pin_mut!(pass);
            let passed = loop {
                tokio::select! {
                    biased;
                    passed = &mut pass => break passed,
                    Some(ended) = self.open.join_next() => self.ended(ended).await,
                }
            };
            let node = Arc::clone(&self.job.node.children[index]);
            let job = Job {
                node,
                parent: Arc::clone(&row),
                parent_id: Some(id),
                depth,
                held: Some(Arc::clone(&held)),
                ..self.job.clone()
            };
            self.open.spawn(async move {
                run_node(job).await;
                drop(passed);
            });
        }
    }

    /// A child table is done. One that panicked fails its tables of this unit and nothing else.
    async fn ended(&self, ended: Result<(), tokio::task::JoinError>) {
        if ended.is_err_and(|error| error.is_panic()) {
            let error = Error::fatal("the connector panicked while it read a row's children; this is a bug");
            let error = error.with_code(PANIC);
            for child in &self.job.node.children {
                self.job.run.fail_all(child, error.clone()).await;
            }
        }
    }

    async fn fail(&mut self, error: Error) {
        self.whole = false;
        self.job.run.fail(&self.schema, error).await;
    }

    async fn end(mut self) {
        while let Some(ended) = self.open.join_next().await {
            self.ended(ended).await;
        }
        if !self.whole {
            // What hangs from the rows that are missing is missing too.
            let error = Error::fatal(format!("not all rows of the parent table {} could be read", T::NAME));
            let error = error.with_code(PARENT_FAILED);
            for child in &self.job.node.children {
                self.job.run.fail_all(child, error.clone()).await;
            }
        }
    }
}

/// Pages of which the next one is fetched while a page is worked on.
struct Ahead<R> {
    fetched: mpsc::Receiver<Result<Page<R>>>,
    task: JoinSet<()>,
}

impl<R: Send + 'static> Ahead<R> {
    fn new(mut pages: Pages<R>) -> Self {
        let (sender, fetched) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(async move {
            // Without the place first, a second page would be fetched while one waits.
            while pages.size_hint() != (0, Some(0))
                && let Ok(place) = sender.reserve().await
                && let Some(page) = pages.next().await
            {
                place.send(page);
            }
        });
        Self { fetched, task }
    }

    async fn next(&mut self) -> Option<Result<Page<R>>> {
        let page = self.fetched.recv().await;
        if page.is_none()
            && let Some(Err(error)) = self.task.join_next().await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
        page
    }
}
