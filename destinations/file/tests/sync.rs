//! Syncs into real folders: which files there are, what they hold, and what stays when something fails.
#![allow(clippy::unwrap_used)]

#[path = "../../sqlite/tests/common/mod.rs"]
mod common;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::*;
use headwater_e2e::SmallDisk;
use headwater_file::{Compression, Format, FormatSpec, Spec, destination};
use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, ListArray, RecordBatch, StructArray,
};
use headwater_sdk::arrow::buffer::OffsetBuffer;
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options, concat_batches};
use headwater_sdk::arrow::datatypes::{DataType, Date32Type, Field, Fields, TimeUnit};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::Change;
use headwater_sdk::{
    Budget, Class, Column, ColumnType, Committed, Destination, Outcome, TablePlan, TableSchema, WriteMode, testing,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

const COMPLETE: Outcome = Outcome::Complete;
const DELETE_STALE: WriteMode = WriteMode::OverwriteDeleteStale;

fn spec(folder: &TempDir, format: Format) -> Spec {
    Spec { path: folder.path().join("out").display().to_string(), format, ..Spec::default() }
}

async fn ready(spec: Spec) -> Box<dyn Destination> {
    let destination = destination(spec).unwrap();
    destination.check().await.unwrap();
    destination.migrate(&[Arc::new(every_type("t"))], MigrateMode::Safe).await.unwrap();
    destination
}

/// All files below a folder, by their names from there.
fn files(folder: &Path) -> Vec<String> {
    fn collect(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => collect(&path, root, found),
                false => found.push(path.strip_prefix(root).unwrap().display().to_string()),
            }
        }
    }
    let mut found = Vec::new();
    collect(folder, folder, &mut found);
    found.sort();
    found
}

fn parquet(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn strings(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().map(|cell| cell.unwrap_or("null").to_owned()).collect()
}

fn arns(folder: &TempDir, file: &str) -> Vec<String> {
    strings(&parquet(&folder.path().join("out").join(file)), "arn")
}

fn text(path: PathBuf) -> String {
    let mut text = String::new();
    let mut file = File::open(&path).unwrap();
    match path.extension().unwrap() == "gz" {
        true => flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap(),
        false => file.read_to_string(&mut text).unwrap(),
    };
    text
}

/// Three rows: full, with no values, and with a time before 1970 and no number.
fn three() -> Vec<Vec<Row>> {
    let mut null = row("null");
    null.full = false;
    let mut old = row("old");
    (old.time, old.float) = (headwater_sdk::Timestamp(-1), f64::NAN);
    vec![vec![row("full"), null], vec![], vec![old]]
}

async fn write_three(spec: Spec) {
    let table = every_type("t");
    let destination = ready(spec).await;
    let part = part(&table, HERE, NOW, DELETE_STALE);
    assert_eq!(write(&*destination, part, HERE, COMPLETE, three()).await.unwrap(), committed(3, 0));
    destination.close().await.unwrap();
}

#[tokio::test]
async fn parquet_holds_every_type() {
    let folder = TempDir::new().unwrap();
    write_three(spec(&folder, Format::Parquet)).await;
    assert_eq!(files(folder.path()), ["out/t/aws.123456789012.eu-west-1.parquet"]);
    let path = folder.path().join("out/t/aws.123456789012.eu-west-1.parquet");
    let table = every_type("t");
    let written: Vec<RecordBatch> = three().iter().map(|rows| batch(&table, HERE, NOW, rows)).collect();
    let written = concat_batches(&table.arrow(), &written).unwrap();
    let read = parquet(&path);

    assert_eq!(read.num_rows(), 3);
    for (index, field) in written.schema().fields().iter().enumerate() {
        let name = field.name().as_str();
        let column = read.column(index);
        assert_eq!(read.schema().field(index).name(), name);
        assert_eq!(read.schema().field(index).is_nullable(), field.is_nullable(), "{name}");
        let expected: &[&str] = match name {
            "_cq_id" => &[&id("full").to_string(), &id("null").to_string(), &id("old").to_string()],
            "_cq_parent_id" => &["null", "null", "null"],
            "uuid" => &["730a216f-19d7-51f5-9aa7-de5dc4e93108", "null", "730a216f-19d7-51f5-9aa7-de5dc4e93108"],
            "json" => &["{\"a\": [1,\n \"é\"]}", "null", "{\"a\": [1,\n \"é\"]}"],
            "inet" => &["10.0.0.0/16", "null", "10.0.0.0/16"],
            "mac" => &["0a:1b:2c:3d:4e:5f", "null", "0a:1b:2c:3d:4e:5f"],
            "uuids" => {
                let lists = column.as_list::<i32>();
                assert_eq!(lists.value(0).as_string::<i32>().value(0), "00000000-0000-0000-0000-000000000000");
                assert!(lists.is_null(1));
                continue;
            }
            // Everything else is the same Arrow column as before, NaN included.
            _ => {
                assert_eq!(format!("{column:?}"), format!("{:?}", written.column(index)), "{name}");
                assert_eq!(column.data_type(), field.data_type(), "{name}");
                continue;
            }
        };
        assert_eq!(strings(&read, name), expected, "{name}");
    }
    let schema = read.schema();
    assert_eq!(schema.metadata()["cq:table_name"], "t");
    assert_eq!(schema.field_with_name("arn").unwrap().metadata()["cq:extension:primary_key"], "true");
    for name in ["json", "uuid"] {
        let metadata = schema.field_with_name(name).unwrap().metadata();
        assert_eq!(metadata["headwater:type"], name);
        assert_eq!(metadata.get("ARROW:extension:name"), None, "plain text for readers of Arrow schemas");
    }

    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let columns = reader.metadata().file_metadata().schema_descr().columns().to_vec();
    let logical = |name: &str| {
        let column = columns.iter().find(|column| column.name() == name).unwrap();
        format!("{:?}", column.logical_type_ref().unwrap())
    };
    assert_eq!((logical("json").as_str(), logical("uuid").as_str()), ("Json", "String"));
    assert!(logical("time").contains("true") && logical("time").contains("MICROS"), "{}", logical("time"));
    let compression = reader.metadata().row_group(0).column(0).compression();
    assert!(format!("{compression:?}").starts_with("ZSTD"));
}

#[tokio::test]
async fn json_lines_hold_every_type() {
    let folder = TempDir::new().unwrap();
    write_three(Spec { compression: Compression::Gzip, ..spec(&folder, Format::Jsonl) }).await;
    let text = text(folder.path().join("out/t/aws.123456789012.eu-west-1.jsonl.gz"));
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let full = serde_json::json!({
        "_cq_sync_time": "2026-11-21T08:59:02.123456Z", "_cq_source_name": "aws", "_cq_id": id("full").to_string(),
        "_cq_parent_id": null, "account_id": "123456789012", "region": "eu-west-1", "arn": "full",
        ODD: "text of full", "bool": true, "i8": i8::MIN, "i16": i16::MIN, "i32": i32::MIN, "i64": i64::MIN,
        "u8": u8::MAX, "u16": u16::MAX, "u32": u32::MAX, "u64": i64::MAX, "f32": 0.5, "f64": 0.5, "binary": "AAH+/w==",
        "time": "2026-11-21T08:59:02.123456Z", "uuid": "730a216f-19d7-51f5-9aa7-de5dc4e93108",
        "json": {"a": [1, "é"]}, "inet": "10.0.0.0/16", "mac": "0a:1b:2c:3d:4e:5f", "texts": ["a", "b, \"c\""],
        "ints": [1, -2], "times": ["2026-11-21T08:59:02.123456Z"], "uuids": ["00000000-0000-0000-0000-000000000000"],
    });
    assert_eq!(lines[0], full);
    let object = lines[1].as_object().unwrap();
    assert_eq!(object.len(), 29, "nulls are written");
    assert_eq!(object.values().filter(|value| value.is_null()).count(), 23);
    assert_eq!(lines[2]["time"], "1969-12-31T23:59:59.999999Z");
    assert_eq!((&lines[2]["f32"], &lines[2]["f64"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn csv_holds_every_type() {
    let folder = TempDir::new().unwrap();
    write_three(spec(&folder, Format::Csv)).await;
    let text = text(folder.path().join("out/t/aws.123456789012.eu-west-1.csv"));
    // The JSON cell has a line break of its own, so a record is more than a line.
    let records: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(records.len(), 5, "a header, three rows, and the end");
    assert_eq!(
        records[0],
        "_cq_sync_time,_cq_source_name,_cq_id,_cq_parent_id,account_id,region,arn,\"an \"\"odd\"\", na'me\",bool,i8,i16,\
         i32,i64,u8,u16,u32,u64,f32,f64,binary,time,uuid,json,inet,mac,texts,ints,times,uuids"
    );
    let full = format!(
        "2026-11-21T08:59:02.123456Z,aws,{},,123456789012,eu-west-1,full,text of full,true,-128,-32768,-2147483648,\
         -9223372036854775808,255,65535,4294967295,9223372036854775807,0.5,0.5,AAH+/w==,2026-11-21T08:59:02.123456Z,\
         730a216f-19d7-51f5-9aa7-de5dc4e93108,\"{{\"\"a\"\": [1,\n \"\"é\"\"]}}\",10.0.0.0/16,0a:1b:2c:3d:4e:5f,\
         \"[\"\"a\"\",\"\"b, \\\"\"c\\\"\"\"\"]\",\"[1,-2]\",\"[\"\"2026-11-21T08:59:02.123456Z\"\"]\",\
         \"[\"\"00000000-0000-0000-0000-000000000000\"\"]\"",
        id("full")
    );
    assert_eq!(records[1], full);
    let null = format!("2026-11-21T08:59:02.123456Z,aws,{},,123456789012,eu-west-1,null{}", id("null"), ",".repeat(22));
    assert_eq!(records[2], null);
    assert!(records[3].contains(",NaN,NaN,AAH+/w==,1969-12-31T23:59:59.999999Z,"), "{}", records[3]);
}

#[tokio::test]
async fn csv_takes_a_delimiter_and_no_header() {
    let folder = TempDir::new().unwrap();
    let format_spec = FormatSpec { delimiter: Some("\t".to_owned()), skip_header: Some(true), ..FormatSpec::default() };
    write_three(Spec { format_spec, compression: Compression::Gzip, ..spec(&folder, Format::Csv) }).await;
    let text = text(folder.path().join("out/t/aws.123456789012.eu-west-1.csv.gz"));
    assert!(text.starts_with("2026-11-21T08:59:02.123456Z\taws\t"), "{text}");
}

#[tokio::test]
async fn parquet_is_laid_out_as_the_spec_says() {
    use headwater_sdk::arrow::array::AsArray;
    let folder = TempDir::new().unwrap();
    let format_spec: FormatSpec = serde_json::from_value(serde_json::json!({
        "row_group_rows": 3, "page_bytes": 1024, "zstd_level": 9, "dictionary": false, "bloom_filter": ["arn", "no_such"],
        "sort_by": ["-arn"],
    }))
    .unwrap();
    let table = every_type("t");
    let destination = ready(Spec { format_spec, ..spec(&folder, Format::Parquet) }).await;
    let part = part(&table, HERE, at(0), DELETE_STALE);
    let batches = vec![rows(&["c", "a"]), rows(&["d", "b", "f"]), rows(&["e", "g"])];
    let done = write(&*destination, part, HERE, COMPLETE, batches).await.unwrap();
    assert_eq!(done, committed(7, 0));
    let file = File::open(folder.path().join("out/t/aws.123456789012.eu-west-1.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let metadata = reader.metadata().clone();
    let groups: Vec<i64> = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [3, 3, 1]);
    let arn = reader.schema().index_of("arn").unwrap();
    for group in metadata.row_groups() {
        let column = group.column(arn);
        assert!(column.bloom_filter_offset().is_some() && column.dictionary_page_offset().is_none());
        let filters = group.columns().iter().filter(|column| column.bloom_filter_offset().is_some()).count();
        assert_eq!(filters, 1);
    }
    let batches: Vec<RecordBatch> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
    let arns = batches.iter().flat_map(|batch| {
        batch.column(arn).as_string::<i32>().iter().map(|arn| arn.unwrap().to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(arns.collect::<Vec<_>>(), ["d", "c", "a", "f", "e", "b", "g"], "in order within each row group");
}

#[tokio::test]
async fn a_second_sync_replaces_the_files_of_its_own_units_only() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(spec(&folder, Format::Parquet)).await;
    let units = ["aws.123456789012.eu-west-1", "aws.123456789012.us-east-1", "other.123456789012.eu-west-1"];
    let [here, there, other] = units.map(|unit| format!("t/{unit}.parquet"));
    for from in [HERE, THERE, OTHER] {
        let part = part(&table, from, at(0), DELETE_STALE);
        let done = write(&*destination, part, from, COMPLETE, vec![rows(&["a", "b"])]).await.unwrap();
        assert_eq!(done, committed(2, 0));
    }
    let again = part(&table, HERE, at(1), DELETE_STALE);
    let again = write(&*destination, again, HERE, COMPLETE, vec![rows(&["b", "c"])]).await.unwrap();
    assert_eq!(again, committed(2, 0));
    assert_eq!(files(&folder.path().join("out")), [here.as_str(), &there, &other]);
    assert_eq!(arns(&folder, &here), ["b", "c"]);
    assert_eq!(arns(&folder, &there), ["a", "b"]);
    assert_eq!(arns(&folder, &other), ["a", "b"]);

    // A unit that has no rows any more has no file any more, also when it had none before.
    for sync in 2..4 {
        let empty = part(&table, HERE, at(sync), DELETE_STALE);
        let empty = write(&*destination, empty, HERE, COMPLETE, vec![vec![]]).await.unwrap();
        assert_eq!(empty, committed(0, 0));
        assert_eq!(files(&folder.path().join("out")), [there.as_str(), &other]);
    }
    destination.close().await.unwrap();
}

#[tokio::test]
async fn a_partial_part_never_replaces_a_file() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(spec(&folder, Format::Parquet)).await;
    let file = "t/aws.123456789012.eu-west-1.parquet";
    let kept = Committed { kept_earlier: true, ..Committed::default() };
    let partial =
        |sync, rows| write(&*destination, part(&table, HERE, at(sync), DELETE_STALE), HERE, Outcome::Partial, rows);
    assert_eq!(partial(0, vec![]).await.unwrap(), committed(0, 0));
    assert!(files(folder.path()).is_empty());
    assert_eq!(partial(1, vec![rows(&["a"])]).await.unwrap(), committed(1, 0), "better than nothing");
    assert_eq!(arns(&folder, file), ["a"]);
    assert_eq!(partial(2, vec![rows(&["b", "c"])]).await.unwrap(), kept);
    assert_eq!(partial(3, vec![]).await.unwrap(), kept);
    assert_eq!(arns(&folder, file), ["a"]);
    assert_eq!(files(&folder.path().join("out")), [file], "nothing is left of what was discarded");
}

#[tokio::test]
async fn append_adds_files() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t").without_key();
    let destination = ready(spec(&folder, Format::Parquet)).await;
    let append = |sync, outcome, rows| {
        write(&*destination, part(&table, HERE, at(sync), WriteMode::Append), HERE, outcome, rows)
    };
    assert_eq!(append(0, COMPLETE, vec![rows(&["a", "b"])]).await.unwrap(), committed(2, 0));
    assert_eq!(append(1, COMPLETE, vec![rows(&["a", "b", "b"])]).await.unwrap(), committed(3, 0));
    assert_eq!(append(2, Outcome::Partial, vec![rows(&["a"])]).await.unwrap(), committed(1, 0));
    assert_eq!(append(3, COMPLETE, vec![]).await.unwrap(), committed(0, 0));
    let names = ["20261121T085902_123456Z", "20261121T095902_123456Z", "20261121T105902_123456Z"]
        .map(|sync| format!("t/{sync}.aws.123456789012.eu-west-1.parquet"));
    assert_eq!(files(&folder.path().join("out")), names);
    assert_eq!(arns(&folder, &names[1]), ["a", "b", "b"], "append keeps all rows");
}

#[tokio::test]
async fn the_last_of_two_rows_with_one_key_stays() {
    for (format, compression) in [
        (Format::Parquet, Compression::Default),
        (Format::Jsonl, Compression::None),
        (Format::Json, Compression::Gzip),
        (Format::Csv, Compression::None),
        (Format::Csv, Compression::Gzip),
    ] {
        let folder = TempDir::new().unwrap();
        let table = every_type("t");
        let destination = ready(Spec { compression, ..spec(&folder, format) }).await;
        let last = |name: &str| Row { text: format!("last\r\nof \"{name}\""), ..row(name) };
        let batches = vec![rows(&["a", "b", "c", "b"]), vec![last("c"), row("d"), last("a")], vec![last("b")]];
        let done = write(&*destination, part(&table, HERE, NOW, DELETE_STALE), HERE, COMPLETE, batches).await;
        assert_eq!(done.unwrap(), committed(4, 0), "{format:?}");
        let found = files(&folder.path().join("out"));
        let [file] = found.as_slice() else { panic!("{found:?}") };
        let path = folder.path().join("out").join(file);
        let expected = ["last\r\nof \"c\"", "text of d", "last\r\nof \"a\"", "last\r\nof \"b\""];
        match format {
            Format::Parquet => {
                let read = parquet(&path);
                assert_eq!(strings(&read, ODD), expected);
                assert_eq!(read.schema().metadata()["cq:table_name"], "t");
                assert_eq!(read.schema().field_with_name("json").unwrap().metadata()["headwater:type"], "json");
            }
            Format::Jsonl | Format::Json => {
                let text = text(path);
                let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
                assert_eq!(rows.map(|row| row[ODD].clone()).collect::<Vec<_>>(), expected);
            }
            Format::Csv => {
                let text = text(path);
                assert!(text.starts_with("_cq_sync_time,"), "{text}");
                let shown = expected.map(|text| text.replace('"', "\"\""));
                let places: Vec<usize> = shown.iter().map(|cell| text.find(cell.as_str()).unwrap()).collect();
                assert!(places.is_sorted(), "{text}");
                assert_eq!(text.matches("text of").count(), 1, "{text}");
                assert_eq!(text.matches("\r\n2026-").count(), 4, "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_part_leaves_no_file() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(spec(&folder, Format::Csv)).await;
    let mut writer = destination.begin(part(&table, HERE, NOW, DELETE_STALE)).await.unwrap();
    writer.write(batch(&table, HERE, NOW, &rows(&["a"]))).await.unwrap();
    assert!(files(folder.path()).is_empty(), "a few rows wait in memory");
    drop(writer);
    assert!(files(folder.path()).is_empty());

    // What a process that was killed left behind goes with the next sync.
    fs::create_dir(folder.path().join("out/t")).unwrap();
    let left = folder.path().join("out/t/.headwater-0.tmp");
    fs::write(&left, "x").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
    File::options().write(true).open(&left).unwrap().set_modified(long_ago).unwrap();
    fs::write(folder.path().join("out/t/keep.csv"), "x").unwrap();
    ready(spec(&folder, Format::Csv)).await;
    assert_eq!(files(&folder.path().join("out")), ["t/keep.csv"]);
}

#[tokio::test]
async fn a_part_of_which_a_batch_failed_is_not_committed() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(spec(&folder, Format::Jsonl)).await;
    let mut writer = destination.begin(part(&table, HERE, NOW, DELETE_STALE)).await.unwrap();
    writer.write(batch(&table, HERE, NOW, &rows(&["a"]))).await.unwrap();
    let fewer = batch(&table, HERE, NOW, &rows(&["b"])).project(&[0, 1, 2]).unwrap();
    let error = writer.write(fewer).await.unwrap_err().to_string();
    assert!(error.contains("a batch of t has other columns"), "{error}");
    let error = writer.commit(COMPLETE).await.unwrap_err().to_string();
    assert!(error.contains("not whole"), "{error}");
    assert!(files(folder.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_parts_are_open_at_once_and_cells_are_large() {
    let folder = TempDir::new().unwrap();
    let destination: Arc<dyn Destination> = Arc::from(ready(spec(&folder, Format::Parquet)).await);
    let mut tasks = Vec::new();
    for unit in 0..60_usize {
        let destination = Arc::clone(&destination);
        tasks.push(tokio::spawn(async move {
            let account: &'static str = Box::leak(unit.to_string().into_boxed_str());
            let from = From { account, ..HERE };
            let big = Row { text: "x".repeat(1 << 20), ..row("big") };
            let small: Vec<Row> = (0..50).map(|number| row(&number.to_string())).collect();
            let part = part(&every_type("t"), from, NOW, DELETE_STALE);
            write(&*destination, part, from, COMPLETE, vec![small, vec![big]]).await
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), committed(51, 0));
    }
    destination.close().await.unwrap();
    assert_eq!(files(&folder.path().join("out")).len(), 60);
    let read = parquet(&folder.path().join("out/t/aws.59.eu-west-1.parquet"));
    assert_eq!((read.num_rows(), strings(&read, ODD)[50].len()), (51, 1 << 20));
}

#[tokio::test]
async fn names_need_not_be_safe() {
    let folder = TempDir::new().unwrap();
    let table: TableSchema = every_type("../odd \"table\"");
    let destination = ready(spec(&folder, Format::Parquet)).await;
    let mut part = part(&table, HERE, NOW, DELETE_STALE);
    part.source = "../..".to_owned();
    part.scope = String::new();
    assert_eq!(write(&*destination, part, HERE, COMPLETE, vec![rows(&["a"])]).await.unwrap(), committed(1, 0));
    let found = files(folder.path());
    assert!(found.len() == 1 && found[0].starts_with("out/---odd--table-~"), "{found:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below"), file.join("far/below/{{TABLE}}/{{UNIT}}.{{FORMAT}}")] {
        let destination = destination(Spec { path: path.display().to_string(), ..Spec::default() }).unwrap();
        let error = destination.check().await.unwrap_err().to_string();
        assert!(error.contains("file is a file, not a folder"), "{error}");
        let error = destination.migrate(&[], MigrateMode::Safe).await.unwrap_err().to_string();
        assert!(error.contains("file is a file, not a folder"), "{error}");
    }
    let path = format!("{}/new/deep", folder.path().display());
    destination(Spec { path, ..Spec::default() }).unwrap().check().await.unwrap();
    assert_eq!(files(folder.path()), ["file"]);
    assert!(!folder.path().join("new").exists());
}

#[tokio::test]
async fn a_plan_says_what_a_sync_would_fail_at() {
    let folder = TempDir::new().unwrap();
    let plan = async |spec: Spec, table: TableSchema| {
        let plan = destination(spec).unwrap().plan(&[Arc::new(table)], MigrateMode::Safe).await;
        plan.map(|mut plans| plans.remove(0)).map_err(|error| error.to_string())
    };
    assert_eq!(plan(spec(&folder, Format::Parquet), every_type("t")).await, Ok(TablePlan::fits("t")));
    let empty = DataType::Struct(Fields::empty());
    let table = testing::things::table("odd", vec![Column::new("odd", ColumnType::plain(empty), "")]);
    let blocked = plan(spec(&folder, Format::Parquet), table.clone()).await.unwrap();
    let [Change::Blocked { why, forceable: false }] = blocked.changes.as_slice() else { panic!("{blocked:?}") };
    let migrated = destination(spec(&folder, Format::Parquet)).unwrap();
    let error = migrated.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap_err().to_string();
    assert!(error == *why && error.contains("table odd"), "{error}\n{why}");
    assert_eq!(plan(spec(&folder, Format::Csv), table).await, Ok(TablePlan::fits("odd")));
    fs::write(folder.path().join("out"), "x").unwrap();
    let error = plan(spec(&folder, Format::Parquet), every_type("t")).await.unwrap_err();
    assert!(error.contains("out is a file, not a folder"), "{error}");
}

#[tokio::test]
async fn times_are_what_they_are_to_those_who_do_not_know_arrow() {
    let folder = TempDir::new().unwrap();
    let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
    let seconds = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
    let kinds = [
        ("time", seconds.clone(), "TIMESTAMP(MILLIS,true)"),
        ("local", DataType::Timestamp(TimeUnit::Second, None), "TIMESTAMP(MILLIS,false)"),
        ("clock", DataType::Time32(TimeUnit::Second), "TIME(MILLIS,false)"),
        ("day", DataType::Date64, "DATE"),
        ("times", list(seconds), "TIMESTAMP(MILLIS,true)"),
        ("days", DataType::Struct(vec![Field::new("day", DataType::Date64, true)].into()), "DATE"),
    ];
    let columns = kinds.iter().map(|(name, kind, _)| Column::new(*name, ColumnType::plain(kind.clone()), ""));
    let table = testing::things::table("t", columns.collect());
    let write = async |sync: i64, numbers: &[i64]| {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let array = |kind: &DataType| -> ArrayRef {
            let values: ArrayRef = match kind {
                DataType::Time32(_) => Arc::new(Int32Array::from_iter_values(numbers.iter().map(|_| 86_399))),
                _ => Arc::new(Int64Array::from(numbers.to_vec())),
            };
            cast_with_options(&values, kind, &strict).unwrap()
        };
        let arrays = kinds.iter().map(|(_, kind, _)| match kind {
            DataType::List(_) => array(&kinds[0].1),
            DataType::Struct(fields) => {
                Arc::new(StructArray::new(fields.clone(), vec![array(&DataType::Date64)], None))
            }
            kind => array(kind),
        });
        let mut arrays: Vec<ArrayRef> = arrays.collect();
        let offsets = OffsetBuffer::from_lengths(vec![1; numbers.len()]);
        let item = Arc::new(Field::new("item", kinds[0].1.clone(), true));
        arrays[4] = Arc::new(ListArray::new(item, offsets, Arc::clone(&arrays[4]), None));
        let names: Vec<String> = numbers.iter().map(i64::to_string).collect();
        let part = testing::part(&table, HERE, at(sync), DELETE_STALE);
        let destination = destination(spec(&folder, Format::Parquet)).unwrap();
        let mut writer = destination.begin(part.clone()).await?;
        writer.write(testing::things::batch_of(&table, HERE, part.sync_time, &names, arrays)).await?;
        writer.commit(COMPLETE).await
    };
    let days: i64 = 20_000 * 86_400_000;
    assert_eq!(write(0, &[days, -days, 0, 0]).await.unwrap(), committed(3, 0), "one key comes twice");
    let path = folder.path().join("out").join(&files(&folder.path().join("out"))[0]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    for (name, _, expected) in &kinds {
        let leaf = reader.parquet_schema().columns().iter().find(|leaf| leaf.path().parts()[0] == *name).unwrap();
        let kind = format!("{:?}", leaf.logical_type_ref().unwrap());
        let mut schema = Vec::new();
        parquet::schema::printer::print_schema(&mut schema, reader.parquet_schema().root_schema());
        let schema = String::from_utf8(schema).unwrap();
        assert!(schema.contains(&format!("{} ({expected})", leaf.name())), "{kind}\n{schema}");
    }
    // The Arrow schema that the file keeps says the same.
    let read = parquet(&path);
    for (name, kind, _) in &kinds {
        let column = read.column_by_name(name).unwrap();
        assert_ne!(column.data_type(), kind, "{name}");
        let back = headwater_sdk::arrow::compute::cast(column, kind).unwrap();
        assert_eq!(back.data_type(), kind);
    }
    assert_eq!(read.column_by_name("day").unwrap().as_primitive::<Date32Type>().values(), &[20_000, -20_000, 0]);
    for (number, why) in [(1, "a date with a time of day"), (i64::MAX / 86_400_000 * 86_400_000, "column time")] {
        let error = write(1, &[number]).await.unwrap_err();
        assert!(error.class == Class::Rejected && error.to_string().contains(why), "{error}");
    }
    assert_eq!(parquet(&path).num_rows(), 3, "the earlier file stays");
}

#[tokio::test]
async fn a_full_disk_fails_the_unit_and_leaves_nothing_behind() {
    for format in [Format::Parquet, Format::Jsonl] {
        let Some(disk) = SmallDisk::or_skip(4) else { return };
        let root = disk.path().join("out");
        let spec = Spec { path: root.display().to_string(), format, ..Spec::default() };
        let (table, budget) = (testing::things("t"), Budget::new(16 << 20));
        let destination = destination(spec).unwrap();
        destination.use_memory(&budget);
        destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
        let write = async |from: testing::Origin, sync: i64, rows: std::ops::Range<i64>| {
            let part = testing::part(&table, from, at(sync), DELETE_STALE);
            let mut writer = destination.begin(part).await.unwrap();
            let mut rng = fastrand::Rng::with_seed(7);
            for number in rows {
                // What cannot be compressed.
                let text: String = (0..4000).map(|_| rng.alphanumeric()).collect();
                let row = testing::Item { text: Some(text), ..testing::thing(&number.to_string(), number) };
                writer.write(testing::batch(&table, from, at(sync), &[row])).await?;
            }
            writer.commit(COMPLETE).await
        };
        assert_eq!(write(HERE, 0, 0..100).await.unwrap(), committed(100, 0));
        let (before, earlier) = (files(&root), fs::read(root.join(&files(&root)[0])).unwrap());
        for (from, sync) in [(HERE, 1), (THERE, 1)] {
            let error = write(from, sync, 0..2500).await.unwrap_err().to_string();
            assert!(
                error.contains("No space left on device") && error.contains(&root.display().to_string()),
                "{error}"
            );
        }
        assert_eq!((files(&root), fs::read(root.join(&before[0])).unwrap()), (before, earlier));
        assert_eq!(budget.used(), 0);
        // With room again, all is well.
        assert_eq!(write(HERE, 2, 0..200).await.unwrap(), committed(200, 0));
    }
}

#[tokio::test]
async fn a_partial_unit_never_takes_the_place_of_a_file_of_another_sync() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let file = "t/aws.123456789012.eu-west-1.parquet";
    // All look for a file at the same moment, and find none.
    let destination: Arc<dyn Destination> = Arc::from(ready(spec(&folder, Format::Parquet)).await);
    let mut writers = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let mut writer = destination.begin(part(&table, HERE, NOW, DELETE_STALE)).await.unwrap();
        writer.write(batch(&table, HERE, NOW, &rows(&[name]))).await.unwrap();
        writers.push(writer);
    }
    let commits: Vec<_> = writers.into_iter().map(|writer| tokio::spawn(writer.commit(Outcome::Partial))).collect();
    let mut written = 0;
    for commit in commits {
        written += commit.await.unwrap().unwrap().written;
    }
    assert_eq!(written, 1);
    assert_eq!(files(&folder.path().join("out")), [file]);
}

#[tokio::test]
async fn modes_that_cannot_work_say_what_does() {
    let supports = |path: &str, mode| {
        let spec = Spec { path: path.to_owned(), ..Spec::default() };
        destination(spec).unwrap().supports(mode).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(supports("out", DELETE_STALE) + &supports("out", WriteMode::Append), "");
    let overwrite = supports("out", WriteMode::Overwrite);
    assert!(overwrite.contains("overwrite-delete-stale") && overwrite.contains("append"), "{overwrite}");
    let cloudquery = "out/{{TABLE}}/{{UUID}}.{{FORMAT}}";
    assert_eq!(supports(cloudquery, WriteMode::Append), "");
    assert!(supports(cloudquery, DELETE_STALE).contains("{{UUID}} is another one in each sync"));
    let spec = Spec { path: "out".to_owned(), ..Spec::default() };
    let part = part(&every_type("t"), HERE, NOW, WriteMode::Overwrite);
    assert!(destination(spec).unwrap().begin(part).await.is_err());
}

#[test]
fn specs_are_strict() {
    let refused = |json: &str| {
        let spec: Result<Spec, _> = serde_json::from_str(json);
        match spec {
            Ok(spec) => destination(spec).err().map(|error| error.to_string()).unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    };
    let cloudquery = r#"{"path": "out", "format": "json", "compression": "", "no_rotate": false, "batch_size": 1,
                         "batch_size_bytes": 1, "batch_timeout": "30s"}"#;
    assert_eq!(refused(cloudquery), "");
    let csv = r#"{"path": "out", "format": "csv", "format_spec": {"delimiter": ";"}, "compression": "gzip"}"#;
    assert_eq!(refused(csv), "");
    for (json, expected) in [
        (r#"{"path": ""}"#, "must name a folder"),
        (r#"{"path": "a", "format": "xml"}"#, "unknown variant `xml`"),
        (r#"{"path": "a", "compression": "gzip"}"#, "`compression: gzip` is for jsonl and csv"),
        (r#"{"path": "a", "format": "csv", "compression": "zstd"}"#, "`compression: zstd` is for parquet"),
        (r#"{"path": "a", "no_rotate": true}"#, "leave `no_rotate` out"),
        (r#"{"path": "a", "format_spec": {"delimiter": ";"}}"#, "set `format: csv`"),
        (r#"{"path": "a", "format": "csv", "format_spec": {"delimiter": ";;"}}"#, "one ASCII character"),
        (r#"{"path": "a", "format": "csv", "format_spec": {"delimiter": "é"}}"#, "one ASCII character"),
        (r#"{"path": "a", "format_spec": {"version": "v2Latest"}}"#, "unknown field `version`"),
        (
            r#"{"path": "a", "format": "csv", "format_spec": {"sort_by": ["id"]}}"#,
            "`format_spec.sort_by` is a setting of parquet",
        ),
        (r#"{"path": "a", "format_spec": {"zstd_level": 23}}"#, "from 1 to 22"),
        (
            r#"{"path": "a", "compression": "none", "format_spec": {"zstd_level": 9}}"#,
            "no meaning with `compression: none`",
        ),
        (r#"{"path": "a", "format_spec": {"row_group_rows": 0}}"#, "at least 1"),
        (r#"{"path": "a", "paht": "b"}"#, "unknown field `paht`"),
    ] {
        let error = refused(json);
        assert!(error.contains(expected), "{json}: {error}");
    }
    let schema = serde_json::to_value(schemars::schema_for!(Spec)).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["path"]));
    for property in schema["properties"].as_object().unwrap().values() {
        assert!(property["description"].is_string(), "{property}");
    }
}

#[tokio::test]
async fn values_at_the_edges_of_time_are_no_errors_and_no_messages() {
    for format in [Format::Json, Format::Csv] {
        let folder = TempDir::new().unwrap();
        let (table, batch) = edges("t");
        let destination = destination(spec(&folder, format)).unwrap();
        destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
        let mut writer = destination.begin(part(&table, HERE, NOW, DELETE_STALE)).await.unwrap();
        writer.write(batch).await.unwrap();
        assert_eq!(writer.commit(COMPLETE).await.unwrap(), committed(1, 0));
        destination.close().await.unwrap();
        let file = folder.path().join("out").join(&files(&folder.path().join("out"))[0]);
        let text = text(file);
        for edge in EDGES {
            let list = if format == Format::Json { format!("[\"{edge}\"]") } else { format!("\"[\"\"{edge}\"\"]\"") };
            assert!(text.contains(edge) && text.contains(&list), "{text}");
        }
    }
}

#[tokio::test]
async fn text_that_is_not_json_makes_no_file_of_json() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(spec(&folder, Format::Json)).await;
    let good = batch(&table, HERE, NOW, &[row("a")]);
    let index = good.schema().index_of("json").unwrap();
    let mut columns = good.columns().to_vec();
    columns[index] = Arc::new(BinaryArray::from_vec(vec![b"{\"a\": "]));
    let bad = RecordBatch::try_new(good.schema(), columns).unwrap();
    let mut writer = destination.begin(part(&table, HERE, NOW, DELETE_STALE)).await.unwrap();
    let error = match writer.write(bad).await {
        Ok(()) => writer.commit(COMPLETE).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(error.to_string().contains("`json` has text that is not JSON"), "{error}");
    destination.close().await.unwrap();
    assert_eq!(files(folder.path()), Vec::<String>::new());
}
