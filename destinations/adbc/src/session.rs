//! One connection: statements, queries, bulk ingest, and transactions.

use std::sync::Arc;

use adbc_core::options::{IngestMode, OptionConnection, OptionStatement, OptionValue};
use adbc_core::{Connection, Optionable, Statement};
use adbc_driver_manager::{ManagedConnection, ManagedStatement};
use headwater_sdk::arrow::array::{Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray};
use headwater_sdk::arrow::datatypes::SchemaRef;
use headwater_sdk::{Error, Result, plain};

use crate::dialect::Dialect;
use crate::errors::{Shown, loses};

/// Where batches are added.
pub enum Target<'a> {
    /// A table of the database.
    Table(&'a str),
    /// A temporary table.
    Temporary(&'a str),
}

/// A row of a query's answer, as text.
pub type Row = Vec<Option<String>>;

/// A connection to the database.
pub struct Session {
    connection: ManagedConnection,
    dialect: Dialect,
    shown: Arc<Shown>,
    broken: bool,
}

impl Session {
    /// Of a connection that is open, and in no transaction.
    pub fn new(connection: ManagedConnection, dialect: Dialect, shown: Arc<Shown>) -> Self {
        Self { connection, dialect, shown, broken: false }
    }

    fn explain(&self, error: &adbc_core::error::Error) -> Error {
        self.shown.explain(error)
    }

    fn statement(&mut self) -> Result<ManagedStatement> {
        self.connection.new_statement().map_err(|error| self.shown.explain(&error))
    }

    /// Runs a statement; answers how many rows it changed, where the driver tells.
    pub fn execute(&mut self, sql: &str) -> Result<Option<u64>> {
        tracing::trace!(sql, "statement");
        let mut statement = self.statement()?;
        statement.set_sql_query(sql).map_err(|error| self.explain(&error))?;
        let changed = statement.execute_update().map_err(|error| self.explain(&error))?;
        Ok(changed.and_then(|changed| u64::try_from(changed).ok()))
    }

    /// The answer to a query.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>> {
        tracing::trace!(sql, "query");
        let mut statement = self.statement()?;
        statement.set_sql_query(sql).map_err(|error| self.explain(&error))?;
        let reader = statement.execute().map_err(|error| self.explain(&error))?;
        let mut rows = Vec::new();
        for batch in reader {
            let batch = batch.map_err(|error| Error::destination(self.shown.clean(&error.to_string())))?;
            let schema = batch.schema();
            let columns = schema.fields().iter().zip(batch.columns());
            let columns =
                columns.map(|(field, column)| plain::text(field, column)).collect::<Result<Vec<StringArray>>>()?;
            for row in 0..batch.num_rows() {
                let of = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
                rows.push(columns.iter().map(of).collect());
            }
        }
        Ok(rows)
    }

    /// The answer to a query as Arrow has it.
    pub fn batches(&mut self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        tracing::trace!(sql, "query");
        let mut statement = self.statement()?;
        statement.set_sql_query(sql).map_err(|error| self.explain(&error))?;
        let reader = statement.execute().map_err(|error| self.explain(&error))?;
        let schema = reader.schema();
        let explain =
            |error: headwater_sdk::arrow::error::ArrowError| Error::destination(self.shown.clean(&error.to_string()));
        let batches = reader.map(|batch| batch.map_err(explain)).collect::<Result<Vec<_>>>()?;
        Ok((schema, batches))
    }

    /// The number that a query answers.
    pub fn number(&mut self, sql: &str) -> Result<u64> {
        let rows = self.query(sql)?;
        let number = rows.first().and_then(|row| row.first()).and_then(|cell| cell.as_ref()?.parse().ok());
        number.ok_or_else(|| Error::destination(format!("{}: no number was answered", self.shown.place)))
    }

    /// Deletes rows, and answers how many they were. The condition stands behind `WHERE`.
    pub fn delete(&mut self, table: &str, condition: &str) -> Result<u64> {
        let sql = format!("DELETE FROM {table} WHERE {condition}");
        if self.dialect == Dialect::Duckdb {
            // Not all of its drivers tell a number, but as a query the statement answers it.
            return self.number(&sql);
        }
        match self.execute(&sql)? {
            Some(deleted) => Ok(deleted),
            None => Err(Error::destination(format!("{}: the driver does not tell what it deletes", self.shown.place))),
        }
    }

    /// An error unless a table has so many rows: a driver may lose rows without an error, as DuckDB's does where it has no
    /// memory or disk left for the last of them.
    pub fn ensure_rows(&mut self, table: &str, rows: u64) -> Result<()> {
        match self.number(&format!("SELECT count(*) FROM {table}"))? {
            found if found == rows => Ok(()),
            found => Err(Error::destination(format!(
                "{}: {found} rows have arrived where there should be {rows}, and the driver does not tell why; is its \
                 memory or its disk full?",
                self.shown.place
            ))),
        }
    }

    /// Adds batches to a table.
    pub fn ingest(&mut self, target: Target<'_>, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
        let mut statement = self.statement()?;
        let mut set = |key, value| statement.set_option(key, value).map_err(|error| self.shown.explain(&error));
        set(OptionStatement::IngestMode, IngestMode::Append.into())?;
        match target {
            Target::Table(name) => set(OptionStatement::TargetTable, OptionValue::from(name))?,
            Target::Temporary(name) => {
                set(OptionStatement::TargetTable, OptionValue::from(name))?;
                set(OptionStatement::Temporary, OptionValue::from("true"))?;
            }
        }
        let batches: Vec<_> = batches.iter().cloned().map(Ok).collect();
        let reader = RecordBatchIterator::new(batches, SchemaRef::clone(schema));
        statement.bind_stream(Box::new(reader)).map_err(|error| self.explain(&error))?;
        statement.execute_update().map_err(|error| self.explain(&error)).map(|_| ())
    }

    /// Does something in a transaction, as a whole or not at all.
    pub fn transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.begin()?;
        let done = work(self).and_then(|done| {
            self.commit()?;
            Ok(done)
        });
        if let Err(error) = &done
            && (self.connection.rollback().is_err() || loses(error))
        {
            // What failed is the cause. In such a connection later units would be neither whole nor in a transaction.
            self.broken = true;
        }
        let ended = self.autocommit(true);
        self.broken |= ended.is_err();
        let done = done?;
        ended?;
        Ok(done)
    }

    /// Begins a transaction. It ends with the connection, or with [`Session::commit`].
    pub fn begin(&mut self) -> Result<()> {
        self.autocommit(false)
    }

    /// Makes what was done since [`Session::begin`] visible.
    pub fn commit(&mut self) -> Result<()> {
        self.connection.commit().map_err(|error| self.explain(&error))
    }

    /// Whether the connection is of no use any more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    fn autocommit(&mut self, on: bool) -> Result<()> {
        let value = OptionValue::from(if on { "true" } else { "false" });
        let set = self.connection.set_option(OptionConnection::AutoCommit, value);
        set.map_err(|error| self.explain(&error))
    }
}
