//! A server for each test, and what its tables are read as.
#![allow(dead_code, clippy::unwrap_used)]

use headwater_e2e::LocalPostgresql;
use headwater_postgresql_client::{Connector, Place};
use headwater_postgresql_source::catalog::columns;
use headwater_postgresql_source::copy::{Limits, Rows, select};
use headwater_postgresql_source::types::{Mapped, Override, PgColumn, Rules, map};
use headwater_sdk::arrow::array::{Array, ArrayRef, AsArray};
use headwater_sdk::arrow::compute::concat;
use headwater_sdk::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use headwater_sdk::sql::quote;
use headwater_sdk::{Error, Result};
use tokio_postgres::Client;

pub struct Server {
    pub postgresql: LocalPostgresql,
    pub connector: Connector,
    pub client: Client,
}

impl Server {
    pub async fn start() -> Self {
        let postgresql = LocalPostgresql::start().unwrap();
        let settings = Place { connection_string: &postgresql.url(), ..Place::default() }.settings().unwrap();
        let connector = Connector::new(settings).unwrap();
        let client = connector.connect().await.unwrap();
        Self { postgresql, connector, client }
    }

    pub async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    pub async fn columns(&self, table: &str) -> Vec<PgColumn> {
        let sql = "SELECT to_regclass($1)::oid";
        let relation: u32 = self.client.query_one(sql, &[&quote(table)]).await.unwrap().get(0);
        columns(&self.client, relation).await.unwrap()
    }

    /// A column that is read as another type, or as what it becomes by itself.
    pub async fn mapped(&self, table: &str, said: &Override) -> Vec<Mapped> {
        let columns = self.columns(table).await;
        columns.iter().map(|column| map(column, said, &Rules::default()).unwrap()).collect()
    }

    /// The columns of a query's rows.
    pub async fn rows(&self, table: &str, order: &str, mapped: &[Mapped]) -> Result<Vec<ArrayRef>> {
        let mut wire = self.connector.connect_wire().await?;
        let query = format!("{} FROM {} {order}", select(mapped), quote(table));
        let mut rows = Rows::begin(&mut wire, &query, mapped, Limits { rows: 300, bytes: 1 << 20 }).await?;
        let mut batches = Vec::new();
        while let Some((count, columns)) = rows.next().await? {
            assert!(columns.iter().all(|column| column.len() == count));
            batches.push(columns);
        }
        let columns = (0..mapped.len()).map(|index| {
            let pieces: Vec<&dyn Array> = batches.iter().map(|columns| &*columns[index]).collect();
            concat(&pieces).map_err(Error::fatal)
        });
        columns.collect()
    }

    /// What a query answers, one text for each row.
    pub async fn texts(&self, sql: &str) -> Vec<Option<String>> {
        let rows = self.client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// An expression by which the server says a value of a type as [`cell`] does.
pub fn said(value: &str, kind: &str) -> String {
    let micros = |of: &str| format!("(extract(epoch FROM {of}) * 1000000)::bigint::text");
    match kind {
        kind if kind.ends_with("[]") => {
            let item = said("x", kind.trim_end_matches("[]"));
            format!(
                "CASE WHEN {value} IS NOT NULL THEN \
                 '[' || array_to_string(ARRAY(SELECT {item} FROM unnest({value}) x), '|', 'null') || ']' END"
            )
        }
        "date" => format!(
            "CASE {value} WHEN 'infinity' THEN '2147483647' WHEN '-infinity' THEN '-2147483648' \
             ELSE ({value} - DATE '1970-01-01')::text END"
        ),
        "time" => micros(value),
        "timestamp" | "timestamptz" => format!(
            "CASE {value} WHEN 'infinity' THEN '9223372036854775807' WHEN '-infinity' THEN '-9223372036854775808' \
             ELSE {} END",
            micros(value)
        ),
        "interval" => format!(
            "(extract(year FROM {value}) * 12 + extract(month FROM {value}))::text || '/' || \
             extract(day FROM {value})::text || '/' || \
             (extract(hour FROM {value})::numeric * 3600000000 + extract(minute FROM {value}) * 60000000 + \
             extract(microseconds FROM {value}))::numeric(30,0)::text"
        ),
        "bytea" => format!("encode({value}, 'hex')"),
        "uuid" => format!("replace({value}::text, '-', '')"),
        "inet" | "cidr" => format!("host({value}) || '/' || masklen({value})"),
        "macaddr" | "macaddr8" => format!("replace({value}::text, ':', '')"),
        // A cast of these to text cuts the blanks at their end.
        kind if kind.starts_with("char(") => format!("rpad({value}::text, {}, ' ')", kind[5..].trim_end_matches(')')),
        _ => format!("{value}::text"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value that was read, as text.
pub fn cell(array: &dyn Array, row: usize, as_text: bool) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().value_as_string(row),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).to_string(),
        DataType::Time64(_) => array.as_primitive::<Time64MicrosecondType>().value(row).to_string(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        DataType::Interval(_) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            format!("{}/{}/{}", value.months, value.days, value.nanoseconds / 1000)
        }
        DataType::Binary if as_text => String::from_utf8(array.as_binary::<i32>().value(row).to_vec()).unwrap(),
        DataType::Binary => hex(array.as_binary::<i32>().value(row)),
        DataType::FixedSizeBinary(16) => hex(array.as_fixed_size_binary().value(row)),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items = (0..items.len()).map(|row| cell(&*items, row, as_text).unwrap_or_else(|| "null".to_owned()));
            format!("[{}]", items.collect::<Vec<_>>().join("|"))
        }
        other => panic!("{other}"),
    })
}
