//! The acceptance suite on real database files, which are read by SQLite alone.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, LargeBinaryArray, StringArray,
};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::testing::Subject;
use headwater_sdk::{Column, Destination, TableSchema, async_trait, plain, sql};
use headwater_sqlite::{Spec, destination};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

struct Sqlite(TempDir);

#[async_trait]
impl Subject for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn open(&self) -> Box<dyn Destination> {
        let connection_string = self.0.path().join("x.db").display().to_string();
        destination(Spec { connection_string, batch_size: None, batch_size_bytes: None }).unwrap()
    }

    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = Connection::open_with_flags(self.0.path().join("x.db"), flags).unwrap();
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

headwater_sdk::acceptance!(Sqlite(TempDir::new().unwrap()));
