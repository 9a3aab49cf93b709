//! Reads objects of each format, by other means than the destinations write them.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options};
use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use headwater_sdk::testing::fidelity::texts;
use headwater_sdk::{Column, ColumnType, Extension, TableSchema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::value::RawValue;

pub type Rows = Vec<Vec<Option<String>>>;
/// Reads an object's rows.
pub type Read = fn(Bytes, &TableSchema) -> Rows;

/// Whether a folder may be the one of a table's objects.
pub fn is_name(folder: &str, table: &str) -> bool {
    let safe: String = table.chars().map(|c| if c.is_alphanumeric() || "_-".contains(c) { c } else { '-' }).collect();
    folder == table || folder.starts_with(&format!("{safe}~"))
}

/// The type that a column was written as, where it was read as one of another unit: text and layouts stay.
fn as_written(written: &DataType, read: &DataType) -> DataType {
    let inner = |written: &FieldRef, read: &FieldRef| {
        Arc::new(Field::clone(read).with_data_type(as_written(written.data_type(), read.data_type())))
    };
    match (written, read) {
        (DataType::Struct(written), DataType::Struct(read)) => {
            DataType::Struct(written.iter().zip(read).map(|(written, read)| inner(written, read)).collect())
        }
        (DataType::List(written), DataType::List(read)) => DataType::List(inner(written, read)),
        (
            DataType::Timestamp(TimeUnit::Second, _) | DataType::Time32(TimeUnit::Second) | DataType::Date64,
            DataType::Timestamp(..) | DataType::Time32(_) | DataType::Date32,
        ) => written.clone(),
        _ => read.clone(),
    }
}

pub fn parquet(bytes: Bytes, table: &TableSchema) -> Rows {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let schema = batch.schema();
        let columns = table.columns.iter().map(|column| {
            let index = schema.index_of(&column.name).ok()?;
            let (field, array) = (&schema.fields()[index], batch.column(index));
            let strict = CastOptions { safe: false, ..CastOptions::default() };
            let kind = as_written(&column.kind.data_type, field.data_type());
            let array = cast_with_options(array, &kind, &strict).unwrap();
            Some(texts(&Arc::new(Field::clone(field).with_data_type(kind)), &array).unwrap())
        });
        let columns: Vec<_> = columns.collect();
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|column| column.as_ref()?[row].clone()).collect());
        }
    }
    rows
}

/// Whether JSON Lines have a type's values as strings.
fn is_string(kind: &ColumnType) -> bool {
    let data_type = &kind.data_type;
    match kind.extension {
        Some(extension) => extension != Extension::Json,
        None => {
            !(data_type.is_nested()
                || data_type.is_integer()
                || data_type.is_floating()
                || *data_type == DataType::Boolean)
        }
    }
}

pub fn json(bytes: Bytes, table: &TableSchema) -> Rows {
    let text = std::str::from_utf8(&bytes).unwrap();
    let lines = text.lines().map(|line| {
        let line: HashMap<String, Option<Box<RawValue>>> = serde_json::from_str(line).unwrap();
        let value = |column: &Column| {
            let raw = line.get(&column.name)?.as_ref()?.get();
            if !is_string(&column.kind) {
                return Some(raw.to_owned());
            }
            Some(serde_json::from_str(raw).unwrap_or_else(|_| panic!("{raw} of {} is no string", column.name)))
        };
        table.columns.iter().map(value).collect()
    });
    lines.collect()
}

pub fn csv(bytes: Bytes, table: &TableSchema) -> Rows {
    let fields: Vec<Field> =
        table.columns.iter().map(|column| Field::new(&column.name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let reader = arrow_csv::ReaderBuilder::new(Arc::clone(&schema)).with_header(true);
    let mut rows = Vec::new();
    for batch in reader.build(Cursor::new(bytes)).unwrap() {
        let batch = batch.unwrap();
        let columns = schema.fields().iter().zip(batch.columns());
        let columns: Vec<_> = columns.map(|(field, column)| texts(field, column).unwrap()).collect();
        rows.extend(
            (0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect::<Vec<_>>()),
        );
    }
    rows
}
