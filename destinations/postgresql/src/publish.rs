//! The transaction that makes a part visible: its rows come in, stale ones go, and what an earlier attempt of the same
//! sync left is replaced.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::sql::quote;
use headwater_sdk::{Committed, Part, Result, TableSchema};
use tokio_postgres::error::SqlState;
use tokio_postgres::{CopyInSink, Transaction};

use crate::ddl::{copy, copy_into, publish, publish_unsorted, stage_columns, unseen};
use crate::encode::{HEADER, TRAILER};
use crate::errors::explain;
use crate::server::{Connection, Server};
use crate::sift::{Failed, sift};

/// A part of so many rows is moved without sorting them first.
const MANY: u64 = 10_000;

type Pg<T> = std::result::Result<T, tokio_postgres::Error>;

/// A part that is about to be made visible.
pub struct Publish<'a> {
    pub part: &'a Part,
    /// Encoded rows that have not been sent yet.
    pub rows: Bytes,
    /// How many they are.
    pub count: u64,
    /// How many there are in all.
    pub total: u64,
    /// The table in which the rows before them wait.
    pub waiting: Option<&'a str>,
    /// Whether what was there and was not seen again is removed.
    pub removes: bool,
    /// Whether an attempt before this one may have been committed without a word.
    pub again: bool,
    /// Whether rows that are refused are looked for and put aside.
    pub sifts: bool,
}

/// Copies rows in binary form.
pub async fn send(sink: CopyInSink<Bytes>, rows: Bytes) -> Pg<u64> {
    let mut sink = std::pin::pin!(sink);
    sink.feed(Bytes::from_static(HEADER)).await?;
    send_pieces(sink.as_mut(), rows).await?;
    sink.send(Bytes::from_static(&TRAILER)).await?;
    sink.finish().await
}

/// Sends rows in pieces of a size that the client's buffers like.
pub async fn send_pieces(mut sink: Pin<&mut CopyInSink<Bytes>>, rows: Bytes) -> Pg<()> {
    const PIECE: usize = 64 << 10;
    for from in (0..rows.len()).step_by(PIECE) {
        sink.send(rows.slice(from..rows.len().min(from + PIECE))).await?;
    }
    Ok(())
}

/// `DELETE` of the rows of a part's unit by how the time of their sync compares to the part's, and its parameters.
pub fn delete_of_unit(part: &Part, compared: &str) -> (String, Vec<String>) {
    let mut values = vec![part.sync_time.to_rfc3339(), part.source.clone()];
    let mut sql = format!(
        "DELETE FROM {} AS t WHERE t.{} {compared} $1::text::timestamptz AND t.{} = $2",
        quote(&part.table.name),
        quote(SYNC_TIME),
        quote(SOURCE_NAME)
    );
    for (column, value) in &part.predicate {
        values.push(value.clone());
        sql.push_str(&format!(" AND t.{} = ${}", quote(column), values.len()));
    }
    (sql, values)
}

/// Moves the rows of a stage into the table.
async fn move_rows(transaction: &Transaction<'_>, table: &TableSchema, stage: &str, count: u64) -> Pg<u64> {
    if table.key().is_empty() || count < MANY {
        return transaction.execute(&publish(table, stage), &[]).await;
    }
    // To sort many rows takes longer than to move them, and most often there is nothing to find: no key comes twice.
    transaction.batch_execute("SAVEPOINT headwater_unsorted").await?;
    match transaction.execute(&publish_unsorted(table, stage), &[]).await {
        Err(error) if error.code() == Some(&SqlState::CARDINALITY_VIOLATION) => {
            transaction.batch_execute("ROLLBACK TO SAVEPOINT headwater_unsorted").await?;
            transaction.execute(&publish(table, stage), &[]).await
        }
        moved => moved,
    }
}

impl Publish<'_> {
    /// Does it, as a whole or not at all.
    pub async fn run(&self, server: &Arc<Server>) -> Result<Committed> {
        let mut lent = server.connection().await?;
        let done = self.in_connection(&mut lent.connection).await;
        let done = done.map_err(|failed| match failed {
            Failed::Server(error) => explain(&error, &server.settings.shown),
            Failed::TooMany(error) => error,
        })?;
        lent.give_back();
        Ok(done)
    }

    async fn in_connection(&self, connection: &mut Connection) -> Result<Committed, Failed> {
        let Connection { client, stages } = connection;
        let table = &self.part.table;
        let transaction = client.transaction().await?;
        let mut done = Committed::default();
        if (self.part.resumed || self.again) && self.part.adds() {
            self.delete(&transaction, "=", None).await?;
        }
        let mut stage = None;
        match self.waiting {
            Some(waiting) => {
                let waiting = quote(waiting);
                if self.count > 0 {
                    send(transaction.copy_in(&copy_into(&waiting)).await?, self.rows.clone()).await?;
                }
                stage = Some(waiting);
            }
            None if self.count == 0 => {}
            None if table.key().is_empty() && !self.sifts => {
                done.written = send(transaction.copy_in(&copy(table)).await?, self.rows.clone()).await?
            }
            None => {
                let columns = stage_columns(table);
                let name = match stages.get(&columns) {
                    Some(name) => name.clone(),
                    None => {
                        let name = format!("headwater_stage_{}", stages.len());
                        let create = format!("CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DELETE ROWS");
                        transaction.batch_execute(&create).await?;
                        stages.insert(columns, name.clone());
                        name
                    }
                };
                let name = format!("pg_temp.{name}");
                send(transaction.copy_in(&copy_into(&name)).await?, self.rows.clone()).await?;
                stage = Some(name);
            }
        }
        match (&stage, self.part.rejects.as_ref().filter(|_| self.sifts)) {
            (None, _) => {}
            (Some(stage), None) => done.written = move_rows(&transaction, table, stage, self.total).await?,
            (Some(stage), Some(rejects)) => done.written = sift(&transaction, table, stage, rejects).await?,
        }
        // What is missing because it was put aside is not known to be gone.
        if self.removes && self.part.rejects.as_ref().is_none_or(|rejects| rejects.count() == 0) {
            done.deleted = if self.part.resumed && !self.part.adds() {
                // Rows of the earlier attempt have the same time, so only the key tells which of them are gone.
                let unseen = stage.as_ref().map(|stage| unseen(table, stage));
                self.delete(&transaction, "<=", unseen.as_deref()).await?
            } else {
                self.delete(&transaction, "<", None).await?
            };
        }
        if let Some(waiting) = self.waiting {
            transaction.batch_execute(&format!("DROP TABLE {}", quote(waiting))).await?;
        }
        transaction.commit().await?;
        Ok(done)
    }

    /// Deletes rows of the unit by how their sync's time compares to this one's.
    async fn delete(&self, transaction: &Transaction<'_>, compared: &str, unseen: Option<&str>) -> Pg<u64> {
        let (mut sql, values) = delete_of_unit(self.part, compared);
        if let Some(unseen) = unseen {
            sql.push_str(&format!(" AND {unseen}"));
        }
        transaction.execute(&sql, &values.iter().map(|value| value as _).collect::<Vec<_>>()).await
    }
}
