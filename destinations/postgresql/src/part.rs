//! The rows of one part on their way: encoded at once, and sent when the unit has finished, or when they are many.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::pool::{Pool, Share};
use headwater_sdk::rejects::sift;
use headwater_sdk::{
    Class, Committed, Error, Outcome, Part, PartWriter, Rejects, Removed, Result, WriteMode, async_trait,
};

use crate::buffer::{Buffer, Bundle};
use crate::ddl::is_cast;
use crate::moving::Moving;
use crate::publish::Publish;
use crate::removal::Removal;
use crate::retry::Retry;
use crate::server::Server;
use crate::stream::Stream;
use crate::waiting::Waiting;

/// Rows that were sent so often wait in a table before they can be moved while more come; the tables of a unit grow with
/// it, because each of them takes locks.
const FEW: usize = 4;
const GROWTH: usize = 4;

/// Writes one part.
pub struct Writer {
    server: Arc<Server>,
    share: Share,
    part: Part,
    buffer: Buffer,
    waiting: Vec<Waiting>,
    moving: Option<Moving>,
    stream: Option<Stream>,
    removal: Option<Removal>,
    failed: bool,
}

impl Writer {
    /// A part without rows.
    pub fn new(server: Arc<Server>, pool: &Pool, part: Part) -> Self {
        let buffer = Buffer::new(&part);
        let (share, waiting) = (pool.share(), Vec::new());
        Self { server, share, part, buffer, waiting, moving: None, stream: None, removal: None, failed: false }
    }

    /// Whether rows may go into the table as they come: none are removed with them, and those that may be put aside have
    /// to be there when that turns out.
    fn may_stream(&self) -> bool {
        self.waiting.is_empty()
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
        if let Some(removal) = &mut self.removal {
            removal.send(&self.server).await?;
        }
        let bundle = self.buffer.take();
        if let Some(stream) = &mut self.stream {
            stream.send(bundle.bytes).await?;
        } else {
            self.keep(bundle).await?;
        }
        self.share.set(0);
        Ok(())
    }

    /// Sends rows to where they wait, and has those before them moved meanwhile.
    async fn keep(&mut self, bundle: Bundle) -> Result<()> {
        let turns = self.moving.as_ref().and_then(Moving::turns);
        let moving = self.moving.as_ref().map_or(0, Moving::given);
        if self.waiting.len() == moving {
            self.waiting.push(Waiting::new(&self.server, &self.part, turns.as_ref()).await?);
        }
        let before: usize = self.waiting[..moving].iter().map(|waiting| waiting.bundles).sum();
        let Some(waiting) = self.waiting.last_mut() else { return Ok(()) };
        waiting.send(bundle, self.part.rejects.as_ref(), turns.as_ref()).await?;
        // What is moved is not removed again.
        if waiting.bundles < FEW.max(before / GROWTH) || self.part.adds() || self.removal.is_some() {
            return Ok(());
        }
        if self.moving.is_none() {
            self.moving = Moving::begin(&self.server, &self.part);
        }
        if let Some(moving) = &mut self.moving {
            moving.give(&self.waiting);
        }
        Ok(())
    }

    async fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.part.check_columns(batch)?;
        sift(self.part.rejects.as_ref(), batch, &mut |batch| self.buffer.add(batch))?;
        self.sent_if_enough().await
    }

    async fn sent_if_enough(&mut self) -> Result<()> {
        let removed = self.removal.as_ref().map_or(0, |removal| removal.buffer.size());
        self.share.set(self.buffer.size() + removed);
        if self.share.is_enough() || self.stream.is_some() {
            self.send().await?;
        }
        Ok(())
    }

    async fn take_removed(&mut self, removed: Removed) -> Result<()> {
        removed.check(&self.part)?;
        // What is being moved goes on waiting.
        self.moving = None;
        let removal = match &mut self.removal {
            Some(removal) => removal,
            none => none.insert(Removal::new(&self.part)?),
        };
        match removed {
            Removed::Keys(keys) => {
                self.buffer.number = removal.add(&keys, self.buffer.number)?;
                self.sent_if_enough().await
            }
            Removed::All => {
                *removal = Removal::new(&self.part)?;
                removal.all = true;
                self.buffer.clear();
                self.waiting.clear();
                self.share.set(0);
                Ok(())
            }
        }
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

    async fn remove(&mut self, removed: Removed) -> Result<()> {
        self.failed = true;
        let taken = self.take_removed(removed).await;
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
        let (moved, bundle) = match self.moving.is_some() {
            true => {
                if bundle.count > 0 {
                    self.keep(bundle).await.map_err(|error| error.while_doing(table.clone()))?;
                }
                let moved = async { self.moving.take()?.finish().await };
                (moved.await, Bundle::default())
            }
            false => (None, bundle),
        };
        let mut publish = Publish {
            part: &self.part,
            bundle,
            waiting: &self.waiting,
            moved,
            removal: self.removal.as_mut(),
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
                    let removal = self.removal.iter_mut().filter_map(|removal| removal.waiting.as_mut());
                    self.waiting.iter_mut().chain(removal).for_each(Waiting::published);
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
