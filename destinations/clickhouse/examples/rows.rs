//! How fast rows come in: batches of 8192 rows of ten mixed columns besides those of every table, as one unit.
//!
//! `cargo run --release -p headwater-clickhouse --example rows -- URL MILLIONS [upsert|append] [none|zstd] [BUDGET_MIB]`
//!
//! Without a server at hand, `local` as URL starts one of the tests, with the Python of `HEADWATER_TEST_PYTHON`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use headwater_clickhouse::{Compression, Spec, destination};
use headwater_e2e::LocalClickhouse;
use headwater_sdk::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::scope::Scopes;
use headwater_sdk::{Budget, Column, ColumnType, Extension, Outcome, Part, TableSchema, Timestamp, WriteMode};

const ROWS: usize = 8192;

fn table() -> TableSchema {
    let plain = |name: &str, kind: DataType| Column::new(name, ColumnType::plain(kind), "A column.");
    let mut key = plain("id", DataType::Int64);
    (key.key, key.nullable) = (true, false);
    let columns = vec![
        key,
        plain("number", DataType::Int32),
        plain("ratio", DataType::Float64),
        plain("flag", DataType::Boolean),
        plain("name", DataType::Utf8),
        plain("kind", DataType::Utf8),
        plain("price", DataType::Decimal128(18, 4)),
        plain("day", DataType::Date32),
        Column::new("tags", ColumnType::of(Extension::Json), "A column."),
        Column::new("token", ColumnType::of(Extension::Uuid), "A column."),
    ];
    TableSchema::new("rows", "Rows.", None, Scopes::SINGLE, columns)
}

/// Numbers that look random (<https://prng.di.unimi.it/splitmix64.c>).
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

fn batch(table: &TableSchema, number: usize, time: Timestamp) -> RecordBatch {
    let first = (number * ROWS) as u64;
    let numbers = |salt: u64| (0..ROWS as u64).map(move |row| mixed((first + row) * 31 + salt));
    let uuids = |salt| {
        let bytes = numbers(salt).map(|number| (u128::from(number) << 64 | u128::from(!number)).to_be_bytes());
        Arc::new(FixedSizeBinaryArray::try_from_iter(bytes).unwrap()) as ArrayRef
    };
    let schema = table.arrow();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "_cq_sync_time" => Arc::new(TimestampMicrosecondArray::from_value(time.0, ROWS).with_timezone("UTC")),
            "_cq_source_name" => Arc::new(StringArray::from(vec!["bench"; ROWS])),
            "_cq_id" => uuids(1),
            "_cq_parent_id" => new_null_array(field.data_type(), ROWS),
            "id" => Arc::new(Int64Array::from_iter_values((first..).take(ROWS).map(|row| row as i64))),
            "number" => Arc::new(Int32Array::from_iter_values(numbers(2).map(|number| number as i32))),
            "ratio" => Arc::new(Float64Array::from_iter_values(numbers(3).map(|number| number as f64 / 7.0))),
            "flag" => {
                Arc::new(BooleanArray::from_iter(numbers(4).map(|number| (number % 7 > 0).then_some(number % 2 == 0))))
            }
            "name" => Arc::new(StringArray::from_iter_values(numbers(5).map(|number| format!("name {number:016x}")))),
            "kind" => Arc::new(StringArray::from_iter_values(numbers(6).map(|number| format!("kind {}", number % 10)))),
            "price" => {
                let prices = Decimal128Array::from_iter_values(numbers(7).map(|number| i128::from(number >> 20)));
                Arc::new(prices.with_precision_and_scale(18, 4).unwrap())
            }
            "day" => Arc::new(Date32Array::from_iter_values(numbers(8).map(|number| (number % 20_000) as i32))),
            "tags" => Arc::new(BinaryArray::from_iter_values(
                numbers(9).map(|number| format!("{{\"a\":{},\"b\":[1,2]}}", number % 1000)),
            )),
            _ => uuids(10),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// A number of a process's status, such as `VmHWM`, in MiB.
fn mebibytes(process: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).cloned().unwrap_or(default.to_owned());
    let local = (argument(0, "local") == "local").then(|| LocalClickhouse::start().unwrap());
    let connection_string = local.as_ref().map_or(argument(0, ""), LocalClickhouse::url);
    let total = argument(1, "1").parse::<usize>().unwrap() * 1_000_000;
    let append = argument(2, "upsert") == "append";
    let compression = if argument(3, "none") == "zstd" { Compression::Zstd } else { Compression::None };
    let budget = Budget::new(argument(4, "512").parse::<u64>().unwrap() << 20);

    let destination = destination(Spec { connection_string, compression, ..Spec::default() }).unwrap();
    destination.use_memory(&budget);
    let keyed = table();
    let (mode, table) = match append {
        true => (WriteMode::Append, Arc::new(keyed.without_key())),
        false => (WriteMode::OverwriteDeleteStale, Arc::new(keyed)),
    };
    destination.migrate(&[Arc::clone(&table)], MigrateMode::Forced).await.unwrap();
    for (sync, what) in ["into an empty table", "over the same rows"].into_iter().enumerate() {
        let time = Timestamp(1_795_251_542_000_000 + sync as i64 * 1_000_000);
        let part = Part {
            table: Arc::clone(&table),
            source: "bench".to_owned(),
            scope: String::new(),
            predicate: Vec::new(),
            ranges: Vec::new(),
            sync_time: time,
            mode,
            resumed: false,
            rejects: None,
        };
        let mut writer = destination.begin(part).await.unwrap();
        let (mut made, began) = (std::time::Duration::ZERO, Instant::now());
        for number in 0..total.div_ceil(ROWS) {
            let start = Instant::now();
            let batch = batch(&table, number, time);
            let batch = batch.slice(0, ROWS.min(total - number * ROWS));
            made += start.elapsed();
            writer.write(batch).await.unwrap();
        }
        let (sent, before) = (began.elapsed() - made, Instant::now());
        let done = writer.commit(Outcome::Complete).await.unwrap();
        let (committed, all) = (before.elapsed(), began.elapsed() - made);
        println!(
            "{what}: {} rows in {all:.2?} (sent in {sent:.2?}, made visible in {committed:.2?}), {:.0} rows/s; \
             VmHWM {} MiB, budget peak {} MiB",
            done.written,
            done.written as f64 / all.as_secs_f64(),
            mebibytes("self", "VmHWM"),
            budget.peak() >> 20,
        );
    }
    destination.close().await.unwrap();
    if let Some(process) = local.as_ref().and_then(LocalClickhouse::process) {
        println!("the server: VmHWM {} MiB", mebibytes(&process.to_string(), "VmHWM"));
    }
}
