//! A destination in use: its tables as it writes them, and its parts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::{MigrateMode, Removed};
use headwater_sdk::rejects::Taken;
use headwater_sdk::{
    Budget, Class, Committed, Destination, Error, Outcome, Part, PartWriter, Range, Rejects, Result, Stored, TablePlan,
    TableSchema, Timestamp, Transformed, WriteMode,
};

use super::outcome::PartOutcome;
use super::panics::{caught, caught_here};
use super::quarantine::Quarantine;
use crate::chain::{Chain, Chains};
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
    /// What becomes of tables before that.
    chains: Chains,
}

impl Target {
    /// A destination that tables are yet to be added to.
    fn new(index: usize, destination: config::Destination) -> Self {
        let config::Destination { spec, target, quarantine, chains } = destination;
        Self {
            index,
            name: spec.name,
            mode: spec.write_mode,
            migrate_mode: spec.migrate_mode,
            destination: target,
            quarantine,
            tables: HashMap::new(),
            chains,
        }
    }

    /// Adds a table that will be written.
    pub fn add(&mut self, table: &Arc<TableSchema>) {
        let mode = self.mode;
        let table = self.chains.get(&table.name).map_or(table, |chain| chain.schema());
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
        if let Some(files) = self.files() {
            files.destination.use_memory(budget);
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
        caught(Class::Destination, self.destination.migrate(&self.all(), self.migrate_mode)).await??;
        let Some(files) = self.files() else { return Ok(()) };
        let table = [Arc::clone(files.table())];
        let made = caught(Class::Destination, files.destination.migrate(&table, MigrateMode::Safe)).await?;
        made.map_err(Quarantine::named)
    }

    /// Removes what earlier syncs of a source have left of a table in units that are no more. Answers what that did; nothing
    /// in a mode that removes nothing.
    pub async fn prune(
        &self,
        source: &str,
        table: &str,
        extents: &[Vec<Range>],
        time: Timestamp,
    ) -> Option<PartOutcome> {
        let table = self.tables.get(table).filter(|_| self.mode == WriteMode::OverwriteDeleteStale)?;
        let mut deleted = 0;
        let mut error = None;
        for within in extents {
            let pruned = self.destination.prune(table, source, within, time);
            match caught(Class::Destination, pruned).await.flatten() {
                Ok(rows) => deleted += rows,
                // Files of units that are no more stay there; those that are read again are replaced all the same.
                Err(failure) if failure.class == Class::Unsupported && !within.is_empty() => {
                    tracing::warn!(destination = self.name, table = table.name, %failure, "units that are no more stay");
                }
                Err(failure) => {
                    let failure = failure.while_doing("units that are no more");
                    error = Some(failure.while_doing(format_args!("destination {}", self.name)));
                    break;
                }
            }
        }
        let committed = (deleted > 0).then_some(Committed { deleted, ..Committed::default() });
        Some(PartOutcome { destination: self.index, committed, left_out: 0, error })
    }

    /// Where the rows go that are not taken, where that is not this destination.
    fn files(&self) -> Option<&Quarantine> {
        self.quarantine.as_ref().filter(|quarantine| !quarantine.in_table)
    }

    /// Makes what was committed durable.
    pub async fn close(&self) -> Result<()> {
        // Neither is left open because the other could not be closed.
        let files = match self.files() {
            Some(files) => caught(Class::Destination, files.destination.close()).await.flatten(),
            None => Ok(()),
        };
        let closed = caught(Class::Destination, self.destination.close()).await.flatten();
        closed.and(files.map_err(Quarantine::named))
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
    /// What becomes of its rows before they are written.
    chain: Option<Arc<Chain>>,
    writer: Option<Box<dyn PartWriter>>,
    /// Rows that transformers have left out, without putting them aside.
    left_out: u64,
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
    /// The ranges of values that the unit's rows are in.
    pub ranges: Vec<Range>,
    /// The rows' `_cq_sync_time`.
    pub sync_time: Timestamp,
    /// Whether an earlier attempt of this very sync may have left rows of the unit.
    pub resumed: bool,
}

impl Slot {
    /// A part that is not open yet.
    pub fn new(target: &Arc<Target>, table: &Arc<TableSchema>) -> Self {
        let chain = target.chains.get(&table.name).cloned();
        let table = Arc::clone(target.tables.get(&table.name).unwrap_or(table));
        let rejects = target.quarantine.as_ref().map(Quarantine::rejects);
        Self { target: Arc::clone(target), table, chain, writer: None, left_out: 0, rejects, error: None }
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

    /// Has rows removed, unless the part has failed.
    pub async fn remove(&mut self, base: &PartBase, removed: Removed) {
        if self.error.is_some() {
            return;
        }
        let removing = async {
            let mut writer = self.open(base).await?;
            caught(Class::Destination, writer.remove(removed)).await??;
            self.writer = Some(writer);
            Ok(())
        };
        if let Err(error) = removing.await {
            self.fail(error);
        }
    }

    /// Discards the part: what an earlier sync has left stays as it is.
    pub fn give_up(&mut self) -> PartOutcome {
        self.writer = None;
        let committed = self.error.is_none().then(|| Committed { kept_earlier: true, ..Committed::default() });
        PartOutcome { destination: self.target.index, committed, left_out: self.left_out, error: self.error.take() }
    }

    /// Commits the part. A part without a batch is opened and committed too where rows of earlier syncs may be stale. What
    /// was committed stays so where the rows that were not taken cannot be kept, which is an error all the same.
    pub async fn commit(&mut self, base: &PartBase, outcome: Outcome) -> Option<Committed> {
        if self.error.is_some() {
            return None;
        }
        // There is nothing to write, and nothing is known to be stale.
        if self.writer.is_none() && outcome == Outcome::Partial {
            return None;
        }
        let committed = match self.try_commit(base, outcome).await {
            Ok(committed) => committed,
            Err(error) => {
                self.fail(error);
                return None;
            }
        };
        let (rejected, without_value) = match self.keep_rejects(base).await {
            Ok(kept) => kept,
            Err(error) => {
                self.fail(error);
                (0, 0)
            }
        };
        Some(Committed { rejected, without_value, ..committed })
    }

    /// Rows that transformers have left out, without putting them aside.
    pub fn left_out(&self) -> u64 {
        self.left_out
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
            ranges: base.ranges.clone(),
            sync_time: base.sync_time,
            mode: self.target.mode,
            resumed: base.resumed,
            rejects: self.rejects.clone(),
        };
        caught(Class::Destination, self.target.destination.begin(part)).await?
    }

    /// What the transformers make of a batch.
    async fn transform(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        let Some(chain) = self.chain.clone() else { return Ok(batch) };
        let rows = batch.num_rows();
        // Off the tasks that read and write: a transformer computes, and one waits for a library.
        let done = tokio::task::spawn_blocking(move || caught_here(Class::Fatal, || chain.apply(batch))).await;
        let done = done.map_err(|error| Error::fatal(format!("a transformer ended early: {error}")))??;
        let Transformed { batch, rows: aside, values } = done;
        self.left_out += rows.saturating_sub(batch.num_rows() + aside.len()) as u64;
        if let Some(rejects) = &self.rejects {
            rejects.add_before(Taken { rows: aside, values })?;
        } else if let Some(first) = aside.first().or(values.first()) {
            return Err(Error::fatal(&first.reason));
        }
        Ok(batch)
    }

    async fn try_write(&mut self, base: &PartBase, batch: RecordBatch) -> Result<()> {
        let batch = self.transform(batch).await?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = if !Arc::ptr_eq(batch.schema_ref(), &self.table.arrow()) {
            // The same columns under the schema that says that there is no key, or that two sources share.
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
        caught(Class::Destination, writer.commit(outcome)).await?
    }

    /// Puts the rows aside that were not taken, or not with all values, and answers how many they were of each kind.
    async fn keep_rejects(&mut self, base: &PartBase) -> Result<(u64, u64)> {
        let (Some(quarantine), Some(rejects)) = (&self.target.quarantine, &self.rejects) else { return Ok((0, 0)) };
        let kept = quarantine.keep(base, &self.target.name, &self.table.name, rejects);
        caught(Class::Destination, kept).await?.map_err(Quarantine::named)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use headwater_sdk::{ColumnType, async_trait};

    use super::*;

    /// A destination that counts how often it is closed, and cannot be.
    struct Stuck(&'static str, AtomicUsize);

    #[async_trait]
    impl Destination for Stuck {
        async fn check(&self) -> Result<()> {
            Ok(())
        }
        fn stores(&self, _: &ColumnType) -> Stored {
            Stored::whole("text")
        }
        async fn migrate(&self, _: &[Arc<TableSchema>], _: MigrateMode) -> Result<()> {
            Ok(())
        }
        async fn begin(&self, _: Part) -> Result<Box<dyn PartWriter>> {
            Err(Error::destination("it takes nothing"))
        }
        async fn close(&self) -> Result<()> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Err(Error::destination(self.0))
        }
    }

    #[tokio::test]
    async fn both_are_closed_though_one_cannot_be() {
        let (own, files) = (Arc::new(Stuck("own", 0.into())), Arc::new(Stuck("files", 0.into())));
        let target = Target {
            index: 0,
            name: "x".to_owned(),
            mode: WriteMode::Append,
            migrate_mode: MigrateMode::Safe,
            destination: Arc::clone(&own) as Arc<dyn Destination>,
            quarantine: Some(Quarantine::new(Arc::clone(&files) as Arc<dyn Destination>, false, 1)),
            tables: HashMap::new(),
            chains: Chains::new(),
        };
        assert_eq!(target.close().await.unwrap_err().to_string(), "own");
        assert_eq!((own.1.load(Ordering::Relaxed), files.1.load(Ordering::Relaxed)), (1, 1));
    }
}
