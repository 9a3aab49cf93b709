//! The acceptance suite on real folders, whose files are read by other means than the destination's.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_file::{Format, Spec, destination};
use headwater_sdk::arrow::datatypes::{DataType, Field, Schema};
use headwater_sdk::testing::Subject;
use headwater_sdk::testing::fidelity::texts;
use headwater_sdk::{Column, Destination, Extension, TableSchema, async_trait};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::value::RawValue;
use tempfile::TempDir;

type Rows = Vec<Vec<Option<String>>>;

struct Folder {
    folder: TempDir,
    name: &'static str,
    format: Format,
    read: fn(&Path, &TableSchema) -> Rows,
}

impl Folder {
    fn new(name: &'static str, format: Format, read: fn(&Path, &TableSchema) -> Rows) -> Self {
        Self { folder: TempDir::new().unwrap(), name, format, read }
    }
}

#[async_trait]
impl Subject for Folder {
    fn name(&self) -> &'static str {
        self.name
    }

    fn open(&self) -> Box<dyn Destination> {
        let path = self.folder.path().display().to_string();
        destination(Spec { path, format: self.format, ..Spec::default() }).unwrap()
    }

    async fn rows(&self, table: &TableSchema) -> Rows {
        files(self.folder.path(), table).iter().flat_map(|file| (self.read)(file, table)).collect()
    }

    fn keeps_schemas(&self) -> bool {
        false
    }
}

/// The files of a table: the name of the folder may be another where the table's cannot be that of a folder.
fn files(folder: &Path, table: &TableSchema) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('_') && is_name(&name, &table.name) {
            files.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|file| file.unwrap().path())
                    .filter(|file| !file.file_name().unwrap().to_string_lossy().starts_with(['.', '_'])),
            );
        }
    }
    files
}

fn is_name(folder: &str, table: &str) -> bool {
    let safe: String = table.chars().map(|c| if c.is_alphanumeric() || "_-".contains(c) { c } else { '-' }).collect();
    folder == table || folder.starts_with(&format!("{safe}~"))
}

fn parquet(file: &Path, table: &TableSchema) -> Rows {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let schema = batch.schema();
        let columns = table.columns.iter().map(|column| {
            let index = schema.index_of(&column.name).ok()?;
            Some(texts(&schema.fields()[index], batch.column(index)).unwrap())
        });
        let columns: Vec<_> = columns.collect();
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|column| column.as_ref()?[row].clone()).collect());
        }
    }
    rows
}

fn json(file: &Path, table: &TableSchema) -> Rows {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| {
        let line: HashMap<String, Option<Box<RawValue>>> = serde_json::from_str(line).unwrap();
        let value = |column: &Column| {
            let raw = line.get(&column.name)?.as_ref()?.get();
            if column.kind.extension == Some(Extension::Json) {
                return Some(raw.to_owned());
            }
            Some(serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned()))
        };
        table.columns.iter().map(value).collect()
    });
    lines.collect()
}

fn csv(file: &Path, table: &TableSchema) -> Rows {
    let fields: Vec<Field> =
        table.columns.iter().map(|column| Field::new(&column.name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let reader = arrow_csv::ReaderBuilder::new(Arc::clone(&schema)).with_header(true);
    let mut rows = Vec::new();
    for batch in reader.build(File::open(file).unwrap()).unwrap() {
        let batch = batch.unwrap();
        let columns = schema.fields().iter().zip(batch.columns());
        let columns: Vec<_> = columns.map(|(field, column)| texts(field, column).unwrap()).collect();
        rows.extend(
            (0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect::<Vec<_>>()),
        );
    }
    rows
}

mod in_csv {
    use super::*;
    headwater_sdk::acceptance!(Folder::new("file csv", Format::Csv, csv));
}

mod in_parquet {
    use super::*;
    headwater_sdk::acceptance!(Folder::new("file parquet", Format::Parquet, parquet));
}

mod in_json_lines {
    use super::*;
    headwater_sdk::acceptance!(Folder::new("file json", Format::Json, json));
}
