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
use crate::server::{Server, Turns};
use crate::sift::Failed;

/// A table of a part's own; it goes with this.
pub struct Waiting {
    name: String,
    server: Arc<Server>,
    /// The rows that are known to wait.
    pub rows: u64,
    /// How often some were sent.
    pub bundles: usize,
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
    /// Creates the table, on a connection by `turns` where there are such.
    pub async fn new(server: &Arc<Server>, part: &Part, turns: Option<&Arc<Turns>>) -> Result<Self> {
        let (mut retry, mut name) = (Retry::default(), None);
        loop {
            let error = match Self::create(server, part, turns, &mut name).await {
                Ok(name) => {
                    return Ok(Self { name, server: Arc::clone(server), rows: 0, bundles: 0, published: false });
                }
                Err(error) => error,
            };
            if !retry.again(&error).await {
                return Err(error);
            }
        }
    }

    async fn create(
        server: &Arc<Server>,
        part: &Part,
        turns: Option<&Arc<Turns>>,
        name: &mut Option<String>,
    ) -> Result<String> {
        let lent = server.connection_by(turns).await?;
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
    pub async fn send(&mut self, bundle: Bundle, rejects: Option<&Rejects>, turns: Option<&Arc<Turns>>) -> Result<()> {
        self.bundles += 1;
        let refused = rejects.map(Rejects::count);
        let (mut retry, mut attempt) = (Retry::default(), Attempt::default());
        loop {
            let error = match self.attempt(&bundle, &mut attempt, rejects.zip(refused), turns).await {
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

    async fn attempt(
        &self,
        bundle: &Bundle,
        attempt: &mut Attempt,
        rejects: Option<(&Rejects, u64)>,
        turns: Option<&Arc<Turns>>,
    ) -> Result<u64> {
        let lent = self.server.connection_by(turns).await?;
        let client = &lent.connection.client;
        let sent = async {
            client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            if attempt.again {
                // Waits for the end of the earlier attempt.
                let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", self.table());
                client.batch_execute(&lock).await?;
                let (there, uncertain) = (count(client, &self.table()).await?, attempt.uncertain.take());
                match uncertain {
                    Some(rows) if rows > 0 && there == self.rows + rows => {
                        client.batch_execute("COMMIT").await?;
                        return Ok(rows);
                    }
                    _ if there == self.rows => {}
                    _ => return Err(lost(&self.server, self.rows, there).into()),
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

    /// Whether the table is there: it goes with the transaction that moves its rows.
    pub async fn is_there(&self, client: &Client) -> Result<bool, tokio_postgres::Error> {
        Ok(client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&self.table()]).await?.get(0))
    }

    /// Its rows have been moved, and it is gone.
    pub fn published(&mut self) {
        self.published = true;
    }
}

async fn count(client: &Client, table: &str) -> Result<u64, tokio_postgres::Error> {
    let count = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?;
    Ok(count.get::<_, i64>(0).unsigned_abs())
}

/// Makes sure that so many rows wait in a table.
pub async fn check(server: &Server, client: &Client, table: &str, rows: u64) -> Result<(), Failed> {
    match count(client, table).await? {
        there if there == rows => Ok(()),
        there => Err(lost(server, rows, there).into()),
    }
}

fn lost(server: &Server, rows: u64, there: u64) -> Error {
    let shown = &server.settings.shown;
    Error::destination(format!(
        "{shown}: of {rows} rows that waited {there} are there; the others were lost in a crash of the server, so \
         nothing of the unit is written; the next sync writes it"
    ))
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.published {
            self.server.remove(std::mem::take(&mut self.name));
        }
    }
}
