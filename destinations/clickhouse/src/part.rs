//! The rows of one part on their way: held while they are few, and sent to a table in which they wait when they are many.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::arrow::datatypes::Schema;
use headwater_sdk::pool::{Pool, Share, batch_bytes};
use headwater_sdk::{
    Class, Committed, Error, Outcome, Part, PartWriter, Rejects, Result, TableSchema, WriteMode, async_trait,
};

use crate::convert::convert;
use crate::ddl::quote;
use crate::migrate::WAITING;
use crate::publish::{Publish, Rows};
use crate::rows::{distinct, insert};
use crate::server::Server;

/// Writes one part.
pub struct Writer {
    server: Arc<Server>,
    share: Share,
    part: Part,
    batches: Vec<RecordBatch>,
    bytes: u64,
    waiting: Option<Waiting>,
    failed: bool,
}

/// A table of its own in which rows wait; it goes with this.
pub struct Waiting {
    pub name: String,
    /// How many times rows were sent to it.
    pub sent: u32,
    server: Arc<Server>,
}

impl Waiting {
    /// Makes a table like another, whose engine and columns it has.
    pub async fn new(server: &Arc<Server>, table: &str) -> Result<Self> {
        Self::made(server, |name| format!("CREATE TABLE IF NOT EXISTS {name} AS {}", quote(table))).await
    }

    /// Makes a table by a statement of its own.
    pub async fn made(server: &Arc<Server>, create: impl FnOnce(&str) -> String) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let name = format!("{WAITING}{now}_{:016x}", fastrand::u64(..));
        let quoted = quote(&name);
        let waiting = Self { name, sent: 0, server: Arc::clone(server) };
        server.run(create(&quoted)).await?;
        // So that rows that are sent again are not there twice.
        let sql = format!("ALTER TABLE {quoted} MODIFY SETTING non_replicated_deduplication_window = 10000");
        server.run(sql).await?;
        Ok(waiting)
    }

    /// Sends rows. How many bytes they are on their way is told to `counted`.
    pub async fn send(&mut self, batches: Vec<RecordBatch>, counted: impl FnOnce(u64)) -> Result<()> {
        self.sent += 1;
        let turn = self.server.turn().await?;
        let mut statement = insert(&self.name, batches, self.server.tables.compression)?;
        counted(statement.sql.len() as u64);
        statement.settings.push(("insert_deduplicate", "1".to_owned()));
        statement.settings.push(("insert_deduplication_token", format!("{}_{}", self.name, self.sent)));
        self.server.repeat(&turn, &statement).await.map(|_| ())
    }

    /// Removes the table.
    pub async fn remove(mut self) {
        let name = std::mem::take(&mut self.name);
        remove(&self.server, &name).await;
    }
}

/// Where this fails, the table goes two days later.
async fn remove(server: &Server, name: &str) {
    if let Err(error) = server.run(format!("DROP TABLE IF EXISTS {} SYNC", quote(name))).await {
        tracing::debug!(name, %error, "a table in which rows waited is left");
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let (name, server) = (std::mem::take(&mut self.name), Arc::clone(&self.server));
        // Where the runtime is gone, a later sync removes the table.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { remove(&server, &name).await });
        }
    }
}

impl Writer {
    /// A part without rows.
    pub fn new(server: Arc<Server>, pool: &Pool, part: Part) -> Self {
        Self { server, share: pool.share(), part, batches: Vec::new(), bytes: 0, waiting: None, failed: false }
    }

    /// Sends the rows to the table in which they wait. Those that it refuses are put aside, where that is wanted.
    async fn send(&mut self) -> Result<()> {
        let waiting = match &mut self.waiting {
            Some(waiting) => waiting,
            None => self.waiting.insert(Waiting::new(&self.server, &self.part.table.name).await?),
        };
        let batches = std::mem::take(&mut self.batches);
        let held = std::mem::take(&mut self.bytes);
        if !batches.is_empty() {
            let kept = self.part.rejects.as_ref().map(|rejects| (rejects, batches.clone()));
            let rows = if kept.is_some() { held } else { 0 };
            let share = &self.share;
            match (waiting.send(batches, |body| share.set(rows + body)).await, kept) {
                (Err(error), Some((rejects, batches))) if error.class == Class::Rejected => {
                    for batch in &batches {
                        sift(waiting, &self.part.table, batch, rejects).await?;
                    }
                }
                (sent, _) => sent?,
            }
        }
        self.share.set(0);
        Ok(())
    }

    async fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.part.check_columns(batch)?;
        let sent = convert(batch, self.server.abilities().await?, self.part.rejects.as_ref())?;
        self.bytes += batch_bytes(&sent);
        self.batches.push(sent);
        self.share.set(self.bytes);
        if self.share.is_enough() {
            self.send().await?;
        }
        Ok(())
    }

    async fn publish(&mut self, outcome: Outcome) -> Result<Committed> {
        let removes = outcome == Outcome::Complete && self.part.mode == WriteMode::OverwriteDeleteStale;
        let partitioned = self.server.tables.partition_by(&self.part.table.name)?.is_some();
        // What an attempt before this one left is found by the rows that wait; and rows of several partitions are several
        // blocks, which only a table of their own makes visible together.
        let staged = (self.part.resumed && !self.part.adds() && removes) || partitioned;
        if staged && (self.part.resumed || !self.batches.is_empty()) || self.waiting.is_some() {
            self.send().await?;
        }
        // For a moment they are there twice.
        self.share.set(2 * self.bytes);
        let rows = distinct(&self.part.table, &self.batches)?;
        self.batches.clear();
        self.share.set(rows.as_ref().map_or(0, batch_bytes));
        let done = match self.show(rows.as_ref(), removes).await {
            Err(error) if error.class == Class::Rejected && self.part.rejects.is_some() => {
                self.bytes = rows.as_ref().map_or(0, batch_bytes);
                self.batches.extend(rows);
                self.send().await?;
                self.show(None, removes).await?
            }
            done => done?,
        };
        self.share.set(0);
        if let Some(waiting) = self.waiting.take() {
            waiting.remove().await;
        }
        Ok(done)
    }

    /// Makes rows visible, or those that wait.
    async fn show(&self, rows: Option<&RecordBatch>, removes: bool) -> Result<Committed> {
        // What is missing because it was put aside is not known to be gone.
        let removes = removes && self.part.rejects.as_ref().is_none_or(|rejects| rejects.are_none());
        let rows = match (&self.waiting, rows) {
            (Some(waiting), _) => Rows::Waiting(waiting),
            (None, Some(rows)) => Rows::Held(rows),
            (None, None) => Rows::None,
        };
        Publish { server: &self.server, part: &self.part, rows, share: &self.share, removes }.run().await
    }
}

/// Sends rows by halves, and so on, until those that are refused stand alone, and puts these aside.
async fn sift(waiting: &mut Waiting, table: &TableSchema, batch: &RecordBatch, rejects: &Rejects) -> Result<()> {
    let mut ranges = vec![(0, batch.num_rows())];
    while let Some((first, count)) = ranges.pop() {
        let rows = batch.slice(first, count);
        match waiting.send(vec![rows.clone()], |_| {}).await {
            Err(error) if error.class == Class::Rejected && count > 1 => {
                let half = count / 2;
                ranges.extend([(first + half, count - half), (first, half)]);
            }
            Err(error) if error.class == Class::Rejected => rejects.add(&named(table, &rows)?, 0, error)?,
            sent => sent?,
        }
    }
    Ok(())
}

/// Rows as they are sent, with what their columns mean, as far as those are sent as they came.
fn named(table: &TableSchema, rows: &RecordBatch) -> Result<RecordBatch> {
    let fields = table.arrow();
    let schema = rows.schema();
    let fields = fields.fields().iter().zip(schema.fields()).map(|(ours, sent)| {
        let same = ours.data_type() == sent.data_type();
        if same { ours.as_ref().clone().with_nullable(true) } else { sent.as_ref().clone() }
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, rows.columns().to_vec()).map_err(Error::destination)
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
        self.publish(outcome).await.map_err(|error| error.while_doing(table))
    }
}
