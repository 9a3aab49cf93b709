//! The open database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::sql::{named_columns, quote};
use headwater_sdk::{Committed, Error, Outcome, Part, Result, TableSchema, WriteMode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, params_from_iter};

use crate::cells::Cells;
use crate::changes::Changes;
use crate::ddl::{OfUnit, Statements};
use crate::explain::explain;
use crate::location::Location;
use crate::publish::{Left, Publish, unit_at};

/// How long another program's lock is waited for until that is said.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How long it is left alone before the next try, where SQLite itself does not wait.
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// How long readers are waited for when the sync ends; the log stays where they do not finish.
const READERS_WAIT: Duration = Duration::from_millis(250);
/// Statements that stay prepared.
const STATEMENTS: usize = 64;
/// What is kept of the write-ahead log's space on disk after a large part.
const LOG_BYTES_KEPT: u64 = 64 << 20;

/// An open database. In memory it has, however many rows and parts there are: the page cache that it is opened with, the
/// prepared statements (some 2 MB), the SQL of each table, and the cells of one batch.
pub struct Store {
    /// The connection, for migrations.
    pub db: Connection,
    /// Where it is.
    pub location: Location,
    tables: HashMap<String, Written>,
    left: Left,
}

/// A table that is written.
struct Written {
    /// Names, and whether they are part of the key.
    columns: Vec<(String, bool)>,
    statements: Statements,
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

/// Makes what is in the write-ahead log safe from a power cut.
fn sync_log(location: &Location) -> Result<()> {
    let log = location.log();
    match std::fs::File::open(&log).and_then(|log| log.sync_data()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::destination(format!("{}: {error}", log.display())))
        }
        _ => Ok(()),
    }
}

/// Removes the rows that are equal to a row of `matching` in its columns, within a transaction.
pub fn delete_named(
    db: &Connection,
    table: &TableSchema,
    matching: &RecordBatch,
    failed: &dyn Fn(rusqlite::Error) -> Error,
) -> Result<u64> {
    let columns = named_columns(table, matching)?;
    let equal: Vec<String> = columns.iter().map(|column| format!("{} IS ?", quote(&column.name))).collect();
    let sql = format!("DELETE FROM main.{} WHERE {}", quote(&table.name), equal.join(" AND "));
    let fields = columns.iter().map(|column| Arc::new(column.field()));
    let cells = fields.zip(matching.columns()).map(|(field, array)| Cells::new(&field, array));
    let cells = cells.collect::<Result<Vec<_>>>()?;
    let mut statement = db.prepare_cached(&sql).map_err(failed)?;
    let (mut scratch, mut deleted) = (Vec::new(), 0);
    for row in 0..matching.num_rows() {
        for (index, column) in cells.iter().enumerate() {
            column.bind(&mut statement, index + 1, row, &mut scratch).map_err(failed)?;
        }
        deleted += statement.raw_execute().map_err(failed)? as u64;
    }
    Ok(deleted)
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
        // With the log, commits are made safe several at once (`sync`); some file systems do not support it.
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

    /// Makes a part visible, and removes its stale rows where that is asked for, in one transaction.
    pub fn commit(&mut self, part: &Part, changes: Changes, outcome: Outcome) -> Result<Committed> {
        let complete = outcome == Outcome::Complete;
        let removes = complete && part.mode == WriteMode::OverwriteDeleteStale;
        let of_unit = &OfUnit::new(part)?;
        let changes_nothing = changes.rows.rows == 0 && !changes.removes();
        if changes_nothing && !removes && !(complete && part.resumed) {
            return Ok(Committed::default());
        }
        let Self { db, location, tables, left } = self;
        let columns: Vec<(String, bool)> =
            part.table.columns.iter().map(|column| (column.name.clone(), column.key)).collect();
        let number = tables.len();
        let written = tables
            .entry(part.table.name.clone())
            .or_insert_with(|| Written { statements: Statements::new(&part.table, number), columns: columns.clone() });
        if written.columns != columns {
            return Err(Error::fatal("two sources write this table with different columns; give them a file each"));
        }
        Publish { part, of_unit, statements: &written.statements, removes, location }.run(db, changes, left)
    }

    /// Removes the rows that are equal to a row of `matching` in its columns.
    pub fn delete(&mut self, table: &TableSchema, matching: &RecordBatch) -> Result<u64> {
        let failed = |error: rusqlite::Error| self.explain(&error);
        let transaction = self.location.begin(&self.db).map_err(failed)?;
        let deleted = delete_named(&transaction, table, matching, &failed)?;
        transaction.commit().map_err(failed)?;
        Ok(deleted)
    }

    /// Removes what earlier syncs than this one have left of a source.
    pub fn prune(&mut self, all: &Part) -> Result<u64> {
        let sql = OfUnit::new(all)?.delete("<");
        let delete = || {
            let transaction = self.location.begin(&self.db)?;
            let deleted = transaction.execute(&sql, params_from_iter(unit_at(all)))?;
            transaction.commit()?;
            Ok(deleted as u64)
        };
        delete().map_err(|error| self.explain(&error))
    }

    /// Makes what was committed safe from a power cut.
    pub fn sync(&self) -> Result<()> {
        sync_log(&self.location)
    }

    /// Brings what was committed from the write-ahead log into the database file, safe from a power cut.
    pub fn finish(self) -> Result<()> {
        let Self { db, location, .. } = self;
        let explain = |error: rusqlite::Error| explain(&error, location.path());
        db.busy_timeout(READERS_WAIT).map_err(explain)?;
        let left = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? != 0));
        let left = match left {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => true,
            left => left.map_err(explain)?,
        };
        if left {
            // Another program is reading, or the disk is full, so the log stays; it is made safe as it is.
            sync_log(&location)?;
        }
        db.close().map_err(|(_, error)| explain(error))
    }
}
