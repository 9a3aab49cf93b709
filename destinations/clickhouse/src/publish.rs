//! How a part becomes visible: its rows come in by one statement that ClickHouse carries out as a whole, and then stale
//! ones go.
//!
//! There are no transactions over several statements, so they are in an order in which nothing is lost where they end
//! early: until its rows have come a part's earlier ones are there, and stale ones that are left go with the next sync.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::pool::{Share, batch_bytes};
use headwater_sdk::text::fnv1a;
use headwater_sdk::{Committed, Error, Part, Result};

use crate::ddl::{list, of_time, of_unit, quote};
use crate::delete::{Doomed, remove};
use crate::part::Waiting;
use crate::rows::insert;
use crate::server::{Server, Statement, Tries};

/// A part that is about to be made visible.
pub struct Publish<'a> {
    pub server: &'a Arc<Server>,
    pub part: &'a Part,
    pub rows: Rows<'a>,
    /// Where the memory of its rows is counted.
    pub share: &'a Share,
    /// Whether what was there and was not seen again is removed.
    pub removes: bool,
}

/// The rows of a part.
pub enum Rows<'a> {
    None,
    Held(&'a RecordBatch),
    Waiting(&'a Waiting),
}

impl Publish<'_> {
    /// Does it.
    pub async fn run(&self) -> Result<Committed> {
        let (written, left) = match self.rows {
            Rows::None => (0, 0),
            Rows::Held(rows) => (rows.num_rows() as u64, 0),
            Rows::Waiting(waiting) => self.prepare(waiting).await?,
        };
        self.publish(written).await?;
        let stale = if self.removes { self.delete("<", None).await? } else { 0 };
        Ok(Committed { written, deleted: left + stale, ..Committed::default() })
    }

    /// Makes the rows that wait ready: merged into one piece, in which of those with the same key the last one is left.
    /// Answers how many they are, and how many rows of an earlier attempt were removed because these lack them.
    async fn prepare(&self, waiting: &Waiting) -> Result<(u64, u64)> {
        let name = quote(&waiting.name);
        if waiting.sent > 1 {
            let sql = format!("OPTIMIZE TABLE {name} FINAL");
            // It may do nothing, because the server merges by itself just now or has no room, and would not say so.
            let settings = vec![("optimize_throw_if_noop", "1".to_owned())];
            self.server.run(Statement { settings, ..sql.into() }).await?;
        }
        let key = self.part.table.key();
        let latest = if key.is_empty() { "" } else { " FINAL" };
        let written = self.server.count(&format!("{name}{latest}")).await?;
        if !self.part.resumed || !self.removes || self.part.adds() {
            return Ok((written, 0));
        }
        // Rows of the earlier attempt have the same time, so only the key tells which of them are gone.
        let key = list(key);
        let left = self.delete("=", Some(format!("({key}) NOT IN (SELECT {key} FROM {name})"))).await?;
        Ok((written, left))
    }

    /// Has the rows come; again where that fails for a passing reason.
    async fn publish(&self, written: u64) -> Result<()> {
        let id = self.id();
        let mut tries = Tries::default();
        loop {
            let again = tries.some();
            let replaces = self.part.adds() && (again || self.part.resumed);
            if again || replaces {
                self.wait_for(&id).await?;
            }
            // What an earlier process has left cannot be told from these rows.
            if again && !self.part.resumed && self.there().await? == written {
                return Ok(());
            }
            if replaces {
                self.delete("=", None).await?;
            }
            match self.come(&id).await {
                Ok(()) if replaces => return self.make_sure(written).await,
                Ok(()) => return Ok(()),
                Err(error) => tries.next(error).await?,
            }
        }
    }

    /// The statement by which rows come, once.
    async fn come(&self, id: &str) -> Result<()> {
        let table = &self.part.table.name;
        let turn = self.server.turn().await?;
        let mut statement = match self.rows {
            Rows::None => return Ok(()),
            Rows::Held(rows) => {
                let held = batch_bytes(rows);
                // While the body is made, the rows are there twice.
                self.share.set(2 * held);
                let statement = insert(table, vec![rows.clone()], self.server.tables.compression)?;
                self.share.set(held + statement.sql.len() as u64);
                statement
            }
            Rows::Waiting(waiting) => {
                let (from, to) = (quote(&waiting.name), quote(table));
                format!("ALTER TABLE {to} ATTACH PARTITION ALL FROM {from}").into()
            }
        };
        statement.id = Some(id.to_owned());
        // The server may remember blocks by their content, and leave out one whose rows were deleted meanwhile.
        let token = format!("{id}-{:016x}", fastrand::u64(..));
        statement.settings.push(("insert_deduplication_token", token));
        self.server.once(&turn, &statement).await.map(|_| ())
    }

    /// The id of the statement, by which the server knows it while it runs.
    fn id(&self) -> String {
        let (part, database) = (self.part, self.server.settings.database.as_str());
        let time = part.sync_time.0.to_string();
        let of = [database, &part.source, &part.table.name, &part.scope, &time].join("\0");
        format!("headwater-{:016x}", fnv1a(of.bytes()))
    }

    /// Waits until an attempt that was not answered has ended: as long as it runs, the server takes no other statement of
    /// the same id.
    async fn wait_for(&self, id: &str) -> Result<()> {
        self.server.run(Statement { id: Some(id.to_owned()), .."SELECT 1".into() }).await.map(|_| ())
    }

    /// How many rows of the unit are of this sync, those that are replaced among them.
    async fn there(&self) -> Result<u64> {
        self.server.count(&format!("{} WHERE {}", quote(&self.part.table.name), of_unit(self.part, "=")?)).await
    }

    /// Replicated tables remember what was attached by its content, also when it was deleted since, and attach the same
    /// again without a word and without its rows.
    async fn make_sure(&self, written: u64) -> Result<()> {
        match self.there().await? {
            there if there >= written => Ok(()),
            there => Err(Error::destination(format!(
                "only {there} of {written} rows came in the place of an earlier attempt's, because the server remembers \
                 those for a while and takes these for the same; begin a new sync instead of continuing this one"
            ))),
        }
    }

    /// Deletes rows of the unit by how their sync's time compares to this one's, and answers how many could be seen.
    async fn delete(&self, compared: &str, more: Option<String>) -> Result<u64> {
        let condition: Vec<String> = std::iter::once(of_unit(self.part, compared)?).chain(more).collect();
        // What comes later than these has nothing to do with them.
        let until = if compared == "<" { "<" } else { "<=" };
        let doomed = Doomed { condition: condition.join(" AND "), until: Some(of_time(self.part, until)) };
        remove(self.server, &self.part.table, &doomed).await
    }
}
