//! One object: the rows of one table that belong to one unit.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::{Committed, Error, Outcome, Part, PartWriter, Result, WriteMode, async_trait};

use crate::encode::{self, Gone, Sink};
use crate::held::Held;
use crate::memory::File;
use crate::objects::Shared;
use crate::seen::Seen;
use crate::store::{Place, Scratch, Store};

/// Writes a part. Rows are encoded on threads that may block; between two calls the state waits here.
pub struct Writer<S: Store> {
    shared: Arc<Shared<S>>,
    part: Arc<Part>,
    name: Arc<str>,
    /// Gone while a call is under way, and for good when one failed or was given up: then the object is not whole.
    state: Option<State<S>>,
}

struct State<S: Store> {
    name: Arc<str>,
    seen: Seen,
    /// Rows that are not written yet.
    held: Held,
    /// Made when there are rows for a row group; most parts end before.
    open: Option<Open<S>>,
}

/// An object that is being written.
struct Open<S: Store> {
    scratch: S::Scratch,
    sink: Sink,
    /// Rows written.
    rows: u64,
    _right: Option<File>,
}

impl<S: Store> Writer<S> {
    /// A part without rows; no file is made yet.
    pub fn new(shared: Arc<Shared<S>>, part: Part) -> Self {
        let name: Arc<str> = shared.settings.template.name(&part).into();
        let held = shared.open().part();
        let seen = Seen::new(&part, &shared.remembered, held.memory());
        let state = Some(State { name: Arc::clone(&name), seen, held, open: None });
        Self { shared, part: Arc::new(part), name, state }
    }

    fn table(&self) -> String {
        format!("table {}", self.part.table.name)
    }

    fn take(&mut self) -> Result<State<S>> {
        self.state.take().ok_or_else(|| {
            Error::destination("rows could not be written, so the file is not whole").while_doing(self.table())
        })
    }

    /// Does a piece of work on the state, on another thread.
    async fn work<T: Send + 'static>(
        &self,
        state: State<S>,
        work: impl FnOnce(State<S>, &Shared<S>, &Part) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (shared, part) = (Arc::clone(&self.shared), Arc::clone(&self.part));
        // No more objects are encoded at once than there are processors; the others wait with their one batch.
        let turn = state.held.memory().turn().await;
        let work = move || {
            let _turn = turn;
            work(state, &shared, &part)
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(Error::destination)?;
        done.map_err(|error| error.while_doing(self.table()))
    }

    async fn publish(&self, state: State<S>, outcome: Outcome) -> Result<Committed> {
        let (store, adds) = (&self.shared.store, self.part.mode == WriteMode::Append);
        let kept = Committed { kept_earlier: true, ..Committed::default() };
        // To replace an object by a part of it would lose the rows that this part does not have; they are not known to
        // be gone.
        let place = if outcome == Outcome::Partial && !adds { Place::Free } else { Place::Taken };
        if place == Place::Free && store.exists(&self.name).await? {
            return Ok(kept);
        }
        if state.seen.rows() == 0 {
            // The object is of an earlier sync, or in `append` of an earlier attempt of this one.
            if outcome == Outcome::Complete && (!adds || self.part.resumed) {
                store.remove(&self.name).await?;
            }
            return Ok(Committed::default());
        }
        let (scratch, rows, held) = self.work(state, State::finish).await?;
        let put = store.put(scratch, &self.name, place).await?;
        drop(held);
        if put {
            self.shared.written.add(&self.name, self.part.sync_time);
        }
        Ok(if put { Committed { written: rows, ..Committed::default() } } else { kept })
    }
}

#[async_trait]
impl<S: Store> PartWriter for Writer<S> {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let state = self.take()?;
        self.state = Some(self.work(state, move |state, shared, part| state.write(shared, part, batch)).await?);
        Ok(())
    }

    async fn commit(mut self: Box<Self>, outcome: Outcome) -> Result<Committed> {
        let state = self.take()?;
        self.publish(state, outcome).await
    }
}

impl<S: Store> State<S> {
    fn write(mut self, shared: &Shared<S>, part: &Part, batch: RecordBatch) -> Result<Self> {
        part.check_columns(&batch)?;
        self.seen.add(part, &batch)?;
        self.held.push(batch)?;
        let memory = self.held.memory();
        if self.held.bytes() >= memory.row_group() {
            if self.open.is_none()
                && let Some(right) = memory.open_file()
            {
                self.open = Some(self.begin(shared, part, Some(right))?);
            }
            match self.open.take() {
                Some(mut open) => {
                    self.encode(&mut open, part, &[])?;
                    self.open = Some(open);
                }
                // Too many other files are open, so this one is made when the part ends.
                None => self.held.spill()?,
            }
        }
        self.held.make_room()?;
        Ok(self)
    }

    fn begin(&self, shared: &Shared<S>, part: &Part, right: Option<File>) -> Result<Open<S>> {
        let scratch = shared.store.scratch(Some(&self.name))?;
        let sink = Sink::new(&shared.settings.encoding, &part.table.arrow(), scratch.out()?, self.held.memory())?;
        Ok(Open { scratch, sink, rows: 0, _right: right })
    }

    /// Writes what is held, but for rows that are superseded.
    fn encode(&self, open: &mut Open<S>, part: &Part, superseded: &[u64]) -> Result<()> {
        let mut gone = Gone::new(superseded, open.rows);
        let sink = &mut open.sink;
        let written = self.held.take().each(self.held.memory(), &part.table.arrow(), |batches| {
            let batches = batches.into_iter().map(|batch| gone.filter(batch)).collect::<Result<Vec<_>>>()?;
            sink.write(&batches)
        });
        open.rows = self.seen.rows();
        written.map_err(|error| error.while_doing(&self.name))
    }

    /// The whole object, how many rows it has, and the right to leave its file open.
    fn finish(mut self, shared: &Shared<S>, part: &Part) -> Result<(S::Scratch, u64, Option<File>)> {
        let rows = self.seen.rows();
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(shared, part, None)?,
        };
        let superseded = self.seen.superseded();
        let before = superseded.partition_point(|row| *row < open.rows);
        self.encode(&mut open, part, &superseded)?;
        let Open { scratch, sink, _right: right, .. } = open;
        let in_object = |error: Error| error.while_doing(&self.name);
        sink.finish().map_err(in_object)?;
        let whole = match &superseded[..before] {
            [] => scratch,
            // Rows are found by their place, which sorting has changed.
            _ if shared.settings.encoding.is_sorted() => {
                return Err(in_object(Error::destination(
                    "the source has listed a row twice, of which the first was written and sorted already; leave `sort_by` out",
                )));
            }
            written => {
                let fewer = shared.store.scratch(Some(&self.name))?;
                let (from, to) = (scratch.file()?, fewer.out()?);
                encode::without(written, &shared.settings.encoding, from, to, self.held.memory()).map_err(in_object)?;
                fewer
            }
        };
        // What is on its way counts too, and it takes the place of rows of other parts. Where these cannot be put on disk,
        // the next of their batches says so; this object is whole.
        let _ = self.held.make_room();
        Ok((whole, rows - superseded.len() as u64, right))
    }
}
