//! A destination in use: its tables as it writes them, and its parts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{
    Budget, Class, Committed, Destination, Error, Outcome, Part, PartWriter, Rejects, Result, Stored, TablePlan,
    TableSchema, Timestamp, WriteMode,
};

use super::panics::caught;
use super::quarantine::{self, Quarantine};
use crate::config::destination as config;
use crate::config::source::Source;

/// A destination in use.
pub struct Target {
    /// Its place in the configuration.
    pub index: usize,
    /// Its name.
    pub name: String,
    mode: WriteMode,
    migrate_mode: MigrateMode,
    destination: Arc<dyn Destination>,
    /// Where the rows go that it does not take.
    quarantine: Option<Quarantine>,
    /// Each table as this destination writes it: without its key in write mode `append`.
    tables: HashMap<String, Arc<TableSchema>>,
}

impl Target {
    /// A destination that tables are yet to be added to.
    fn new(index: usize, destination: config::Destination) -> Self {
        let config::Destination { spec, target, quarantine } = destination;
        Self {
            index,
            name: spec.name,
            mode: spec.write_mode,
            migrate_mode: spec.migrate_mode,
            destination: target,
            quarantine,
            tables: HashMap::new(),
        }
    }

    /// Adds a table that will be written.
    pub fn add(&mut self, table: &Arc<TableSchema>) {
        let mode = self.mode;
        self.tables.entry(table.name.clone()).or_insert_with(|| match mode {
            WriteMode::Append => Arc::new(table.without_key()),
            _ => Arc::clone(table),
        });
    }

    /// Whether there is any table.
    pub fn is_used(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Has the destination count its buffers in the memory of the run.
    pub fn use_memory(&self, budget: &Budget) {
        self.destination.use_memory(budget);
        if let Some(quarantine) = self.quarantine.as_ref().filter(|quarantine| !quarantine.in_table) {
            quarantine.destination.use_memory(budget);
        }
    }

    /// What the destination does not keep of the values of these tables, a line for each type.
    pub fn losses(&self) -> Vec<String> {
        let mut losses: BTreeMap<(String, Stored), Vec<String>> = BTreeMap::new();
        for table in self.sorted() {
            for column in &table.columns {
                let stored = self.destination.stores(&column.kind);
                if stored.lost.is_some() {
                    let columns = losses.entry((column.kind.name(), stored)).or_default();
                    columns.push(format!("{}.{}", table.name, column.name));
                }
            }
        }
        let line = |((kind, stored), columns): ((String, Stored), Vec<String>)| {
            let Stored { name: stored, lost, .. } = stored;
            let (lost, first) = (lost.unwrap_or_default(), columns.first().cloned().unwrap_or_default());
            let columns = match columns.len() {
                1 => first,
                count => format!("{count} columns, such as {first}"),
            };
            format!("destination {}: {kind} is stored as {stored}, and {lost} ({columns})", self.name)
        };
        losses.into_iter().map(line).collect()
    }

    fn sorted(&self) -> Vec<Arc<TableSchema>> {
        let mut tables: Vec<Arc<TableSchema>> = self.tables.values().cloned().collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables
    }

    /// The tables that have to be there, the one of rows that are not taken among them.
    fn all(&self) -> Vec<Arc<TableSchema>> {
        let quarantine = self.quarantine.iter().filter(|quarantine| quarantine.in_table);
        let mut tables = self.sorted();
        tables.extend(quarantine.map(|quarantine| Arc::clone(quarantine.table())));
        tables
    }

    /// What [`Target::migrate`] would do.
    pub async fn plan(&self) -> Result<Vec<TablePlan>> {
        caught(Class::Destination, self.destination.plan(&self.all(), self.migrate_mode)).await?
    }

    /// Makes all tables ready.
    pub async fn migrate(&self) -> Result<()> {
        if let Some(quarantine) = self.quarantine.as_ref().filter(|quarantine| !quarantine.in_table) {
            let table = [Arc::clone(quarantine.table())];
            caught(Class::Destination, quarantine.destination.migrate(&table, MigrateMode::Safe)).await??;
        }
        caught(Class::Destination, self.destination.migrate(&self.all(), self.migrate_mode)).await?
    }

    /// Makes what was committed durable.
    pub async fn close(&self) -> Result<()> {
        if let Some(quarantine) = self.quarantine.as_ref().filter(|quarantine| !quarantine.in_table) {
            caught(Class::Destination, quarantine.destination.close()).await??;
        }
        caught(Class::Destination, self.destination.close()).await?
    }
}

/// The destinations, with the tables that the sources write to them.
pub fn targets(destinations: Vec<config::Destination>, sources: &[Source]) -> Vec<Target> {
    let mut targets = without_tables(destinations);
    sources.iter().for_each(|source| add_tables(source, &mut targets));
    targets
}

/// The destinations, before it is known which sources can be read.
pub fn without_tables(destinations: Vec<config::Destination>) -> Vec<Target> {
    destinations.into_iter().enumerate().map(|(index, destination)| Target::new(index, destination)).collect()
}

/// Adds the tables of a source to its destinations.
pub fn add_tables(source: &Source, targets: &mut [Target]) {
    for target in targets.iter_mut().filter(|target| source.spec.destinations.contains(&target.name)) {
        for table in source.written() {
            target.add(&table);
        }
    }
}

/// One table of a unit on its way to one destination. It is opened by its first batch, and once it has failed it takes
/// no more.
pub struct Slot {
    target: Arc<Target>,
    table: Arc<TableSchema>,
    writer: Option<Box<dyn PartWriter>>,
    /// The rows that were not taken.
    rejects: Option<Rejects>,
    /// What failed.
    pub error: Option<Error>,
}

/// What all parts of a unit have in common.
pub struct PartBase {
    /// The source's name.
    pub source: Arc<str>,
    /// The scope's id.
    pub scope: Arc<str>,
    /// The column values by which the unit's rows are told from others'.
    pub predicate: Vec<(String, String)>,
    /// The rows' `_cq_sync_time`.
    pub sync_time: Timestamp,
    /// Whether an earlier attempt of this very sync may have left rows of the unit.
    pub resumed: bool,
}

impl Slot {
    /// A part that is not open yet.
    pub fn new(target: &Arc<Target>, table: &Arc<TableSchema>) -> Self {
        let table = target.tables.get(&table.name).unwrap_or(table);
        let rejects = target.quarantine.as_ref().map(Quarantine::rejects);
        Self { target: Arc::clone(target), table: Arc::clone(table), writer: None, rejects, error: None }
    }

    /// The destination's place in the configuration.
    pub fn destination(&self) -> usize {
        self.target.index
    }

    /// Writes a batch, unless the part has failed.
    pub async fn write(&mut self, base: &PartBase, batch: RecordBatch) {
        if self.error.is_some() {
            return;
        }
        if let Err(error) = self.try_write(base, batch).await {
            self.fail(error);
        }
    }

    /// Commits the part. A part without a batch is opened and committed too where rows of earlier syncs may be stale.
    pub async fn commit(&mut self, base: &PartBase, outcome: Outcome) -> Option<Committed> {
        if self.error.is_some() {
            return None;
        }
        // There is nothing to write, and nothing is known to be stale.
        if self.writer.is_none() && outcome == Outcome::Partial {
            return None;
        }
        match self.try_commit(base, outcome).await {
            Ok(committed) => Some(committed),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    fn fail(&mut self, error: Error) {
        // Dropping the writer discards what it was given.
        self.writer = None;
        let mut error = error.while_doing(format_args!("destination {}", self.target.name));
        if error.class != Class::Rejected {
            error.class = Class::Destination;
        }
        self.error = Some(error);
    }

    async fn open(&mut self, base: &PartBase) -> Result<Box<dyn PartWriter>> {
        if let Some(writer) = self.writer.take() {
            return Ok(writer);
        }
        let part = Part {
            table: Arc::clone(&self.table),
            source: base.source.to_string(),
            scope: base.scope.to_string(),
            predicate: base.predicate.clone(),
            sync_time: base.sync_time,
            mode: self.target.mode,
            resumed: base.resumed,
            rejects: self.rejects.clone(),
        };
        caught(Class::Destination, self.target.destination.begin(part)).await?
    }

    async fn try_write(&mut self, base: &PartBase, batch: RecordBatch) -> Result<()> {
        let batch = if self.target.mode == WriteMode::Append {
            // The same columns under the schema that says that there is no key.
            RecordBatch::try_new(self.table.arrow(), batch.columns().to_vec()).map_err(Error::destination)?
        } else {
            batch
        };
        let mut writer = self.open(base).await?;
        caught(Class::Destination, writer.write(batch)).await??;
        self.writer = Some(writer);
        Ok(())
    }

    async fn try_commit(&mut self, base: &PartBase, outcome: Outcome) -> Result<Committed> {
        let writer = self.open(base).await?;
        let mut committed = caught(Class::Destination, writer.commit(outcome)).await??;
        if let (Some(quarantine), Some(rejects)) = (&self.target.quarantine, &self.rejects) {
            let kept = quarantine.keep(base, &self.target.name, &self.table.name, rejects);
            let kept = caught(Class::Destination, kept).await?;
            committed.rejected =
                kept.map_err(|error| error.while_doing(format!("rows that were not taken, to {}", quarantine::TABLE)))?;
        }
        Ok(committed)
    }
}
