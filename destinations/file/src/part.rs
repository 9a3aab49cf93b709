//! One file: the rows of one table that belong to one unit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::{Committed, Error, Outcome, Part, PartWriter, Result, WriteMode, async_trait};

use crate::encode::{self, Gone, Sink};
use crate::folder::Shared;
use crate::held::Held;
use crate::memory::File;
use crate::seen::Seen;
use crate::temporary::{self, Temporary};

/// Writes a part. The work is done on threads that may block; between two calls the state waits here.
pub struct Writer {
    shared: Arc<Shared>,
    part: Arc<Part>,
    /// Gone while a call is under way, and for good when one failed or was given up: then the file is not whole.
    state: Option<State>,
}

struct State {
    name: PathBuf,
    seen: Seen,
    /// Rows that are not written yet.
    held: Held,
    /// Made when there are rows for a row group; most parts end before.
    open: Option<Open>,
}

/// A file that is being written.
struct Open {
    temporary: Temporary,
    sink: Sink,
    /// Rows written.
    rows: u64,
    _right: Option<File>,
}

impl Writer {
    /// A part without rows; no file is made yet.
    pub fn new(shared: Arc<Shared>, part: Part) -> Self {
        let name = shared.settings.template.file(&part);
        let held = shared.open().part();
        let seen = Seen::new(&part, &shared.remembered, held.memory());
        Self { shared, part: Arc::new(part), state: Some(State { name, seen, held, open: None }) }
    }

    /// Does a piece of work on the state, on another thread.
    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(State, &Shared, &Part) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let table = || format!("table {}", self.part.table.name);
        let Some(state) = self.state.take() else {
            let error = Error::destination("rows could not be written, so the file is not whole");
            return Err(error.while_doing(table()));
        };
        let (shared, part) = (Arc::clone(&self.shared), Arc::clone(&self.part));
        // No more files are encoded at once than there are processors; the others wait with their one batch.
        let turn = state.held.memory().turn().await;
        let work = move || {
            let _turn = turn;
            work(state, &shared, &part)
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(Error::destination)?;
        done.map_err(|error| error.while_doing(table()))
    }
}

#[async_trait]
impl PartWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let state = self.work(move |state, shared, part| state.write(shared, part, batch)).await?;
        self.state = Some(state);
        Ok(())
    }

    async fn commit(mut self: Box<Self>, outcome: Outcome) -> Result<Committed> {
        self.work(move |state, shared, part| state.commit(shared, part, outcome)).await
    }
}

impl State {
    fn write(mut self, shared: &Shared, part: &Part, batch: RecordBatch) -> Result<Self> {
        let schema = part.table.arrow();
        if batch.schema_ref().fields() != schema.fields() {
            return Err(Error::fatal("a batch has other columns than its table; this is a bug in its connector"));
        }
        self.seen.add(&batch);
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

    fn begin(&self, shared: &Shared, part: &Part, right: Option<File>) -> Result<Open> {
        let temporary = Temporary::new(self.name.parent().unwrap_or(Path::new("")))?;
        let (encoding, file) = (shared.settings.encoding, temporary.file()?);
        let sink = Sink::new(encoding, &part.table.arrow(), file, self.held.memory())?;
        Ok(Open { temporary, sink, rows: 0, _right: right })
    }

    /// Writes what is held, but for rows that are superseded.
    fn encode(&self, open: &mut Open, part: &Part, superseded: &[u64]) -> Result<()> {
        let mut gone = Gone::new(superseded, open.rows);
        let sink = &mut open.sink;
        let written = self.held.take().each(self.held.memory(), &part.table.arrow(), |batches| {
            let batches = batches.into_iter().map(|batch| gone.filter(batch)).collect::<Result<Vec<_>>>()?;
            sink.write(&batches)
        });
        open.rows = self.seen.rows();
        written.map_err(|error| error.while_doing(self.name.display()))
    }

    fn commit(mut self, shared: &Shared, part: &Part, outcome: Outcome) -> Result<Committed> {
        let adds = part.mode == WriteMode::Append;
        let name = &self.name;
        if outcome == Outcome::Partial && !adds && name.try_exists().map_err(temporary::failed(name))? {
            // Replacing it would lose the rows that this part does not have; they are not known to be gone.
            return Ok(Committed { kept_earlier: true, ..Committed::default() });
        }
        let rows = self.seen.rows();
        if rows == 0 {
            // The file is of an earlier sync, or in `append` of an earlier attempt of this one.
            let replaces = !adds || part.resumed;
            if outcome == Outcome::Complete && replaces && temporary::remove(name)? {
                shared.touched(name);
            }
            return Ok(Committed::default());
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(shared, part, None)?,
        };
        let superseded = self.seen.superseded();
        let before = superseded.partition_point(|row| *row < open.rows);
        self.encode(&mut open, part, &superseded)?;
        let Open { temporary, sink, .. } = open;
        let in_file = |error: Error| error.while_doing(name.display());
        sink.finish().map_err(in_file)?;
        let whole = match &superseded[..before] {
            [] => temporary,
            written => {
                let fewer = Temporary::new(name.parent().unwrap_or(Path::new("")))?;
                let (from, to) = (temporary.file()?, fewer.file()?);
                encode::without(written, shared.settings.encoding, from, to, self.held.memory()).map_err(in_file)?;
                fewer
            }
        };
        whole.keep(name)?;
        shared.touched(name);
        Ok(Committed { written: rows - superseded.len() as u64, ..Committed::default() })
    }
}
