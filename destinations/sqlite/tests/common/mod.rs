//! What the tests of the destinations share: a table with a column of every type, and syncs of a few rows.
// Not every test uses all of it.
#![allow(dead_code, unused_imports, clippy::unwrap_used)]

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, Date32Array, DurationMillisecondArray, DurationSecondArray, ListArray, RecordBatch,
    Time64MicrosecondArray,
};
use headwater_sdk::arrow::buffer::OffsetBuffer;
use headwater_sdk::arrow::datatypes::Field;
use headwater_sdk::cq_id::CqId;
use headwater_sdk::testing::things::{self, REGIONAL, array};
pub use headwater_sdk::testing::{HERE, OTHER, Origin as From, THERE, at};
use headwater_sdk::{
    Binary, Column, ColumnType, Committed, Destination, Inet, Mac, Outcome, Part, RawJson, Result, TableSchema,
    Timestamp, Uuid, Value, WriteMode,
};

/// A name that must be quoted in SQL, escaped in JSON and quoted in CSV.
pub const ODD: &str = "an \"odd\", na'me";
/// 2026-11-21T08:59:02.123456Z.
pub const NOW: Timestamp = Timestamp(1_795_251_542_123_456);

pub fn column<T: Value>(name: &str, nullable: bool, key: bool) -> Column {
    Column { key, ..things::column::<T>(name, nullable) }
}

/// A table whose key is `arn`, with a nullable column of every type that a connector can make.
pub fn every_type(name: &str) -> TableSchema {
    let columns = vec![
        column::<String>("account_id", false, false),
        column::<String>("region", false, false),
        column::<String>("arn", false, true),
        column::<String>(ODD, true, false),
        column::<bool>("bool", true, false),
        column::<i8>("i8", true, false),
        column::<i16>("i16", true, false),
        column::<i32>("i32", true, false),
        column::<i64>("i64", true, false),
        column::<u8>("u8", true, false),
        column::<u16>("u16", true, false),
        column::<u32>("u32", true, false),
        column::<u64>("u64", true, false),
        column::<f32>("f32", true, false),
        column::<f64>("f64", true, false),
        column::<Binary>("binary", true, false),
        column::<Timestamp>("time", true, false),
        column::<Uuid>("uuid", true, false),
        column::<RawJson>("json", true, false),
        column::<Inet>("inet", true, false),
        column::<Mac>("mac", true, false),
        column::<Vec<String>>("texts", true, false),
        column::<Vec<i64>>("ints", true, false),
        column::<Vec<Timestamp>>("times", true, false),
        column::<Vec<Uuid>>("uuids", true, false),
    ];
    TableSchema::new(name, "A column of every type.", None, REGIONAL, columns)
}

/// A row: its key, its text, and whether the other columns have values.
#[derive(Debug, Clone)]
pub struct Row {
    pub arn: String,
    pub text: String,
    pub full: bool,
    pub time: Timestamp,
    pub float: f64,
}

pub fn row(arn: &str) -> Row {
    Row { arn: arn.to_owned(), text: format!("text of {arn}"), full: true, time: NOW, float: 0.5 }
}

pub fn id(arn: &str) -> Uuid {
    let mut id = CqId::default();
    id.add("arn", arn.as_bytes());
    id.finish()
}

/// Rows of a table of [`every_type`].
pub fn batch(table: &TableSchema, from: From, sync_time: Timestamp, rows: &[Row]) -> RecordBatch {
    fn of<T: Value>(rows: &[Row], value: impl Fn(&Row) -> T) -> ArrayRef {
        array(rows.iter().map(|row| row.full.then(|| value(row))))
    }
    fn all<T: Value>(rows: &[Row], value: impl Fn(&Row) -> T) -> ArrayRef {
        array(rows.iter().map(|row| Some(value(row))))
    }
    let columns = vec![
        all(rows, |_| sync_time),
        all(rows, |_| from.source.to_owned()),
        all(rows, |row| id(&row.arn)),
        array::<Uuid>(rows.iter().map(|_| None)),
        all(rows, |_| from.account.to_owned()),
        all(rows, |_| from.region.to_owned()),
        all(rows, |row| row.arn.clone()),
        of(rows, |row| row.text.clone()),
        of(rows, |_| true),
        of(rows, |_| i8::MIN),
        of(rows, |_| i16::MIN),
        of(rows, |_| i32::MIN),
        of(rows, |_| i64::MIN),
        of(rows, |_| u8::MAX),
        of(rows, |_| u16::MAX),
        of(rows, |_| u32::MAX),
        of(rows, |_| i64::MAX as u64),
        of(rows, |row| row.float as f32),
        of(rows, |row| row.float),
        of(rows, |_| Binary(vec![0, 1, 254, 255])),
        of(rows, |row| row.time),
        of(rows, |_| Uuid::from_u128(0x730a_216f_19d7_51f5_9aa7_de5d_c4e9_3108)),
        of(rows, |_| RawJson::parse("{\"a\": [1,\n \"é\"]}").unwrap()),
        of(rows, |_| Inet::parse("10.0.0.0/16").unwrap()),
        of(rows, |_| Mac::parse("0a:1b:2c:3d:4e:5f").unwrap()),
        of(rows, |_| vec!["a".to_owned(), "b, \"c\"".to_owned()]),
        of(rows, |_| vec![1_i64, -2]),
        of(rows, |row| vec![row.time]),
        of(rows, |_| vec![Uuid::nil()]),
    ];
    RecordBatch::try_new(table.arrow(), columns).unwrap()
}

/// The texts of [`edges`].
pub const EDGES: [&str; 4] = ["24:00:00", "+5881580-07-11", "PT9223372036854775807S", "-PT9223372036854775.808S"];

/// A table, and a row of it, of times that libraries have no text for, and of a list of each.
pub fn edges(name: &str) -> (TableSchema, RecordBatch) {
    let values: Vec<ArrayRef> = vec![
        Arc::new(Time64MicrosecondArray::from(vec![86_400_000_000])),
        Arc::new(Date32Array::from(vec![i32::MAX])),
        Arc::new(DurationSecondArray::from(vec![i64::MAX])),
        Arc::new(DurationMillisecondArray::from(vec![i64::MIN])),
    ];
    let values = values.into_iter().flat_map(|values| {
        let item = Arc::new(Field::new("item", values.data_type().clone(), true));
        let list = ListArray::new(item, OffsetBuffer::from_lengths([1]), Arc::clone(&values), None);
        [values, Arc::new(list)]
    });
    let values: Vec<ArrayRef> = values.collect();
    let columns = values.iter().enumerate().map(|(number, values)| {
        let kind = ColumnType::plain(values.data_type().clone());
        Column { nullable: true, ..Column::new(format!("v{number}"), kind, "") }
    });
    let table = things::table(name, columns.collect());
    let batch = things::batch_of(&table, HERE, NOW, &["a".to_owned()], values);
    (table, batch)
}

pub fn part(table: &TableSchema, from: From, sync_time: Timestamp, mode: WriteMode) -> Part {
    Part {
        table: Arc::new(table.clone()),
        source: from.source.to_owned(),
        scope: format!("{}/{}", from.account, from.region),
        ranges: Vec::new(),
        predicate: vec![
            ("account_id".to_owned(), from.account.to_owned()),
            ("region".to_owned(), from.region.to_owned()),
        ],
        sync_time,
        mode,
        resumed: false,
        rejects: None,
    }
}

/// The same part, run again by a sync that continues an interrupted one.
pub fn again(part: Part) -> Part {
    Part { resumed: true, ..part }
}

/// Writes one unit, a batch for each slice of rows.
pub async fn write(
    destination: &dyn Destination,
    part: Part,
    from: From,
    outcome: Outcome,
    batches: Vec<Vec<Row>>,
) -> Result<Committed> {
    let (table, time) = (Arc::clone(&part.table), part.sync_time);
    let mut writer = destination.begin(part).await?;
    for rows in batches {
        writer.write(batch(&table, from, time, &rows)).await?;
    }
    writer.commit(outcome).await
}

pub fn rows(names: &[&str]) -> Vec<Row> {
    names.iter().map(|name| row(name)).collect()
}

pub fn committed(written: u64, deleted: u64) -> Committed {
    Committed { written, deleted, ..Committed::default() }
}

/// The type of a column by hand, for tables that change.
pub fn kind<T: Value>() -> ColumnType {
    T::column_type()
}
