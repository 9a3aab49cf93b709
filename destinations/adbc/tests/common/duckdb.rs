//! DuckDB files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Connection, Database, Driver, Statement};
use adbc_driver_manager::ManagedDriver;
use headwater_adbc::duckdb::{Spec, destination};
use headwater_e2e::drivers::libduckdb;
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::testing::Subject;
use headwater_sdk::{Destination, TableSchema, async_trait, sql};
use tempfile::TempDir;

pub struct Duckdb(pub TempDir);

impl Duckdb {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("x.duckdb")
    }
}

pub fn spec(path: &Path) -> Spec {
    let connection_string = path.display().to_string();
    Spec { connection_string, library: Some(libduckdb().unwrap()), ..Spec::default() }
}

pub fn open(path: &Path) -> Box<dyn Destination> {
    destination(spec(path)).unwrap()
}

/// The files of a database, with what tells that they have not changed.
fn files(path: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap());
    let ours = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(&name));
    let mut all: Vec<_> = ours
        .filter_map(|entry| {
            let found = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((entry.path(), found.len(), found.modified().ok()?))
        })
        .collect();
    all.sort();
    all
}

/// What a query answers, asked of a copy of the files, as they are on the disk.
pub fn query(path: &Path, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let folder = TempDir::new().unwrap();
    // The destination may be bringing its log into the file: a copy counts only if nothing has changed meanwhile.
    loop {
        let before = files(path);
        let copied = before.iter().map(|(file, ..)| std::fs::copy(file, folder.path().join(file.file_name().unwrap())));
        let copied: Vec<_> = copied.collect();
        if copied.iter().all(Result::is_ok) && files(path) == before {
            break;
        }
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    let copy = folder.path().join(path.file_name().unwrap());
    if !copy.exists() {
        return Ok(Vec::new());
    }
    ask(&copy, sql)
}

/// Has a statement done in the file itself, which nobody else has open.
pub fn change(path: &Path, sql: &str) {
    ask(path, sql).unwrap();
}

fn ask(path: &Path, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let entry = Some(&b"duckdb_adbc_init"[..]);
    let mut driver = ManagedDriver::load_dynamic_from_filename(libduckdb().unwrap(), entry, AdbcVersion::V110).unwrap();
    // Never let go, because a library may have threads that outlive its last use.
    std::mem::forget(driver.clone());
    let options = [("path", path.to_str().unwrap()), ("threads", "1")];
    let options = options.map(|(key, value)| (OptionDatabase::from(key), OptionValue::from(value)));
    let database = driver.new_database_with_opts(options).map_err(|error| error.message)?;
    let mut connection = database.new_connection().unwrap();
    let mut statement = connection.new_statement().unwrap();
    statement.set_sql_query(sql).map_err(|error| error.message)?;
    let answer = statement.execute().map_err(|error| error.message)?;
    Ok(answer.map(|batch| batch.unwrap()).collect())
}

/// The number that a query answers.
pub fn number(path: &Path, sql: &str) -> i64 {
    use headwater_sdk::arrow::array::AsArray;
    let batches = query(path, &format!("SELECT CAST(({sql}) AS BIGINT)")).unwrap();
    batches[0].column(0).as_primitive::<headwater_sdk::arrow::datatypes::Int64Type>().value(0)
}

#[async_trait]
impl Subject for Duckdb {
    fn name(&self) -> &'static str {
        "duckdb"
    }

    fn open(&self) -> Box<dyn Destination> {
        open(&self.path())
    }

    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>> {
        let names = sql::list(table.columns.iter().map(|column| &column.name));
        let batches = match query(&self.path(), &format!("SELECT {names} FROM {}", sql::quote(&table.name))) {
            Ok(batches) => batches,
            Err(error) if error.contains("does not exist") => return Vec::new(),
            Err(error) => panic!("{error}"),
        };
        let mut all = Vec::new();
        for batch in batches {
            let first = all.len();
            all.resize(first + batch.num_rows(), Vec::new());
            for (column, array) in table.columns.iter().zip(batch.columns()) {
                let values = super::as_own_type(&column.field().into(), array);
                all[first..].iter_mut().zip(values).for_each(|(row, value)| row.push(value));
            }
        }
        all
    }
}
