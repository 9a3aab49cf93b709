//! The rows: a table of ten mixed columns, TPC-H's lineitem, and six narrow columns. They are made before anything is
//! measured, as a ring of batches, of which only what tells a row from others is made anew.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float64Array, Int32Array, Int64Array, RecordBatch, RecordBatchReader, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use headwater_sdk::arrow::error::ArrowError;
use headwater_sdk::schema::Extension;
use headwater_sdk::{Column, ColumnType, Scopes, TableSchema, Timestamp, Uuid};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tpchgen::generators::LineItemGenerator;
use tpchgen_arrow::LineItemArrow;

/// Rows of a batch.
const ROWS: usize = 8192;
/// Batches in the ring.
const RING: usize = 16;

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Ten columns: integers, a decimal, a float, texts, a boolean, times, JSON; one of them is the key.
    Mixed,
    /// TPC-H's lineitem: sixteen columns, four of them decimals.
    Lineitem,
    /// Six narrow columns.
    Narrow,
}

/// Rows without end.
pub struct Data {
    /// Their table.
    pub table: TableSchema,
    ring: Vec<RecordBatch>,
    /// A file that is read instead.
    file: Option<PathBuf>,
    /// The columns that are made anew: sync time, source, id, parent, and the key.
    key: usize,
}

/// Numbers that look random (<https://prng.di.unimi.it/splitmix64.c>).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn id_of(row: u64) -> [u8; 16] {
    Uuid::from_u64_pair(mixed(row), mixed(!row)).into_bytes()
}

fn column(name: &str, kind: DataType, nullable: bool) -> Column {
    let mut column = Column::new(name, ColumnType::plain(kind), "A column.");
    column.nullable = nullable;
    column
}

impl Kind {
    fn columns(self) -> Vec<Column> {
        let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let mut columns = match self {
            Kind::Mixed => vec![
                column("id", DataType::Int64, false),
                column("account", DataType::Utf8, false),
                column("name", DataType::Utf8, false),
                column("amount", DataType::Decimal128(18, 2), false),
                column("ratio", DataType::Float64, true),
                column("size", DataType::Int32, true),
                column("active", DataType::Boolean, false),
                column("created", time(), true),
                column("day", DataType::Date32, true),
                Column::new("tags", ColumnType::of(Extension::Json), "A column."),
            ],
            Kind::Narrow => vec![
                column("id", DataType::Int64, false),
                column("a", DataType::Int64, false),
                column("b", DataType::Float64, false),
                column("c", DataType::Int32, true),
                column("d", DataType::Boolean, false),
                column("e", DataType::Utf8, false),
            ],
            Kind::Lineitem => {
                let schema = LineItemArrow::new(LineItemGenerator::new(0.001, 1, 1)).schema();
                let plain = |kind: &DataType| match kind {
                    DataType::Utf8View => DataType::Utf8,
                    other => other.clone(),
                };
                schema.fields().iter().map(|field| column(field.name(), plain(field.data_type()), false)).collect()
            }
        };
        if let Some(key) = columns.first_mut() {
            key.key = true;
        }
        for column in columns.iter_mut().filter(|column| column.name == "l_linenumber") {
            column.key = true;
        }
        columns
    }

    fn batch(self, first: u64) -> Vec<ArrayRef> {
        let numbers = |salt: u64| (first..first + ROWS as u64).map(move |row| mixed(row * 31 + salt));
        let some = |number: u64| !number.is_multiple_of(5);
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(first as i64..(first + ROWS as u64) as i64));
        match self {
            Kind::Mixed => vec![
                ids,
                Arc::new(StringArray::from_iter_values(numbers(1).map(|number| format!("{:012}", number % 300)))),
                Arc::new(StringArray::from_iter_values(numbers(2).map(|number| format!("name-{number:016x}")))),
                Arc::new(
                    Decimal128Array::from_iter_values(numbers(3).map(|number| i128::from(number % 10_000_000)))
                        .with_data_type(DataType::Decimal128(18, 2)),
                ),
                Arc::new(Float64Array::from_iter(numbers(4).map(|number| some(number).then(|| number as f64 / 1e18)))),
                Arc::new(Int32Array::from_iter(
                    numbers(5).map(|number| some(number).then_some((number % 5000) as i32)),
                )),
                Arc::new(BooleanArray::from_iter(numbers(6).map(|number| Some(number.is_multiple_of(2))))),
                Arc::new(
                    TimestampMicrosecondArray::from_iter(numbers(7).map(|number| {
                        some(number).then_some(1_700_000_000_000_000 + (number % 100_000_000_000_000) as i64)
                    }))
                    .with_timezone("UTC"),
                ),
                Arc::new(Date32Array::from_iter(
                    numbers(8).map(|number| some(number).then_some((number % 20_000) as i32)),
                )),
                Arc::new(BinaryArray::from_iter(numbers(9).map(|number| {
                    some(number).then(|| format!("{{\"team\": \"team-{}\", \"cost\": {}}}", number % 40, number % 1000))
                }))),
            ],
            Kind::Narrow => vec![
                ids,
                Arc::new(Int64Array::from_iter_values(numbers(1).map(|number| (number % 1_000_000) as i64))),
                Arc::new(Float64Array::from_iter_values(numbers(2).map(|number| number as f64 / 1e18))),
                Arc::new(Int32Array::from_iter(
                    numbers(3).map(|number| some(number).then_some((number % 5000) as i32)),
                )),
                Arc::new(BooleanArray::from_iter(numbers(4).map(|number| Some(number.is_multiple_of(2))))),
                Arc::new(StringArray::from_iter_values(numbers(5).map(|number| format!("{:08x}", number as u32)))),
            ],
            Kind::Lineitem => Vec::new(),
        }
    }
}

impl Data {
    /// The rows of a kind; a ring that was made before is read from its file.
    pub fn new(kind: Kind, name: &str, ring: Option<&Path>) -> Result<Self> {
        let table = match ring {
            Some(ring) => Self::of_file(ring, name)?.table,
            None => TableSchema::new(name, "Rows.", None, Scopes::SINGLE, kind.columns()),
        };
        let columns: Vec<Vec<ArrayRef>> = match (kind, ring) {
            (_, Some(ring)) => {
                let reader =
                    ParquetRecordBatchReaderBuilder::try_new(File::open(ring)?)?.with_batch_size(ROWS).build()?;
                reader.map(|batch| Ok(batch?.columns().to_vec())).collect::<Result<_>>()?
            }
            (Kind::Lineitem, None) => {
                let lineitem = LineItemArrow::new(LineItemGenerator::new(0.1, 1, 1)).with_batch_size(ROWS);
                let kinds: Vec<DataType> = kind.columns().into_iter().map(|column| column.kind.data_type).collect();
                let plain = |batch: Result<RecordBatch, ArrowError>| {
                    let batch = batch?;
                    let columns = batch.columns().iter().zip(&kinds);
                    columns.map(|(array, kind)| Ok(cast(array, kind)?)).collect::<Result<Vec<ArrayRef>>>()
                };
                lineitem.take(RING).map(plain).collect::<Result<_>>()?
            }
            (kind, None) => (0..RING).map(|number| kind.batch((number * ROWS) as u64)).collect(),
        };
        let schema = table.arrow();
        let ring = columns.into_iter().map(|columns| {
            let rows = columns.first().context("a batch has columns")?.len();
            let mut all: Vec<ArrayRef> =
                schema.fields().iter().take(4).map(|field| new_null_array(field.data_type(), rows)).collect();
            all[0] = Arc::new(TimestampMicrosecondArray::from_value(0, rows).with_timezone("UTC"));
            all[1] = Arc::new(StringArray::from(vec!["bench"; rows]));
            all[2] = Arc::new(FixedSizeBinaryArray::try_from_iter((0..rows).map(|_| [0_u8; 16]))?);
            all.extend(columns);
            Ok(RecordBatch::try_new(Arc::clone(&schema), all)?)
        });
        Ok(Self { table, ring: ring.collect::<Result<_>>()?, file: None, key: 4 })
    }

    /// Writes a ring to a file. Lineitem's generator holds 300 MB of text, which is no destination's.
    pub fn write_ring(kind: Kind, file: &Path) -> Result<()> {
        let data = Self::new(kind, "ring", None)?;
        let first = data.ring.first().context("a ring has batches")?;
        let own: Vec<usize> = (4..first.num_columns()).collect();
        let mut writer = ArrowWriter::try_new(File::create(file)?, first.project(&own)?.schema(), None)?;
        for batch in &data.ring {
            writer.write(&batch.project(&own)?)?;
        }
        writer.close()?;
        Ok(())
    }

    /// The rows of a Parquet file, whose first column is the key, or what was the key of a ring.
    pub fn of_file(file: &Path, name: &str) -> Result<Self> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
        let columns = reader.schema().fields().iter().enumerate().map(|(index, field)| {
            let mut column = column(field.name(), field.data_type().clone(), index > 0 && field.is_nullable());
            column.key = index == 0 || field.name() == "l_linenumber";
            column
        });
        let table = TableSchema::new(name, "Rows.", None, Scopes::SINGLE, columns.collect());
        Ok(Self { table, ring: Vec::new(), file: Some(file.to_owned()), key: 4 })
    }

    /// So many rows, as of a sync; those of a file are all that it has.
    pub fn batches(&self, rows: u64, sync_time: Timestamp) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_> {
        match &self.file {
            None => Box::new(self.of_ring(rows, sync_time)),
            Some(file) => match self.read(file, sync_time) {
                Ok(batches) => Box::new(batches),
                Err(error) => Box::new(std::iter::once(Err(error))),
            },
        }
    }

    fn read(&self, file: &Path, sync_time: Timestamp) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?.with_batch_size(ROWS).build()?;
        let schema = self.table.arrow();
        let mut done = 0;
        Ok(reader.map(move |batch| {
            let batch = batch?;
            let rows = batch.num_rows();
            let mut columns: Vec<ArrayRef> = vec![
                Arc::new(TimestampMicrosecondArray::from_value(sync_time.0, rows).with_timezone("UTC")),
                Arc::new(StringArray::from(vec!["bench"; rows])),
                Arc::new(FixedSizeBinaryArray::try_from_iter((done..done + rows as u64).map(id_of))?),
                new_null_array(schema.field(3).data_type(), rows),
            ];
            done += rows as u64;
            columns.extend_from_slice(batch.columns());
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
        }))
    }

    /// Each with a key and an identifier of its own.
    fn of_ring(&self, rows: u64, sync_time: Timestamp) -> impl Iterator<Item = Result<RecordBatch>> {
        let per_turn: u64 = self.ring.iter().map(|batch| batch.num_rows() as u64).sum();
        let mut done = 0;
        (0..).map_while(move |number: usize| {
            let batch = &self.ring[number % self.ring.len()];
            let left = rows - done;
            if left == 0 {
                return None;
            }
            let batch = batch.slice(0, batch.num_rows().min(usize::try_from(left).unwrap_or(usize::MAX)));
            let first = done;
            done += batch.num_rows() as u64;
            Some(self.renew(&batch, first, (number / self.ring.len()) as u64 * per_turn, sync_time))
        })
    }

    fn renew(&self, batch: &RecordBatch, first: u64, offset: u64, sync_time: Timestamp) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut columns = batch.columns().to_vec();
        columns[0] = Arc::new(TimestampMicrosecondArray::from_value(sync_time.0, rows).with_timezone("UTC"));
        columns[2] = Arc::new(FixedSizeBinaryArray::try_from_iter((first..first + rows as u64).map(id_of))?);
        let keys = columns[self.key].as_primitive::<Int64Type>();
        // Orders have numbers up to four times their count.
        let offset = (offset * 4) as i64;
        columns[self.key] = Arc::new(keys.unary::<_, Int64Type>(|key| key + offset));
        Ok(RecordBatch::try_new(batch.schema(), columns)?)
    }
}
