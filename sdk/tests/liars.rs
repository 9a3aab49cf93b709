//! The acceptance suite itself: a destination in memory that does all that it says passes every case, and each that says
//! something else than it does is found out.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::FutureExt;
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::{self, Change, Dialect, FoundColumn, FoundTable};
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::testing::things::time_text;
use headwater_sdk::testing::{Subject, cases};
use headwater_sdk::{
    ColumnType, Committed, Destination, Outcome, Part, PartWriter, Result, Stored, TablePlan, TableSchema, WriteMode,
    async_trait, futures, plain,
};

/// What a destination says without doing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    /// A commit is acknowledged, and done when the destination is closed.
    CommitsAtTheClose,
    /// What was committed is seen, and gone if the process ends without a close.
    ForgetsWithoutAClose,
    /// A commit is acknowledged, and done by the next one.
    CommitsWithTheNext,
    /// The close forgets the last commit.
    ForgetsAtTheClose,
    VisibleBeforeTheCommit,
    KeepsWhatWasDropped,
    LosesTheLastBatch,
    LosesLargeParts,
    CountsEveryRow,
    TheFirstOfEqualKeysStays,
    KeepsStaleRows,
    RemovesOtherUnits,
    RemovesOnPartial,
    DoublesWhatIsResumed,
    RoundsNumbers,
    TrimsText,
    CutsLargeCells,
    CutsColumns,
    ForgetsWhereTablesAreMadeReadyAgain,
    ChangesTypesUnasked,
    PlansNothing,
    PlanningMakesTables,
    DeletesByTheFirstColumn,
}

const LIES: [Lie; 23] = [
    Lie::CommitsAtTheClose,
    Lie::ForgetsWithoutAClose,
    Lie::CommitsWithTheNext,
    Lie::ForgetsAtTheClose,
    Lie::VisibleBeforeTheCommit,
    Lie::KeepsWhatWasDropped,
    Lie::LosesTheLastBatch,
    Lie::LosesLargeParts,
    Lie::CountsEveryRow,
    Lie::TheFirstOfEqualKeysStays,
    Lie::KeepsStaleRows,
    Lie::RemovesOtherUnits,
    Lie::RemovesOnPartial,
    Lie::DoublesWhatIsResumed,
    Lie::RoundsNumbers,
    Lie::TrimsText,
    Lie::CutsLargeCells,
    Lie::CutsColumns,
    Lie::ForgetsWhereTablesAreMadeReadyAgain,
    Lie::ChangesTypesUnasked,
    Lie::PlansNothing,
    Lie::PlanningMakesTables,
    Lie::DeletesByTheFirstColumn,
];

/// The values of a row by the names of their columns.
type Row = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone, Default)]
struct Table {
    found: FoundTable,
    rows: Vec<Row>,
}

type Tables = BTreeMap<String, Table>;

/// What everyone can see, and what is safe; they are the same where nobody lies.
#[derive(Default)]
struct Place {
    seen: Mutex<Tables>,
    safe: Mutex<Tables>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The destination; it goes away without a word where it is not closed.
struct Memory(Inner);

#[derive(Clone)]
struct Inner {
    place: Arc<Place>,
    lie: Lie,
    /// What was acknowledged and is not done yet.
    late: Arc<Mutex<Vec<Work>>>,
}

type Work = Box<dyn FnOnce(&mut Tables) + Send>;

struct Types;

impl Dialect for Types {
    fn type_of(&self, kind: &ColumnType) -> String {
        kind.name()
    }
}

impl Inner {
    fn change(&self, work: impl FnOnce(&mut Tables)) {
        let mut seen = lock(&self.place.seen);
        work(&mut seen);
        if self.lie != Lie::ForgetsWithoutAClose {
            *lock(&self.place.safe) = seen.clone();
        }
    }

    fn plans(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Vec<TablePlan> {
        let seen = lock(&self.place.seen);
        let found = |table: &str| seen.get(table).map(|table| &table.found);
        tables.iter().map(|table| plan::compare(&Types, table, found(&table.name), mode)).collect()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let safe = lock(&self.0.place.safe).clone();
        *lock(&self.0.place.seen) = safe;
    }
}

fn made(schema: &TableSchema) -> Table {
    let columns = schema.columns.iter().map(|column| FoundColumn {
        name: column.name.clone(),
        kind: column.kind.name(),
        not_null: Types.not_null(column),
        default: false,
    });
    let key = schema.key().into_iter().map(str::to_owned).collect();
    Table { found: FoundTable { columns: columns.collect(), key }, rows: Vec::new() }
}

#[async_trait]
impl Destination for Memory {
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
        Ok(Box::new(Writer { memory: self.0.clone(), part, batches: Vec::new(), dropped: true }))
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

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let mut rows = vec![Row::new(); batch.num_rows()];
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let texts = plain::text(field, array).unwrap();
        for (row, text) in rows.iter_mut().zip(texts.iter()) {
            row.insert(field.name().clone(), text.map(str::to_owned));
        }
    }
    rows
}

struct Writer {
    memory: Inner,
    part: Part,
    batches: Vec<Vec<Row>>,
    /// Until it is committed.
    dropped: bool,
}

impl Writer {
    fn spoil(&self, rows: &mut [Row]) {
        let text = |rows: &mut [Row], change: fn(&str) -> String| {
            let texts = rows.iter_mut().filter_map(|row| row.get_mut("text")).flatten();
            texts.for_each(|text| *text = change(text));
        };
        match self.memory.lie {
            Lie::RoundsNumbers => {
                for number in rows.iter_mut().filter_map(|row| row.get_mut("number")).flatten() {
                    *number = number.parse::<i64>().map_or_else(|_| number.clone(), |n| (n as f64 as i64).to_string());
                }
            }
            Lie::TrimsText => text(rows, |text| text.trim_end().to_owned()),
            Lie::CutsLargeCells => text(rows, |text| text.chars().take(65_535).collect()),
            Lie::CutsColumns => {
                rows.iter_mut().for_each(|row| row.retain(|name, _| name.len() < 5 || !name.starts_with('c')))
            }
            _ => {}
        }
    }
}

#[async_trait]
impl PartWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let mut rows = rows_of(&batch);
        self.spoil(&mut rows);
        if self.memory.lie == Lie::VisibleBeforeTheCommit {
            self.memory.change(|seen| seen.entry(self.part.table.name.clone()).or_default().rows.extend(rows.clone()));
        }
        self.batches.push(rows);
        Ok(())
    }

    async fn commit(mut self: Box<Self>, outcome: Outcome) -> Result<Committed> {
        self.dropped = false;
        let (memory, lie) = (self.memory.clone(), self.memory.lie);
        if lie == Lie::LosesTheLastBatch && self.batches.len() > 1 {
            self.batches.pop();
        }
        let mut rows = std::mem::take(&mut self.batches).concat();
        if lie == Lie::LosesLargeParts {
            rows.truncate(400);
        }
        let part = self.part.clone();
        let key = part.table.key().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let key_of = move |row: &Row| key.iter().map(|name| row.get(name).cloned().flatten()).collect::<Vec<_>>();
        let all = rows.len() as u64;
        if !part.adds() {
            let mut last: BTreeMap<_, Row> = BTreeMap::new();
            for row in rows {
                match lie {
                    Lie::TheFirstOfEqualKeysStays => drop(last.entry(key_of(&row)).or_insert(row)),
                    _ => drop(last.insert(key_of(&row), row)),
                }
            }
            rows = last.into_values().collect();
        }
        let written = if lie == Lie::CountsEveryRow { all } else { rows.len() as u64 };
        let count = Arc::new(Mutex::new(0));
        let deleted = Arc::clone(&count);
        let work = move |seen: &mut Tables| {
            let table = seen.entry(part.table.name.clone()).or_default();
            let time = Some(time_text(part.sync_time));
            let of_unit = |row: &Row| {
                let is = |name: &str, value: &str| row.get(name).is_some_and(|held| held.as_deref() == Some(value));
                let in_unit = part.predicate.iter().all(|(name, value)| is(name, value));
                is(SOURCE_NAME, &part.source) && (in_unit || lie == Lie::RemovesOtherUnits)
            };
            if part.resumed && part.adds() && lie != Lie::DoublesWhatIsResumed {
                table.rows.retain(|row| !(of_unit(row) && row[SYNC_TIME] == time));
            }
            let new: BTreeSet<_> = rows.iter().map(&key_of).collect();
            if !part.adds() {
                table.rows.retain(|row| !new.contains(&key_of(row)));
            }
            let before = table.rows.len();
            let complete = outcome == Outcome::Complete || lie == Lie::RemovesOnPartial;
            if complete && part.mode == WriteMode::OverwriteDeleteStale && lie != Lie::KeepsStaleRows {
                table.rows.retain(|row| !of_unit(row));
            }
            *lock(&deleted) = (before - table.rows.len()) as u64;
            table.rows.extend(rows);
        };
        match lie {
            Lie::CommitsAtTheClose => lock(&memory.late).push(Box::new(work)),
            Lie::CommitsWithTheNext => {
                let late = std::mem::replace(&mut *lock(&memory.late), vec![Box::new(work)]);
                memory.change(|seen| late.into_iter().for_each(|work| work(seen)));
            }
            _ => memory.change(work),
        }
        let deleted = *lock(&count);
        Ok(Committed { written, deleted, ..Committed::default() })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.dropped && self.memory.lie == Lie::KeepsWhatWasDropped {
            let rows = std::mem::take(&mut self.batches).concat();
            self.memory.change(|seen| seen.entry(self.part.table.name.clone()).or_default().rows.extend(rows));
        }
    }
}

struct Liar(Arc<Place>, Lie);

#[async_trait]
impl Subject for Liar {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn open(&self) -> Box<dyn Destination> {
        Box::new(Memory(Inner { place: Arc::clone(&self.0), lie: self.1, late: Arc::default() }))
    }

    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>> {
        let seen = lock(&self.0.seen);
        let Some(found) = seen.get(&table.name) else { return Vec::new() };
        let value = |row: &Row, name: &str| row.get(name).cloned().flatten();
        found.rows.iter().map(|row| table.columns.iter().map(|column| value(row, &column.name)).collect()).collect()
    }
}

type Case = (&'static str, for<'a> fn(&'a dyn Subject) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>);

macro_rules! list {
    ($($case:ident,)*) => {
        vec![$({
            fn case(subject: &dyn Subject) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
                Box::pin(cases::$case(subject))
            }
            (stringify!($case), case as _)
        }),*]
    };
}

fn all_cases() -> Vec<Case> {
    headwater_sdk::acceptance_cases! { list! {} }
}

/// The first case that a destination fails.
async fn failed(lie: Lie) -> Option<&'static str> {
    for (name, case) in all_cases() {
        let subject = Liar(Arc::default(), lie);
        if AssertUnwindSafe(case(&subject)).catch_unwind().await.is_err() {
            return Some(name);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_what_it_says_passes() {
    assert!(all_cases().len() > 20);
    assert_eq!(failed(Lie::None).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lie_is_found_out() {
    // What the cases say of the liars is not of interest.
    std::panic::set_hook(Box::new(|_| {}));
    let mut believed = Vec::new();
    for lie in LIES {
        if failed(lie).await.is_none() {
            believed.push(lie);
        }
    }
    let _ = std::panic::take_hook();
    assert_eq!(believed, []);
}

/// A history that goes wrong is told as short as it can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_is_made_short() {
    let liar = Liar(Arc::default(), Lie::RoundsNumbers);
    let told = AssertUnwindSafe(cases::random_histories(&liar)).catch_unwind().await.unwrap_err();
    let told = told.downcast::<String>().unwrap();
    assert!(told.contains("seed") && told.contains("should not be there"), "{told}");
    let (steps, rows) = (told.matches("Write {").count(), told.matches("Item {").count());
    // The step is told once as the one at which it went wrong; the row also as the one expected and the one seen.
    assert!(steps <= 2 && rows <= 4, "{told}");
}
