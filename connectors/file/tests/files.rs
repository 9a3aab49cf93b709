//! Files of all kinds: how they are found, what they have together, and what is said of those that are broken.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_ipc::writer::{FileWriter, StreamWriter};
use common::{found, read, sync, write};
use headwater_sdk::Class;
use headwater_sdk::arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, ListViewArray, NullArray, RecordBatch, StringArray,
    StringViewArray, TimestampSecondArray,
};
use headwater_sdk::arrow::datatypes::{DataType, Field, Int32Type, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::json;

fn zstd() -> WriterProperties {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build()
}

fn parquet(folder: &Path, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let is_null = |array: &ArrayRef| *array.data_type() == DataType::Null;
    let columns = columns.into_iter().map(|(name, array)| (name, Arc::clone(&array), is_null(&array)));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(zstd())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn words(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test]
async fn tables_are_found_by_patterns() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in [
        "lake/orders/a.csv",
        "lake/orders/deep/er/b.csv",
        "lake/orders/_hidden.csv",
        "lake/orders/.also.csv",
        "lake/orders/readme.txt",
        "lake/_headwater/state.csv",
        "lake/odd [name] é/x y.csv",
        "lake/single.csv",
        "lake/notes.txt",
    ] {
        write(at, name, "a,b\n1,x\n");
    }
    let synced = sync(json!({ "path": at.join("lake") })).await.unwrap();
    assert_eq!(
        synced.units,
        [
            "odd [name] é@odd [name] é/x y.csv",
            "orders@orders/a.csv",
            "orders@orders/deep/er/b.csv",
            "single@single.csv"
        ]
    );
    assert!(synced.errors.is_empty() && synced.prunes);
    assert_eq!(synced.texts("orders", "_headwater_unit"), ["orders/a.csv", "orders/deep/er/b.csv"]);
    for (path, expected) in [
        ("lake/{{TABLE}}/*.csv", vec!["odd [name] é@odd [name] é/x y.csv", "orders@orders/a.csv"]),
        ("lake/or{{TABLE}}/**/*.csv", vec!["ders@orders/a.csv", "ders@orders/deep/er/b.csv"]),
        ("lake/{{TABLE}}/deep/*/{{UNIT}}.{{FORMAT}}", vec!["orders@orders/deep/er/b.csv"]),
        ("lake/{{TABLE}}.csv", vec!["single@single.csv"]),
    ] {
        let synced = sync(json!({ "path": at.join(path) })).await.unwrap();
        assert_eq!(synced.units, expected, "{path}");
    }
    let paths = [at.join("lake/orders/deep"), at.join("lake/odd [name] é/x y.csv"), at.join("lake/s?ngle.*")];
    let synced = sync(json!({ "tables": { "mine": { "path": paths } } })).await.unwrap();
    assert_eq!(synced.units, ["mine@odd [name] é/x y.csv", "mine@orders/deep/er/b.csv", "mine@single.csv"]);
}

#[tokio::test]
async fn folders_of_partitions_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "table=orders/year=2026/month=11/a.csv", "id\n1\n");
    write(at, "table=orders/year=2026/month=__HIVE_DEFAULT_PARTITION__/b.csv", "id\n2\n");
    write(at, "table=orders/year=20%3A27/c.jsonl", "{\"id\": 3, \"month\": \"own\"}\n");
    let spec = json!({ "path": at.join("table={{TABLE}}"), "tables": { "orders": { "columns": { "month": { "nullable": true } } } } });
    let synced = sync(spec).await.unwrap();
    assert!(synced.errors.is_empty(), "{:?}", synced.errors);
    assert_eq!(synced.types("orders"), "id int64, month utf8, year utf8");
    assert_eq!(synced.texts("orders", "year"), ["20:27", "2026", "2026"]);
    assert_eq!(synced.texts("orders", "month"), ["own", "11", "NULL"]);
    let synced = sync(json!({ "path": at.join("table={{TABLE}}"), "hive": false })).await.unwrap();
    assert_eq!(synced.types("orders"), "id int64, month utf8");
}

#[tokio::test]
async fn types_are_found_and_declared() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(
        at,
        "t/a.csv",
        "\u{feff}id,code,price,day,at,\"q\"\"x\"\n1,007,1.5,2026-11-21,2026-11-21 08:00:00,\"a,\nb\"\n2,,,,,\n",
    );
    write(at, "t/b.csv", "q\"x,id,new\nc,9223372036854775808,true\n");
    let synced = sync(json!({ "path": at.join("{{TABLE}}/*") })).await.unwrap();
    assert!(synced.errors.is_empty(), "{:?}", synced.errors);
    assert_eq!(
        synced.types("t"),
        "id decimal128(38, 0), code utf8, price float64, day date32, at timestamp[us], q\"x utf8, new bool"
    );
    assert_eq!(synced.texts("t", "q\"x"), ["a,\nb", "NULL", "c"]);
    let columns = json!({
        "id": { "type": "decimal(21, 2)", "name": "number", "field_id": 7, "nullable": false },
        "day": { "type": "timestamp[us, UTC]" },
    });
    let spec = json!({ "tables": { "t": { "path": at.join("t"), "columns": columns, "key": ["id"] } } });
    let synced = sync(spec).await.unwrap();
    assert_eq!(synced.texts("t", "number"), ["1.00", "2.00", "9223372036854775808.00"]);
    assert_eq!(synced.texts("t", "day")[0], "2026-11-21T00:00:00.000000Z");
    let number = synced.schema("t").column("number").unwrap();
    assert!(number.key && !number.nullable && number.field_id == Some(7));
    // Other forms of CSV.
    write(at, "o/a.tsv", "1\t'a\tb'\n\\N\t''\n");
    let csv = json!({ "header": false, "quote": "'", "null": "\\N" });
    let synced = sync(json!({ "tables": { "o": { "path": at.join("o/a.tsv"), "csv": csv } } })).await.unwrap();
    assert_eq!(synced.types("o"), "column_1 int64, column_2 utf8");
    assert_eq!(synced.texts("o", "column_1"), ["1", "NULL"]);
    assert_eq!(synced.texts("o", "column_2"), ["a\tb", ""]);
    // JSON.
    let lines = "{\"id\": 1, \"o\": {\"a\": [1 , 2]}, \"s\": \"é\\n\", \"m\": 1}\n\n{\"id\": 2.5, \"s\": null, \"m\": \"1\", \"l\": [\"x\", null]}";
    write(at, "j/a.jsonl", lines);
    let columns = json!({ "l": { "type": "list<utf8>" } });
    let synced = sync(json!({ "tables": { "j": { "path": at.join("j"), "columns": columns } } })).await.unwrap();
    assert_eq!(synced.types("j"), "id float64, o json, s utf8, m json, l list<utf8>");
    assert_eq!(synced.texts("j", "o"), ["{\"a\": [1 , 2]}", "NULL"]);
    assert_eq!(synced.texts("j", "s"), ["é\n", "NULL"]);
    assert_eq!(synced.texts("j", "m"), ["1", "\"1\""]);
    assert_eq!(synced.texts("j", "l"), ["NULL", "[\"x\",null]"]);
}

#[tokio::test]
async fn files_that_differ_have_their_columns_together() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    parquet(at, "t/a.parquet", vec![("id", ints(&[1])), ("only_a", words(&["x"])), ("n", Arc::new(NullArray::new(1)))]);
    parquet(at, "t/b.parquet", vec![("n", ints(&[5])), ("id", longs(&[i64::MAX]))]);
    write(at, "t/c.jsonl", "{\"id\": 3}");
    let synced = sync(json!({ "path": at })).await.unwrap();
    assert!(synced.errors.is_empty(), "{:?}", synced.errors);
    assert_eq!(synced.types("t"), "id int64, only_a utf8, n int32");
    assert_eq!(synced.texts("t", "id"), ["1", "9223372036854775807", "3"]);
    assert_eq!(synced.texts("t", "only_a"), ["x", "NULL", "NULL"]);
    assert!(synced.schema("t").column("only_a").unwrap().nullable);
    parquet(at, "t/d.parquet", vec![("id", words(&["x"]))]);
    let wrong = found(json!({ "path": at })).await.map(|_| ()).unwrap_err();
    assert_eq!(
        wrong,
        [
            "path: the column `id` of t is int64 in t/b.parquet and utf8 in t/d.parquet, and no type has the values of both \
          (say what it is read as: `columns: { id: { type: utf8 } }`)"
        ]
    );
    let columns = json!({ "id": { "type": "utf8" } });
    let synced = sync(json!({ "path": at, "tables": { "t": { "columns": columns } } })).await.unwrap();
    assert_eq!(synced.texts("t", "id"), ["1", "9223372036854775807", "3", "x"]);
}

#[tokio::test]
async fn a_broken_file_fails_its_unit_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    parquet(at, "t/a.parquet", vec![("id", ints(&(0..100_000).collect::<Vec<_>>()))]);
    let whole = fs::read(at.join("t/a.parquet")).unwrap();
    write(at, "t/b.parquet", &whole[..whole.len() / 2]);
    write(at, "t/c.parquet", "");
    let mut flipped = whole.clone();
    // Fewer bytes may be other values as well, where the file has no checksums.
    flipped[4..whole.len() / 2].fill(0xff);
    write(at, "t/d.parquet", flipped);
    write(at, "u/a.csv", "id,b\n1,2\n3\n");
    write(at, "u/b.csv", "id,b\n1,2\n");
    write(at, "u/c.csv", [&b"id,b\n1,"[..], &[0xff, b'\n']].concat());
    write(at, "v/a.jsonl", "{\"id\": 1}\n{\"id\": 2");
    write(at, "v/b.jsonl.gz", [0x1f, 0x8b, 8, 0, 0]);
    write(at, "v/c.jsonl", "{\"id\": 1}\n");
    write(at, "w/a.parquet", "nothing of it");
    let synced = sync(json!({ "path": at, "infer_rows": 1 })).await.unwrap();
    let errors: Vec<String> = synced.errors.iter().map(|(unit, error)| format!("{unit}: {}", error.message)).collect();
    let failed: Vec<&str> = synced.errors.iter().map(|(unit, _)| unit.as_str()).collect();
    assert_eq!(
        failed,
        ["t/b.parquet", "t/c.parquet", "t/d.parquet", "u/a.csv", "u/c.csv", "v/a.jsonl", "v/b.jsonl.gz"],
        "{errors:#?}"
    );
    assert!(synced.errors.iter().all(|(unit, error)| error.context[0].ends_with(unit)));
    assert_eq!(synced.rows("u").num_rows(), 1);
    assert!(errors[5].contains("line 2: it is no JSON object"), "{}", errors[5]);
    // A table of which nothing can be read leaves the others alone.
    assert_eq!(synced.failed.len(), 1);
    assert!(synced.failed[0].1.to_string().contains("w/a.parquet"));
    let wrong = found(json!({ "path": at.join("w*/{{TABLE}}.parquet") })).await.map(|_| ()).unwrap_err();
    assert!(wrong[0].contains("table a: ") && wrong[0].contains("w/a.parquet"), "{wrong:?}");
}

#[tokio::test]
async fn values_that_are_none_are_told_with_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "t/a.csv", "id,n\n1,5\n2,x\n");
    write(at, "u/a.csv", "id,n\n1,5\n,6\n");
    let spec = json!({ "path": at, "infer_rows": 1, "rows_per_batch": 1, "tables": { "u": { "key": ["id"] } } });
    let synced = sync(spec).await.unwrap();
    let errors: Vec<String> = synced.errors.iter().map(|(_, error)| error.to_string()).collect();
    assert!(errors[0].ends_with("t/a.csv: column n: row 2: \"x\" is no value of type int64"), "{errors:?}");
    assert!(
        errors[1].ends_with("u/a.csv: column id: row 2: a value is missing, and it is part of the key"),
        "{errors:?}"
    );
}

#[tokio::test]
async fn files_change_and_go_between_two_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in ["a", "b", "c", "d"] {
        parquet(at, &format!("t/{name}.parquet"), vec![("id", ints(&[1]))]);
    }
    let connector = found(json!({ "path": at })).await.unwrap();
    // After the tables were found.
    fs::remove_file(at.join("t/a.parquet")).unwrap();
    parquet(at, "t/b.parquet", vec![("id", longs(&[1]))]);
    parquet(at, "t/c.parquet", vec![("id", ints(&[1])), ("more", ints(&[1]))]);
    let synced = read(&connector).await;
    let errors: Vec<String> = synced.errors.iter().map(|(_, error)| error.message.clone()).collect();
    assert_eq!(
        errors,
        [
            "the file is not there any more",
            "the file was changed since the table's columns were found: `id` is int64 now, instead of int32; sync again",
            "the file was changed since the table's columns were found: it has a new column `more`; sync again",
        ]
    );
    assert_eq!(synced.errors[0].1.class, Class::NotFound);
    // The next sync has the files as they are then, and says that units that are no more go.
    let synced = sync(json!({ "path": at })).await.unwrap();
    assert_eq!(synced.units, ["t@t/b.parquet", "t@t/c.parquet", "t@t/d.parquet"]);
    assert_eq!(synced.types("t"), "id int64, more int32");
    assert!(synced.errors.is_empty() && synced.prunes);
    // What is gone as a whole is more likely a mistake.
    fs::remove_dir_all(at.join("t")).unwrap();
    assert!(found(json!({ "path": at })).await.is_err());
}

#[tokio::test]
async fn wrong_specs_are_told_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "orders/a.csv", "id,name\n1,x\n");
    write(at, "orders/b.data", "id,name\n1,x\n");
    parquet(at, "p/a.parquet", vec![("id", longs(&[1]))]);
    for (spec, expected) in [
        (
            json!({ "path": at, "tables": { "order": {} } }),
            "tables.order: no files of a table `order` are found (did you mean `orders`?)",
        ),
        (
            json!({ "path": at, "tables": { "orders": { "key": ["idd"] } } }),
            "tables.orders.key: no file of orders has a column `idd` (did you mean `id`?)",
        ),
        (
            json!({ "path": at, "tables": { "orders": { "columns": { "nam": {} } } } }),
            "tables.orders.columns.nam: no file of orders has a column `nam` (did you mean `name`?)",
        ),
        (
            json!({ "path": at, "tables": { "orders": { "columns": { "id": { "type": "int" } } } } }),
            "tables.orders.columns.id.type: \"int\" is no type",
        ),
        (
            json!({ "path": at, "tables": { "orders": { "columns": { "id": { "name": "name" } } } } }),
            "tables.orders.columns.name.name: two columns would be called `name`",
        ),
        (
            json!({ "path": at, "tables": { "p": { "columns": { "id": { "type": "int32" } } } } }),
            "tables.p.columns.id.type: int64 of p/a.parquet cannot be read as int32 without loss",
        ),
        (json!({ "tables": { "x": { "path": at.join("nothing/*.csv") } } }), "tables.x.path: no file fits"),
        (json!({ "tables": { "x": { "path": at.join("orders/*") } } }), "does not tell its format"),
        (json!({ "tables": { "x": { "path": at.join("{{TABLE}}/*") } } }), "is of one table"),
        (json!({ "path": at.join("{{TABEL}}/*") }), "does not tell the tables' names"),
        (json!({ "path": at.join("{{TABLE}}/{{TABLE}}") }), "has the table's name twice"),
        (json!({ "path": at.join("none") }), "path: there are no files of tables in"),
        (json!({ "path": at.join("[/{{TABLE}}/*") }), "is no pattern"),
    ] {
        let wrong = found(spec).await.map(|_| ()).unwrap_err();
        assert!(wrong[0].contains(expected), "{wrong:?} instead of {expected}");
    }
    for (spec, expected) in [
        (json!({}), "there are no files to read"),
        (json!({ "path": "x", "rows_per_batch": 0 }), "must be at least 1"),
        (json!({ "path": "x", "csv": { "delimiter": "ab" } }), "one ASCII character"),
        (json!({ "tables": { "t": { "path": [] } } }), "table t: `path` names nothing"),
    ] {
        let error = headwater_file_source::connector(common::spec(spec)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn arrow_files_and_streams_are_read_as_plain_types() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("t")).unwrap();
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let views = ListViewArray::try_new(item, vec![1, 0].into(), vec![2, 1].into(), ints(&[1, 2, 3]), None).unwrap();
    let words: DictionaryArray<Int32Type> = ["b", "a"].into_iter().collect();
    let time = TimestampSecondArray::from(vec![0, 1]).with_timezone("Europe/Rome");
    let batch = RecordBatch::try_from_iter([
        ("list", Arc::new(views) as ArrayRef),
        ("word", Arc::new(words) as ArrayRef),
        ("view", Arc::new(StringViewArray::from(vec!["x", "y"])) as ArrayRef),
        ("at", Arc::new(time) as ArrayRef),
        ("_cq_source_name", Arc::new(StringArray::from(vec!["old", "old"])) as ArrayRef),
    ])
    .unwrap();
    let mut file = FileWriter::try_new(File::create(at.join("t/a.arrow")).unwrap(), &batch.schema()).unwrap();
    (0..3).for_each(|_| file.write(&batch).unwrap());
    file.finish().unwrap();
    let mut stream = StreamWriter::try_new(File::create(at.join("t/b.arrows")).unwrap(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    stream.finish().unwrap();
    parquet(at, "t/c.parquet", vec![("word", Arc::clone(batch.column(1))), ("view", Arc::clone(batch.column(2)))]);
    let whole = fs::read(at.join("t/a.arrow")).unwrap();
    write(at, "t/broken.arrow", &whole[..whole.len() - 20]);
    let synced = sync(json!({ "path": at, "rows_per_batch": 1 })).await.unwrap();
    assert_eq!(synced.types("t"), "list list<int32>, word utf8, view utf8, at timestamp[s, UTC]");
    assert_eq!(synced.errors.len(), 1, "{:?}", synced.errors);
    assert_eq!(synced.texts("t", "list")[..2], ["[2,3]", "[1]"]);
    assert_eq!(synced.texts("t", "word"), ["b", "a"].repeat(5));
    assert_eq!(synced.texts("t", "at")[1], "1970-01-01T00:00:01Z");
    assert_eq!(synced.texts("t", "_cq_source_name")[0], "files");
    assert!(synced.tables["t"].1.iter().all(|batch| batch.num_rows() == 1));
}

#[tokio::test]
async fn old_times_of_parquet_reach_beyond_2262() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let schema = Arc::new(parse_message_type("message t { required int96 at; }").unwrap());
    fs::create_dir(at.join("t")).unwrap();
    let file = File::create(at.join("t/a.parquet")).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    // Days since the year -4713, and nanoseconds: 9999-12-31T23:59:59.000001, 1970-01-01.
    let time = |day: u32, nanoseconds: u64| Int96::from(vec![nanoseconds as u32, (nanoseconds >> 32) as u32, day]);
    let times = [time(2_440_588 + 2_932_896, 86_399_000_001_000), time(2_440_588, 0)];
    column.typed::<Int96Type>().write_batch(&times, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let synced = sync(json!({ "path": at })).await.unwrap();
    assert_eq!(synced.types("t"), "at timestamp[us]");
    assert_eq!(synced.texts("t", "at"), ["9999-12-31T23:59:59.000001", "1970-01-01T00:00:00.000000"]);
}

#[tokio::test]
async fn what_fields_say_of_themselves_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let field = |name: &str, pairs: &[(&str, &str)]| {
        let metadata: std::collections::HashMap<_, _> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Field::new(name, DataType::Utf8, false).with_metadata(metadata)
    };
    let schema = Schema::new(vec![
        field("n", &[("headwater:native", "postgresql numeric"), ("PARQUET:field_id", "4")]),
        field("j", &[("ARROW:extension:name", "arrow.json"), ("ARROW:extension:metadata", "")]),
    ]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![words(&["1.5"]), words(&["{}"])]).unwrap();
    fs::create_dir(at.join("t")).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(at.join("t/a.parquet")).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let synced = sync(json!({ "path": at })).await.unwrap();
    assert_eq!(synced.types("t"), "n utf8, j json");
    let column = synced.schema("t").column("n").unwrap();
    assert_eq!((column.native_of("postgresql"), column.field_id, column.nullable), (Some("numeric"), Some(4), false));
}
