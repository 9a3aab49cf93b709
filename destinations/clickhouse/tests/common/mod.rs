//! A server for each test, and what it holds as Arrow.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;

use arrow_ipc::reader::StreamReader;
use headwater_clickhouse::{Spec, destination};
use headwater_e2e::LocalClickhouse;
use headwater_e2e::local_clickhouse::PASSWORD;
use headwater_sdk::arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef};
use headwater_sdk::plain::list_item;
use headwater_sdk::testing::Subject;
use headwater_sdk::testing::fidelity::texts;
use headwater_sdk::{Destination, Extension, TableSchema, async_trait};

pub struct Clickhouse(pub LocalClickhouse);

impl Clickhouse {
    pub fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self(LocalClickhouse::start().unwrap())
    }

    pub fn spec(&self) -> Spec {
        Spec { connection_string: self.0.url(), ..Spec::default() }
    }

    /// What a statement answers, or the error.
    pub async fn ask(&self, sql: &str) -> Result<Vec<u8>, String> {
        let request = reqwest::Client::builder().no_proxy().build().unwrap();
        let request =
            request.post(format!("http://127.0.0.1:{}/?database=inventory", self.0.port())).body(sql.to_owned());
        let request = request.header("X-ClickHouse-User", "headwater").header("X-ClickHouse-Key", PASSWORD);
        let answer = request.send().await.unwrap();
        let good = answer.status().is_success();
        let body = answer.bytes().await.unwrap().to_vec();
        if good { Ok(body) } else { Err(String::from_utf8(body).unwrap()) }
    }

    /// What a statement answers as text.
    pub async fn text(&self, sql: &str) -> String {
        String::from_utf8(self.ask(sql).await.unwrap()).unwrap().trim_end().to_owned()
    }
}

fn quote(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

#[async_trait]
impl Subject for Clickhouse {
    fn name(&self) -> &'static str {
        "clickhouse"
    }

    fn open(&self) -> Box<dyn Destination> {
        destination(self.spec()).unwrap()
    }

    /// They are deleted by a statement of their own, as is documented.
    fn stale_rows_go_at_once(&self) -> bool {
        false
    }

    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>> {
        let columns: Vec<String> = table.columns.iter().map(|column| quote(&column.name)).collect();
        // Whether the engine has rows that replace others is its own matter.
        let sql = format!(
            "SELECT {} FROM {} SETTINGS final = 1, output_format_arrow_string_as_string = 0, \
             output_format_arrow_fixed_string_as_fixed_byte_array = 1, output_format_arrow_compression_method = 'none' \
             FORMAT ArrowStream",
            columns.join(", "),
            quote(&table.name)
        );
        let stream = match self.ask(&sql).await {
            Ok(stream) => stream,
            Err(error) if error.starts_with("Code: 60.") => return Vec::new(),
            Err(error) => panic!("{sql}: {error}"),
        };
        let mut all: Vec<Vec<Option<String>>> = Vec::new();
        for batch in StreamReader::try_new(stream.as_slice(), None).unwrap() {
            let batch = batch.unwrap();
            let mut rows = vec![Vec::new(); batch.num_rows()];
            for (column, values) in table.columns.iter().zip(batch.columns()) {
                let field = Arc::new(column.field());
                let values = texts(&field, &array(&field, values)).unwrap();
                rows.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
            }
            all.extend(rows);
        }
        all
    }
}

/// The values of a column as the Arrow type that it has in its table.
fn array(field: &FieldRef, values: &ArrayRef) -> ArrayRef {
    let kind = field.data_type();
    let utf8 = || -> StringArray {
        let bytes = cast(values, &DataType::Binary).unwrap();
        let bytes = bytes.as_binary::<i32>();
        (0..bytes.len())
            .map(|row| bytes.is_valid(row).then(|| String::from_utf8(bytes.value(row).to_vec()).unwrap()))
            .collect()
    };
    match (Extension::of(field), kind) {
        (Some(Extension::Uuid), _) => cast(values, &DataType::FixedSizeBinary(16)).unwrap(),
        (Some(Extension::Mac), _) => {
            let bytes = |text: &str| text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            let macs: Vec<Option<Vec<u8>>> = utf8().iter().map(|text| text.map(bytes)).collect();
            Arc::new(headwater_sdk::arrow::array::BinaryArray::from_iter(macs))
        }
        (None, DataType::Interval(_)) => Arc::new(utf8()),
        (None, kind) if kind.is_nested() => match list_item(kind) {
            Some(item) if !item.data_type().is_nested() => {
                let list = values.as_list::<i32>();
                let items = array(item, list.values());
                // An item that has no type of its own is text here too.
                let metadata = item.metadata().clone();
                let item = Arc::new(Field::new("item", items.data_type().clone(), true).with_metadata(metadata));
                Arc::new(ListArray::try_new(item, list.offsets().clone(), items, list.nulls().cloned()).unwrap())
            }
            // What has no type of its own is JSON, and stays it.
            _ => Arc::new(utf8()),
        },
        _ => cast(values, kind).unwrap(),
    }
}
