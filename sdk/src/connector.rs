//! What a source of rows implements.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::calls::CallLimits;
use crate::error::{Error, Result};
use crate::range::Range;
use crate::registry::Node;
use crate::selection::Selection;
use crate::unit::{Unit, UnitRun};

/// One step of planning a sync. Units are found while others run already.
pub enum Found {
    /// So many more places, such as accounts, are going to be opened.
    Places(usize),
    /// A place is open: its units, in the order in which they should start.
    Open(Vec<Unit>),
    /// A place could not be opened: its name and why. The others go on.
    Failed(String, Error),
}

/// Which units are wanted, by the root table's name and the scope's id: a shard or a resumed sync wants some only.
pub type Wanted = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Wants all units.
pub fn all_wanted() -> Wanted {
    Arc::new(|_, _| true)
}

/// Why tables could not be found.
#[derive(Debug)]
pub enum Undiscovered {
    /// The source could not be asked.
    Failed(Error),
    /// The source's own `spec` says what does not fit the tables that there are.
    Wrong(Vec<Wrong>),
}

impl From<Error> for Undiscovered {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Something in a connector's `spec` that is wrong, found only when the source was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The way to it within the `spec`: `["tables", "orders", "cursor"]`. The place of an item of a list is its number.
    pub at: Vec<String>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A source of rows.
#[async_trait]
pub trait Connector: Send + Sync {
    /// All tables that are known without a connection.
    fn tables(&self) -> Vec<Node>;

    /// Finds the tables, all those at least that are selected; a source that knows them without asking need not do this.
    /// Nothing that was opened for it stays open. Called before [`Connector::plan`], from another runtime.
    ///
    /// # Errors
    /// If the source cannot be asked, or its `spec` does not fit the tables that there are.
    async fn discover(&self, selection: &Selection) -> Result<Vec<Node>, Undiscovered> {
        let _ = selection;
        Ok(self.tables())
    }

    /// Whether the source can be reached with the credentials at hand; a line for each thing that was checked.
    async fn check(&self) -> Result<Vec<String>>;

    /// Connects, and splits the tables to be read, trees of [`Connector::tables`] or parts of them, into units. Places
    /// are opened only as fast as the stream is read, but for a few ahead. Where there is nothing that is wanted, a
    /// place need not be opened.
    fn plan(self: Arc<Self>, tables: Vec<Arc<Node>>, wanted: Wanted) -> BoxStream<'static, Found>;

    /// Runs one unit. Failures are said through `run`; a failure of one table leaves the others alone.
    async fn run(&self, unit: &Unit, run: Arc<UnitRun>);

    /// The ranges of a table that all of its units have together, known when all are planned: where they are written whole,
    /// nothing else of this source is left in them. None for a table that is a single unit, or whose units are always the
    /// same ones.
    fn extent(&self, table: &str) -> Option<Vec<Vec<Range>>> {
        let _ = table;
        None
    }

    /// Whether its units say which rows are no more ([`UnitRun::remove`]), so that only destinations will do that take this.
    fn removes(&self) -> bool {
        false
    }

    /// A checkpoint of a unit has been kept: what lies before it is not asked for again.
    ///
    /// # Errors
    /// If the source cannot be told so. The unit counts as failed then; what was committed and kept stays.
    async fn kept(&self, checkpoint: &str) -> Result<()> {
        let _ = checkpoint;
        Ok(())
    }

    /// How calls are limited.
    fn limits(&self) -> CallLimits {
        CallLimits::default()
    }
}
