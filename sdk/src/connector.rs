//! What a source of rows implements.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::calls::CallLimits;
use crate::error::{Error, Result};
use crate::registry::Node;
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

/// A source of rows.
#[async_trait]
pub trait Connector: Send + Sync {
    /// All tables, known without a connection.
    fn tables(&self) -> Vec<Node>;

    /// Whether the source can be reached with the credentials at hand; a line for each thing that was checked.
    async fn check(&self) -> Result<Vec<String>>;

    /// Connects, and splits the tables to be read, trees of [`Connector::tables`] or parts of them, into units. Places
    /// are opened only as fast as the stream is read, but for a few ahead. Where there is nothing that is wanted, a
    /// place need not be opened.
    fn plan(self: Arc<Self>, tables: Vec<Arc<Node>>, wanted: Wanted) -> BoxStream<'static, Found>;

    /// Runs one unit. Failures are said through `run`; a failure of one table leaves the others alone.
    async fn run(&self, unit: &Unit, run: Arc<UnitRun>);

    /// How calls are limited.
    fn limits(&self) -> CallLimits {
        CallLimits::default()
    }
}
