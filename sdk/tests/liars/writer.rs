//! The part of a destination in memory, from its first row to its commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_sdk::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::{DataType, Schema, TimeUnit, UInt64Type};
use headwater_sdk::pool::{Share, batch_bytes};
use headwater_sdk::schema::SYNC_TIME;
use headwater_sdk::testing::fidelity::texts;
use headwater_sdk::testing::things::time_text;
use headwater_sdk::{Committed, Outcome, Part, PartWriter, Result, WriteMode, async_trait};

use super::Lie;
use super::memory::{Inner, MOMENT, Row, Tables, lock};
use super::unit::of_unit;

/// The rows of a batch.
pub fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let mut rows = vec![Row::new(); batch.num_rows()];
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        for (row, text) in rows.iter_mut().zip(texts(field, array).unwrap()) {
            row.insert(field.name().clone(), text);
        }
    }
    rows
}

/// Writes one part.
pub struct Writer {
    memory: Inner,
    part: Part,
    share: Share,
    /// Rows that were handed on.
    waiting: Option<Vec<Row>>,
    batches: Vec<Vec<Row>>,
    /// Until it is committed.
    dropped: bool,
}

/// A column whose values are not what they were.
fn narrowed(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>().iter();
            Arc::new(values.map(|value| value.map(|value| value as i64)).collect::<Int64Array>())
        }
        kind @ DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let short = cast(array, &DataType::Timestamp(TimeUnit::Millisecond, zone.clone())).unwrap();
            cast(&short, kind).unwrap()
        }
        _ => Arc::clone(array),
    }
}

/// A batch whose values are not what they were; a type is another, too.
fn narrow(batch: &RecordBatch) -> RecordBatch {
    let arrays: Vec<ArrayRef> = batch.columns().iter().map(narrowed).collect();
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(&arrays);
    let fields = fields.map(|(field, array)| field.as_ref().clone().with_data_type(array.data_type().clone()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays).unwrap()
}

impl Writer {
    /// A part without rows.
    pub fn new(memory: Inner, share: Share, part: Part) -> Self {
        Self { memory, part, share, waiting: None, batches: Vec::new(), dropped: true }
    }

    /// The columns by which rows are told.
    fn key(&self) -> Vec<String> {
        let mut key: Vec<String> = self.part.table.key().into_iter().map(str::to_owned).collect();
        match self.memory.lie {
            Lie::KeyIsTheFirstColumn => key.truncate(1),
            Lie::KeyIsTheLastColumn => drop(key.drain(..key.len().saturating_sub(1))),
            Lie::ReplacesWhatHasNoKey if self.part.adds() => key = vec!["name".to_owned()],
            _ => {}
        }
        key
    }

    /// Whether a row that comes again is another row.
    fn adds(&self) -> bool {
        let replaces = self.memory.lie == Lie::ReplacesWhatHasNoKey && self.part.mode != WriteMode::Append;
        self.part.adds() && !replaces
    }

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
        let lie = self.memory.lie;
        let mut rows = if lie == Lie::Narrows { rows_of(&narrow(&batch)) } else { rows_of(&batch) };
        self.spoil(&mut rows);
        if self.memory.lie == Lie::VisibleBeforeTheCommit {
            self.memory.change(|seen| {
                seen.entry(self.part.table.name.clone()).or_default().rows.extend(rows.iter().cloned().map(Arc::new))
            });
        }
        self.batches.push(rows);
        self.share.set(self.share.bytes() + batch_bytes(&batch));
        if self.share.is_enough() {
            let rows = std::mem::take(&mut self.batches).concat();
            match &mut self.waiting {
                None if lie == Lie::LosesWhatHasWaited => self.waiting = Some(Vec::new()),
                waiting => waiting.get_or_insert_default().extend(rows),
            }
            self.share.set(0);
        }
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
        let (part, adds, key) = (self.part.clone(), self.adds(), self.key());
        let key_of = move |row: &Row| key.iter().map(|name| row.get(name).cloned().flatten()).collect::<Vec<_>>();
        let waited = self.waiting.take().unwrap_or_default();
        let apart = if lie == Lie::DoublesWhatHasWaited { waited.clone() } else { Vec::new() };
        if apart.is_empty() {
            rows = [waited, rows].concat();
        }
        let all = rows.len() as u64;
        if !adds {
            let mut last: BTreeMap<_, Row> = BTreeMap::new();
            for row in rows {
                match lie {
                    Lie::TheFirstOfEqualKeysStays => drop(last.entry(key_of(&row)).or_insert(row)),
                    _ => drop(last.insert(key_of(&row), row)),
                }
            }
            rows = last.into_values().collect();
        }
        if lie == Lie::JoinsEqualRows && part.table.key().is_empty() {
            rows = rows.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        }
        rows.extend(apart);
        let written = if lie == Lie::CountsEveryRow { all } else { rows.len() as u64 };
        let remove = {
            let (part, new) = (part.clone(), rows.iter().map(&key_of).collect::<BTreeSet<_>>());
            move |seen: &mut Tables| {
                let table = seen.entry(part.table.name.clone()).or_default();
                let time = Some(time_text(part.sync_time));
                let of_unit = |row: &Row| of_unit(lie, &part, row);
                let all = table.rows.len();
                if part.resumed && adds && lie != Lie::DoublesWhatIsResumed {
                    table.rows.retain(|row| !(of_unit(row) && row[SYNC_TIME] == time));
                }
                if !adds {
                    table.rows.retain(|row| !new.contains(&key_of(row)));
                }
                let before = table.rows.len();
                let complete = outcome == Outcome::Complete || lie == Lie::RemovesOnPartial;
                if complete && part.mode == WriteMode::OverwriteDeleteStale && lie != Lie::KeepsStaleRows {
                    table.rows.retain(|row| !of_unit(row));
                }
                let before = if lie == Lie::CountsWhatIsReplaced { all } else { before };
                (before - table.rows.len()) as u64
            }
        };
        let deleted = remove(&mut lock(&memory.place.seen).clone());
        let name = part.table.name.clone();
        let add = move |seen: &mut Tables, rows: Vec<Row>| {
            seen.entry(name.clone()).or_default().rows.extend(rows.into_iter().map(Arc::new));
        };
        match lie {
            Lie::CommitsInTwoSteps => {
                let last = rows.pop();
                memory.change(|seen| {
                    remove(seen);
                    add(seen, rows);
                });
                tokio::time::sleep(MOMENT).await;
                memory.change(|seen| add(seen, last.into_iter().collect()));
            }
            Lie::RemovesBeforeItAdds => {
                memory.change(|seen| {
                    remove(seen);
                });
                tokio::time::sleep(MOMENT).await;
                memory.change(|seen| add(seen, rows));
            }
            _ => {
                let work = move |seen: &mut Tables| {
                    remove(seen);
                    add(seen, rows);
                };
                memory.take_over(Box::new(work));
            }
        }
        Ok(Committed { written, deleted, ..Committed::default() })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.dropped && self.memory.lie == Lie::KeepsWhatWasDropped {
            let rows = std::mem::take(&mut self.batches).concat();
            self.memory.change(|seen| {
                seen.entry(self.part.table.name.clone()).or_default().rows.extend(rows.into_iter().map(Arc::new))
            });
        }
    }
}
