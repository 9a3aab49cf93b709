//! Rows of a unit of very many that are moved into the table while more of them come: in the transaction that the unit's
//! commit ends, on a connection of its own. They go on waiting, too, so where anything comes in between it is given up,
//! and the commit moves them all.

use std::sync::{Arc, Weak};
use std::time::Duration;

use headwater_sdk::{Error, Part, TableSchema};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::publish::{lock, move_waiting};
use crate::server::{Lent, Server, Turns};
use crate::sift::Failed;
use crate::waiting::Waiting;

/// Rows are locked meanwhile: for rows that come slowly it is not worth that.
const IDLE: Duration = Duration::from_secs(60);

/// A transaction into which rows are moved. Where it is dropped, nothing of it stays.
pub struct Moving {
    tables: UnboundedSender<(String, u64)>,
    given: usize,
    task: JoinSet<Option<Moved>>,
    /// Those of the transaction, and of what sends rows meanwhile.
    turns: Weak<Turns>,
}

/// What has been moved, in a transaction that is still open.
pub struct Moved {
    pub lent: Lent,
    /// So many tables.
    pub tables: usize,
    /// So many rows, where that is known.
    pub written: Option<u64>,
}

impl Moving {
    /// Begins, unless connections are short. A second one is kept for what sends rows: who waits for rows that are locked
    /// here may have all others, and would be waited for.
    pub fn begin(server: &Arc<Server>, part: &Part) -> Option<Self> {
        let turns = server.long_turns(2)?;
        let (tables, given) = unbounded_channel();
        let mut task = JoinSet::new();
        let moving = run(Arc::clone(server), Arc::clone(&turns), lock(part), Arc::clone(&part.table), given);
        task.spawn(async move {
            let moved = moving.await;
            moved.inspect_err(|error| tracing::debug!(%error, "rows are moved at the end of their unit only")).ok()
        });
        Some(Self { tables, given: 0, task, turns: Arc::downgrade(&turns) })
    }

    /// Has the rows of further tables moved, into which no more come.
    pub fn give(&mut self, waiting: &[Waiting]) {
        for waiting in &waiting[self.given..] {
            // Where it was given up nobody listens.
            let _ = self.tables.send((waiting.table(), waiting.rows));
        }
        self.given = waiting.len();
    }

    /// How many tables are being moved.
    pub fn given(&self) -> usize {
        self.given
    }

    /// The turns by which rows are sent meanwhile.
    pub fn turns(&self) -> Option<Arc<Turns>> {
        self.turns.upgrade()
    }

    /// Waits until all that was given is moved.
    pub async fn finish(self) -> Option<Moved> {
        let Self { tables, mut task, .. } = self;
        drop(tables);
        task.join_next().await?.ok()?
    }
}

async fn run(
    server: Arc<Server>,
    turns: Arc<Turns>,
    lock: String,
    table: Arc<TableSchema>,
    mut given: UnboundedReceiver<(String, u64)>,
) -> Result<Moved, Error> {
    let lent = server.connection_of(turns).await?;
    let client = &lent.connection.client;
    let moved = async {
        client.batch_execute(&format!("BEGIN ISOLATION LEVEL READ COMMITTED; {lock}")).await?;
        let (mut tables, mut written) = (0, Some(0));
        while let Some((stage, rows)) = tokio::time::timeout(IDLE, given.recv()).await.map_err(Error::destination)? {
            written = move_waiting(&server, client, &table, (&stage, rows), written).await?;
            tables += 1;
        }
        Ok((tables, written))
    };
    let (tables, written) = moved.await.map_err(|failed: Failed| failed.explain(&server))?;
    Ok(Moved { lent, tables, written })
}
