//! The Parquet files hold what the database holds, cell by cell.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use crate::support::Database;

/// Rows by `_cq_id`, each a value for each column.
type Rows = BTreeMap<String, BTreeMap<String, Value>>;

pub fn is_equal(folder: &Path, database: &Database, tables: &[&str]) {
    for table in tables {
        let files = files(&folder.join(table));
        assert!(!files.is_empty(), "{} holds no file of {table}", folder.display());
        let (mut rows, mut types) = (Rows::new(), BTreeMap::new());
        for file in files {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).unwrap()).unwrap().build().unwrap();
            for batch in reader {
                read(&batch.unwrap(), &mut rows, &mut types);
            }
        }
        let stored = stored(database, table, &types);
        let ids = |rows: &Rows| rows.keys().cloned().collect::<Vec<_>>();
        assert_eq!(ids(&rows), ids(&stored), "the rows of {table}, by their ids, in Parquet and in SQLite");
        for (id, row) in rows {
            assert_eq!(row, stored[&id], "the row {id} of {table} in Parquet and in SQLite");
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => found.extend(files(&path)),
            false if path.extension().is_some_and(|extension| extension == "parquet") => found.push(path),
            false => {}
        }
    }
    found
}

fn read(batch: &RecordBatch, rows: &mut Rows, types: &mut BTreeMap<String, DataType>) {
    let schema = batch.schema();
    let id = batch.column_by_name("_cq_id").unwrap();
    for row in 0..batch.num_rows() {
        let Value::String(id) = cell(id, row) else { panic!("a row without an id") };
        let mut values = BTreeMap::new();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            types.insert(field.name().clone(), field.data_type().clone());
            values.insert(field.name().clone(), cell(array, row));
        }
        assert!(rows.insert(id.clone(), values).is_none(), "the row {id} is there twice");
    }
}

/// One value in a form of its own: points in time as microseconds, bytes as text, identifiers with their hyphens.
fn cell(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => json!(i64::from(array.as_boolean().value(row))),
        kind if kind.is_integer() => {
            let wide = arrow::compute::cast(array, &DataType::Int64).unwrap();
            json!(wide.as_primitive::<Int64Type>().value(row))
        }
        kind if kind.is_floating() => {
            let wide = arrow::compute::cast(array, &DataType::Float64).unwrap();
            json!(wide.as_primitive::<Float64Type>().value(row))
        }
        DataType::Utf8 => text(array.as_string::<i32>().value(row)),
        DataType::Binary => text(&String::from_utf8_lossy(array.as_binary::<i32>().value(row))),
        DataType::FixedSizeBinary(16) => {
            let hex: String =
                array.as_fixed_size_binary().value(row).iter().map(|byte| format!("{byte:02x}")).collect();
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            json!(parts.join("-"))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            json!(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|index| cell(&items, index)).collect()
        }
        other => panic!("a column of type {other}"),
    }
}

/// Text that is JSON is compared as such.
fn text(text: &str) -> Value {
    match text.starts_with(['{', '[']).then(|| serde_json::from_str(text)) {
        Some(Ok(value)) => value,
        _ => Value::from(text),
    }
}

fn stored(database: &Database, table: &str, types: &BTreeMap<String, DataType>) -> Rows {
    let mut statement = database.0.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = Rows::new();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let mut values = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            let value = match (row.get_ref(index).unwrap(), types.get(name)) {
                (ValueRef::Null, _) => Value::Null,
                (ValueRef::Integer(number), _) => json!(number),
                (ValueRef::Real(number), _) => json!(number),
                (ValueRef::Text(bytes), Some(DataType::Timestamp(..))) => {
                    json!(microseconds(std::str::from_utf8(bytes).unwrap()))
                }
                (ValueRef::Text(bytes), _) => text(std::str::from_utf8(bytes).unwrap()),
                (ValueRef::Blob(bytes), _) => text(&String::from_utf8_lossy(bytes)),
            };
            values.insert(name.clone(), value);
        }
        let Value::String(id) = values["_cq_id"].clone() else { panic!("a row without an id") };
        rows.insert(id, values);
    }
    rows
}

/// Microseconds since 1970 of a text such as `2026-11-21 08:59:02.123456`.
fn microseconds(text: &str) -> i64 {
    let numbers: Vec<i64> =
        text[..19].split(['-', ' ', ':']).map(|part| part.parse().unwrap_or_else(|_| panic!("{text}"))).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{text}") };
    // Days since 1970 of a date: years begin in March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    let fraction = text.get(20..).unwrap_or_default();
    let fraction: i64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}").parse().unwrap() };
    ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + fraction
}

#[test]
fn points_in_time_are_read_from_text() {
    assert_eq!(microseconds("1970-01-01 00:00:00"), 0);
    assert_eq!(microseconds("2000-02-29 12:30:45.5"), 951_827_445_500_000);
    assert_eq!(microseconds("2026-11-21 08:59:02.123456"), 1_795_251_542_123_456);
}
