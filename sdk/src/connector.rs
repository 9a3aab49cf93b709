//! What a source of rows implements.

use std::sync::Arc;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::registry::Node;
use crate::unit::{Unit, UnitRun};

/// What a sync is going to read.
#[derive(Default)]
pub struct Plan {
    /// The units, in the order in which they should start.
    pub units: Vec<Unit>,
    /// What could not be planned, such as an account that cannot be opened: its name and why. The other units go on.
    pub failures: Vec<(String, Error)>,
}

/// A source of rows.
#[async_trait]
pub trait Connector: Send + Sync {
    /// All tables, known without a connection.
    fn tables(&self) -> Vec<Node>;

    /// Whether the source can be reached with the credentials at hand; a line for each thing that was checked.
    async fn check(&self) -> Result<Vec<String>>;

    /// Connects, and splits the tables to be read, trees of [`Connector::tables`] or parts of them, into units.
    async fn plan(&self, tables: &[Node]) -> Result<Plan>;

    /// Runs one unit. Failures are said through `run`; a failure of one table leaves the others alone.
    async fn run(&self, unit: &Unit, run: Arc<UnitRun>);

    /// How many calls may be under way at once.
    fn concurrency(&self) -> usize {
        64
    }
}
