//! How a part becomes visible: its rows come in by one statement that ClickHouse carries out as a whole, and then stale
//! ones go.
//!
//! There are no transactions over several statements, so they are in an order in which nothing is lost where they end
//! early: until its rows have come a part's earlier ones are there, and stale ones that are left go with the next sync.

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::text::fnv1a;
use headwater_sdk::{Committed, Error, Part, Result};

use crate::ddl::{list, literal, of_unit, quote};
use crate::part::Waiting;
use crate::rows::insert;
use crate::server::{Server, Statement};

/// A part that is about to be made visible.
pub struct Publish<'a> {
    server: &'a Server,
    part: &'a Part,
    /// The statement by which its rows come, unless there are none. Its id is that of the part.
    statement: Option<Statement>,
    waiting: Option<&'a Waiting>,
    /// Whether what was there and was not seen again is removed.
    removes: bool,
    /// Whether the rows that wait are ready.
    prepared: bool,
    /// Whether the statement was tried, and may have been carried out without a word.
    tried: bool,
    /// Whether the rows are there.
    published: bool,
    written: u64,
    /// Rows that an earlier attempt of the sync left and this one does not have, and those of earlier syncs. An answer
    /// that was lost does not make them fewer.
    gone: [u64; 2],
}

impl<'a> Publish<'a> {
    /// Of rows that are held, or of those that wait.
    pub fn new(
        server: &'a Server,
        part: &'a Part,
        rows: Option<RecordBatch>,
        waiting: Option<&'a Waiting>,
        removes: bool,
    ) -> Result<Self> {
        let table = &part.table.name;
        let (statement, written) = match (waiting, rows) {
            (Some(waiting), _) => {
                let (from, to) = (quote(&waiting.name), quote(table));
                (Some(format!("ALTER TABLE {to} ATTACH PARTITION ALL FROM {from}").into()), 0)
            }
            (None, Some(rows)) => {
                let written = rows.num_rows() as u64;
                (Some(insert(table, vec![rows], server.settings.compression)?), written)
            }
            (None, None) => (None, 0),
        };
        let of = [part.source.as_str(), table, &part.scope, &part.sync_time.0.to_string()].join("\0");
        let id = format!("headwater-{:016x}", fnv1a(of.bytes()));
        let statement = statement.map(|statement| Statement { id: Some(id), ..statement });
        let (prepared, tried, published, gone) = (false, false, false, [0; 2]);
        Ok(Self { server, part, statement, waiting, removes, prepared, tried, published, written, gone })
    }

    /// Does it; where it ends in an error it can be run again.
    pub async fn run(&mut self) -> Result<Committed> {
        if let Some(waiting) = self.waiting.filter(|_| !self.prepared) {
            self.prepare(waiting).await?;
            self.prepared = true;
        }
        if !self.published {
            self.publish().await?;
            self.published = true;
        }
        if self.removes {
            let stale = of_unit(self.part, "<");
            self.delete(&stale, Some(1)).await?;
        }
        let deleted = self.gone.iter().sum();
        Ok(Committed { written: self.written, deleted, ..Committed::default() })
    }

    /// Has the rows come.
    async fn publish(&mut self) -> Result<()> {
        if let Some(statement) = &self.statement
            && (self.tried || self.part.resumed)
            && self.is_there(statement).await?
        {
            return Ok(());
        }
        if (self.part.resumed || self.tried) && self.part.adds() {
            self.delete(&of_unit(self.part, "="), None).await?;
        }
        if let Some(statement) = &self.statement {
            self.tried = true;
            self.server.once(statement).await?;
        }
        Ok(())
    }

    /// Makes the rows that wait ready: merged into one piece, in which of those with the same key the last one is left.
    async fn prepare(&mut self, waiting: &Waiting) -> Result<()> {
        let name = quote(&waiting.name);
        let parts = format!(
            "SELECT toString(count()) FROM system.parts WHERE database = currentDatabase() AND table = {} AND active",
            literal(&waiting.name)
        );
        if self.server.count(&parts).await? > 1 {
            self.server.once(&format!("OPTIMIZE TABLE {name} FINAL").into()).await?;
        }
        let keyed = !self.part.table.key().is_empty();
        let latest = if keyed { " FINAL" } else { "" };
        self.written = self.server.count(&format!("SELECT toString(count()) FROM {name}{latest}")).await?;
        if self.part.resumed && self.removes && !self.part.adds() {
            // Rows of the earlier attempt have the same time, so only the key tells which of them are gone.
            let key = list(self.part.table.key());
            let unseen = format!("{} AND ({key}) NOT IN (SELECT {key} FROM {name})", of_unit(self.part, "="));
            self.delete(&unseen, Some(0)).await?;
        }
        Ok(())
    }

    /// Whether an attempt that was not answered was carried out all the same. It may even be under way.
    async fn is_there(&self, statement: &Statement) -> Result<bool> {
        if let Some(id) = &statement.id {
            let sql = format!("SELECT toString(count()) FROM system.processes WHERE query_id = {}", literal(id));
            if self.server.count(&sql).await? > 0 {
                // The code of QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING.
                let running = Error::destination("an earlier attempt is still being carried out");
                return Err(running.with_code("216"));
            }
        }
        if self.part.resumed || self.part.adds() {
            // These cannot be told from what was there; they are removed, or replaced by themselves.
            return Ok(false);
        }
        let table = quote(&self.part.table.name);
        let sql = format!("SELECT toString(count()) FROM {table} WHERE {}", of_unit(self.part, "="));
        Ok(self.server.count(&sql).await? == self.written)
    }

    /// Deletes rows. How many of them anyone could see is noted where it is said.
    async fn delete(&mut self, condition: &str, noted: Option<usize>) -> Result<()> {
        let table = quote(&self.part.table.name);
        let keyed = !self.part.table.key().is_empty();
        let latest = if keyed { " FINAL" } else { "" };
        let seen =
            self.server.count(&format!("SELECT toString(count()) FROM {table}{latest} WHERE {condition}")).await?;
        if let Some(noted) = noted {
            self.gone[noted] = self.gone[noted].max(seen);
        }
        if seen > 0 {
            self.server.once(&format!("DELETE FROM {table} WHERE {condition}").into()).await?;
        }
        Ok(())
    }
}
