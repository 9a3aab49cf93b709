//! How much memory many open parts take: 300 parts of a table with 60 columns, 10 MB each, written in turns.
//!
//! `cargo run --release -p headwater-file --example memory -- MEBIBYTES [FORMAT] [PARTS] [BATCHES]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use headwater_file::{Format, Spec, destination};
use headwater_sdk::arrow::array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::scope::Scopes;
use headwater_sdk::{Budget, Column, Outcome, Part, RawJson, TableSchema, Timestamp, Value, WriteMode};

const ROWS: usize = 1000;

fn column<T: Value>(name: String, key: bool) -> Column {
    let mut column = Column::new(&name, T::column_type(), "A column.");
    (column.nullable, column.key) = (!key, key);
    column
}

fn table() -> TableSchema {
    let mut columns = vec![column::<String>("arn".to_owned(), true)];
    for number in 0..56 {
        let name = format!("column_{number}");
        columns.push(match number % 6 {
            0 => column::<i64>(name, false),
            1 => column::<f64>(name, false),
            2 => column::<Timestamp>(name, false),
            3 => column::<RawJson>(name, false),
            _ => column::<String>(name, false),
        });
    }
    TableSchema::new("wide", "", None, Scopes::SINGLE, columns)
}

/// Numbers that look random (<https://prng.di.unimi.it/splitmix64.c>).
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

fn batch(table: &TableSchema, part: usize, turn: usize) -> RecordBatch {
    let first = (part << 32 | turn << 16) as u64;
    let numbers = |salt: usize| (0..ROWS as u64).map(move |row| mixed(first + row * 97 + salt as u64));
    let schema = table.arrow();
    let columns = schema.fields().iter().enumerate().map(|(index, field)| -> ArrayRef {
        match field.name().as_str() {
            "_cq_sync_time" => Arc::new(TimestampMicrosecondArray::from_value(0, ROWS).with_timezone("UTC")),
            "_cq_source_name" => Arc::new(StringArray::from(vec!["aws"; ROWS])),
            "_cq_id" => {
                let ids = (0..ROWS as u64).map(|row| u128::from(first + row).to_be_bytes());
                Arc::new(FixedSizeBinaryArray::try_from_iter(ids).unwrap())
            }
            "_cq_parent_id" => new_null_array(field.data_type(), ROWS),
            "arn" => Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("{}", first + row as u64)))),
            name => match name.trim_start_matches("column_").parse::<usize>().unwrap() % 6 {
                0 => Arc::new(Int64Array::from_iter_values(numbers(index).map(|number| number as i64))),
                1 => Arc::new(Float64Array::from_iter_values(numbers(index).map(|number| number as f64))),
                2 => {
                    let times = numbers(index).map(|number| (number >> 14) as i64);
                    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
                }
                3 => {
                    Arc::new(BinaryArray::from_iter_values(numbers(index).map(|number| format!("[{}]", number % 1000))))
                }
                4 => Arc::new(StringArray::from_iter_values(
                    numbers(index).map(|number| format!("{number:016x}-{number}")),
                )),
                _ => Arc::new(StringArray::from_iter_values(
                    numbers(index).map(|number| format!("kind-{}", number % 10)),
                )),
            },
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn megabytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| arguments.get(index).map_or(default, |text| text.parse().unwrap());
    let budget = Budget::new((number(0, 128) as u64) << 20);
    let format = match arguments.get(1).map(String::as_str) {
        Some("jsonl") => Format::Jsonl,
        Some("csv") => Format::Csv,
        _ => Format::Parquet,
    };
    let (parts, batches) = (number(2, 300), number(3, 12));

    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("out").display().to_string();
    let destination = destination(Spec { path, format, ..Spec::default() }).unwrap();
    destination.use_memory(&budget);
    let table = Arc::new(table());
    destination.migrate(&[Arc::clone(&table)], MigrateMode::Safe).await.unwrap();
    println!(
        "batch of {} KB; before the parts: VmHWM {} MB",
        batch(&table, 0, 0).get_array_memory_size() / 1000,
        megabytes("VmHWM")
    );

    let began = Instant::now();
    let mut writers = Vec::new();
    for number in 0..parts {
        let mut part = part(&table);
        part.scope = number.to_string();
        writers.push(destination.begin(part).await.unwrap());
    }
    for turn in 0..batches {
        for (part, writer) in writers.iter_mut().enumerate() {
            writer.write(batch(&table, part, turn)).await.unwrap();
        }
    }
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    println!("written: VmHWM {} MB, budget peak {} MB, {files} files open", megabytes("VmHWM"), budget.peak() >> 20);
    for writer in writers {
        writer.commit(Outcome::Complete).await.unwrap();
    }
    destination.close().await.unwrap();
    println!(
        "committed in {:.1?}: VmHWM {} MB, budget peak {} MB",
        began.elapsed(),
        megabytes("VmHWM"),
        budget.peak() >> 20
    );
    describe(folder.path());
}

fn part(table: &Arc<TableSchema>) -> Part {
    Part {
        table: Arc::clone(table),
        source: "aws".to_owned(),
        scope: String::new(),
        predicate: Vec::new(),
        sync_time: Timestamp(0),
        mode: WriteMode::OverwriteDeleteStale,
        resumed: false,
        rejects: None,
    }
}

/// Says what the first file is made of.
fn describe(folder: &std::path::Path) {
    let Some(file) = std::fs::read_dir(folder.join("out/wide")).unwrap().next() else { return };
    let path = file.unwrap().path();
    let bytes = std::fs::metadata(&path).unwrap().len();
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let file = std::fs::File::open(&path).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        println!("a file has {} KB and {} row groups", bytes / 1000, reader.metadata().num_row_groups());
    } else {
        println!("a file has {} KB", bytes / 1000);
    }
}
