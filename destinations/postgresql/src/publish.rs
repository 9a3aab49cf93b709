//! The transaction that makes a part visible: its rows come in, stale ones go, and what an earlier attempt of the same
//! sync left is replaced.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::sql::{quote, range_in_postgresql};
use headwater_sdk::text::fnv1a;
use headwater_sdk::{Committed, Part, Rejects, Result, TableSchema};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::buffer::Bundle;
use crate::copy::{send, stage_rows};
use crate::ddl::{copy, count_keys, is_cast, publish, publish_anew, publish_unsorted, stage_columns, unseen};
use crate::moving::Moved;
use crate::removal::Removal;
use crate::server::{Connection, Server};
use crate::sift::{Failed, sift};
use crate::waiting::{Waiting, check};

/// A part of so many rows is moved without sorting them first.
const MANY: u64 = 10_000;

type Pg<T> = std::result::Result<T, tokio_postgres::Error>;

/// A part that is about to be made visible.
pub struct Publish<'a> {
    pub part: &'a Part,
    /// Rows that have not been sent yet.
    pub bundle: Bundle,
    /// Where the rows before them wait.
    pub waiting: &'a [Waiting],
    /// Those of them that the first attempt need not move.
    pub moved: Option<Moved>,
    /// Rows that are removed one by one.
    pub removal: Option<&'a mut Removal>,
    /// Whether what was there and was not seen again is removed.
    pub removes: bool,
    /// Whether rows that are refused are looked for and put aside.
    pub sifts: bool,
    /// How many were put aside before.
    pub refused: u64,
    /// Whether this is not the first attempt; the one before may have been committed without a word.
    pub again: bool,
    /// What that has done, if it came so far.
    pub uncertain: Option<Committed>,
}

/// Where the rows of a part are within its transaction.
enum Staged {
    /// In the table itself, so many.
    Moved(u64),
    /// In a temporary table.
    Stage(String, u64),
    /// In the tables where rows wait.
    Waiting(Vec<(String, u64)>),
}

impl Staged {
    fn stages(&self) -> Vec<&str> {
        match self {
            Self::Moved(_) => Vec::new(),
            Self::Stage(name, _) => vec![name],
            Self::Waiting(tables) => tables.iter().map(|(name, _)| name.as_str()).collect(),
        }
    }

    /// What ends the transaction: a stage is used again by the next part, without what is in it. Keys of rows that were
    /// removed may have waited, too.
    fn end(&self, keys: Option<String>) -> String {
        let mut end = match self {
            Self::Moved(_) => String::new(),
            Self::Stage(name, _) => format!("TRUNCATE {name}; "),
            Self::Waiting(_) => format!("DROP TABLE {}; ", self.stages().join(", ")),
        };
        if let Some(keys) = keys {
            end.push_str(&format!("DROP TABLE {keys}; "));
        }
        end.push_str("COMMIT");
        end
    }
}

/// The lock that attempts to write a part wait for each other with: one whose answer was lost may still be at it.
pub fn lock(part: &Part) -> String {
    let name =
        [&part.table.name, &part.source, &part.scope, &part.sync_time.0.to_string()].map(String::as_str).join("\0");
    format!("SELECT pg_advisory_xact_lock({})", fnv1a(name.bytes()).cast_signed())
}

/// Deletes rows of a part's unit by how the time of their sync compares to the part's, or all of them.
pub async fn delete_of_unit(client: &Client, part: &Part, compared: Option<&str>, unseen: &[String]) -> Pg<u64> {
    let mut values = vec![part.sync_time.to_rfc3339(), part.source.clone()];
    // As a query of its own the time is read once, and not for every row again.
    let time = match compared {
        Some(compared) => format!("t.{} {compared} (SELECT $1::text::timestamptz)", quote(SYNC_TIME)),
        None => "$1::text IS NOT NULL".to_owned(),
    };
    let mut sql =
        format!("DELETE FROM {} AS t WHERE {time} AND t.{} = $2", quote(&part.table.name), quote(SOURCE_NAME));
    for (column, value) in &part.predicate {
        values.push(value.clone());
        sql.push_str(&format!(" AND t.{} = ${}", quote(column), values.len()));
    }
    for range in &part.ranges {
        let name = format!("t.{}", quote(&range.column));
        sql.push_str(&format!(" AND {}", range_in_postgresql(range, part.table.column(&range.column), &name)));
    }
    for unseen in unseen {
        sql.push_str(&format!(" AND {unseen}"));
    }
    client.execute(&sql, &values.iter().map(|value| value as _).collect::<Vec<_>>()).await
}

/// Moves the rows of a stage into the table.
async fn move_rows(client: &Client, table: &TableSchema, stage: &str, count: u64) -> Pg<u64> {
    if table.key().is_empty() || count < MANY {
        return client.execute(&publish(table, stage), &[]).await;
    }
    // To sort many rows takes longer than to move them, and most often there is nothing to find: no key comes twice.
    client.batch_execute("SAVEPOINT headwater_unsorted").await?;
    match client.execute(&publish_unsorted(table, stage), &[]).await {
        Err(error) if error.code() == Some(&SqlState::CARDINALITY_VIOLATION) => {
            client.batch_execute("ROLLBACK TO SAVEPOINT headwater_unsorted").await?;
            client.execute(&publish(table, stage), &[]).await
        }
        moved => moved,
    }
}

/// Moves rows that have waited, after those of other tables of the unit, and makes sure that they are all there. It is not
/// known how many were written where a key may have come before.
pub async fn move_waiting(
    server: &Server,
    client: &Client,
    table: &TableSchema,
    (stage, rows): (&str, u64),
    before: Option<u64>,
) -> Result<Option<u64>, Failed> {
    if let Some(before) = before.filter(|before| *before > 0) {
        client.batch_execute("SAVEPOINT headwater_anew").await?;
        match client.execute(&publish_anew(table, stage), &[]).await {
            Ok(moved) if moved == rows => {
                client.batch_execute("RELEASE SAVEPOINT headwater_anew").await?;
                return Ok(Some(before + rows));
            }
            Err(error) if error.code() != Some(&SqlState::CARDINALITY_VIOLATION) => return Err(error.into()),
            _ => client.batch_execute("ROLLBACK TO SAVEPOINT headwater_anew").await?,
        }
    }
    let moved = move_rows(client, table, stage, rows).await?;
    if moved != rows {
        // Fewer are moved where a key comes twice, or where rows are missing.
        check(server, client, stage, rows).await?;
    }
    Ok((before == Some(0)).then_some(moved))
}

impl Publish<'_> {
    /// Does it, as a whole or not at all.
    pub async fn run(&mut self, server: &Arc<Server>) -> Result<Committed> {
        let (mut lent, moved) = match self.moved.take() {
            Some(Moved { lent, tables, written }) => (lent, Some((tables, written))),
            None => (server.connection().await?, None),
        };
        // A connection on which it fails is closed, and the transaction with it.
        let done = self.in_connection(server, &mut lent.connection, moved).await;
        let done = done.map_err(|failed| failed.explain(server))?;
        lent.give_back();
        Ok(done)
    }

    async fn in_connection(
        &mut self,
        server: &Server,
        connection: &mut Connection,
        moved: Option<(usize, Option<u64>)>,
    ) -> Result<Committed, Failed> {
        if moved.is_none() {
            let mut begin = "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned();
            if self.part.adds() || self.last_waiting().is_some() {
                begin.push_str("; ");
                begin.push_str(&lock(self.part));
            }
            connection.client.batch_execute(&begin).await?;
        }
        if let (Some(waiting), Some(done)) = (self.last_waiting(), self.uncertain)
            && !waiting.is_there(&connection.client).await?
        {
            connection.client.batch_execute("COMMIT").await?;
            return Ok(done);
        }
        if let Some(rejects) = &self.part.rejects {
            // What an earlier attempt has put aside is tried again, too.
            rejects.keep(self.refused);
        }
        self.replace(server, &connection.client).await?;
        let mut staged = self.stage(connection).await?;
        let client = &connection.client;
        let removed = self.remove_keys(server, client, &mut staged).await?;
        let written = self.move_staged(server, client, &staged, moved.unwrap_or((0, Some(0)))).await?;
        let deleted = removed + self.remove(client, &staged.stages()).await?;
        let done = Committed { written, deleted, ..Committed::default() };
        self.uncertain = Some(done);
        let keys = self.removal.as_ref().and_then(|removal| removal.waiting.as_ref()).map(Waiting::table);
        client.batch_execute(&staged.end(keys)).await?;
        Ok(done)
    }

    /// One of the tables in which something waits, which are gone when the transaction is committed.
    fn last_waiting(&self) -> Option<&Waiting> {
        let keys = || self.removal.as_ref().and_then(|removal| removal.waiting.as_ref());
        self.waiting.last().or_else(keys)
    }

    /// Removes rows one by one, also those that have come before they were removed.
    async fn remove_keys(&mut self, server: &Server, client: &Client, staged: &mut Staged) -> Result<u64, Failed> {
        let Some(removal) = &mut self.removal else { return Ok(0) };
        if let Staged::Waiting(waiting) = &staged {
            for (stage, rows) in waiting {
                check(server, client, stage, *rows).await?;
            }
        }
        let (deleted, of_stages) = removal.run(server, client, self.part, &staged.stages()).await?;
        match staged {
            Staged::Moved(_) => {}
            Staged::Stage(_, rows) => *rows -= of_stages.iter().sum::<u64>(),
            Staged::Waiting(waiting) => {
                waiting.iter_mut().zip(of_stages).for_each(|((_, rows), gone)| *rows -= gone);
            }
        }
        Ok(deleted)
    }

    /// Where refused rows go in this attempt.
    fn rejects(&self) -> Option<&Rejects> {
        self.part.rejects.as_ref().filter(|_| self.sifts)
    }

    /// Removes what an earlier attempt has added.
    async fn replace(&self, server: &Server, client: &Client) -> Pg<()> {
        if self.part.adds() && (self.again || self.part.resumed && server.left.holds(client, self.part).await?) {
            delete_of_unit(client, self.part, Some("="), &[]).await?;
        }
        Ok(())
    }

    /// Sends the rows that have not been sent yet.
    async fn stage(&self, connection: &mut Connection) -> Result<Staged, Failed> {
        let Connection { client, stages } = connection;
        let (table, rejects) = (&self.part.table, self.rejects());
        let mut waiting: Vec<_> = self.waiting.iter().map(|waiting| (waiting.table(), waiting.rows)).collect();
        if let Some((name, rows)) = waiting.last_mut() {
            if self.bundle.count > 0 {
                *rows += stage_rows(client, name, &self.bundle, rejects).await?;
            }
            return Ok(Staged::Waiting(waiting));
        }
        if self.bundle.count == 0 {
            return Ok(Staged::Moved(0));
        }
        if table.key().is_empty() && !self.sifts && !is_cast(table) {
            let sink = client.copy_in(&copy(table)).await?;
            return Ok(Staged::Moved(send(sink, self.bundle.bytes.clone()).await?));
        }
        let next = stages.len();
        let name = match stages.entry(stage_columns(table)) {
            Entry::Occupied(entry) => entry.get().clone(),
            Entry::Vacant(entry) => {
                let name = format!("pg_temp.headwater_stage_{next}");
                // Not ON COMMIT DELETE ROWS: every commit would empty all stages of the connection.
                client.batch_execute(&format!("CREATE TEMPORARY TABLE {name} ({})", entry.key())).await?;
                entry.insert(name).clone()
            }
        };
        let sent = stage_rows(client, &name, &self.bundle, rejects).await?;
        Ok(Staged::Stage(name, sent))
    }

    /// Moves rows into the table, but for those of tables whose rows are there already.
    async fn move_staged(
        &self,
        server: &Server,
        client: &Client,
        staged: &Staged,
        (tables, mut written): (usize, Option<u64>),
    ) -> Result<u64, Failed> {
        let table = &self.part.table;
        let waiting = match (staged, self.rejects()) {
            (Staged::Moved(rows), _) => return Ok(*rows),
            (Staged::Stage(stage, _), Some(rejects)) => return sift(client, table, stage, rejects).await,
            (Staged::Stage(stage, rows), None) => return Ok(move_rows(client, table, stage, *rows).await?),
            (Staged::Waiting(waiting), _) => waiting,
        };
        for (stage, rows) in &waiting[tables..] {
            written = match self.rejects() {
                Some(rejects) => {
                    check(server, client, stage, *rows).await?;
                    let sifted = sift(client, table, stage, rejects).await?;
                    (waiting.len() == 1).then_some(sifted)
                }
                None => move_waiting(server, client, table, (stage, *rows), written).await?,
            };
        }
        match written {
            Some(written) => Ok(written),
            None => {
                let count = client.query_one(&count_keys(table, &staged.stages()), &[]).await?;
                Ok(count.get::<_, i64>(0).unsigned_abs())
            }
        }
    }

    /// Removes stale rows.
    async fn remove(&self, client: &Client, stages: &[&str]) -> Pg<u64> {
        // What is missing because it was put aside is not known to be gone.
        if !self.removes || self.part.rejects.as_ref().is_some_and(|rejects| !rejects.are_none()) {
            return Ok(0);
        }
        if self.part.resumed && !self.part.adds() {
            // Rows of the earlier attempt have the same time, so only the key tells which of them are gone.
            let unseen: Vec<String> = stages.iter().map(|stage| unseen(&self.part.table, stage)).collect();
            return delete_of_unit(client, self.part, Some("<="), &unseen).await;
        }
        delete_of_unit(client, self.part, Some("<"), &[]).await
    }
}
