//! Small tables, rows of them, and the units that they come from.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit};

use crate::Uuid;
use crate::cq_id::CqId;
use crate::destination::{Part, WriteMode};
use crate::plain::TimeStyle;
use crate::schema::{Column, ColumnType, ID, PARENT_ID, SOURCE_NAME, SYNC_TIME, TableSchema};
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

/// The type of the decimal number by which rows of [`Shape::Decimal`] are told.
const DECIMAL: DataType = DataType::Decimal128(19, 4);

/// What a table of [`Item`]s is like: how its rows are told from each other, and its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// By `name`, as [`things`] is.
    Named,
    /// By two columns, neither of which is enough: all letters of the name but the last, and the last.
    TwoColumns,
    /// By a UUID that follows from the name.
    Uuid,
    /// By a number that follows from the name.
    Integer,
    /// By a decimal number that follows from the name.
    Decimal,
    /// By `_cq_id` only, which is random: a row that is written again is another row.
    Unkeyed,
    /// By nothing, in a table of a database: it has no `_cq_id`.
    Keyless,
    /// By `name`; the source is one unit, and no column tells it from another.
    Single,
}

impl Shape {
    /// All of them, the simplest first.
    pub const ALL: [Shape; 8] = [
        Shape::Named,
        Shape::TwoColumns,
        Shape::Uuid,
        Shape::Integer,
        Shape::Decimal,
        Shape::Unkeyed,
        Shape::Keyless,
        Shape::Single,
    ];

    /// Those that matter in a write mode: what types a key has where rows are told by it and stale ones removed, and no
    /// keys at all in `append`.
    pub fn of_mode(mode: WriteMode) -> &'static [Shape] {
        match mode {
            WriteMode::OverwriteDeleteStale => &Self::ALL,
            WriteMode::Overwrite => &[Shape::Named, Shape::TwoColumns, Shape::Unkeyed, Shape::Keyless, Shape::Single],
            WriteMode::Append => &[Shape::Named, Shape::Single],
        }
    }

    /// Whether a row that is written again is another row.
    pub fn adds(self) -> bool {
        matches!(self, Shape::Unkeyed | Shape::Keyless)
    }

    /// A table of this shape.
    pub fn table(self, name: &str) -> TableSchema {
        let keyed = |mut column: Column, key: bool| {
            (column.key, column.nullable) = (key, !key);
            column
        };
        let named = |key| keyed(column::<String>("name", false), key);
        let (mut first, last) = match self {
            Shape::Named | Shape::Single => (vec![named(true)], None),
            Shape::TwoColumns => (vec![named(true)], Some(keyed(column::<String>("last", false), true))),
            Shape::Uuid => (vec![named(false), keyed(column::<Uuid>("number_of", false), true)], None),
            Shape::Integer => (vec![named(false), keyed(column::<i64>("number_of", false), true)], None),
            Shape::Decimal => {
                let number = Column::new("number_of", ColumnType::plain(DECIMAL), "A column.");
                (vec![named(false), keyed(number, true)], None)
            }
            Shape::Unkeyed | Shape::Keyless => (vec![named(false)], None),
        };
        let scopes = if self == Shape::Single { Scopes::SINGLE } else { REGIONAL };
        if self == Shape::Keyless {
            first.extend([column::<String>("text", true), column::<i64>("number", true)]);
            return TableSchema::of_database(name, "Things.", scopes, first);
        }
        let mut columns: Vec<Column> = scopes.columns.iter().map(|scope| column::<String>(scope.name, false)).collect();
        columns.extend(first);
        columns.extend([column::<String>("text", true), column::<i64>("number", true)]);
        columns.extend(last);
        TableSchema::new(name, "Things.", None, scopes, columns)
    }

    /// Units whose rows are told from each other.
    pub fn units(self) -> [Origin; 3] {
        match self {
            Shape::Single => ["aws", "other", "third"].map(|source| Origin { source, account: "", region: "" }),
            _ => [HERE, THERE, OTHER],
        }
    }
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

/// A batch of rows of a table of [`Shape`].
pub fn batch(table: &TableSchema, from: Origin, time: Timestamp, rows: &[Item]) -> RecordBatch {
    let columns = table.columns.iter().map(|column| values(table, column, from, time, rows)).collect();
    match RecordBatch::try_new(table.arrow(), columns) {
        Ok(batch) => batch,
        Err(error) => panic!("the batch is not of its table: {error}"),
    }
}

/// The values of a column of a table of [`Shape`].
fn values(table: &TableSchema, column: &Column, from: Origin, time: Timestamp, rows: &[Item]) -> ArrayRef {
    fn all<T: Value>(rows: &[Item], value: impl Fn(&Item) -> T) -> ArrayRef {
        array(rows.iter().map(|row| Some(value(row))))
    }
    let two = table.column("last").is_some();
    let last = |row: &Item| row.name.char_indices().last().map_or(0, |(at, _)| at);
    let hash = |row: &Item| i64::from_le_bytes(id(&row.name).into_bytes()[..8].try_into().unwrap_or_default());
    match (column.name.as_str(), &column.kind.data_type) {
        (SYNC_TIME, _) => all(rows, |_| time),
        (SOURCE_NAME, _) => all(rows, |_| from.source.to_owned()),
        (ID, _) if table.key() == [ID] => all(rows, |_| Uuid::new_v4()),
        (ID, _) => all(rows, |row| id(&row.name)),
        (PARENT_ID, _) => array::<Uuid>(rows.iter().map(|_| None)),
        ("account_id", _) => all(rows, |_| from.account.to_owned()),
        ("region", _) => all(rows, |_| from.region.to_owned()),
        ("name", _) => all(rows, |row| row.name[..if two { last(row) } else { row.name.len() }].to_owned()),
        ("last", _) => all(rows, |row| row.name[last(row)..].to_owned()),
        ("number_of", DataType::Int64) => all(rows, hash),
        ("number_of", DataType::Decimal128(precision, scale)) => {
            let numbers = Decimal128Array::from_iter_values(rows.iter().map(|row| i128::from(hash(row))));
            match numbers.with_precision_and_scale(*precision, *scale) {
                Ok(numbers) => Arc::new(numbers),
                Err(error) => panic!("{error}"),
            }
        }
        ("number_of", _) => all(rows, |row| id(&row.name)),
        ("text", _) => array(rows.iter().map(|row| row.text.clone())),
        ("number", _) => array(rows.iter().map(|row| row.number)),
        (other, _) => panic!("no values are known of column {other}"),
    }
}

/// A part of a table, as the runner makes it.
pub fn part(table: &TableSchema, from: Origin, time: Timestamp, mode: WriteMode) -> Part {
    let value = |column: &ScopeColumn| if column.name == "region" { from.region } else { from.account }.to_owned();
    let scope: Vec<(String, String)> =
        table.scopes.columns.iter().map(|column| (column.name.to_owned(), value(column))).collect();
    Part {
        table: Arc::new(if mode == WriteMode::Append { table.without_key() } else { table.clone() }),
        source: from.source.to_owned(),
        scope: scope.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("/"),
        predicate: scope,
        ranges: Vec::new(),
        sync_time: time,
        mode,
        resumed: false,
        rejects: None,
    }
}
