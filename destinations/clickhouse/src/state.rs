//! The state of syncs. Nothing but a table's name is changed as a whole here, so each run is a table: its comment says which
//! run it is, its name which process holds it, and its rows are the units that are done. Who begins a run drops the tables of
//! earlier ones, and who takes a run over renames its table; whoever held it finds no table to add to.

use std::sync::Arc;

use headwater_sdk::text::fnv1a;
use headwater_sdk::{Error, Result, SavedRun, StateStore, Timestamp, UnitHash, Uuid, async_trait};
use serde::{Deserialize, Serialize};

use crate::ddl::{literal, quote};
use crate::server::Server;

/// The state that is kept under one key.
pub struct State {
    server: Arc<Server>,
    key: String,
    /// How the names of this key's tables begin.
    tables: String,
    /// The table of this process.
    own: String,
}

/// What the comment of a table says.
#[derive(Serialize, Deserialize)]
struct Run {
    key: String,
    sync_time_us: i64,
    fingerprint: String,
}

/// Another process has the run now.
fn lost() -> Error {
    Error::destination(
        "another sync of the same configuration has begun meanwhile, and its state is kept in place of this one's",
    )
}

/// An error where there is no table any more (UNKNOWN_TABLE, TABLE_IS_DROPPED).
fn of_table(error: Error) -> Error {
    if error.has_code(&["60", "218"]) { lost() } else { error }
}

impl State {
    /// Nothing is connected to yet.
    pub fn new(server: Arc<Server>, key: &str) -> Self {
        let tables = format!("headwater_state_{:016x}_", fnv1a(key.bytes()));
        let own = format!("{tables}{}", Uuid::new_v4().simple());
        Self { server, key: key.to_owned(), tables, own }
    }

    /// The tables of this key, and which runs they are; the newest run comes last.
    async fn runs(&self) -> Result<Vec<(String, Run)>> {
        let sql = format!(
            "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {})",
            literal(&self.tables)
        );
        let mut runs = Vec::new();
        for row in self.server.rows(&sql).await? {
            let [name, comment] = <[String; 2]>::try_from(row).unwrap_or_default();
            let run: Option<Run> = serde_json::from_str(&comment).ok();
            runs.extend(run.filter(|run| run.key == self.key).map(|run| (name, run)));
        }
        runs.sort_by_key(|(_, run)| run.sync_time_us);
        Ok(runs)
    }

    async fn drop(&self, table: &str) -> Result<()> {
        self.server.run(format!("DROP TABLE IF EXISTS {} SYNC", quote(table))).await.map(drop)
    }

    async fn is_held(&self) -> Result<bool> {
        Ok(self.runs().await?.iter().any(|(name, _)| *name == self.own))
    }

    async fn read(&self) -> Result<Option<SavedRun>> {
        let Some((name, run)) = self.runs().await?.pop() else { return Ok(None) };
        let sql = format!("SELECT DISTINCT hex(unit) AS hash FROM {} ORDER BY hash", quote(&name));
        let rows = self.server.rows(&sql).await.map_err(of_table)?;
        let hash = |text: String| u128::from_str_radix(&text, 16).map(|hash| UnitHash(hash.to_be_bytes()));
        let units = rows.into_iter().flatten().map(hash).collect::<Result<_, _>>().map_err(Error::destination)?;
        Ok(Some(SavedRun { sync_time: Timestamp(run.sync_time_us), fingerprint: run.fingerprint, units }))
    }

    async fn begin(&self, sync_time: Timestamp, fingerprint: &str) -> Result<()> {
        let (key, fingerprint) = (self.key.clone(), fingerprint.to_owned());
        let run = Run { key, sync_time_us: sync_time.0, fingerprint };
        let comment = serde_json::to_string(&run).map_err(Error::destination)?;
        self.drop(&self.own).await?;
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (unit FixedString(16)) ENGINE = MergeTree ORDER BY unit COMMENT {}",
            quote(&self.own),
            literal(&comment)
        );
        self.server.run(sql).await?;
        // After it, so that there is a run whenever this ends.
        for (name, _) in self.runs().await?.iter().filter(|(name, _)| *name != self.own) {
            self.drop(name).await?;
        }
        Ok(())
    }

    async fn take_over(&self, sync_time: Timestamp) -> Result<()> {
        let newest = self.runs().await?.pop().filter(|(_, run)| run.sync_time_us == sync_time.0);
        let Some((name, _)) = newest else { return Err(lost()) };
        if name == self.own {
            return Ok(());
        }
        match self.server.run(format!("RENAME TABLE {} TO {}", quote(&name), quote(&self.own))).await {
            Err(error) => match self.is_held().await? {
                // It was the answer that was lost.
                true => Ok(()),
                false => Err(of_table(error)),
            },
            renamed => renamed.map(drop),
        }
    }
}

#[async_trait]
impl StateStore for State {
    async fn load(&self) -> Result<Option<SavedRun>> {
        self.read().await.map_err(said)
    }

    async fn start(&self, sync_time: Timestamp, fingerprint: &str) -> Result<()> {
        self.begin(sync_time, fingerprint).await.map_err(said)
    }

    async fn resume(&self, sync_time: Timestamp) -> Result<()> {
        self.take_over(sync_time).await.map_err(said)
    }

    async fn add(&self, units: &[UnitHash]) -> Result<()> {
        if units.is_empty() {
            return Ok(());
        }
        let hashes = units.iter().map(|unit| format!("(unhex('{:032x}'))", u128::from_be_bytes(unit.0)));
        let sql = format!("INSERT INTO {} (unit) VALUES {}", quote(&self.own), hashes.collect::<Vec<_>>().join(", "));
        self.server.run(sql).await.map(drop).map_err(|error| said(of_table(error)))
    }

    async fn clear(&self) -> Result<()> {
        match self.is_held().await.map_err(said)? {
            true => self.drop(&self.own).await.map_err(said),
            false => Err(said(lost())),
        }
    }
}

fn said(error: Error) -> Error {
    error.while_doing("the state of the sync")
}
