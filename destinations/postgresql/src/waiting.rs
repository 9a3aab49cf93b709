//! The table in which the rows of a large unit wait until the unit has finished. It is not logged, so after a crash of the
//! server it is there without its rows: they are counted before anything is done that relies on them.

use std::sync::Arc;

use headwater_sdk::sql::quote;
use headwater_sdk::{Class, Error, Part, Rejects, Result};
use tokio_postgres::Client;

use crate::buffer::Bundle;
use crate::copy::stage_rows;
use crate::ddl::stage_columns;
use crate::migrate::WAITING;
use crate::retry::Retry;
use crate::server::Server;
use crate::sift::Failed;

/// A table of a part's own; it goes with this.
pub struct Waiting {
    name: String,
    server: Arc<Server>,
    /// The rows that are known to wait.
    pub rows: u64,
    published: bool,
}

/// An attempt to send rows.
#[derive(Default)]
struct Attempt {
    again: bool,
    sifts: bool,
    /// The rows of an attempt that may have been committed without a word.
    uncertain: Option<u64>,
}

impl Waiting {
    /// Creates the table.
    pub async fn new(server: &Arc<Server>, part: &Part) -> Result<Self> {
        let (mut retry, mut name) = (Retry::default(), None);
        loop {
            let error = match Self::create(server, part, &mut name).await {
                Ok(name) => return Ok(Self { name, server: Arc::clone(server), rows: 0, published: false }),
                Err(error) => error,
            };
            if !retry.again(&error).await {
                return Err(error);
            }
        }
    }

    async fn create(server: &Arc<Server>, part: &Part, name: &mut Option<String>) -> Result<String> {
        let lent = server.connection().await?;
        let client = &lent.connection.client;
        let name = match name {
            Some(name) => name.clone(),
            None => {
                // The server's clock, because it is compared with that: see `sweep`.
                let sql = "SELECT extract(epoch FROM now())::bigint";
                let now: i64 = client.query_one(sql, &[]).await.map_err(|error| server.explain(error))?.get(0);
                name.insert(format!("{WAITING}{now}_{:016x}", fastrand::u64(..))).clone()
            }
        };
        let sql = format!("CREATE UNLOGGED TABLE IF NOT EXISTS {} ({})", quote(&name), stage_columns(&part.table));
        client.batch_execute(&sql).await.map_err(|error| server.explain(error))?;
        lent.give_back();
        Ok(name)
    }

    /// The name as SQL.
    pub fn table(&self) -> String {
        quote(&self.name)
    }

    /// Sends rows. Where an attempt got no answer it is looked whether they are there, and they are sent once more if not.
    pub async fn send(&mut self, bundle: Bundle, rejects: Option<&Rejects>) -> Result<()> {
        let refused = rejects.map(Rejects::count);
        let (mut retry, mut attempt) = (Retry::default(), Attempt::default());
        loop {
            let error = match self.attempt(&bundle, &mut attempt, rejects.zip(refused)).await {
                Ok(rows) => {
                    self.rows += rows;
                    return Ok(());
                }
                Err(error) => error,
            };
            if error.class == Class::Rejected && rejects.is_some() && !attempt.sifts {
                attempt.sifts = true;
                continue;
            }
            if !retry.again(&error).await {
                return Err(error);
            }
            attempt.again = true;
        }
    }

    async fn attempt(&self, bundle: &Bundle, attempt: &mut Attempt, rejects: Option<(&Rejects, u64)>) -> Result<u64> {
        let lent = self.server.connection().await?;
        let client = &lent.connection.client;
        let sent = async {
            client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            if attempt.again {
                // Waits for the end of the earlier attempt.
                let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", self.table());
                client.batch_execute(&lock).await?;
                let (there, uncertain) = (self.count(client).await?, attempt.uncertain.take());
                match uncertain {
                    Some(rows) if rows > 0 && there == self.rows + rows => {
                        client.batch_execute("COMMIT").await?;
                        return Ok(rows);
                    }
                    _ if there == self.rows => {}
                    _ => return Err(self.lost(self.rows, there).into()),
                }
            }
            if let Some((rejects, refused)) = rejects {
                // What an earlier attempt has put aside is tried again, too.
                rejects.keep(refused);
            }
            let rejects = rejects.map(|(rejects, _)| rejects).filter(|_| attempt.sifts);
            let rows = stage_rows(client, &self.table(), bundle, rejects).await?;
            attempt.uncertain = Some(rows);
            client.batch_execute("COMMIT").await?;
            Ok(rows)
        };
        let sent = sent.await.map_err(|failed: Failed| failed.explain(&self.server))?;
        lent.give_back();
        Ok(sent)
    }

    async fn count(&self, client: &Client) -> Result<u64, tokio_postgres::Error> {
        let count = client.query_one(&format!("SELECT count(*) FROM {}", self.table()), &[]).await?;
        Ok(count.get::<_, i64>(0).unsigned_abs())
    }

    /// Makes sure that so many rows wait.
    pub async fn check(&self, client: &Client, rows: u64) -> Result<(), Failed> {
        match self.count(client).await? {
            there if there == rows => Ok(()),
            there => Err(self.lost(rows, there).into()),
        }
    }

    fn lost(&self, rows: u64, there: u64) -> Error {
        let shown = &self.server.settings.shown;
        Error::destination(format!(
            "{shown}: of {rows} rows that waited {there} are there; the others were lost in a crash of the server, so \
             nothing of the unit is written; the next sync writes it"
        ))
    }

    /// Whether the table is there: it goes with the transaction that moves its rows.
    pub async fn is_there(&self, client: &Client) -> Result<bool, tokio_postgres::Error> {
        Ok(client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&self.table()]).await?.get(0))
    }

    /// Its rows have been moved, and it is gone.
    pub fn published(&mut self) {
        self.published = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.published {
            self.server.remove(std::mem::take(&mut self.name));
        }
    }
}
