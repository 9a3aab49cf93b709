//! The state of syncs, in two tables beside those of the rows.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_sdk::{Error, Result, SavedRun, StateStore, Timestamp, UnitHash, Uuid, async_trait};
use tokio_postgres::Transaction;

use crate::migrate::LOCK;
use crate::retry::Retry;
use crate::server::Server;

/// `holder` is of the process that began or took over the run last, and is the only one that may add to it. The units
/// that were done together are one row, their hashes one after another.
const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS headwater_runs (
        key text PRIMARY KEY,
        sync_time_us bigint NOT NULL,
        fingerprint text NOT NULL,
        holder text NOT NULL
    );
    CREATE TABLE IF NOT EXISTS headwater_done (
        key text NOT NULL,
        units bytea NOT NULL
    );
    CREATE TABLE IF NOT EXISTS headwater_checkpoints (
        key text NOT NULL,
        unit text NOT NULL,
        checkpoint text NOT NULL,
        PRIMARY KEY (key, unit)
    );";

type Pg<T> = std::result::Result<T, tokio_postgres::Error>;

/// The state that is kept under one key.
pub struct State {
    server: Arc<Server>,
    key: String,
    holder: String,
}

/// Does something again where it fails for a passing reason; an attempt that got no answer may have been of effect.
async fn retried<'a, T>(attempt: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
    let mut retry = Retry::default();
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if !retry.again(&error).await {
            return Err(in_state(error));
        }
    }
}

fn in_state(error: Error) -> Error {
    error.while_doing("the state of the sync")
}

/// Another process has the run now.
fn lost<T>(_: T) -> Error {
    Error::destination(
        "another sync of the same configuration has begun meanwhile, and its state is kept in place of this one's",
    )
}

impl State {
    /// Nothing is connected to yet.
    pub fn new(server: Arc<Server>, key: &str) -> Self {
        Self { server, key: key.to_owned(), holder: Uuid::new_v4().to_string() }
    }

    /// Does something in a transaction, of which `work` answers whether it is to count.
    async fn transact<T>(&self, work: impl AsyncFnOnce(&Transaction<'_>) -> Pg<Option<T>>) -> Result<Option<T>> {
        let mut lent = self.server.connection().await?;
        let explained = |error| self.server.explain(error);
        let transaction = lent.connection.client.transaction().await.map_err(explained)?;
        let done = work(&transaction).await.map_err(explained)?;
        match &done {
            Some(_) => transaction.commit().await.map_err(explained)?,
            None => transaction.rollback().await.map_err(explained)?,
        }
        lent.give_back();
        Ok(done)
    }

    /// Whether this process holds the run, which nobody takes over then before the end of the transaction; `gone` where
    /// there is no run.
    async fn holds(&self, transaction: &Transaction<'_>, gone: bool) -> Pg<bool> {
        let sql = "SELECT holder = $2 FROM headwater_runs WHERE key = $1 FOR UPDATE";
        Ok(transaction.query_opt(sql, &[&self.key, &self.holder]).await?.map_or(gone, |row| row.get(0)))
    }
}

#[async_trait]
impl StateStore for State {
    async fn load(&self) -> Result<Option<SavedRun>> {
        // It is the first thing that a sync asks of the server: who cannot reach it is told so at once.
        let loaded = self.transact(async |transaction| {
            let there =
                "SELECT to_regclass('headwater_runs') IS NOT NULL AND to_regclass('headwater_done') IS NOT NULL";
            if !transaction.query_one(there, &[]).await?.get::<_, bool>(0) {
                return Ok(None);
            }
            let sql = "SELECT sync_time_us, fingerprint FROM headwater_runs WHERE key = $1";
            let Some(run) = transaction.query_opt(sql, &[&self.key]).await? else { return Ok(None) };
            let mut units = Vec::new();
            for row in transaction.query("SELECT units FROM headwater_done WHERE key = $1", &[&self.key]).await? {
                let (hashes, _) = row.get::<_, &[u8]>(0).as_chunks();
                units.extend(hashes.iter().copied().map(UnitHash));
            }
            units.sort_unstable_by_key(|unit| unit.0);
            units.dedup();
            Ok(Some(SavedRun { sync_time: Timestamp(run.get(0)), fingerprint: run.get(1), units }))
        });
        loaded.await.map_err(in_state)
    }

    async fn start(&self, sync_time: Timestamp, fingerprint: &str) -> Result<()> {
        let started = retried(|| {
            self.transact(async |transaction| {
                // Two processes that create the tables at once would be in each other's way.
                transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
                transaction.batch_execute(CREATE).await?;
                let sql = "INSERT INTO headwater_runs (key, sync_time_us, fingerprint, holder) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (key) DO UPDATE SET
                           sync_time_us = excluded.sync_time_us,
                           fingerprint = excluded.fingerprint,
                           holder = excluded.holder";
                transaction.execute(sql, &[&self.key, &sync_time.0, &fingerprint, &self.holder]).await?;
                transaction.execute("DELETE FROM headwater_done WHERE key = $1", &[&self.key]).await.map(Some)
            })
            .boxed()
        });
        started.await.map(|_| ())
    }

    async fn resume(&self, sync_time: Timestamp) -> Result<()> {
        let resumed = retried(|| {
            self.transact(async |transaction| {
                let sql = "UPDATE headwater_runs SET holder = $2 WHERE key = $1 AND sync_time_us = $3";
                let changed = transaction.execute(sql, &[&self.key, &self.holder, &sync_time.0]).await?;
                Ok((changed > 0).then_some(()))
            })
            .boxed()
        });
        resumed.await?.ok_or(()).map_err(lost)
    }

    async fn add(&self, units: &[UnitHash]) -> Result<()> {
        let units: Vec<u8> = units.iter().flat_map(|unit| unit.0).collect();
        let added = retried(|| {
            self.transact(async |transaction| {
                if !self.holds(transaction, false).await? {
                    return Ok(None);
                }
                let sql = "INSERT INTO headwater_done (key, units) VALUES ($1, $2)";
                transaction.execute(sql, &[&self.key, &units]).await.map(Some)
            })
            .boxed()
        });
        added.await?.ok_or(()).map_err(lost).map(|_| ())
    }

    async fn clear(&self) -> Result<()> {
        let cleared = retried(|| {
            self.transact(async |transaction| {
                // An attempt whose answer was lost may have cleared it.
                if !self.holds(transaction, true).await? {
                    return Ok(None);
                }
                transaction.execute("DELETE FROM headwater_done WHERE key = $1", &[&self.key]).await?;
                transaction.execute("DELETE FROM headwater_runs WHERE key = $1", &[&self.key]).await.map(Some)
            })
            .boxed()
        });
        cleared.await?.ok_or(()).map_err(lost).map(|_| ())
    }

    async fn checkpoints(&self) -> Result<HashMap<String, String>> {
        let found = self.transact(async |transaction| {
            let there = "SELECT to_regclass('headwater_checkpoints') IS NOT NULL";
            if !transaction.query_one(there, &[]).await?.get::<_, bool>(0) {
                return Ok(None);
            }
            let sql = "SELECT unit, checkpoint FROM headwater_checkpoints WHERE key = $1";
            let rows = transaction.query(sql, &[&self.key]).await?;
            Ok(Some(rows.iter().map(|row| (row.get(0), row.get(1))).collect()))
        });
        found.await.map(Option::unwrap_or_default).map_err(in_state)
    }

    async fn reached(&self, unit: &str, checkpoint: &str) -> Result<()> {
        let kept = retried(|| {
            self.transact(async |transaction| {
                if !self.holds(transaction, false).await? {
                    return Ok(None);
                }
                let sql = "INSERT INTO headwater_checkpoints (key, unit, checkpoint) VALUES ($1, $2, $3)
                           ON CONFLICT (key, unit) DO UPDATE SET checkpoint = excluded.checkpoint";
                transaction.execute(sql, &[&self.key, &unit, &checkpoint]).await.map(Some)
            })
            .boxed()
        });
        kept.await?.ok_or(()).map_err(lost).map(|_| ())
    }
}
