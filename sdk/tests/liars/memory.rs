//! A destination in memory, which does all that it says, but for one lie.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::{self, Change, Dialect, FoundColumn, FoundTable};
use headwater_sdk::pool::Pool;
use headwater_sdk::schema::SYNC_TIME;
use headwater_sdk::testing::Subject;
use headwater_sdk::testing::things::time_text;
use headwater_sdk::{
    Budget, ColumnType, Destination, Part, PartWriter, Range, Result, Stored, TablePlan, TableSchema, Timestamp,
    async_trait,
};

use super::Lie;
use super::unit::{check_unit, of_unit};
use super::writer::{Writer, rows_of};

/// The moment for which what is not done at once is not done yet, and longer than that.
pub const MOMENT: Duration = Duration::from_millis(10);
const LONGER: Duration = Duration::from_millis(30);

/// The values of a row by the names of their columns.
pub type Row = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone, Default)]
pub struct Table {
    found: FoundTable,
    /// Shared with the copies of the table that are made.
    pub rows: Vec<Arc<Row>>,
}

pub type Tables = BTreeMap<String, Table>;

/// What everyone can see, and what is safe; they are the same where nobody lies.
#[derive(Default)]
pub struct Place {
    pub seen: Mutex<Tables>,
    safe: Mutex<Tables>,
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The destination; it goes away without a word where it is not closed.
struct Memory(Inner);

#[derive(Clone)]
pub struct Inner {
    pub place: Arc<Place>,
    pub lie: Lie,
    /// What was acknowledged and is not done yet.
    late: Arc<Mutex<Vec<Work>>>,
    pool: Arc<OnceLock<Pool>>,
}

pub type Work = Box<dyn FnOnce(&mut Tables) + Send>;

struct Types(Lie);

impl Dialect for Types {
    fn type_of(&self, kind: &ColumnType) -> String {
        kind.name()
    }

    fn widens(&self, found: &str, wanted: &ColumnType) -> bool {
        let types = [("int32", "int64"), ("uint16", "uint32"), ("float32", "float64")];
        self.0 == Lie::LosesWhatIsWidened && types.contains(&(found, wanted.name().as_str()))
    }
}

impl Inner {
    pub fn change(&self, work: impl FnOnce(&mut Tables)) {
        let mut seen = lock(&self.place.seen);
        work(&mut seen);
        if self.lie != Lie::ForgetsWithoutAClose {
            *lock(&self.place.safe) = seen.clone();
        }
    }

    /// Does what is to be done at a commit, or says so.
    pub fn take_over(self, work: Work) {
        match self.lie {
            Lie::CommitsAtTheClose => lock(&self.late).push(work),
            Lie::CommitsWithTheNext => {
                let late = std::mem::replace(&mut *lock(&self.late), vec![work]);
                self.change(|seen| late.into_iter().for_each(|work| work(seen)));
            }
            Lie::CommitsALittleLater => {
                lock(&self.late).push(work);
                tokio::spawn(async move {
                    tokio::time::sleep(MOMENT).await;
                    let late = std::mem::take(&mut *lock(&self.late));
                    self.change(|seen| late.into_iter().for_each(|work| work(seen)));
                });
            }
            _ => self.change(work),
        }
    }

    fn plans(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Vec<TablePlan> {
        let seen = lock(&self.place.seen);
        let found = |table: &str| seen.get(table).map(|table| &table.found);
        tables.iter().map(|table| plan::compare(&Types(self.lie), table, found(&table.name), mode)).collect()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        lock(&self.0.late).clear();
        let safe = lock(&self.0.place.safe).clone();
        *lock(&self.0.place.seen) = safe;
    }
}

fn made(schema: &TableSchema) -> Table {
    let columns = schema.columns.iter().map(|column| FoundColumn {
        name: column.name.clone(),
        kind: column.kind.name(),
        not_null: Types(Lie::None).not_null(column),
        default: false,
    });
    let key = schema.key().into_iter().map(str::to_owned).collect();
    Table { found: FoundTable { columns: columns.collect(), key }, rows: Vec::new() }
}

#[async_trait]
impl Destination for Memory {
    fn use_memory(&self, budget: &Budget) {
        self.0.pool.get_or_init(|| Pool::new(budget));
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn stores(&self, kind: &ColumnType) -> Stored {
        Stored::whole(kind.name())
    }

    async fn plan(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<Vec<TablePlan>> {
        if self.0.lie == Lie::PlansNothing {
            return Ok(tables.iter().map(|table| TablePlan::fits(&table.name)).collect());
        }
        let plans = self.0.plans(tables, mode);
        if self.0.lie == Lie::PlanningMakesTables {
            let new = |table: &&Arc<TableSchema>| !lock(&self.0.place.seen).contains_key(&table.name);
            let new: Vec<_> = tables.iter().filter(new).collect();
            self.0.change(|seen| seen.extend(new.into_iter().map(|table| (table.name.clone(), made(table)))));
        }
        Ok(plans)
    }

    async fn migrate(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
        let mode = if self.0.lie == Lie::ChangesTypesUnasked { MigrateMode::Forced } else { mode };
        let plans = self.0.plans(tables, mode);
        plan::check("memory", &plans, "place")?;
        self.0.change(|seen| {
            for (schema, plan) in tables.iter().zip(plans) {
                for change in plan.changes {
                    match change {
                        Change::Create { .. } | Change::Replace { .. } => {
                            seen.insert(schema.name.clone(), made(schema));
                        }
                        Change::Add { column, kind } => {
                            let table = seen.entry(schema.name.clone()).or_default();
                            let column = FoundColumn { name: column, kind, not_null: false, default: false };
                            table.found.columns.push(column);
                        }
                        Change::Widen { column, to, .. } => {
                            let table = seen.entry(schema.name.clone()).or_default();
                            let found = table.found.columns.iter_mut().find(|found| found.name == column);
                            found.unwrap().kind = to;
                            table.rows.iter_mut().for_each(|row| drop(Arc::make_mut(row).insert(column.clone(), None)));
                        }
                        _ => {}
                    }
                }
                if self.0.lie == Lie::ForgetsWhereTablesAreMadeReadyAgain {
                    seen.entry(schema.name.clone()).or_default().rows.clear();
                }
            }
        });
        Ok(())
    }

    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>> {
        check_unit(self.0.lie, &part)?;
        let share = self.0.pool.get_or_init(Pool::default).share();
        Ok(Box::new(Writer::new(self.0.clone(), share, part)))
    }

    async fn delete(&self, table: &Arc<TableSchema>, matching: RecordBatch) -> Result<u64> {
        let mut named: BTreeSet<Row> = rows_of(&matching).into_iter().collect();
        if self.0.lie == Lie::DeletesByTheFirstColumn {
            named = named.into_iter().map(|row| row.into_iter().take(1).collect()).collect();
        }
        let mut deleted = 0;
        self.0.change(|seen| {
            let rows = &mut seen.entry(table.name.clone()).or_default().rows;
            let before = rows.len();
            rows.retain(|row| {
                !named.iter().any(|named| named.iter().all(|(name, value)| row.get(name) == Some(value)))
            });
            deleted = (before - rows.len()) as u64;
        });
        Ok(deleted)
    }

    async fn prune(
        &self,
        table: &Arc<TableSchema>,
        source: &str,
        within: &[Range],
        sync_time: Timestamp,
    ) -> Result<u64> {
        let lie = self.0.lie;
        let within = if lie == Lie::PrunesBeyondRanges { &[] } else { within };
        let all = Part::of_source(table, source, within, sync_time);
        check_unit(lie, &all)?;
        let mut pruned = 0;
        self.0.change(|seen| {
            let rows = &mut seen.entry(table.name.clone()).or_default().rows;
            let before = rows.len();
            let old = |row: &Row| {
                let (time, now) = (row[SYNC_TIME].as_deref().unwrap(), time_text(sync_time));
                time < now.as_str() || lie == Lie::PrunesWhatIsNew && time == now
            };
            let of_source = |row: &Row| of_unit(lie, &all, row) || lie == Lie::PrunesOtherSources;
            rows.retain(|row| lie == Lie::PrunesNothing || !(of_source(row) && old(row)));
            pruned = (before - rows.len()) as u64;
        });
        Ok(pruned)
    }

    async fn close(&self) -> Result<()> {
        let late = std::mem::take(&mut *lock(&self.0.late));
        if self.0.lie != Lie::CommitsWithTheNext {
            self.0.change(|seen| late.into_iter().for_each(|work| work(seen)));
        }
        if self.0.lie == Lie::ForgetsAtTheClose {
            self.0.change(|seen| {
                for table in seen.values_mut() {
                    let last = table.rows.iter().filter_map(|row| row[SYNC_TIME].clone()).max();
                    table.rows.retain(|row| row[SYNC_TIME] != last);
                }
            });
        }
        *lock(&self.0.place.safe) = lock(&self.0.place.seen).clone();
        Ok(())
    }
}

/// The destination under test.
pub struct Liar(Arc<Place>, Lie);

impl Liar {
    /// One that tells a lie.
    pub fn new(lie: Lie) -> Self {
        Self(Arc::default(), lie)
    }
}

#[async_trait]
impl Subject for Liar {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn open(&self) -> Box<dyn Destination> {
        Box::new(Memory(Inner { place: Arc::clone(&self.0), lie: self.1, late: Arc::default(), pool: Arc::default() }))
    }

    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>> {
        if self.1 == Lie::CommitsALittleLater {
            tokio::time::sleep(LONGER).await;
        }
        let seen = lock(&self.0.seen);
        let Some(found) = seen.get(&table.name) else { return Vec::new() };
        let value = |row: &Row, name: &str| row.get(name).cloned().flatten();
        found.rows.iter().map(|row| table.columns.iter().map(|column| value(row, &column.name)).collect()).collect()
    }
}
