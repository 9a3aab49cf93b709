//! SQLite files, written by the driver of Arrow's project and read by SQLite alone.

use std::sync::Arc;

use headwater_adbc::{Spec, destination};
use headwater_e2e::drivers::adbc_driver;
use headwater_sdk::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, LargeBinaryArray, StringArray,
};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::testing::Subject;
use headwater_sdk::{Column, Destination, TableSchema, async_trait, plain, sql};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

pub struct Sqlite {
    folder: TempDir,
    driver: String,
}

impl Sqlite {
    pub fn new() -> Self {
        let driver = adbc_driver("adbc_driver_sqlite").unwrap().display().to_string();
        Self { folder: TempDir::new().unwrap(), driver }
    }

    pub fn spec(&self) -> Spec {
        let path = self.folder.path().join("x.db").display().to_string();
        Spec { driver: self.driver.clone(), options: [("uri".to_owned(), path.into())].into(), ..Spec::default() }
    }
}

#[async_trait]
impl Subject for Sqlite {
    fn name(&self) -> &'static str {
        "adbc sqlite"
    }

    fn open(&self) -> Box<dyn Destination> {
        destination(self.spec()).unwrap()
    }

    /// The driver has an SQLite of its own, and two of them in one process do not see each other's locks.
    fn reads_meanwhile(&self) -> bool {
        false
    }

    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = Connection::open_with_flags(self.folder.path().join("x.db"), flags).unwrap();
        let names = sql::list(table.columns.iter().map(|column| &column.name));
        let sql = format!("SELECT {names} FROM {}", sql::quote(&table.name));
        let mut query = match db.prepare(&sql) {
            Ok(query) => query,
            Err(error) if error.to_string().contains("no such table") => return Vec::new(),
            Err(error) => panic!("{sql}: {error}"),
        };
        let rows = query.query_map([], |row| {
            table.columns.iter().enumerate().map(|(index, column)| Ok(text(column, row.get(index)?))).collect()
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }
}

/// What a program reads that knows the column's type.
fn text(column: &Column, value: Value) -> Option<String> {
    let kind = &column.kind.data_type;
    let field = Arc::new(column.field());
    let of = |array: ArrayRef| {
        let array = cast(&array, kind).unwrap();
        Some(plain::text(&field, &array).unwrap().value(0).to_owned())
    };
    match value {
        Value::Null => None,
        Value::Integer(value) if *kind == DataType::Boolean => of(Arc::new(BooleanArray::from(vec![value != 0]))),
        Value::Integer(value) => of(Arc::new(Int64Array::from(vec![value]))),
        Value::Real(value) => of(Arc::new(Float64Array::from(vec![value]))),
        Value::Blob(value) if *kind == DataType::LargeBinary => of(Arc::new(LargeBinaryArray::from(vec![&value[..]]))),
        Value::Blob(value) => of(Arc::new(BinaryArray::from(vec![&value[..]]))),
        Value::Text(value) => match kind {
            DataType::Timestamp(_, zone) => {
                Some(format!("{}{}", value.replace(' ', "T"), if zone.is_some() { "Z" } else { "" }))
            }
            DataType::Utf8 | DataType::LargeUtf8 => of(Arc::new(StringArray::from(vec![value]))),
            _ => Some(value),
        },
    }
}
