//! The open database: rows of open parts in temporary tables until they are published or discarded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_sdk::arrow::array::{Array, RecordBatch};
use headwater_sdk::sql::{named_columns, quote};
use headwater_sdk::{Committed, Error, Outcome, Part, Result, TableSchema, WriteMode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::cells::Cells;
use crate::ddl::Statements;
use crate::explain::explain;
use crate::location::Location;
use crate::publish::{Left, Publish};

/// How long another program's lock is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How long it is left alone before the next try, where SQLite itself does not wait.
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// How long readers are waited for when the sync ends; the log stays where they do not finish.
const READERS_WAIT: Duration = Duration::from_millis(250);
/// Bits of a temporary row's number that count the rows of a part; those above number the part.
const ROW_BITS: u32 = 32;
/// Statements that stay prepared.
const STATEMENTS: usize = 64;
/// What is kept of the write-ahead log's space on disk after a large part.
const LOG_BYTES_KEPT: u64 = 64 << 20;

/// An open database with its temporary tables. In memory it has, however many rows and parts there are: the page cache
/// that it is opened with, some 2 MB of pages of the temporary tables, the prepared statements (some 2 MB), the SQL of
/// each table, and the cells of one batch.
pub struct Store {
    /// The connection, for migrations.
    pub db: Connection,
    /// Where it is.
    pub location: Location,
    tables: HashMap<String, Staged>,
    left: Left,
}

/// A table with rows of open parts.
struct Staged {
    /// Names, and whether they are part of the key.
    columns: Vec<(String, bool)>,
    statements: Statements,
}

/// The rows of an open part: its number, and how many rows were collected.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// The part's number.
    pub part: u32,
    /// Rows collected.
    pub count: u64,
}

impl Rows {
    fn first(self) -> i64 {
        i64::from(self.part) << ROW_BITS
    }

    /// The first and the last number that a row of the part can have.
    pub fn range(self) -> [i64; 2] {
        [self.first(), self.first() | ((1 << ROW_BITS) - 1)]
    }
}

/// Asks for the write-ahead log, and answers which journal there is. Where several processes do so at once, SQLite says
/// that the database is locked without having waited.
fn journal(db: &Connection) -> rusqlite::Result<String> {
    let began = Instant::now();
    loop {
        match db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && began.elapsed() < LOCK_WAIT => {
                std::thread::sleep(LOCK_PAUSE);
            }
            answered => return answered,
        }
    }
}

impl Store {
    /// Opens the database with a page cache of so many bytes, and creates the file where it does not exist.
    pub fn open(location: Location, cache: u64) -> Result<Self> {
        let db = location.open()?;
        let store = Self { db, location, tables: HashMap::new(), left: Left::default() };
        store.set_up(cache).map_err(|error| store.explain(&error))?;
        Ok(store)
    }

    fn set_up(&self, cache: u64) -> rusqlite::Result<()> {
        let db = &self.db;
        db.busy_timeout(LOCK_WAIT)?;
        // A misspelt column must be an error, not a piece of text.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        let mode = journal(db)?;
        // Without the write-ahead log, which some file systems do not support, only FULL survives a power cut.
        let synchronous = if mode.eq_ignore_ascii_case("wal") { "NORMAL" } else { "FULL" };
        db.execute_batch(&format!(
            "PRAGMA synchronous = {synchronous};
             PRAGMA temp_store = FILE;
             PRAGMA cache_size = -{};
             PRAGMA foreign_keys = OFF;",
            cache / 1024
        ))?;
        db.query_row(&format!("PRAGMA journal_size_limit = {LOG_BYTES_KEPT}"), [], |_| Ok(()))?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(())
    }

    /// SQLite's error with the database's name and what to do.
    pub fn explain(&self, error: &rusqlite::Error) -> Error {
        explain(error, self.location.path())
    }

    /// The temporary table of a table, which is made when it is first needed.
    fn staged(&mut self, table: &TableSchema) -> Result<&Statements> {
        let columns: Vec<(String, bool)> =
            table.columns.iter().map(|column| (column.name.clone(), column.key)).collect();
        let number = self.tables.len();
        match self.tables.entry(table.name.clone()) {
            Entry::Occupied(entry) if entry.get().columns == columns => Ok(&entry.into_mut().statements),
            Entry::Occupied(_) => {
                Err(Error::fatal("two sources write this table with different columns; give them a file each"))
            }
            Entry::Vacant(entry) => {
                let statements = Statements::new(table, number);
                self.db
                    .execute_batch(&statements.create_stage)
                    .map_err(|error| explain(&error, self.location.path()))?;
                Ok(&entry.insert(Staged { columns, statements }).statements)
            }
        }
    }

    /// Collects a batch of a part.
    pub fn stage(&mut self, table: &TableSchema, rows: Rows, batch: &RecordBatch) -> Result<()> {
        let fields = table.arrow();
        let same = batch.num_columns() == fields.fields().len()
            && fields
                .fields()
                .iter()
                .zip(batch.schema_ref().fields())
                .all(|(ours, theirs)| ours.name() == theirs.name() && ours.data_type() == theirs.data_type());
        if !same {
            return Err(Error::fatal("a batch has other columns than its table; this is a bug in its connector"));
        }
        if rows.count + batch.num_rows() as u64 >= 1 << ROW_BITS {
            return Err(Error::destination("a unit has more rows than this destination can take (2^32)"));
        }
        let mut cells = Vec::with_capacity(batch.num_columns());
        for ((column, field), array) in table.columns.iter().zip(fields.fields()).zip(batch.columns()) {
            if column.key && array.null_count() > 0 {
                let name = &column.name;
                return Err(Error::rejected(format!("a row came without `{name}`, which is part of the key")));
            }
            cells.push(Cells::new(field, array)?);
        }
        let sql = self.staged(table)?.stage.clone();
        let next = rows.first() + rows.count as i64;
        Self::insert(&self.db, &sql, &cells, next, batch.num_rows()).map_err(|error| self.explain(&error))
    }

    fn insert(db: &Connection, sql: &str, cells: &[Cells], first: i64, rows: usize) -> rusqlite::Result<()> {
        let transaction = db.unchecked_transaction()?;
        let mut statement = transaction.prepare_cached(sql)?;
        let mut scratch = Vec::new();
        for row in 0..rows {
            statement.raw_bind_parameter(1, first + row as i64)?;
            for (index, column) in cells.iter().enumerate() {
                column.bind(&mut statement, index + 2, row, &mut scratch)?;
            }
            statement.raw_execute()?;
        }
        drop(statement);
        transaction.commit()
    }

    /// Makes a part visible, and removes its stale rows where that is asked for, in one transaction.
    pub fn commit(&mut self, part: &Part, rows: Rows, outcome: Outcome) -> Result<Committed> {
        let complete = outcome == Outcome::Complete;
        let whole = part.rejects.as_ref().is_none_or(|rejects| rejects.count() == 0);
        let removes = complete && whole && part.mode == WriteMode::OverwriteDeleteStale;
        if let Some((column, _)) = part.predicate.iter().find(|(name, _)| part.table.column(name).is_none()) {
            return Err(Error::fatal(format!("units are told by `{column}`, which is not a column of the table")));
        }
        if rows.count == 0 && !removes && !(complete && part.resumed) {
            return Ok(Committed::default());
        }
        let Self { db, location, tables, left } = self;
        let statements = tables.get(&part.table.name).map(|staged| &staged.statements).filter(|_| rows.count > 0);
        let publish = Publish { part, rows, statements, removes };
        publish.run(db, left).map_err(|error| match &part.rejects {
            Some(rejects) if rejects.is_full() => rejects.too_many(explain(&error, location.path())),
            _ => explain(&error, location.path()),
        })
    }

    /// Removes the rows that are equal to a row of `matching` in its columns.
    pub fn delete(&mut self, table: &TableSchema, matching: &RecordBatch) -> Result<u64> {
        let columns = named_columns(table, matching)?;
        let equal: Vec<String> = columns.iter().map(|column| format!("{} IS ?", quote(&column.name))).collect();
        let sql = format!("DELETE FROM main.{} WHERE {}", quote(&table.name), equal.join(" AND "));
        let fields = columns.iter().map(|column| Arc::new(column.field()));
        let cells = fields.zip(matching.columns()).map(|(field, array)| Cells::new(&field, array));
        let cells = cells.collect::<Result<Vec<_>>>()?;
        let delete = |db: &mut Connection| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut statement = transaction.prepare(&sql)?;
            let (mut scratch, mut deleted) = (Vec::new(), 0);
            for row in 0..matching.num_rows() {
                for (index, column) in cells.iter().enumerate() {
                    column.bind(&mut statement, index + 1, row, &mut scratch)?;
                }
                deleted += statement.raw_execute()? as u64;
            }
            drop(statement);
            transaction.commit()?;
            Ok(deleted)
        };
        delete(&mut self.db).map_err(|error| self.explain(&error))
    }

    /// Forgets the rows of a part that was not committed.
    pub fn discard(&mut self, table: &str, rows: Rows) -> Result<()> {
        let Some(staged) = self.tables.get(table) else { return Ok(()) };
        let cleared = self.db.prepare_cached(&staged.statements.clear).and_then(|mut sql| sql.execute(rows.range()));
        cleared.map(|_| ()).map_err(|error| self.explain(&error))
    }

    /// Brings what was committed from the write-ahead log into the database file, safe from a power cut.
    pub fn finish(self) -> Result<()> {
        let Self { db, location, .. } = self;
        let explain = |error: rusqlite::Error| explain(&error, location.path());
        db.busy_timeout(READERS_WAIT).map_err(explain)?;
        let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(explain)?;
        if busy != 0 {
            // Another program is reading, so the log stays; it is made safe as it is.
            let log = location.log();
            let synced = std::fs::File::open(&log).and_then(|log| log.sync_all());
            synced.map_err(|error| Error::destination(format!("{}: {error}", log.display())))?;
        }
        db.close().map_err(|(_, error)| explain(error))
    }
}
