//! A table of 60 columns and rows of it, and how much memory the process takes.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use headwater_sdk::scope::Scopes;
use headwater_sdk::{Column, Part, RawJson, TableSchema, Timestamp, Value, WriteMode};

const ROWS: usize = 1000;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn column<T: Value>(name: String, key: bool) -> Column {
    let mut column = Column::new(&name, T::column_type(), "A column.");
    (column.nullable, column.key) = (!key, key);
    column
}

pub fn table(name: &str) -> TableSchema {
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
    TableSchema::new(name, "", None, Scopes::SINGLE, columns)
}

/// Numbers that look random (<https://prng.di.unimi.it/splitmix64.c>).
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

/// A thousand rows, other ones for each part and turn.
pub fn batch(table: &TableSchema, part: usize, turn: usize) -> RecordBatch {
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

/// A line of the kernel's about this process, such as `VmHWM`, in MB.
pub fn megabytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

pub fn part(table: &Arc<TableSchema>, scope: usize) -> Part {
    Part {
        table: Arc::clone(table),
        source: "aws".to_owned(),
        scope: scope.to_string(),
        predicate: Vec::new(),
        ranges: Vec::new(),
        sync_time: Timestamp(0),
        mode: WriteMode::OverwriteDeleteStale,
        resumed: false,
        rejects: None,
    }
}
