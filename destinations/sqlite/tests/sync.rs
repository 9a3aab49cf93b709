//! Syncs into real database files: what is visible, what is replaced, what is removed, and when.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Destination, Outcome, Part, Rejects, TableSchema, Timestamp, WriteMode};
use headwater_sqlite::{Spec, destination};
use rusqlite::Connection;
use tempfile::TempDir;

const COMPLETE: Outcome = Outcome::Complete;
const DELETE_STALE: WriteMode = WriteMode::OverwriteDeleteStale;

fn open(path: &Path) -> Box<dyn Destination> {
    let connection_string = path.to_str().unwrap().to_owned();
    destination(Spec { connection_string, batch_size: Some(1000), batch_size_bytes: None }).unwrap()
}

async fn ready(folder: &TempDir, table: &TableSchema) -> Box<dyn Destination> {
    let destination = open(&folder.path().join("x.db"));
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
    destination
}

/// What a program that opens the file sees.
fn texts(folder: &TempDir, sql: &str) -> Vec<String> {
    let db = Connection::open(folder.path().join("x.db")).unwrap();
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

const ARNS: &str = "SELECT arn FROM t ORDER BY 1";

#[tokio::test]
async fn every_type_is_stored_as_documented() {
    let folder = TempDir::new().unwrap();
    // The name of the table needs quotes too.
    let table = every_type("select \"t\"");
    let destination = ready(&folder, &table).await;
    let mut null = row("null");
    null.full = false;
    let mut old = row("old");
    (old.time, old.float) = (Timestamp(-1), f64::NAN);
    let done = write(
        &*destination,
        part(&table, HERE, NOW, DELETE_STALE),
        HERE,
        COMPLETE,
        vec![vec![row("full"), null], vec![old]],
    );
    assert_eq!(done.await.unwrap(), committed(3, 0));
    destination.close().await.unwrap();

    let from = "FROM \"select \"\"t\"\"\" WHERE arn =";
    let db = Connection::open(folder.path().join("x.db")).unwrap();
    let shown = |arn: &str, name: &str| -> String {
        let name = format!("\"{}\"", name.replace('"', "\"\""));
        let sql = format!(
            "SELECT typeof({name}) || ' ' || coalesce(CASE typeof({name}) WHEN 'blob' THEN hex({name}) ELSE {name} END, '') {from} '{arn}'"
        );
        db.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let id = id("full").to_string();
    let expected = [
        ("_cq_sync_time", "text 2026-11-21 08:59:02.123456", "text 2026-11-21 08:59:02.123456"),
        ("_cq_source_name", "text aws", "text aws"),
        ("_cq_parent_id", "null ", "null "),
        (ODD, "text text of full", "text text of old"),
        ("bool", "integer 1", "integer 1"),
        ("i8", "integer -128", "integer -128"),
        ("i16", "integer -32768", "integer -32768"),
        ("i32", "integer -2147483648", "integer -2147483648"),
        ("i64", "integer -9223372036854775808", "integer -9223372036854775808"),
        ("u8", "integer 255", "integer 255"),
        ("u16", "integer 65535", "integer 65535"),
        ("u32", "integer 4294967295", "integer 4294967295"),
        ("u64", "integer 9223372036854775807", "integer 9223372036854775807"),
        ("f32", "real 0.5", "null "),
        ("f64", "real 0.5", "null "),
        ("binary", "blob 0001FEFF", "blob 0001FEFF"),
        ("time", "text 2026-11-21 08:59:02.123456", "text 1969-12-31 23:59:59.999999"),
        ("uuid", "text 730a216f-19d7-51f5-9aa7-de5dc4e93108", "text 730a216f-19d7-51f5-9aa7-de5dc4e93108"),
        ("json", "text {\"a\": [1,\n \"é\"]}", "text {\"a\": [1,\n \"é\"]}"),
        ("inet", "text 10.0.0.0/16", "text 10.0.0.0/16"),
        ("mac", "text 0a:1b:2c:3d:4e:5f", "text 0a:1b:2c:3d:4e:5f"),
        ("texts", "text [\"a\",\"b, \\\"c\\\"\"]", "text [\"a\",\"b, \\\"c\\\"\"]"),
        ("ints", "text [1,-2]", "text [1,-2]"),
        ("times", "text [\"2026-11-21T08:59:02.123456Z\"]", "text [\"1969-12-31T23:59:59.999999Z\"]"),
        ("uuids", "text [\"00000000-0000-0000-0000-000000000000\"]", "text [\"00000000-0000-0000-0000-000000000000\"]"),
    ];
    assert_eq!(shown("full", "_cq_id"), format!("text {id}"));
    for (name, full, old) in expected {
        assert_eq!(shown("full", name), full, "{name}");
        assert_eq!(shown("old", name), old, "{name}");
        if !name.starts_with("_cq") {
            assert_eq!(shown("null", name), "null ", "{name}");
        }
    }
    // SQLite's own functions read what was stored.
    let read = |what: &str| db.query_row(&format!("SELECT {what} {from} 'old'"), [], |row| row.get::<_, String>(0));
    assert_eq!(read("strftime('%s', time)").unwrap(), "-1");
    assert_eq!(read("json ->> '$.a[1]'").unwrap(), "é");
    let declared: String = db
        .query_row("SELECT group_concat(type, ' ') FROM pragma_table_info('select \"t\"')", [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        declared,
        "TIMESTAMP TEXT TEXT TEXT TEXT TEXT TEXT TEXT BOOLEAN INTEGER INTEGER INTEGER INTEGER INTEGER INTEGER INTEGER \
         INTEGER REAL REAL BLOB TIMESTAMP TEXT TEXT TEXT TEXT TEXT TEXT TEXT TEXT"
    );
}

#[tokio::test]
async fn a_number_beyond_sqlites_is_an_error() {
    use headwater_sdk::arrow::array::{ArrayRef, RecordBatch, UInt64Array};
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    let good = batch(&table, HERE, NOW, &[row("a")]);
    let index = good.schema().index_of("u64").unwrap();
    let mut columns: Vec<ArrayRef> = good.columns().to_vec();
    columns[index] = Arc::new(UInt64Array::from(vec![1_u64 << 63]));
    let bad = RecordBatch::try_new(good.schema(), columns).unwrap();
    let mut writer = destination.begin(part(&table, HERE, NOW, DELETE_STALE)).await.unwrap();
    writer.write(good).await.unwrap();
    writer.write(bad).await.unwrap();
    let error = writer.commit(COMPLETE).await.unwrap_err().to_string();
    assert!(error.contains("table t: column u64 holds a number beyond 9223372036854775807"), "{error}");
    assert!(texts(&folder, ARNS).is_empty());
}

#[tokio::test]
async fn a_second_sync_replaces_and_removes_in_its_own_unit_only() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    for (from, names) in [(HERE, ["h1", "h2"]), (THERE, ["t1", "t2"]), (OTHER, ["o1", "o2"])] {
        let done = write(&*destination, part(&table, from, at(0), DELETE_STALE), from, COMPLETE, vec![rows(&names)]);
        assert_eq!(done.await.unwrap(), committed(2, 0));
    }
    assert_eq!(texts(&folder, ARNS), ["h1", "h2", "o1", "o2", "t1", "t2"]);

    // The same sync again, then one in which a row has gone and another is new.
    let again =
        write(&*destination, part(&table, HERE, at(1), DELETE_STALE), HERE, COMPLETE, vec![rows(&["h1", "h2"])]);
    assert_eq!(again.await.unwrap(), committed(2, 0));
    assert_eq!(texts(&folder, ARNS), ["h1", "h2", "o1", "o2", "t1", "t2"]);
    let third =
        write(&*destination, part(&table, HERE, at(2), DELETE_STALE), HERE, COMPLETE, vec![rows(&["h2", "h3"])]);
    assert_eq!(third.await.unwrap(), committed(2, 1));
    assert_eq!(texts(&folder, ARNS), ["h2", "h3", "o1", "o2", "t1", "t2"]);

    // A unit that has no rows any more loses all of them, and nobody else's.
    let empty = write(&*destination, part(&table, HERE, at(3), DELETE_STALE), HERE, COMPLETE, vec![]).await;
    assert_eq!(empty.unwrap(), committed(0, 2));
    assert_eq!(texts(&folder, ARNS), ["o1", "o2", "t1", "t2"]);
    destination.close().await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["x.db"], "the log is gone when the sync has ended");
}

#[tokio::test]
async fn a_partial_part_and_mode_overwrite_remove_nothing() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    write(&*destination, part(&table, HERE, at(0), DELETE_STALE), HERE, COMPLETE, vec![rows(&["a", "b"])])
        .await
        .unwrap();
    let mut changed = row("b");
    changed.text = "changed".to_owned();
    let partial =
        write(&*destination, part(&table, HERE, at(1), DELETE_STALE), HERE, Outcome::Partial, vec![vec![changed]]);
    assert_eq!(partial.await.unwrap(), committed(1, 0));
    let none = write(&*destination, part(&table, HERE, at(2), DELETE_STALE), HERE, Outcome::Partial, vec![]).await;
    assert_eq!(none.unwrap(), committed(0, 0));
    let overwrite =
        write(&*destination, part(&table, HERE, at(3), WriteMode::Overwrite), HERE, COMPLETE, vec![rows(&["c"])]);
    assert_eq!(overwrite.await.unwrap(), committed(1, 0));
    assert_eq!(texts(&folder, ARNS), ["a", "b", "c"]);
    let odd = format!("SELECT \"{}\" FROM t WHERE arn = 'b'", ODD.replace('"', "\"\""));
    assert_eq!(texts(&folder, &odd), ["changed"]);
}

#[tokio::test]
async fn the_last_of_two_rows_with_one_key_stays() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    let mut last = row("a");
    last.text = "last".to_owned();
    let two = rows(&["a", "b"]);
    let done =
        write(&*destination, part(&table, HERE, NOW, DELETE_STALE), HERE, COMPLETE, vec![two, vec![row("a"), last]]);
    assert_eq!(done.await.unwrap(), committed(2, 0), "rows, not writes");
    let odd = format!("SELECT \"{}\" FROM t ORDER BY arn", ODD.replace('"', "\"\""));
    assert_eq!(texts(&folder, &odd), ["last", "text of b"]);
}

#[tokio::test]
async fn append_adds() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t").without_key();
    let destination = ready(&folder, &table).await;
    for sync in 0..2 {
        let done = write(
            &*destination,
            part(&table, HERE, at(sync), WriteMode::Append),
            HERE,
            COMPLETE,
            vec![rows(&["a", "b"])],
        );
        assert_eq!(done.await.unwrap(), committed(2, 0));
    }
    assert_eq!(texts(&folder, ARNS), ["a", "a", "b", "b"]);
}

#[tokio::test]
async fn nothing_is_seen_before_the_commit_nor_after_a_drop() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    let mut dropped = destination.begin(part(&table, HERE, at(0), DELETE_STALE)).await.unwrap();
    let mut kept = destination.begin(part(&table, THERE, at(0), DELETE_STALE)).await.unwrap();
    for number in 0..3 {
        dropped.write(batch(&table, HERE, at(0), &[row(&format!("d{number}"))])).await.unwrap();
        kept.write(batch(&table, THERE, at(0), &[row(&format!("k{number}"))])).await.unwrap();
    }
    assert!(texts(&folder, ARNS).is_empty());
    drop(dropped);
    assert_eq!(kept.commit(COMPLETE).await.unwrap(), committed(3, 0));
    assert_eq!(texts(&folder, ARNS), ["k0", "k1", "k2"]);
    destination.close().await.unwrap();
    assert_eq!(texts(&folder, ARNS), ["k0", "k1", "k2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_parts_are_open_at_once_and_cells_are_large() {
    let folder = TempDir::new().unwrap();
    let tables: Vec<Arc<TableSchema>> = (0..5).map(|number| Arc::new(every_type(&format!("t{number}")))).collect();
    let destination: Arc<dyn Destination> = Arc::from(open(&folder.path().join("x.db")));
    destination.migrate(&tables, MigrateMode::Safe).await.unwrap();
    let mut tasks = Vec::new();
    for unit in 0..100_usize {
        let (table, destination) = (Arc::clone(&tables[unit % 5]), Arc::clone(&destination));
        tasks.push(tokio::spawn(async move {
            let account: &'static str = Box::leak(unit.to_string().into_boxed_str());
            let from = From { account, ..HERE };
            let mut big = row(&format!("{unit}/big"));
            big.text = "x".repeat(1 << 20);
            let small: Vec<Row> = (0..50).map(|number| row(&format!("{unit}/{number}"))).collect();
            write(&*destination, part(&table, from, NOW, DELETE_STALE), from, COMPLETE, vec![small, vec![big], vec![]])
                .await
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), committed(51, 0));
    }
    destination.close().await.unwrap();
    let odd = ODD.replace('"', "\"\"");
    let sums = format!("SELECT count(*) || ' ' || max(length(\"{odd}\")) FROM t4");
    assert_eq!(texts(&folder, &sums), ["1020 1048576"]);
    assert_eq!(texts(&folder, "SELECT name FROM sqlite_schema WHERE name LIKE '%stage%'"), Vec::<String>::new());
}

#[tokio::test]
async fn a_table_of_a_single_unit_has_no_predicate() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let table = TableSchema::new("t", "", None, headwater_sdk::Scopes::SINGLE, table.columns[4..].to_vec());
    let destination = ready(&folder, &table).await;
    for (sync, names, expected) in [(0, ["a", "b"], committed(2, 0)), (1, ["b", "c"], committed(2, 1))] {
        let mut part = part(&table, HERE, at(sync), DELETE_STALE);
        (part.scope, part.predicate) = (String::new(), Vec::new());
        assert_eq!(write(&*destination, part, HERE, COMPLETE, vec![rows(&names)]).await.unwrap(), expected);
    }
    let done = write(&*destination, part(&table, OTHER, at(2), DELETE_STALE), OTHER, COMPLETE, vec![]).await.unwrap();
    assert_eq!(done, committed(0, 0), "another source");
    assert_eq!(texts(&folder, ARNS), ["b", "c"]);
}

#[tokio::test]
async fn stale_rows_of_cloudquery_go_too() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    write(&*destination, part(&table, HERE, at(0), DELETE_STALE), HERE, COMPLETE, vec![rows(&["a"])]).await.unwrap();
    let db = Connection::open(folder.path().join("x.db")).unwrap();
    // The form in which CloudQuery's plugin stores a time.
    db.execute("UPDATE t SET _cq_sync_time = '2026-11-21 08:59:02.123456+00:00'", []).unwrap();
    let done = write(&*destination, part(&table, HERE, at(1), DELETE_STALE), HERE, COMPLETE, vec![]).await.unwrap();
    assert_eq!(done, committed(0, 1));
}

#[tokio::test]
async fn rows_that_a_constraint_refuses_are_put_aside() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    let db = Connection::open(folder.path().join("x.db")).unwrap();
    let odd = ODD.replace('"', "\"\"");
    db.execute_batch(&format!("CREATE UNIQUE INDEX texts ON t (\"{odd}\")")).unwrap();
    let mut rows: Vec<Row> = (0..60).map(|number| row(&format!("k{number:02}"))).collect();
    for (refused, like) in [(7, 3), (40, 8), (59, 58)] {
        rows[refused].text = rows[like].text.clone();
    }
    // Of two rows with one key the last one counts, whatever is tried in between.
    rows.push(Row { full: false, ..row("k00") });
    let refused = |rejects: Option<Rejects>| Part { rejects, ..part(&table, HERE, NOW, DELETE_STALE) };
    let without = write(&*destination, refused(None), HERE, COMPLETE, vec![rows.clone()]).await.unwrap_err();
    assert!(without.to_string().contains("UNIQUE constraint failed"), "{without}");
    let few = write(&*destination, refused(Some(Rejects::new(2))), HERE, COMPLETE, vec![rows.clone()]).await;
    assert!(few.unwrap_err().to_string().contains("more than 2 rows were not taken"));
    assert_eq!(texts(&folder, ARNS), Vec::<String>::new());
    let rejects = Rejects::new(10);
    let done = write(&*destination, refused(Some(rejects.clone())), HERE, COMPLETE, vec![rows]).await.unwrap();
    assert_eq!(done, committed(57, 0));
    let aside: Vec<serde_json::Value> =
        rejects.take().into_iter().map(|rejected| serde_json::from_str(&rejected.row).unwrap()).collect();
    let arns: Vec<&str> = aside.iter().filter_map(|row| row["arn"].as_str()).collect();
    assert_eq!(arns, ["k07", "k40", "k59"]);
    assert_eq!((&aside[0]["binary"], &aside[0]["i64"]), (&"AAH+/w==".into(), &i64::MIN.into()));
    assert_eq!(texts(&folder, "SELECT count(*) || ' ' || count(\"bool\") FROM t"), ["57 56"]);
    assert_eq!(texts(&folder, "SELECT arn FROM t WHERE \"bool\" IS NULL"), ["k00"]);
}

#[tokio::test]
async fn values_at_the_edges_of_time_are_no_errors_and_no_messages() {
    let folder = TempDir::new().unwrap();
    let (table, batch) = edges("t");
    let destination = ready(&folder, &table).await;
    let mut writer = destination.begin(part(&table, HERE, NOW, DELETE_STALE)).await.unwrap();
    writer.write(batch).await.unwrap();
    assert_eq!(writer.commit(COMPLETE).await.unwrap(), committed(1, 0));
    let all = "SELECT concat_ws(' ', v0, v1, v2, v3, v4, v5, v6, v7) FROM t";
    let list = |text: &str| format!("{text} [\"{text}\"]");
    assert_eq!(texts(&folder, all), [EDGES.map(list).join(" ")]);
}
