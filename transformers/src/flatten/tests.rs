#![allow(clippy::unwrap_used)]
use headwater_sdk::arrow::array::{
    Array, BinaryArray, Int64Array, ListBuilder, NullBufferBuilder, StringArray, StringBuilder, StructArray,
};
use headwater_sdk::arrow::datatypes::{Field, Fields};
use headwater_sdk::{Scopes, plain};
use serde_json::json;

use super::*;

fn table(kind: ColumnType) -> Arc<TableSchema> {
    let mut columns = vec![Column::new("id", ColumnType::plain(DataType::Int64), ""), Column::new("info", kind, "")];
    columns[0].key = true;
    let table = TableSchema::of_database("things", "", Scopes::SINGLE, columns);
    // The tests say nothing of the sync's columns.
    let mut columns = table.columns.clone();
    columns.iter_mut().for_each(|column| column.nullable = true);
    Arc::new(table.with_columns(columns))
}

fn batch(table: &TableSchema, info: ArrayRef) -> RecordBatch {
    let rows = info.len();
    let columns = table.columns.iter().map(|column| -> ArrayRef {
        match column.name.as_str() {
            "id" => Arc::new(Int64Array::from_iter_values(0..rows as i64)),
            "info" => Arc::clone(&info),
            _ => headwater_sdk::arrow::array::new_null_array(&column.kind.data_type, rows),
        }
    });
    RecordBatch::try_new(table.arrow(), columns.collect()).unwrap()
}

fn made(spec: serde_json::Value, table: &Arc<TableSchema>) -> Result<Arc<dyn TableTransform>, Vec<String>> {
    match Flatten::new(serde_json::from_value(spec).unwrap()).unwrap().table(table) {
        Ok(made) => Ok(made.unwrap()),
        Err(Undiscovered::Wrong(wrongs)) => {
            Err(wrongs.into_iter().map(|wrong| format!("{}: {}", wrong.at.join("."), wrong.message)).collect())
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let at = batch.schema().index_of(name).unwrap();
    let field = Arc::new(batch.schema().field(at).clone());
    let texts = plain::text(&field, batch.column(at)).unwrap();
    texts.iter().map(|text| text.unwrap_or("-").to_owned()).collect()
}

fn json_column() -> ArrayRef {
    Arc::new(BinaryArray::from(vec![
        Some(br#"{"a": {"b": 12345678901234567890, "c": "x\ny"}, "l": [1, {"k": true}], "n": "7"}"#.as_slice()),
        Some(br#"{"a": {"b": -1, "c": null}, "l": 5, "n": {"deep": 1}, "a key": 1.50}"#.as_slice()),
        None,
        Some(br#"[]"#.as_slice()),
    ]))
}

#[test]
fn places_in_json_become_columns() {
    let table = table(ColumnType::of(Extension::Json));
    let spec = json!({ "columns": { "info": { "mismatch": "ignore", "paths": [
        { "path": "$.a.b", "type": "uint64" },
        { "path": "$.a.c", "type": "utf8", "name": "c" },
        { "path": "$.l" },
        { "path": "$.l[1].k", "type": "bool" },
        { "path": "$.n", "type": "int64" },
        { "path": "$.n", "name": "n_text", "type": "utf8" },
        { "path": "$.\"a key\"", "name": "exact", "type": "decimal(9, 1)" },
    ] } } });
    let made = made(spec, &table).unwrap();
    let names: Vec<&str> = made.schema().columns.iter().map(|column| column.name.as_str()).skip(2).collect();
    assert_eq!(names, ["id", "info_a_b", "c", "info_l", "info_l_1_k", "info_n", "n_text", "exact"]);
    assert!(!made.puts_aside());
    let done = made.apply(&batch(&table, json_column())).unwrap().batch;
    assert_eq!(texts(&done, "info_a_b"), ["12345678901234567890", "-", "-", "-"]);
    assert_eq!(texts(&done, "c"), ["x\ny", "-", "-", "-"]);
    assert_eq!(texts(&done, "info_l"), [r#"[1, {"k": true}]"#, "5", "-", "-"]);
    assert_eq!(texts(&done, "info_l_1_k"), ["true", "-", "-", "-"]);
    assert_eq!(texts(&done, "info_n"), ["7", "-", "-", "-"]);
    assert_eq!(texts(&done, "n_text"), ["7", r#"{"deep": 1}"#, "-", "-"]);
    assert_eq!(texts(&done, "exact"), ["-", "1.5", "-", "-"]);
}

#[test]
fn what_does_not_fit_goes_by_the_rule() {
    let table = table(ColumnType::plain(DataType::Utf8));
    let texts_of: ArrayRef = Arc::new(StringArray::from(vec![r#"{"n": 1}"#, r#"{"n": "x"}"#, "{", r#"{"n": [1]}"#]));
    let spec = |mismatch: &str| json!({ "columns": { "info": { "keep": true, "mismatch": mismatch, "paths": [{ "path": "$.n", "type": "int8" }] } } });
    let apply = |mismatch: &str| made(spec(mismatch), &table).unwrap().apply(&batch(&table, Arc::clone(&texts_of)));
    let done = apply("discard_row").unwrap();
    assert_eq!((texts(&done.batch, "id"), texts(&done.batch, "info_n")), (vec!["0".to_owned()], vec!["1".to_owned()]));
    let reasons: Vec<&str> = done.rows.iter().map(|row| row.reason.as_str()).collect();
    assert_eq!(reasons, ["`info_n` does not fit int8", "`info` is not JSON", "`info_n` does not fit int8"]);
    let done = apply("discard_value").unwrap();
    assert_eq!((done.batch.num_rows(), done.rows.len(), done.values.len()), (4, 0, 3));
    assert_eq!(texts(&done.batch, "info_n"), ["1", "-", "-", "-"]);
    assert_eq!(apply("fail").unwrap_err().to_string(), "`info_n` does not fit int8");
    assert_eq!(apply("ignore").unwrap().values.len(), 0);
}

fn structs() -> ArrayRef {
    let inner = Fields::from(vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8, true)]);
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a"), None]);
    lists.append_null();
    lists.append_value([Some("hidden")]);
    let lists = lists.finish();
    let pair = StructArray::new(
        inner.clone(),
        vec![Arc::new(Int64Array::from(vec![1, 2, 3])), Arc::new(StringArray::from(vec!["7", "z", "h"]))],
        None,
    );
    let fields = Fields::from(vec![
        Field::new("in", DataType::Struct(inner), true),
        Field::new("list", lists.data_type().clone(), true),
    ]);
    let mut nulls = NullBufferBuilder::new(3);
    [true, true, false].into_iter().for_each(|valid| nulls.append(valid));
    Arc::new(StructArray::new(fields, vec![Arc::new(pair), Arc::new(lists)], nulls.finish()))
}

#[test]
fn members_of_structs_become_columns() {
    let info = structs();
    let table = table(ColumnType::plain(info.data_type().clone()));
    let apply = |spec: serde_json::Value| made(spec, &table).unwrap().apply(&batch(&table, Arc::clone(&info)));
    let done = apply(json!({ "columns": { "info": { "prefix": "" } } })).unwrap().batch;
    assert_eq!(texts(&done, "in_x"), ["1", "2", "-"], "what is within nothing is nothing");
    assert_eq!(texts(&done, "in_y"), ["7", "z", "-"]);
    assert_eq!(texts(&done, "list"), [r#"["a",null]"#, "-", "-"]);
    let done = apply(json!({ "columns": { "info": { "max_depth": 1 } } })).unwrap().batch;
    assert_eq!(texts(&done, "info_in"), [r#"{"x":1,"y":"7"}"#, r#"{"x":2,"y":"z"}"#, "-"]);
    let paths = json!([{ "path": "$.in.y", "type": "int32", "name": "y" }]);
    let done = apply(json!({ "columns": { "info": { "mismatch": "discard_value", "paths": paths } } })).unwrap();
    assert_eq!(texts(&done.batch, "y"), ["7", "-", "-"]);
    assert_eq!(done.values.len(), 1);
}

#[test]
fn what_cannot_be_flattened_is_refused() {
    let json = table(ColumnType::of(Extension::Json));
    let structs = table(ColumnType::plain(structs().data_type().clone()));
    let paths = |paths: serde_json::Value| json!({ "columns": { "info": { "paths": paths } } });
    for (table, spec, expected) in [
        (&json, json!({ "columns": { "inof": {} } }), "columns.inof: there is no column `inof`"),
        (&json, json!({ "columns": { "id": {} } }), "columns.id: `id` of `things` is int64"),
        (&json, json!({ "columns": { "info": {} } }), "columns.info.paths: `info` is JSON"),
        (
            &json,
            json!({ "columns": { "info": { "max_depth": 2 } } }),
            "columns.info.max_depth: `max_depth` is for structs",
        ),
        (&json, paths(json!([{ "path": "a" }])), "columns.info.paths.0.path: `a` does not begin with `$`"),
        (&json, paths(json!([{ "path": "$.a[*]" }])), "columns.info.paths.0.path: `$.a[*]` does not lead to one value"),
        (&json, paths(json!([{ "path": "$.a", "type": "int65" }])), "columns.info.paths.0.type: \"int65\" is no type"),
        (
            &json,
            paths(json!([{ "path": "$.a", "type": "list<utf8>" }])),
            "columns.info.paths.0.type: list<utf8> cannot",
        ),
        (&structs, paths(json!([{ "path": "$.in.z" }])), "columns.info.paths.0.path: there is no member `z`"),
        (
            &structs,
            paths(json!([{ "path": "$.list.z" }])),
            "columns.info.paths.0.path: there are no members within `list`",
        ),
        (&structs, paths(json!([{ "path": "$.in", "type": "int32" }])), "columns.info.paths.0.type: json cannot be"),
    ] {
        let wrongs = made(spec, table).err().unwrap();
        assert!(wrongs[0].starts_with(expected), "{wrongs:?}");
    }
}
