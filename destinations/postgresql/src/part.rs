//! The rows of one part on their way: encoded at once, and sent when the unit has finished, or when they are many.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::pool::{Pool, Share};
use headwater_sdk::rejects::sift;
use headwater_sdk::{Class, Committed, Error, Outcome, Part, PartWriter, Rejects, Result, WriteMode, async_trait};

use crate::buffer::Buffer;
use crate::ddl::is_cast;
use crate::publish::Publish;
use crate::retry::Retry;
use crate::server::Server;
use crate::stream::Stream;
use crate::waiting::Waiting;

/// Writes one part.
pub struct Writer {
    server: Arc<Server>,
    share: Share,
    part: Part,
    buffer: Buffer,
    waiting: Option<Waiting>,
    stream: Option<Stream>,
    failed: bool,
}

impl Writer {
    /// A part without rows.
    pub fn new(server: Arc<Server>, pool: &Pool, part: Part) -> Self {
        let buffer = Buffer::new(&part);
        Self { server, share: pool.share(), part, buffer, waiting: None, stream: None, failed: false }
    }

    /// Whether rows may go into the table as they come: none are removed with them, and those that may be put aside have
    /// to be there when that turns out.
    fn may_stream(&self) -> bool {
        self.waiting.is_none()
            && self.part.mode == WriteMode::Append
            && self.part.table.key().is_empty()
            && self.part.rejects.is_none()
            && !is_cast(&self.part.table)
    }

    /// Sends the rows to where they wait, or where they belong.
    async fn send(&mut self) -> Result<()> {
        if self.stream.is_none() && self.may_stream() {
            self.stream = Stream::begin(&self.server, &self.part).await?;
        }
        let bundle = self.buffer.take();
        if let Some(stream) = &mut self.stream {
            stream.send(bundle.bytes).await?;
        } else {
            let waiting = match &mut self.waiting {
                Some(waiting) => waiting,
                None => self.waiting.insert(Waiting::new(&self.server, &self.part).await?),
            };
            waiting.send(bundle, self.part.rejects.as_ref()).await?;
        }
        self.share.set(0);
        Ok(())
    }

    async fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.part.check_columns(batch)?;
        sift(self.part.rejects.as_ref(), batch, &mut |batch| self.buffer.add(batch))?;
        self.share.set(self.buffer.size());
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
        let bundle = self.buffer.take();
        if let Some(mut stream) = self.stream.take() {
            let committed = async {
                stream.send(bundle.bytes).await?;
                stream.commit().await
            };
            return committed.await.map_err(|error: Error| error.while_doing(table));
        }
        let mut publish = Publish {
            part: &self.part,
            bundle,
            waiting: self.waiting.as_ref(),
            removes: outcome == Outcome::Complete && self.part.mode == WriteMode::OverwriteDeleteStale,
            sifts: false,
            refused: self.part.rejects.as_ref().map_or(0, Rejects::count),
            again: false,
            uncertain: None,
        };
        let mut retry = Retry::default();
        loop {
            let error = match publish.run(&self.server).await {
                Ok(committed) => {
                    if let Some(waiting) = &mut self.waiting {
                        waiting.published();
                    }
                    return Ok(committed);
                }
                Err(error) => error,
            };
            if error.class == Class::Rejected && self.part.rejects.is_some() && !publish.sifts {
                publish.sifts = true;
                continue;
            }
            if !retry.again(&error).await {
                return Err(error.while_doing(table));
            }
            publish.again = true;
        }
    }
}
