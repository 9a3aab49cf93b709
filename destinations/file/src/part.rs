//! One file: the rows of one table that belong to one unit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::{Committed, Error, Outcome, Part, PartWriter, Result, WriteMode, async_trait};

use crate::encode::{self, Sink};
use crate::folder::Shared;
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
    /// Made with the first row.
    open: Option<(Temporary, Sink)>,
}

impl Writer {
    /// A part without rows; no file is made yet.
    pub fn new(shared: Arc<Shared>, part: Part) -> Self {
        let name = shared.settings.template.file(&part);
        let seen = Seen::new(&part, &shared.remembered);
        Self { shared, part: Arc::new(part), state: Some(State { name, seen, open: None }) }
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
        let turn = Arc::clone(&self.shared.turns).acquire_owned().await.map_err(Error::destination)?;
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
        let state = self.work(move |state, shared, part| state.write(shared, part, &batch)).await?;
        self.state = Some(state);
        Ok(())
    }

    async fn commit(mut self: Box<Self>, outcome: Outcome) -> Result<Committed> {
        self.work(move |state, shared, part| state.commit(shared, part, outcome)).await
    }
}

impl State {
    fn write(mut self, shared: &Shared, part: &Part, batch: &RecordBatch) -> Result<Self> {
        let schema = part.table.arrow();
        if batch.schema_ref().fields() != schema.fields() {
            return Err(Error::fatal("a batch has other columns than its table; this is a bug in its connector"));
        }
        let (_, sink) = match &mut self.open {
            Some(open) => open,
            closed => {
                let temporary = Temporary::new(self.name.parent().unwrap_or(Path::new("")))?;
                let sink = Sink::new(shared.settings.encoding, &schema, temporary.file()?, &shared.buffers)?;
                closed.insert((temporary, sink))
            }
        };
        sink.write(batch).map_err(|error| error.while_doing(self.name.display()))?;
        self.seen.add(batch);
        Ok(self)
    }

    fn commit(self, shared: &Shared, part: &Part, outcome: Outcome) -> Result<Committed> {
        let Self { name, mut seen, open } = self;
        let adds = part.mode == WriteMode::Append;
        if outcome == Outcome::Partial && !adds && name.try_exists().map_err(temporary::failed(&name))? {
            // Replacing it would lose the rows that this part does not have; they are not known to be gone.
            return Ok(Committed { kept_earlier: true, ..Committed::default() });
        }
        let Some((temporary, sink)) = open else {
            if outcome == Outcome::Complete && !adds && temporary::remove(&name)? {
                shared.touched(&name);
            }
            return Ok(Committed::default());
        };
        let in_file = |error: Error| error.while_doing(name.display());
        sink.finish().map_err(in_file)?;
        let rows = seen.rows();
        let superseded = seen.superseded();
        let whole = match superseded {
            [] => temporary,
            superseded => {
                let folder = name.parent().unwrap_or(Path::new(""));
                let fewer = Temporary::new(folder)?;
                let (from, to) = (temporary.file()?, fewer.file()?);
                encode::without(superseded, shared.settings.encoding, from, to, &shared.buffers).map_err(in_file)?;
                fewer
            }
        };
        whole.keep(&name)?;
        shared.touched(&name);
        Ok(Committed { written: rows - superseded.len() as u64, ..Committed::default() })
    }
}
