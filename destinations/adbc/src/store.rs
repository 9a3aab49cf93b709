//! The open database, as the thread has it that does everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_sdk::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use headwater_sdk::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use headwater_sdk::sql::quote;
use headwater_sdk::{Column, ColumnType, Committed, Error, Extension, Part, Result, TableSchema};

use crate::connect::{Connect, Opened};
use crate::convert::convert;
use crate::dialect::Dialect;
use crate::errors::Shown;
use crate::session::{Session, Target};
use crate::stream::Stream;

/// What the database may take for itself.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes.
    pub memory: u64,
    /// Threads.
    pub threads: u64,
}

/// Where rows of a part are that have been handed on already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// In a temporary table of this name.
    Waiting(String),
    /// In the table, in the transaction of this number.
    Stream(u64),
}

/// An open database. Fields are dropped in their order: a connection goes before its database.
pub struct Store {
    session: Session,
    streams: BTreeMap<u64, Stream>,
    connect: Arc<Connect>,
    shown: Arc<Shown>,
    pub dialect: Dialect,
    pub place: String,
    number: u64,
    opened: Opened,
}

impl Store {
    /// Opens the database, and creates it where it is a file that does not exist. Blocks.
    pub fn open(connect: &Arc<Connect>, shown: &Arc<Shown>, limits: Limits) -> Result<Self> {
        if let Some(file) = &connect.file {
            file.location.check()?;
        }
        let dialect = connect.dialect()?;
        let (mut session, opened) = connect.open(shown)?;
        set_up(&mut session, connect, dialect, limits)?;
        Ok(Self {
            session,
            streams: BTreeMap::new(),
            connect: Arc::clone(connect),
            shown: Arc::clone(shown),
            dialect,
            place: shown.place.clone(),
            number: 0,
            opened,
        })
    }

    /// The connection.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Another connection to the same database.
    pub fn connect(&self) -> Result<Session> {
        self.connect.again(&self.opened, &self.shown)
    }

    /// Whether the connection is of no use any more.
    pub fn is_broken(&self) -> bool {
        self.session.is_broken()
    }

    /// How many parts add their rows to a table itself.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Begins to add a part's rows to the table itself, where that can be done.
    pub fn stream(&mut self, part: &Part, columns: &Waiting) -> Result<Option<Stage>> {
        let Some(stream) = Stream::begin(self, part, columns)? else { return Ok(None) };
        self.number += 1;
        self.streams.insert(self.number, stream);
        Ok(Some(Stage::Stream(self.number)))
    }

    /// Ends that, and makes the rows visible.
    pub fn commit(&mut self, stream: u64, batches: &[RecordBatch]) -> Result<Committed> {
        let mut stream = self.streams.remove(&stream).ok_or_else(|| Error::destination("the transaction has ended"))?;
        stream.add(batches)?;
        stream.commit()
    }

    /// A name for a temporary table that there is none of yet.
    fn temporary(&mut self) -> String {
        self.number += 1;
        format!("headwater_stage_{}", self.number)
    }

    /// Makes a temporary table for rows that wait, and puts batches into it; answers its name.
    pub fn stage(&mut self, columns: &Waiting, batches: &[RecordBatch]) -> Result<String> {
        let name = self.temporary();
        let create = format!("CREATE TEMPORARY TABLE {} ({})", quote(&name), columns.sql);
        self.session.execute(&create)?;
        if let Err(error) = self.session.ingest(Target::Temporary(&name), &columns.wire, batches) {
            self.forget(&Stage::Waiting(name));
            return Err(error);
        }
        Ok(name)
    }

    /// Adds more batches to where a part's rows are.
    pub fn add(&mut self, stage: &Stage, columns: &Waiting, batches: &[RecordBatch]) -> Result<()> {
        if batches.is_empty() {
            return Ok(());
        }
        match stage {
            Stage::Waiting(name) => self.session.ingest(Target::Temporary(name), &columns.wire, batches),
            Stage::Stream(number) => match self.streams.get_mut(number) {
                Some(stream) => stream.add(batches),
                None => Err(Error::destination("the transaction has ended")),
            },
        }
    }

    /// Removes what was handed on. What cannot be removed goes with the connection.
    pub fn forget(&mut self, stage: &Stage) {
        let name = match stage {
            Stage::Waiting(name) => name,
            Stage::Stream(number) => return drop(self.streams.remove(number)),
        };
        let sql = format!("DROP TABLE IF EXISTS {}", self.dialect.temporary(name));
        if let Err(error) = self.session.execute(&sql) {
            tracing::debug!(%error, "a temporary table stays until the connection ends");
        }
    }

    /// Everything that was committed is in the file when this returns, as far as others let it.
    pub fn finish(mut self) -> Result<()> {
        if self.dialect == Dialect::Duckdb
            && let Err(error) = self.session.execute("CHECKPOINT")
        {
            // Another destination writes; what is committed is in the write-ahead log, safe from a power cut.
            tracing::debug!(%error, "the write-ahead log stays");
        }
        Ok(())
    }
}

fn set_up(session: &mut Session, connect: &Connect, dialect: Dialect, limits: Limits) -> Result<()> {
    match dialect {
        Dialect::Duckdb => {
            let is_set = |name: &str| connect.options.contains_key(name);
            for (name, value) in [
                ("memory_limit", format!("'{}B'", limits.memory)),
                ("threads", limits.threads.to_string()),
                // Rows are told by a number of their own, and what need not keep an order takes half as much memory.
                ("preserve_insertion_order", "false".to_owned()),
                // Nothing is ever downloaded.
                ("autoinstall_known_extensions", "false".to_owned()),
                ("autoload_known_extensions", "false".to_owned()),
            ] {
                if !is_set(name) {
                    session.execute(&format!("SET {name} = {value}"))?;
                }
            }
        }
        Dialect::Postgresql => {
            session.execute("SET TimeZone = 'UTC'")?;
            session.execute("SET standard_conforming_strings = on")?;
            session.execute("SET client_min_messages = warning")?;
        }
        Dialect::Sqlite => {
            // A misspelt name must be an error; and another program's lock is waited for.
            session.query("PRAGMA busy_timeout = 5000")?;
        }
    }
    Ok(())
}

/// The columns of a temporary table in which rows wait.
pub struct Waiting {
    /// Of which table each is, and what the driver is given.
    pub wire: SchemaRef,
    /// Their names and types.
    pub sql: String,
    dialect: Dialect,
    numbered: bool,
}

/// The name of the column that numbers rows.
pub const ORDINAL: &str = "o";

impl Waiting {
    /// For these columns of a table. Where rows may have the same key, they are numbered, if the database itself does not.
    pub fn new<'a>(dialect: Dialect, columns: impl Iterator<Item = &'a Column>, keyed: bool) -> Self {
        let (mut fields, mut sql) = (Vec::new(), Vec::new());
        for (index, column) in columns.enumerate() {
            let kind = dialect.kind(&column.kind);
            let name = format!("c{index}");
            sql.push(format!("{name} {}", kind.stage));
            let field = Field::new(name, kind.wire.data_type().clone(), true);
            fields.push(field.with_metadata(kind.wire.metadata().clone()));
        }
        let numbered = keyed && dialect == Dialect::Duckdb;
        if numbered {
            sql.push(format!("{ORDINAL} BIGINT"));
            fields.push(Field::new(ORDINAL, DataType::Int64, true));
        }
        Self { wire: Arc::new(Schema::new(fields)), sql: sql.join(", "), dialect, numbered }
    }

    /// A batch as the driver is given it, whose first row has this number. The columns of `from` are those that this was
    /// made for.
    pub fn convert(&self, from: &Schema, batch: &RecordBatch, first: u64) -> Result<RecordBatch> {
        let columns = from.fields().iter().zip(self.wire.fields()).zip(batch.columns());
        let columns = columns.map(|((from, to), array)| {
            let kind = ColumnType { data_type: from.data_type().clone(), extension: Extension::of(from) };
            let converted = convert(from, to, array).and_then(|array| {
                self.dialect.check(&kind, &array)?;
                Ok(array)
            });
            converted.map_err(|error| error.while_doing(format!("column {}", from.name())))
        });
        let mut columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        if self.numbered {
            let first = i64::try_from(first).map_err(Error::destination)?;
            columns.push(Arc::new(Int64Array::from_iter_values(first..first + batch.num_rows() as i64)));
        }
        RecordBatch::try_new(SchemaRef::clone(&self.wire), columns).map_err(Error::destination)
    }
}

/// Whether the database can take a table's names as they are.
pub fn check_names(dialect: Dialect, schema: &TableSchema) -> Result<()> {
    let longest = dialect.longest_name();
    let mut names = std::iter::once(&schema.name).chain(schema.columns.iter().map(|column| &column.name));
    match names.find(|name| name.is_empty() || name.len() > longest || name.contains('\0')) {
        None => Ok(()),
        Some(name) => Err(Error::destination(format!(
            "table {}: the name {name} is longer than {} takes, or no name at all",
            schema.name,
            dialect.product()
        ))),
    }
}
