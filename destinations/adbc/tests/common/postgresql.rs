//! A PostgreSQL server, written by the driver of Arrow's project and read by psql.

use std::sync::Arc;

use headwater_adbc::{Spec, destination};
use headwater_e2e::LocalPostgresql;
use headwater_e2e::drivers::adbc_driver;
use headwater_sdk::arrow::array::{ArrayRef, IntervalMonthDayNanoArray, StringArray};
use headwater_sdk::arrow::datatypes::{DataType, IntervalMonthDayNano};
use headwater_sdk::testing::Subject;
use headwater_sdk::{Column, Destination, Extension, TableSchema, async_trait, sql};

pub struct Postgresql {
    pub server: LocalPostgresql,
    driver: String,
}

impl Postgresql {
    pub fn start() -> Self {
        let driver = adbc_driver("adbc_driver_postgresql").unwrap().display().to_string();
        Self { server: LocalPostgresql::start().unwrap(), driver }
    }

    pub fn spec(&self) -> Spec {
        let options = [("uri".to_owned(), self.server.url().into())].into();
        Spec { driver: self.driver.clone(), options, ..Spec::default() }
    }
}

#[async_trait]
impl Subject for Postgresql {
    fn name(&self) -> &'static str {
        "adbc postgresql"
    }

    fn open(&self) -> Box<dyn Destination> {
        destination(self.spec()).unwrap()
    }

    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>> {
        let cells: Vec<String> = table.columns.iter().map(expression).collect();
        let sql = format!("SELECT to_json(ARRAY[{}]) FROM {}", cells.join(", "), sql::quote(&table.name));
        let answer = match self.server.query(&sql) {
            Ok(answer) => answer,
            Err(error) if error.to_string().contains("does not exist") => return Vec::new(),
            Err(error) => panic!("{error}"),
        };
        let mut rows: Vec<Vec<Option<String>>> =
            answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for (index, column) in table.columns.iter().enumerate() {
            let values = rows.iter_mut().map(|row| row[index].take()).collect();
            let values = as_read(column, values);
            rows.iter_mut().zip(values).for_each(|(row, value)| row[index] = value);
        }
        rows
    }
}

/// A column as text that loses nothing.
fn expression(column: &Column) -> String {
    let name = sql::quote(&column.name);
    match (column.kind.extension, &column.kind.data_type) {
        (Some(Extension::Inet), _) => format!("host({name}) || '/' || masklen({name})"),
        (None, kind) if headwater_sdk::plain::is_bytes(kind) => {
            format!("replace(encode({name}, 'base64'), E'\\n', '')")
        }
        (None, DataType::Interval(_) | DataType::Duration(_)) => format!(
            "(extract(year FROM {name}) * 12 + extract(month FROM {name}))::int || ' ' || \
             extract(day FROM {name})::int || ' ' || ((extract(hour FROM {name}) * 3600 + extract(minute FROM {name}) * 60) \
             * 1000000 + extract(microseconds FROM {name}))::bigint"
        ),
        (None, DataType::Timestamp(_, Some(_))) => format!("({name} AT TIME ZONE 'UTC')::text"),
        _ => format!("{name}::text"),
    }
}

fn as_read(column: &Column, values: Vec<Option<String>>) -> Vec<Option<String>> {
    let field = Arc::new(column.field());
    let text = |values: Vec<Option<String>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    match (column.kind.extension, &column.kind.data_type) {
        (
            None,
            DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..),
        ) => super::as_own_type(&field, &text(values)),
        (None, DataType::Interval(_) | DataType::Duration(_)) => {
            let values = values.into_iter().map(|value| {
                let value = value?;
                let parts: Vec<i64> = value.split(' ').map(|part| part.parse().unwrap()).collect();
                Some(IntervalMonthDayNano::new(parts[0] as i32, parts[1] as i32, parts[2] * 1000))
            });
            let array: ArrayRef = Arc::new(values.collect::<IntervalMonthDayNanoArray>());
            super::as_own_type(&field, &array)
        }
        _ => values,
    }
}
