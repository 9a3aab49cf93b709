#![allow(clippy::unwrap_used)]
use headwater_sdk::arrow::array::{AsArray, Int64Array, StringArray};
use headwater_sdk::arrow::datatypes::{DataType, Int64Type};
use headwater_sdk::{ColumnType, Scopes};
use serde_json::json;

use super::*;

fn table() -> Arc<TableSchema> {
    let column = |name: &str, kind: DataType, key: bool| {
        let mut column = Column::new(name, ColumnType::plain(kind), "");
        (column.key, column.nullable) = (key, !key);
        column
    };
    let columns = vec![
        column("id", DataType::Int64, true),
        column("age", DataType::Utf8, false),
        column("name", DataType::Utf8, false),
    ];
    Arc::new(TableSchema::of_database("people", "", Scopes::SINGLE, columns))
}

fn batch(table: &TableSchema) -> RecordBatch {
    let rows = 5;
    let columns = table.columns.iter().map(|column| -> ArrayRef {
        match column.name.as_str() {
            "id" => Arc::new(Int64Array::from(vec![1, 2, 3, 4, 0])),
            "age" => Arc::new(StringArray::from(vec![Some("7"), Some("x"), Some("200"), None, Some("9")])),
            "name" => Arc::new(StringArray::from(vec![Some("Ann"), Some("bob"), Some("Cid"), Some("Dan"), None])),
            "_cq_source_name" => Arc::new(StringArray::from(vec!["s"; rows])),
            _ => headwater_sdk::arrow::array::new_null_array(&column.kind.data_type, rows),
        }
    });
    let columns: Vec<ArrayRef> = columns.collect();
    let loose: Vec<_> = table.arrow().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    RecordBatch::try_new(Arc::new(headwater_sdk::arrow::datatypes::Schema::new(loose)), columns).unwrap()
}

fn made(spec: serde_json::Value, table: &Arc<TableSchema>) -> Result<Arc<dyn TableTransform>, Vec<String>> {
    let contract = Contract::new(serde_json::from_value(spec).unwrap()).unwrap();
    match contract.table(table) {
        Ok(made) => Ok(made.unwrap()),
        Err(Undiscovered::Wrong(wrongs)) => {
            Err(wrongs.into_iter().map(|wrong| format!("{}: {}", wrong.at.join("."), wrong.message)).collect())
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn reasons(rejected: &[Rejected]) -> Vec<&str> {
    rejected.iter().map(|row| row.reason.as_str()).collect()
}

/// `_cq_sync_time` must not be missing in what goes on, as it is in the batch of these tests.
fn loose(table: &Arc<TableSchema>) -> Arc<TableSchema> {
    let mut columns = table.columns.clone();
    columns.iter_mut().for_each(|column| column.nullable = true);
    Arc::new(table.with_columns(columns))
}

#[test]
fn rows_that_break_a_rule_are_put_aside() {
    let table = loose(&table());
    let spec = json!({ "mode": "discard_row", "columns": {
        "id": { "min": "1" },
        "age": { "type": "int64", "max": "150", "nullable": false },
        "name": { "regex": "^[A-Z]" },
    } });
    let made = made(spec, &table).unwrap();
    assert_eq!(made.schema().column("age").unwrap().kind.name(), "int64");
    assert!(made.puts_aside());
    let done = made.apply(&batch(&table)).unwrap();
    assert_eq!(done.batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec(), [1]);
    assert_eq!(done.batch.column_by_name("age").unwrap().as_primitive::<Int64Type>().value(0), 7);
    assert_eq!(
        reasons(&done.rows),
        [
            "`age` does not fit int64; `name` does not match ^[A-Z]",
            "`age` is above 150",
            "`age` is missing",
            "`id` is below 1"
        ]
    );
    assert!(done.rows[0].row.contains(r#""age":"x""#), "{:?}", done.rows[0]);
    assert!(done.values.is_empty());
}

#[test]
fn values_that_break_a_rule_are_left_out_but_not_those_of_the_key() {
    let table = loose(&table());
    let spec = json!({ "mode": "discard_value", "columns": {
        "id": { "min": "1" },
        "age": { "type": "int64", "max": "150" },
        "name": { "one_of": ["Ann", "Cid", "Dan"] },
    } });
    let done = made(spec, &table).unwrap().apply(&batch(&table)).unwrap();
    assert_eq!(done.batch.num_rows(), 4);
    let nulls = |name: &str| done.batch.column_by_name(name).unwrap().null_count();
    assert_eq!((nulls("id"), nulls("age"), nulls("name")), (0, 3, 1));
    assert_eq!(reasons(&done.rows), ["`id` is below 1"]);
    assert_eq!(
        reasons(&done.values),
        ["`age` does not fit int64; `name` is not one of those agreed on", "`age` is above 150"]
    );
}

#[test]
fn what_is_not_agreed_is_refused_let_pass_or_left_out() {
    let table = loose(&table());
    let spec = |mode: &str| json!({ "mode": mode, "columns": { "age": { "type": "int64" } } });
    assert_eq!(
        made(spec("freeze"), &table).err().unwrap(),
        [
            "columns.age.type: `age` of `people` is utf8, and int64 is agreed",
            "columns: `name` of `people` is not in the contract"
        ]
    );
    let names = |made: Arc<dyn TableTransform>| -> Vec<String> {
        made.schema().columns.iter().map(|column| format!("{} {}", column.name, column.kind.name())).skip(2).collect()
    };
    assert_eq!(names(made(spec("evolve"), &table).unwrap()), ["id int64", "age utf8", "name utf8"]);
    assert_eq!(names(made(spec("discard_value"), &table).unwrap()), ["id int64", "age int64"]);
}

#[test]
fn a_rule_that_is_broken_fails_the_unit_unless_it_is_said_otherwise() {
    let table = loose(&table());
    let spec = json!({ "mode": "evolve", "columns": { "age": { "nullable": false } } });
    let error = made(spec, &table).unwrap().apply(&batch(&table)).unwrap_err();
    assert_eq!(error.to_string(), "`age` is missing, which breaks the contract");
}

#[test]
fn contracts_that_cannot_be_met() {
    let table = loose(&table());
    let spec = json!({ "mode": "discard_row", "columns": {
        "id": { "type": "utf8", "min": "x", "regex": "a" },
        "nmae": {},
        "name": { "regex": "(", "one_of": [], "type": "text9" },
    } });
    let wrongs = made(spec, &table).err().unwrap();
    let expected = [
        "columns.nmae: there is no column `nmae`",
        "columns.id.type: `id` of `people` is int64, and utf8 is agreed",
        "columns.id.min: `x` is no value of `id`",
        "columns.id.regex: `regex` is not for `id`",
        "columns.name.type: \"text9\" is no type",
        "columns.name.regex: `(` is no regular expression",
        "columns.name.one_of: `one_of` of `name` allows no value",
    ];
    assert_eq!(wrongs.len(), expected.len(), "{wrongs:#?}");
    for (found, expected) in wrongs.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}
