//! A small table, rows of it, and the units that they come from.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::TimeUnit;

use crate::Uuid;
use crate::cq_id::CqId;
use crate::destination::{Part, WriteMode};
use crate::plain::TimeStyle;
use crate::schema::{Column, TableSchema};
use crate::scope::{ScopeColumn, Scopes};
use crate::types::Timestamp;
use crate::value::Value;

/// The scopes of the tables: regions of accounts.
pub const REGIONAL: Scopes = Scopes {
    name: "regional",
    columns: &[
        ScopeColumn { name: "account_id", description: "The account." },
        ScopeColumn { name: "region", description: "The region." },
    ],
};

/// Where rows come from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The source.
    pub source: &'static str,
    /// The account.
    pub account: &'static str,
    /// The region.
    pub region: &'static str,
}

/// A unit.
pub const HERE: Origin = Origin { source: "aws", account: "123456789012", region: "eu-west-1" };
/// Another unit of the same source.
pub const THERE: Origin = Origin { source: "aws", account: "123456789012", region: "us-east-1" };
/// A unit of another source in the same place.
pub const OTHER: Origin = Origin { source: "other", account: "123456789012", region: "eu-west-1" };

/// A row: its key and its values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The key.
    pub name: String,
    /// A text, or none.
    pub text: Option<String>,
    /// A number, or none.
    pub number: Option<i64>,
}

/// A row with values.
pub fn thing(name: &str, number: i64) -> Item {
    Item { name: name.to_owned(), text: Some(format!("text of {name}")), number: Some(number) }
}

/// A column of a Rust type.
pub fn column<T: Value>(name: &str, nullable: bool) -> Column {
    let mut column = Column::new(name, T::column_type(), "A column.");
    column.nullable = nullable;
    column
}

/// The columns by which a unit's rows are told, and the key `name`; more are put behind them.
pub fn table(name: &str, more: Vec<Column>) -> TableSchema {
    let mut key = column::<String>("name", false);
    key.key = true;
    let mut columns = vec![column::<String>("account_id", false), column::<String>("region", false), key];
    columns.extend(more);
    TableSchema::new(name, "Things.", None, REGIONAL, columns)
}

/// A table of [`Item`]s.
pub fn things(name: &str) -> TableSchema {
    table(name, vec![column::<String>("text", true), column::<i64>("number", true)])
}

/// The time of the n-th sync, from 2026-11-21T08:59:02.123456Z on.
pub fn at(sync: i64) -> Timestamp {
    Timestamp(1_795_251_542_123_456 + sync * 3_600_000_000)
}

/// A time as [`crate::plain::text`] has it.
pub fn time_text(time: Timestamp) -> String {
    crate::plain::time_text(time.0, TimeUnit::Microsecond, TimeStyle::Rfc3339)
}

/// An array of values.
pub fn array<T: Value>(values: impl IntoIterator<Item = Option<T>>) -> ArrayRef {
    use arrow::array::ArrayBuilder;
    let mut builder = T::builder(0);
    for value in values {
        match value {
            Some(value) => drop(value.append(&mut builder)),
            None => T::append_null(&mut builder),
        }
    }
    builder.finish()
}

/// The `_cq_id` of a row of [`table`].
fn id(name: &str) -> Uuid {
    let mut id = CqId::default();
    id.add("name", name.as_bytes());
    id.finish()
}

/// A batch of rows with these keys, with more columns behind the key's.
pub fn batch_of(
    table: &TableSchema,
    from: Origin,
    time: Timestamp,
    names: &[String],
    more: Vec<ArrayRef>,
) -> RecordBatch {
    fn all<T: Value>(names: &[String], value: impl Fn(&String) -> T) -> ArrayRef {
        array(names.iter().map(|name| Some(value(name))))
    }
    let mut columns = vec![
        all(names, |_| time),
        all(names, |_| from.source.to_owned()),
        all(names, |name| id(name)),
        array::<Uuid>(names.iter().map(|_| None)),
        all(names, |_| from.account.to_owned()),
        all(names, |_| from.region.to_owned()),
        all(names, String::clone),
    ];
    columns.extend(more);
    match RecordBatch::try_new(table.arrow(), columns) {
        Ok(batch) => batch,
        Err(error) => panic!("the batch is not of its table: {error}"),
    }
}

/// A batch of rows of [`things`].
pub fn batch(table: &TableSchema, from: Origin, time: Timestamp, rows: &[Item]) -> RecordBatch {
    let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    let texts = array(rows.iter().map(|row| row.text.clone()));
    let numbers = array(rows.iter().map(|row| row.number));
    batch_of(table, from, time, &names, vec![texts, numbers])
}

/// A part of a table, as the runner makes it.
pub fn part(table: &TableSchema, from: Origin, time: Timestamp, mode: WriteMode) -> Part {
    Part {
        table: Arc::new(if mode == WriteMode::Append { table.without_key() } else { table.clone() }),
        source: from.source.to_owned(),
        scope: format!("{}/{}", from.account, from.region),
        predicate: vec![
            ("account_id".to_owned(), from.account.to_owned()),
            ("region".to_owned(), from.region.to_owned()),
        ],
        sync_time: time,
        mode,
        resumed: false,
        rejects: None,
    }
}
