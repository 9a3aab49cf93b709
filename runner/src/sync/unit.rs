//! One unit from its connector to its destinations.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::calls::meter::{Counts, Wait};
use headwater_sdk::destination::Removed;
use headwater_sdk::memory::{self, Lease};
use headwater_sdk::unit::{Message, Unit, UnitRun, unit_id};
use headwater_sdk::{Calls, Class, Connector, Error, Outcome, TableSchema, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::outcome::{PartOutcome, TableOutcome, UnitOutcome};
use super::panics::caught;
use super::stop::Stop;
use super::target::{PartBase, Slot, Target};
use crate::columns::{Shape, Shapes};
use crate::progress::Progress;
use crate::state::Run;

/// How many batches of a unit may wait for its destinations; more would only be memory.
const WAITING: usize = 2;

/// The pause before a unit is read again is twice this the first time, and twice as long each time after that.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What all units of a source share.
pub struct SourceRun {
    /// The source's place in the configuration.
    pub index: usize,
    /// The source's name.
    pub name: Arc<str>,
    /// Where the rows come from.
    pub connector: Arc<dyn Connector>,
    /// The calls of all units.
    pub calls: Calls,
    /// The root tables that are read.
    pub tables: Vec<Arc<str>>,
    /// What is done with the tables' columns and rows.
    pub shapes: Arc<Shapes>,
    /// Where the rows go.
    pub targets: Vec<Arc<Target>>,
    /// Whether these are all destinations of the source; where one could not be used, no unit is done.
    pub all_targets: bool,
    /// The rows' `_cq_sync_time`.
    pub sync_time: Timestamp,
    /// Whether an earlier attempt of this sync may have left rows.
    pub resumed: bool,
    /// What is kept of the run.
    pub run: Arc<Run>,
    /// When the sync began.
    pub start: Instant,
    /// Whether the sync is to stop.
    pub stop: Stop,
    /// Who is told what happens.
    pub progress: Arc<dyn Progress>,
}

/// The name of a unit in all of a sync: `aws:aws_ec2_instances@123456789012/eu-west-1`. Shards and the state of a run
/// go by it, so it is the same for ever.
pub fn id(source: &str, table: &str, scope: &str) -> String {
    format!("{source}:{}", unit_id(table, scope))
}

/// A task that ends with whoever waits for it.
struct Tied<T>(JoinHandle<T>);

impl<T> Drop for Tied<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a unit. Where the sync is stopped before the unit has read all, it is dropped and nothing of it is committed.
pub async fn run(source: Arc<SourceRun>, unit: Unit) -> Option<UnitOutcome> {
    let began = Instant::now();
    let after = began.duration_since(source.start);
    source.progress.started(source.index, &unit.node.schema.name);
    let calls = source.calls.of_unit(&unit.scope);
    let read = tokio::select! {
        biased;
        () = source.stop.stopped() => None,
        tables = read_whole(&source, &calls, &unit) => Some(tables),
    };
    let Some(tables) = read else {
        source.progress.dropped(source.index, &unit.node.schema.name);
        return None;
    };
    let committing = Instant::now();
    let mut outcome = tables.commit(after, began).await;
    calls.note_wait(Wait::Destination, committing.elapsed());
    outcome.counts = calls.meter().counts();
    source.progress.finished(source.index, &outcome);
    Some(outcome)
}

/// Reads a unit, from its beginning again where its failures may pass. What was written of it until then is discarded.
async fn read_whole(source: &Arc<SourceRun>, calls: &Calls, unit: &Unit) -> Tables {
    let limits = source.connector.limits();
    let mut tries = 1;
    loop {
        let mut tables = Tables::new(source, unit);
        read(source, calls.clone(), unit.clone(), &mut tables).await;
        if tries >= limits.unit_tries || !tables.may_pass() {
            return tables;
        }
        let pause = limits.max_backoff.min(FIRST_PAUSE.saturating_mul(1 << tries.min(10)));
        for error in tables.tables.iter().flat_map(|table| &table.outcome.errors) {
            tracing::warn!(unit = unit.id(), %error, tries, ?pause, "the unit is read again");
        }
        drop(tables);
        tokio::time::sleep(pause).await;
        tries += 1;
    }
}

async fn read(source: &Arc<SourceRun>, calls: Calls, unit: Unit, tables: &mut Tables) {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let checkpoint = source.run.checkpoint(&id(&source.name, &tables.root, &unit.scope)).map(str::to_owned);
    let run = UnitRun::after(checkpoint, &source.name, source.sync_time, calls, sender);
    let reader = Arc::clone(source);
    // A task of its own, so that reading and writing use two cores, and so that a panic is caught where it happens.
    let mut task = Tied(tokio::spawn(caught(Class::Fatal, async move { reader.connector.run(&unit, run).await })));
    let mut ended = None;
    loop {
        tokio::select! {
            biased;
            message = receiver.recv() => match message {
                Some(message) => tables.take(source, message).await,
                None => break,
            },
            result = &mut task.0, if ended.is_none() => {
                ended = Some(result);
                // What was sent is still received; a sender that someone forgot does not keep the unit open.
                receiver.close();
            }
        }
    }
    let ended = match ended {
        Some(ended) => ended,
        None => (&mut task.0).await,
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => tables.fail_all(&panic),
        Err(error) => tables.fail_all(&Error::fatal(format!("the unit's task ended early: {error}"))),
    }
}

/// The tables of a running unit.
struct Tables {
    root: Arc<str>,
    base: PartBase,
    tables: Vec<Table>,
    checkpoint: Option<String>,
    /// Whether rows are removed one by one: then the unit is committed whole or not at all.
    removes: bool,
}

struct Table {
    schema: Arc<TableSchema>,
    /// What is done with its columns and rows; nothing where they are written as they are.
    shape: Option<Arc<Shape>>,
    outcome: TableOutcome,
    slots: Vec<Slot>,
}

impl Tables {
    fn new(source: &SourceRun, unit: &Unit) -> Self {
        // A root without columns is no table: it only holds others together.
        let nodes = unit.node.flatten().into_iter().filter(|node| !node.schema.columns.is_empty());
        let tables = nodes.map(|node| Table {
            schema: Arc::clone(&node.schema),
            shape: source.shapes.of(&node.schema.name).cloned(),
            outcome: TableOutcome {
                table: node.schema.name.as_str().into(),
                rows: 0,
                left_out: 0,
                complete: true,
                errors: Vec::new(),
                more_errors: 0,
                parts: Vec::new(),
            },
            slots: {
                let written = source.shapes.schema(&node.schema);
                source.targets.iter().map(|target| Slot::new(target, &written)).collect()
            },
        });
        Self {
            root: unit.node.schema.name.as_str().into(),
            base: PartBase {
                source: Arc::clone(&source.name),
                scope: unit.scope.as_str().into(),
                predicate: unit.predicate.clone(),
                ranges: unit.ranges.clone(),
                sync_time: source.sync_time,
                resumed: source.resumed,
            },
            tables: tables.collect(),
            checkpoint: None,
            removes: false,
        }
    }

    /// Whether the source has failed, only in ways that a later try may not meet, and no destination has.
    fn may_pass(&self) -> bool {
        let passing = |error: &Error| matches!(error.class, Class::Transient | Class::Throttled);
        let errors = || self.tables.iter().flat_map(|table| &table.outcome.errors);
        errors().next().is_some()
            && errors().all(passing)
            && self.tables.iter().flat_map(|table| &table.slots).all(|slot| slot.error.is_none())
    }

    async fn take(&mut self, source: &SourceRun, message: Message) {
        match message {
            // The memory is given back when all destinations have taken the rows.
            Message::Batch(schema, batch, lease) => self.write(source, &schema, batch, lease).await,
            Message::Failure(schema, error) => self.fail(&schema, error),
            Message::Removed(schema, removed, _lease) => self.remove(&schema, removed).await,
            Message::Checkpoint(checkpoint) => self.checkpoint = Some(checkpoint),
        }
    }

    async fn write(&mut self, source: &SourceRun, schema: &Arc<TableSchema>, batch: RecordBatch, lease: Lease) {
        let rows = batch.num_rows() as u64;
        let Some(table) = self.tables.iter_mut().find(|table| table.schema.name == schema.name) else {
            let error = Error::fatal(format!("rows of {} came in a unit that does not have this table", schema.name));
            return self.fail_all(&error);
        };
        table.outcome.rows += rows;
        // From here on columns are taken by their place.
        let shaped = table.schema.check_columns(&batch).and_then(|()| match &table.shape {
            None => Ok(batch.clone()),
            Some(shape) => shape.apply(&batch),
        });
        // What it was made of is not kept while it is written.
        drop(batch);
        let batch = match shaped {
            Ok(batch) => batch,
            Err(error) => return table.outcome.fail(error),
        };
        let written = batch.num_rows() as u64;
        table.outcome.left_out += rows - written;
        if written == 0 {
            return;
        }
        if table.shape.is_some() {
            lease.set(memory::held(&batch));
        }
        let base = &self.base;
        // Each column is shared between the destinations, not copied.
        futures::future::join_all(table.slots.iter_mut().map(|slot| slot.write(base, batch.clone()))).await;
        source.progress.rows(source.index, &table.outcome.table, written);
    }

    async fn remove(&mut self, schema: &Arc<TableSchema>, removed: Removed) {
        self.removes = true;
        let Some(table) = self.tables.iter_mut().find(|table| table.schema.name == schema.name) else {
            let error = Error::fatal(format!("rows of {} came in a unit that does not have this table", schema.name));
            return self.fail_all(&error);
        };
        let removed = match (removed, &table.shape) {
            (Removed::Keys(keys), Some(shape)) => match shape.apply_to_keys(&table.schema, &keys) {
                Ok(keys) => Removed::Keys(keys),
                Err(error) => return table.outcome.fail(error),
            },
            (removed, _) => removed,
        };
        let base = &self.base;
        futures::future::join_all(table.slots.iter_mut().map(|slot| slot.remove(base, removed.clone()))).await;
    }

    fn fail(&mut self, schema: &Arc<TableSchema>, error: Error) {
        match self.tables.iter_mut().find(|table| table.schema.name == schema.name) {
            Some(table) => table.outcome.fail(error),
            None => self.fail_all(&error),
        }
    }

    /// Something failed of which it is not known which tables it spoiled.
    fn fail_all(&mut self, error: &Error) {
        for table in &mut self.tables {
            table.outcome.fail(error.clone());
        }
    }

    /// Commits every table, the root last: whoever sees a parent's row finds its children, but for those of a table whose
    /// part failed, which is told.
    async fn commit(mut self, after: Duration, began: Instant) -> UnitOutcome {
        let base = &self.base;
        let kept_earlier = self.removes && self.tables.iter().any(|table| !table.outcome.complete);
        for table in self.tables.iter_mut().rev() {
            if kept_earlier {
                table.outcome.parts = table.slots.iter_mut().map(Slot::give_up).collect();
                continue;
            }
            let outcome = if table.outcome.complete { Outcome::Complete } else { Outcome::Partial };
            let committed = table.slots.iter_mut().map(|slot| async move {
                let committed = slot.commit(base, outcome).await;
                let (destination, left_out) = (slot.destination(), slot.left_out());
                PartOutcome { destination, committed, left_out, error: slot.error.take() }
            });
            table.outcome.parts = futures::future::join_all(committed).await;
        }
        UnitOutcome {
            table: self.root,
            scope: self.base.scope,
            after,
            took: began.elapsed(),
            tables: self.tables.into_iter().map(|table| table.outcome).collect(),
            checkpoint: self.checkpoint,
            counts: Counts::default(),
        }
    }
}
