//! How fast rows of ten mixed columns come into DuckDB: the first time, again with the same keys, and added.
//!
//! `HEADWATER_LIBDUCKDB=… cargo run --release -p headwater-adbc --example speed -- [MILLION_ROWS] [PARTS] [MEBIBYTES]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use headwater_adbc::duckdb::{Spec, destination};
use headwater_sdk::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use headwater_sdk::arrow::datatypes::{DataType, TimeUnit};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{
    Budget, Column, ColumnType, Destination, Outcome, Part, Scopes, TableSchema, Timestamp, WriteMode,
};

const ROWS: i64 = 10_000;

/// Ten columns: those that every table has, and six more.
fn table() -> TableSchema {
    let kinds = [
        ("arn", DataType::Utf8),
        ("size", DataType::Int64),
        ("price", DataType::Decimal128(18, 2)),
        ("load", DataType::Float64),
        ("day", DataType::Date32),
        ("created", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("state", DataType::Utf8),
        ("count", DataType::Int32),
        ("public", DataType::Boolean),
        ("tag", DataType::Utf8),
    ];
    let columns = kinds.into_iter().map(|(name, kind)| {
        let mut column = Column::new(name, ColumnType::plain(kind), "A column.");
        (column.key, column.nullable) = (name == "arn", name != "arn");
        column
    });
    TableSchema::new("mixed", "", None, Scopes::SINGLE, columns.collect())
}

fn batch(table: &TableSchema, first: i64, time: i64) -> RecordBatch {
    let rows = || first..first + ROWS;
    let mixed = |row: i64| (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let schema = table.arrow();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "_cq_sync_time" => {
                Arc::new(TimestampMicrosecondArray::from_value(time, ROWS as usize).with_timezone("UTC"))
            }
            "_cq_source_name" => Arc::new(StringArray::from(vec!["aws"; ROWS as usize])),
            "_cq_id" => {
                let ids = rows().map(|row| (u128::from(mixed(row)) << 64 | row as u128).to_be_bytes());
                Arc::new(FixedSizeBinaryArray::try_from_iter(ids).unwrap())
            }
            "arn" => {
                let arn = |row| format!("arn:aws:ec2:eu-west-1:123456789012:instance/i-{:016x}", mixed(row));
                Arc::new(StringArray::from_iter_values(rows().map(arn)))
            }
            "size" => Arc::new(Int64Array::from_iter_values(rows().map(|row| mixed(row) as i64 >> 20))),
            "price" => {
                let prices = rows().map(|row| i128::from(mixed(row) >> 40));
                Arc::new(Decimal128Array::from_iter_values(prices).with_precision_and_scale(18, 2).unwrap())
            }
            "load" => Arc::new(Float64Array::from_iter_values(rows().map(|row| mixed(row) as f64 / 1e9))),
            "day" => Arc::new(Date32Array::from_iter_values(rows().map(|row| (mixed(row) % 20_000) as i32))),
            "created" => {
                let times = rows().map(|row| 1_700_000_000_000_000 + (mixed(row) >> 20) as i64);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            "state" => {
                let states = rows().map(|row| ["running", "stopped", "terminated"][(mixed(row) % 3) as usize]);
                Arc::new(StringArray::from_iter_values(states))
            }
            "count" => Arc::new(Int32Array::from_iter_values(rows().map(|row| (mixed(row) % 1000) as i32))),
            "public" => Arc::new(rows().map(|row| Some(mixed(row) % 5 == 0)).collect::<BooleanArray>()),
            "tag" => Arc::new(StringArray::from_iter_values(rows().map(|row| format!("{:x}", mixed(row))))),
            _ => new_null_array(field.data_type(), ROWS as usize),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// Seconds of the processors that this process has used.
fn used() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// The most memory that this process had, in megabytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

async fn sync(destination: &dyn Destination, table: &TableSchema, mode: WriteMode, rows: i64, parts: i64, time: i64) {
    let table = Arc::new(if mode == WriteMode::Append { table.without_key() } else { table.clone() });
    destination.migrate(&[Arc::clone(&table)], MigrateMode::Forced).await.unwrap();
    // Made before, so that only what the destination does is measured.
    let of_part = rows / parts / ROWS * ROWS;
    let sample: Vec<RecordBatch> =
        (0..of_part.min(1_000_000) / ROWS).map(|at| batch(&table, at * ROWS, time)).collect();
    let (began, before) = (Instant::now(), used());
    let (mut written, mut made) = (0, 0.0);
    for number in 0..parts {
        let part = Part {
            table: Arc::clone(&table),
            source: "aws".to_owned(),
            scope: number.to_string(),
            predicate: Vec::new(),
            ranges: Vec::new(),
            sync_time: Timestamp(time),
            // All parts are of one unit here, so the stale rows go with the last.
            mode: if mode == WriteMode::OverwriteDeleteStale && number + 1 < parts {
                WriteMode::Overwrite
            } else {
                mode
            },
            resumed: false,
            rejects: None,
        };
        let mut writer = destination.begin(part).await.unwrap();
        for at in 0..of_part / ROWS {
            let first = number * of_part + at * ROWS;
            let rows = match sample.get(at as usize).filter(|_| number == 0) {
                Some(rows) => rows.clone(),
                None => {
                    let began = used();
                    let rows = batch(&table, first, time);
                    made += used() - began;
                    rows
                }
            };
            writer.write(rows).await.unwrap();
        }
        written += writer.commit(Outcome::Complete).await.unwrap().written;
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{:24} {written:>9} rows in {seconds:6.2} s: {:>9.0} rows/s; {:6.2} s of the processors (some {made:.1} s of it for \
         making rows); at most {} MB",
        mode.as_str(),
        written as f64 / seconds,
        used() - before,
        most_memory()
    );
}

#[tokio::main]
async fn main() {
    let arguments: Vec<i64> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let number = |index: usize, default: i64| arguments.get(index).copied().unwrap_or(default);
    let (rows, parts, memory) = (number(0, 1) * 1_000_000, number(1, 1), number(2, 512));
    let folder = tempfile::tempdir_in(".").unwrap();
    let connection_string = folder.path().join("speed.duckdb").display().to_string();
    let destination = destination(Spec { connection_string, ..Spec::default() }).unwrap();
    let budget = Budget::new((memory as u64) << 20);
    destination.use_memory(&budget);
    let table = table();
    println!("{rows} rows in {parts} parts, a budget of {memory} MiB; before: {} MB", most_memory());
    let mode = WriteMode::OverwriteDeleteStale;
    sync(&*destination, &table, mode, rows, parts, 0).await;
    sync(&*destination, &table, mode, rows, parts, 3_600_000_000).await;
    sync(&*destination, &table, WriteMode::Append, rows, parts, 0).await;
    sync(&*destination, &table, WriteMode::Append, rows, parts, 3_600_000_000).await;
    let began = Instant::now();
    destination.close().await.unwrap();
    println!("closed in {:.2?}; the budget's peak was {} MB", began.elapsed(), budget.peak() >> 20);
}
