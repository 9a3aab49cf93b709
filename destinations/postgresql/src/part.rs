//! The rows of one part on their way: encoded at once, and sent when the unit has finished, or when they are many.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::pool::{Pool, Share};
use headwater_sdk::rejects::sift;
use headwater_sdk::sql::quote;
use headwater_sdk::{Class, Committed, Error, Outcome, Part, PartWriter, Rejects, Result, WriteMode, async_trait};

use crate::ddl::{copy_into, stage_columns};
use crate::encode::Rows;
use crate::errors::{explain, passes};
use crate::migrate::WAITING;
use crate::publish::{Publish, send};
use crate::server::Server;
use crate::stream::Stream;

/// How often a transaction is run again.
const TRIES: u32 = 6;
/// The pause before it is run again the first time; each time after that it is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// Writes one part.
pub struct Writer {
    server: Arc<Server>,
    share: Share,
    part: Part,
    rows: Vec<u8>,
    /// How many these are, and how many there are in all.
    count: u64,
    total: u64,
    waiting: Option<Waiting>,
    stream: Option<Stream>,
    failed: bool,
}

/// A table of its own in which rows wait; it goes with this.
struct Waiting {
    name: String,
    server: Arc<Server>,
}

impl Writer {
    /// A part without rows.
    pub fn new(server: Arc<Server>, pool: &Pool, part: Part) -> Self {
        Self {
            server,
            share: pool.share(),
            part,
            rows: Vec::new(),
            count: 0,
            total: 0,
            waiting: None,
            stream: None,
            failed: false,
        }
    }

    /// Sends the rows to where they wait, or where they belong.
    async fn send(&mut self) -> Result<()> {
        // Rows that may be put aside have to be there when that turns out.
        let streams = self.waiting.is_none() && self.part.table.key().is_empty() && self.part.rejects.is_none();
        if streams && self.stream.is_none() {
            self.stream = Stream::begin(&self.server, &self.part).await?;
        }
        if let Some(stream) = &mut self.stream {
            stream.send(std::mem::take(&mut self.rows).into()).await?;
            self.count = 0;
            self.share.set(0);
            return Ok(());
        }
        let lent = self.server.connection().await?;
        let client = &lent.connection.client;
        let explained = |error: tokio_postgres::Error| explain(&error, &self.server.settings.shown);
        if self.waiting.is_none() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let name = format!("{WAITING}{now}_{:016x}", fastrand::u64(..));
            let sql = format!("CREATE UNLOGGED TABLE {} ({})", quote(&name), stage_columns(&self.part.table));
            client.batch_execute(&sql).await.map_err(explained)?;
            self.waiting = Some(Waiting { name, server: Arc::clone(&self.server) });
        }
        if let Some(waiting) = &self.waiting {
            let sink = client.copy_in(&copy_into(&quote(&waiting.name))).await.map_err(explained)?;
            send(sink, std::mem::take(&mut self.rows).into()).await.map_err(explained)?;
        }
        lent.give_back();
        self.count = 0;
        self.share.set(0);
        Ok(())
    }

    async fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.part.check_columns(batch)?;
        let Self { rows, count, total, part, .. } = self;
        sift(part.rejects.as_ref(), batch, &mut |batch| {
            let before = rows.len();
            let written = Rows::new(batch)?.write(rows);
            match written {
                Ok(()) => {
                    *count += batch.num_rows() as u64;
                    *total += batch.num_rows() as u64;
                }
                Err(_) => rows.truncate(before),
            }
            written
        })?;
        self.share.set(self.rows.capacity() as u64);
        if self.share.is_enough() || self.stream.is_some() {
            self.send().await?;
        }
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
        if let Some(mut stream) = self.stream.take() {
            let rows = std::mem::take(&mut self.rows);
            let committed = async {
                stream.send(rows.into()).await?;
                stream.commit().await
            };
            return committed.await.map_err(|error: Error| error.while_doing(table));
        }
        let mut publish = Publish {
            part: &self.part,
            rows: std::mem::take(&mut self.rows).into(),
            count: self.count,
            total: self.total,
            waiting: self.waiting.as_ref().map(|waiting| waiting.name.as_str()),
            removes: outcome == Outcome::Complete && self.part.mode == WriteMode::OverwriteDeleteStale,
            again: false,
            sifts: false,
        };
        let rejects = self.part.rejects.clone();
        let refused = rejects.as_ref().map(Rejects::count);
        let mut tries = 0;
        loop {
            let error = match publish.run(&self.server).await {
                Ok(committed) => {
                    if let Some(waiting) = &mut self.waiting {
                        // It went with the transaction.
                        waiting.name.clear();
                    }
                    return Ok(committed);
                }
                Err(error) => error,
            };
            if let (Some(rejects), Some(refused)) = (&rejects, refused) {
                // What this attempt has put aside is tried again, too.
                rejects.keep(refused);
                if error.class == Class::Rejected && !publish.sifts {
                    publish.sifts = true;
                    continue;
                }
            }
            tries += 1;
            // Rows that wait in an unlogged table are gone after a crash, and with them the part.
            if tries >= TRIES || !passes(&error) {
                return Err(error.while_doing(table));
            }
            tracing::debug!(table, %error, "a transaction is run again");
            tokio::time::sleep(PAUSE.saturating_mul(1 << tries).mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            publish.again = true;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let (name, server) = (std::mem::take(&mut self.name), Arc::clone(&self.server));
        // Where the runtime is gone, the next sync removes the table.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(lent) = server.connection().await
                    && lent
                        .connection
                        .client
                        .batch_execute(&format!("DROP TABLE IF EXISTS {}", quote(&name)))
                        .await
                        .is_ok()
                {
                    lent.give_back();
                }
            });
        }
    }
}
