//! The state of syncs, in two tables beside those of the rows.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_sdk::{Error, Result, SavedRun, StateStore, Timestamp, UnitHash, Uuid, async_trait};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::explain::explain;
use crate::store::Store;
use crate::worker::Shared;

/// `holder` is of the process that began or took over the run last, and is the only one that may add to it. The units
/// that were done together are one row, their hashes one after another: an index over hashes would be written anew almost
/// whole each time.
const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS main.headwater_runs (
        run INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        sync_time_us INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        holder TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS main.headwater_done (
        run INTEGER NOT NULL,
        units BLOB NOT NULL
    );
    CREATE TABLE IF NOT EXISTS main.headwater_checkpoints (
        key TEXT NOT NULL,
        unit TEXT NOT NULL,
        checkpoint TEXT NOT NULL,
        PRIMARY KEY (key, unit)
    ) WITHOUT ROWID;";

/// The state that is kept under one key.
pub struct State {
    shared: Arc<Shared>,
    key: Arc<str>,
    holder: Arc<str>,
}

impl State {
    /// Nothing is opened yet.
    pub fn new(shared: Arc<Shared>, key: &str) -> Self {
        Self { shared, key: key.into(), holder: Uuid::new_v4().to_string().into() }
    }

    /// Has the database's thread do something in a transaction, of which `work` answers whether it is to count.
    async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &str, &str) -> rusqlite::Result<Option<T>> + Send + 'static,
    ) -> Result<Option<T>> {
        let (key, holder) = (Arc::clone(&self.key), Arc::clone(&self.holder));
        let orders = self.shared.orders().await?;
        let done = orders.call(move |store| store.transact(|transaction| work(transaction, &key, &holder)));
        done.await.map_err(|error| error.while_doing("the state of the sync"))
    }
}

impl Store {
    fn transact<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Option<T>>) -> Result<Option<T>> {
        let transact = |db: &Connection| {
            let transaction = self.location.begin(db)?;
            let done = work(&transaction)?;
            if done.is_some() {
                transaction.commit()?;
            }
            Ok(done)
        };
        transact(&self.db).map_err(|error| explain(&error, self.location.path()))
    }
}

/// The number of the run under a key that a holder has.
fn held(transaction: &Transaction<'_>, key: &str, holder: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT run FROM main.headwater_runs WHERE key = ?1 AND holder = ?2";
    transaction.prepare_cached(sql)?.query_row([key, holder], |row| row.get(0)).optional()
}

fn load(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<Option<SavedRun>> {
    let tables = "SELECT count(*) FROM main.sqlite_schema WHERE name IN ('headwater_runs', 'headwater_done')";
    if transaction.query_row(tables, [], |row| row.get::<_, i64>(0))? < 2 {
        return Ok(None);
    }
    let sql = "SELECT run, sync_time_us, fingerprint FROM main.headwater_runs WHERE key = ?1";
    let found = transaction
        .query_row(sql, [key], |row| Ok((row.get::<_, i64>(0)?, Timestamp(row.get(1)?), row.get::<_, String>(2)?)));
    let Some((run, sync_time, fingerprint)) = found.optional()? else { return Ok(None) };
    let mut done = transaction.prepare("SELECT units FROM main.headwater_done WHERE run = ?1")?;
    let mut done = done.query([run])?;
    let mut units = Vec::new();
    while let Some(row) = done.next()? {
        let (hashes, _) = row.get_ref(0)?.as_blob()?.as_chunks();
        units.extend(hashes.iter().copied().map(UnitHash));
    }
    units.sort_unstable_by_key(|unit| unit.0);
    units.dedup();
    Ok(Some(SavedRun { sync_time, fingerprint, units }))
}

/// Another process has the run now.
fn lost<T>(_: T) -> Error {
    Error::destination(
        "another sync of the same configuration has begun meanwhile, and its state is kept in place of this one's",
    )
}

#[async_trait]
impl StateStore for State {
    async fn load(&self) -> Result<Option<SavedRun>> {
        if !self.shared.location.path().exists() {
            return Ok(None);
        }
        self.transact(|transaction, key, _| load(transaction, key)).await
    }

    async fn start(&self, sync_time: Timestamp, fingerprint: &str) -> Result<()> {
        let fingerprint = fingerprint.to_owned();
        let started = self.transact(move |transaction, key, holder| {
            transaction.execute_batch(CREATE)?;
            let sql = "INSERT INTO main.headwater_runs (key, sync_time_us, fingerprint, holder) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (key) DO UPDATE SET
                           sync_time_us = excluded.sync_time_us,
                           fingerprint = excluded.fingerprint,
                           holder = excluded.holder
                       RETURNING run";
            let run: i64 = transaction.query_row(sql, (key, sync_time.0, fingerprint, holder), |row| row.get(0))?;
            transaction.execute("DELETE FROM main.headwater_done WHERE run = ?1", [run]).map(Some)
        });
        started.await.map(|_| ())
    }

    async fn resume(&self, sync_time: Timestamp) -> Result<()> {
        let sql = "UPDATE main.headwater_runs SET holder = ?2 WHERE key = ?1 AND sync_time_us = ?3";
        let resumed = self.transact(move |transaction, key, holder| {
            transaction.execute(sql, (key, holder, sync_time.0)).map(|changed| (changed > 0).then_some(()))
        });
        resumed.await?.ok_or(()).map_err(lost)
    }

    async fn add(&self, units: &[UnitHash]) -> Result<()> {
        let units: Vec<u8> = units.iter().flat_map(|unit| unit.0).collect();
        let added = self.transact(move |transaction, key, holder| {
            let Some(run) = held(transaction, key, holder)? else { return Ok(None) };
            let sql = "INSERT INTO main.headwater_done (run, units) VALUES (?1, ?2)";
            transaction.prepare_cached(sql)?.execute((run, units)).map(Some)
        });
        added.await?.ok_or(()).map_err(lost).map(|_| ())
    }

    async fn clear(&self) -> Result<()> {
        let cleared = self.transact(|transaction, key, holder| {
            let Some(run) = held(transaction, key, holder)? else { return Ok(None) };
            transaction.execute("DELETE FROM main.headwater_done WHERE run = ?1", [run])?;
            transaction.execute("DELETE FROM main.headwater_runs WHERE run = ?1", [run]).map(Some)
        });
        cleared.await?.ok_or(()).map_err(lost).map(|_| ())
    }

    async fn checkpoints(&self) -> Result<HashMap<String, String>> {
        if !self.shared.location.path().exists() {
            return Ok(HashMap::new());
        }
        let found = self.transact(|transaction, key, _| {
            let table = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'headwater_checkpoints'";
            if transaction.query_row(table, [], |row| row.get::<_, i64>(0))? == 0 {
                return Ok(None);
            }
            let sql = "SELECT unit, checkpoint FROM main.headwater_checkpoints WHERE key = ?1";
            let mut statement = transaction.prepare(sql)?;
            let rows = statement.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<_>>().map(Some)
        });
        found.await.map(Option::unwrap_or_default)
    }

    async fn reached(&self, unit: &str, checkpoint: &str) -> Result<()> {
        let (unit, checkpoint) = (unit.to_owned(), checkpoint.to_owned());
        let kept = self.transact(move |transaction, key, holder| {
            if held(transaction, key, holder)?.is_none() {
                return Ok(None);
            }
            let sql = "INSERT INTO main.headwater_checkpoints (key, unit, checkpoint) VALUES (?1, ?2, ?3)
                       ON CONFLICT (key, unit) DO UPDATE SET checkpoint = excluded.checkpoint";
            transaction.prepare_cached(sql)?.execute((key, unit, checkpoint)).map(Some)
        });
        kept.await?.ok_or(()).map_err(lost).map(|_| ())
    }
}
