//! A server for each test, and what it holds as Arrow.
#![allow(dead_code, clippy::unwrap_used)]

pub mod relay;

use std::net::IpAddr;
use std::sync::Arc;

use headwater_e2e::LocalPostgresql;
use headwater_postgresql::{Spec, destination};
use headwater_sdk::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, DurationMicrosecondArray, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int64Array, IntervalDayTimeArray, IntervalMonthDayNanoArray, IntervalYearMonthArray, ListArray,
    StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use headwater_sdk::arrow::buffer::OffsetBuffer;
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::{DataType, FieldRef, IntervalDayTime, IntervalMonthDayNano, IntervalUnit};
use headwater_sdk::plain::{is_bytes, list_item};
use headwater_sdk::testing::Subject;
use headwater_sdk::testing::fidelity::texts;
use headwater_sdk::{Destination, Extension, TableSchema, async_trait, sql};
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, NoTls};

pub struct Postgresql(pub LocalPostgresql);

impl Postgresql {
    pub fn start() -> Self {
        Self(LocalPostgresql::start().unwrap())
    }

    pub fn spec(&self) -> Spec {
        Spec { connection_string: self.0.url(), ..Spec::default() }
    }

    pub async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.0.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

/// A value in its binary form.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[async_trait]
impl Subject for Postgresql {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn open(&self) -> Box<dyn Destination> {
        destination(self.spec()).unwrap()
    }

    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>> {
        let client = self.client().await;
        let names = sql::list(table.columns.iter().map(|column| &column.name));
        let sql = format!("SELECT {names} FROM {}", sql::quote(&table.name));
        let rows = match client.query(&sql, &[]).await {
            Ok(rows) => rows,
            Err(error) if error.code().is_some_and(|code| code.code() == "42P01") => return Vec::new(),
            Err(error) => panic!("{sql}: {error:?}"),
        };
        let mut all = vec![Vec::new(); rows.len()];
        for (index, column) in table.columns.iter().enumerate() {
            let values = rows.iter().map(|row| row.get::<_, Option<Raw>>(index).map(|raw| raw.0)).collect();
            let field = Arc::new(column.field());
            let values = texts(&field, &array(&field, values)).unwrap();
            all.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
        }
        all
    }
}

fn int(bytes: &[u8]) -> i64 {
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    bytes.iter().fold(sign, |sum, byte| sum << 8 | i64::from(*byte))
}

/// A number of PostgreSQL's as text, with all digits of its scale.
fn numeric(bytes: &[u8]) -> String {
    let words: Vec<i16> = bytes.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
    let (weight, negative, scale) = (words[1], words[2] == 0x4000, words[3] as usize);
    let group = |at: i16| usize::try_from(at).ok().and_then(|at| words.get(4 + at)).copied().unwrap_or(0);
    let mut text: String =
        (0..=weight.max(0)).map(|at| format!("{:04}", group(if weight < 0 { -1 } else { at }))).collect();
    let behind: String = (0..=scale as i16 / 4).map(|at| format!("{:04}", group(weight + 1 + at))).collect();
    text = text.trim_start_matches('0').to_owned();
    format!(
        "{}{}{}{}",
        if negative { "-" } else { "" },
        if text.is_empty() { "0" } else { &text },
        if scale > 0 { "." } else { "" },
        &behind[..scale]
    )
}

fn inet(bytes: &[u8]) -> String {
    let address = match bytes[3] {
        4 => IpAddr::from(<[u8; 4]>::try_from(&bytes[4..]).unwrap()),
        _ => IpAddr::from(<[u8; 16]>::try_from(&bytes[4..]).unwrap()),
    };
    format!("{address}/{}", bytes[1])
}

/// The values of a column as the Arrow type that it has.
fn array(field: &FieldRef, values: Vec<Option<Vec<u8>>>) -> ArrayRef {
    let text = |of: fn(&[u8]) -> String| values.iter().map(|value| value.as_deref().map(of)).collect::<StringArray>();
    let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let number = || values.iter().map(|value| value.as_deref().map(int));
    let kind = field.data_type();
    let micros = |value: &Option<Vec<u8>>| value.as_ref().map(|value| int(&value[..8]) + 946_684_800_000_000);
    let interval = || {
        values.iter().map(|value| {
            value.as_ref().map(|value| (int(&value[..8]), int(&value[8..12]) as i32, int(&value[12..16]) as i32))
        })
    };
    let natural: ArrayRef = match (Extension::of(field), kind) {
        (Some(Extension::Uuid), _) => {
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.clone().into_iter(), 16).unwrap())
        }
        (Some(Extension::Json), _) => Arc::new(
            values.iter().map(|value| value.as_ref().map(|value| value[1..].to_vec())).collect::<BinaryArray>(),
        ),
        (Some(Extension::Inet), _) => Arc::new(
            values.iter().map(|value| value.as_deref().map(|value| inet(value).into_bytes())).collect::<BinaryArray>(),
        ),
        (Some(Extension::Mac), _) => Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>()),
        (None, kind) if is_bytes(kind) => Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>()),
        (None, DataType::Boolean) => {
            Arc::new(values.iter().map(|value| value.as_ref().map(|value| value[0] != 0)).collect::<BooleanArray>())
        }
        (None, DataType::UInt64) | (None, DataType::Decimal128(..) | DataType::Decimal256(..)) => {
            Arc::new(text(numeric))
        }
        (None, kind) if kind.is_integer() => Arc::new(Int64Array::from_iter(number())),
        (None, DataType::Float16 | DataType::Float32) => Arc::new(Float32Array::from_iter(
            values.iter().map(|value| value.as_deref().map(|value| f32::from_be_bytes(value.try_into().unwrap()))),
        )),
        (None, DataType::Float64) => Arc::new(Float64Array::from_iter(
            values.iter().map(|value| value.as_deref().map(|value| f64::from_be_bytes(value.try_into().unwrap()))),
        )),
        (None, DataType::Date32 | DataType::Date64) => {
            Arc::new(Date32Array::from_iter(number().map(|days| days.map(|days| days as i32 + 10_957))))
        }
        (None, DataType::Time32(_) | DataType::Time64(_)) => Arc::new(Time64MicrosecondArray::from_iter(number())),
        (None, DataType::Timestamp(_, zone)) => {
            Arc::new(TimestampMicrosecondArray::from_iter(values.iter().map(micros)).with_timezone_opt(zone.clone()))
        }
        (None, DataType::Duration(_)) => {
            Arc::new(DurationMicrosecondArray::from_iter(interval().map(|value| value.map(|(micros, ..)| micros))))
        }
        (None, DataType::Interval(IntervalUnit::YearMonth)) => {
            Arc::new(IntervalYearMonthArray::from_iter(interval().map(|value| value.map(|(_, _, months)| months))))
        }
        (None, DataType::Interval(IntervalUnit::DayTime)) => Arc::new(IntervalDayTimeArray::from_iter(
            interval().map(|value| value.map(|(micros, days, _)| IntervalDayTime::new(days, (micros / 1000) as i32))),
        )),
        (None, DataType::Interval(IntervalUnit::MonthDayNano)) => {
            Arc::new(IntervalMonthDayNanoArray::from_iter(interval().map(|value| {
                value.map(|(micros, days, months)| IntervalMonthDayNano::new(months, days, micros * 1000))
            })))
        }
        (None, kind) if kind.is_nested() => match list_item(kind) {
            Some(item) if !item.data_type().is_nested() => list(item, &values),
            // What has no type of its own is JSON, and stays it.
            _ => return Arc::new(text(|value| String::from_utf8(value[1..].to_vec()).unwrap())),
        },
        _ => Arc::new(StringArray::from_iter(values.iter().map(|value| value.as_deref().map(utf8)))),
    };
    cast(&natural, kind).unwrap()
}

fn list(item: &FieldRef, values: &[Option<Vec<u8>>]) -> ArrayRef {
    let (mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        valid.push(value.is_some());
        let Some(value) = value else {
            lengths.push(0);
            continue;
        };
        let length = if int(&value[..4]) == 0 { 0 } else { int(&value[12..16]) as usize };
        lengths.push(length);
        let mut at = 20;
        for _ in 0..length {
            let size = int(&value[at..at + 4]);
            at += 4;
            items.push(usize::try_from(size).ok().map(|size| value[at..at + size].to_vec()));
            at += size.max(0) as usize;
        }
    }
    let items = array(item, items);
    Arc::new(
        ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lengths), items, Some(valid.into())).unwrap(),
    )
}
