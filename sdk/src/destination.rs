//! What a target of rows implements.
//!
//! A destination is given the tables once, then parts: the rows of one table that belong to one unit. A part's rows
//! become visible when it is committed, all together.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use serde::Deserialize;

use crate::error::{Class, Error, Result};
use crate::fidelity::Stored;
use crate::memory::Budget;
use crate::plan::TablePlan;
use crate::range::{Range, no_column};
use crate::rejects::Rejects;
use crate::schema::{ColumnType, ID, TableSchema};
use crate::state::StateStore;
use crate::types::Timestamp;

/// What a sync does with rows that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// Rows replace those with the same key, and rows of an earlier sync that were not seen again are deleted, for
    /// each unit that finished without an error.
    #[default]
    OverwriteDeleteStale,
    /// Rows replace those with the same key; nothing is deleted.
    Overwrite,
    /// Rows are added; there are no keys.
    Append,
}

impl WriteMode {
    /// The mode as it is written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            WriteMode::OverwriteDeleteStale => "overwrite-delete-stale",
            WriteMode::Overwrite => "overwrite",
            WriteMode::Append => "append",
        }
    }
}

/// What a destination does with a table that no longer fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MigrateMode {
    /// It is changed as far as no stored value is lost; else the sync fails.
    #[default]
    Safe,
    /// What does not fit is dropped.
    Forced,
}

/// How a unit's rows of one table ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of them were written: what was there before and was not seen again is stale.
    Complete,
    /// Something failed: the rows are good, but those that are missing are not known to be gone.
    Partial,
}

/// The rows of one table that belong to one unit.
#[derive(Debug, Clone)]
pub struct Part {
    /// The table; in write mode `append` it has no key.
    pub table: Arc<TableSchema>,
    /// The source's name, which is the rows' `_cq_source_name`.
    pub source: String,
    /// The scope's id, such as `123456789012/eu-west-1`; with the source and the table it names the part in every
    /// run.
    pub scope: String,
    /// The column values by which the part's rows are told from those of other units (besides the source).
    pub predicate: Vec<(String, String)>,
    /// The ranges of values that the part's rows are in (besides the source and the predicate), and no others. A row that
    /// another unit has written and that is in them counts as the part's.
    pub ranges: Vec<Range>,
    /// The rows' `_cq_sync_time`.
    pub sync_time: Timestamp,
    /// What to do with rows that are there already.
    pub mode: WriteMode,
    /// Whether an earlier attempt of this very sync, with the same sync time, may have left rows of this part. They
    /// are replaced: in the end there is what one attempt would have written.
    pub resumed: bool,
    /// Where rows go that the target does not take; without it, such a row fails the part.
    pub rejects: Option<Rejects>,
}

impl Part {
    /// Whether a row that is written again is another row: it has no key, or only an identifier that is random.
    pub fn adds(&self) -> bool {
        let key = self.table.key();
        self.mode == WriteMode::Append || key.is_empty() || key == [ID]
    }

    /// All that a source has written to a table within ranges, whatever its units are: its rows of earlier syncs are what
    /// [`Destination::prune`] removes.
    pub fn of_source(table: &Arc<TableSchema>, source: &str, within: &[Range], sync_time: Timestamp) -> Self {
        Self {
            table: Arc::clone(table),
            source: source.to_owned(),
            scope: String::new(),
            predicate: Vec::new(),
            ranges: within.to_vec(),
            sync_time,
            mode: WriteMode::OverwriteDeleteStale,
            resumed: false,
            rejects: None,
        }
    }

    /// Makes sure that the part's rows can be told: the table has the columns that they are told by, and its ranges end at
    /// values of their columns' types.
    pub fn check_unit(&self) -> Result<()> {
        for (name, _) in &self.predicate {
            self.table.column(name).ok_or_else(|| no_column(&self.table, name))?;
        }
        self.ranges.iter().try_for_each(|range| range.column_of(&self.table).map(|_| ()))
    }

    /// Makes sure that a batch has the table's columns, by name and type.
    pub fn check_columns(&self, batch: &RecordBatch) -> Result<()> {
        self.table.check_columns(batch)
    }
}

/// Rows of a part's table that are no more.
#[derive(Debug, Clone)]
pub enum Removed {
    /// Those with these keys. The columns are those of the table's key, in its order.
    Keys(RecordBatch),
    /// All that are of the part's unit: those that were there before, and those that were written until now.
    All,
}

impl Removed {
    /// A refusal of keys where a part's table has none, or is only added to.
    pub fn check(&self, part: &Part) -> Result<()> {
        let wrong =
            |why: &str| Err(Error::fatal(format!("table {}: rows are to be removed, but {why}", part.table.name)));
        let Self::Keys(keys) = self else { return Ok(()) };
        if part.adds() {
            return wrong("they cannot be told from each other");
        }
        let schema = keys.schema_ref();
        let same = part.table.key().into_iter().eq(schema.fields().iter().map(|field| field.name().as_str()));
        if same { Ok(()) } else { wrong("not by the table's key; this is a bug in its connector") }
    }
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Rows written (new and replaced).
    pub written: u64,
    /// Stale rows deleted. None are where rows were put aside: what is missing is not known to be gone.
    pub deleted: u64,
    /// Rows that were put aside; whoever has asked for that counts them, not the destination.
    pub rejected: u64,
    /// Rows that were written without a value, and put aside as they were; counted by the same.
    pub without_value: u64,
    /// Whether the rows were discarded, and those of an earlier sync kept: what a destination does with a partial
    /// part that it can only replace as a whole.
    pub kept_earlier: bool,
}

/// A target of rows. Called from several tasks at once.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Whether the destination can be reached and written to, without changing anything.
    async fn check(&self) -> Result<()>;

    /// Whether the destination can write in this mode, as it is configured. Asked before anything is touched.
    fn supports(&self, mode: WriteMode) -> Result<()> {
        let _ = mode;
        Ok(())
    }

    /// How the values of a type are stored. What is declared to be lost is told once in a sync; the acceptance suite makes
    /// sure that nothing else is.
    fn stores(&self, kind: &ColumnType) -> Stored;

    /// The memory of the run, which buffers are counted in; called before anything else, and only the first call counts.
    /// What a destination holds is at most a quarter of it.
    fn use_memory(&self, budget: &Budget) {
        let _ = budget;
    }

    /// What [`Destination::migrate`] would do to each of the tables; nothing is touched. A target that keeps no tables
    /// answers that all fit.
    async fn plan(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<Vec<TablePlan>> {
        let _ = mode;
        Ok(tables.iter().map(|table| TablePlan::fits(&table.name)).collect())
    }

    /// Makes the tables ready to be written. Before it, nothing of the destination has been touched.
    async fn migrate(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()>;

    /// Opens a part. Nothing of it is visible before [`PartWriter::commit`]; dropping the writer discards it.
    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>>;

    /// Removes the rows of a table that are equal to a row of `matching` in all columns which that has, and answers how
    /// many they were. Its columns are some of the table's; null equals null.
    async fn delete(&self, table: &Arc<TableSchema>, matching: RecordBatch) -> Result<u64> {
        let _ = matching;
        Err(Error::new(Class::Unsupported, format!("table {}: single rows cannot be removed here", table.name)))
    }

    /// Whether parts take rows that are no more ([`PartWriter::remove`]).
    fn removes(&self) -> bool {
        false
    }

    /// Removes what earlier syncs of a source have left in a table, in units that are no more: called when every unit of
    /// the table has been committed whole in a sync of this time. Only rows within the ranges go. Answers how many they
    /// were, or 0 where they are not counted.
    async fn prune(
        &self,
        table: &Arc<TableSchema>,
        source: &str,
        within: &[Range],
        sync_time: Timestamp,
    ) -> Result<u64> {
        let _ = (source, within, sync_time);
        Err(Error::new(Class::Unsupported, format!("table {}: units that are no more cannot be removed", table.name)))
    }

    /// Where the state of syncs is kept under a key, if the destination can keep it. Nothing is touched yet, and the
    /// store is used before [`Destination::close`] only.
    async fn state(&self, key: &str) -> Result<Option<Box<dyn StateStore>>> {
        let _ = key;
        Ok(None)
    }

    /// Ends the sync: everything committed is durable when this returns.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Writes one part.
#[async_trait]
pub trait PartWriter: Send {
    /// Takes a batch of the part's table. Its schema is [`TableSchema::arrow`].
    async fn write(&mut self, batch: RecordBatch) -> Result<()>;

    /// Takes rows that are no more, in write mode `overwrite`. They go with the commit, in order with the rows that are
    /// written: what is written behind this stays.
    async fn remove(&mut self, removed: Removed) -> Result<()> {
        let _ = removed;
        Err(Error::new(Class::Unsupported, "rows that are no more cannot be removed here"))
    }

    /// Makes the part visible. A complete part in write mode `overwrite-delete-stale` also loses its rows of earlier
    /// syncs; a partial one never does. A part without a batch is committed too: it may be all stale.
    async fn commit(self: Box<Self>, outcome: Outcome) -> Result<Committed>;
}
