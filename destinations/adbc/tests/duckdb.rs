//! What is DuckDB's own: its library, its files, who else has them open, and what is changed in place.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::duckdb::{Duckdb, change, number, open, query, spec};
use headwater_adbc::duckdb::{Spec, destination};
use headwater_e2e::drivers::{libduckdb, python};
use headwater_sdk::arrow::datatypes::{DataType, Field};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::Change;
use headwater_sdk::testing::things::{array, batch_of};
use headwater_sdk::testing::{HERE, Item, Subject, THERE, at, batch, part, thing, things};
use headwater_sdk::{Budget, Column, ColumnType, Destination, Outcome, Result, TableSchema, WriteMode};
use tempfile::TempDir;

const MODE: WriteMode = WriteMode::OverwriteDeleteStale;

async fn migrate(destination: &dyn Destination, table: &TableSchema) -> Result<()> {
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await
}

fn items(rows: std::ops::Range<i64>) -> Vec<Item> {
    rows.map(|number| thing(&format!("n{number:07}"), number)).collect()
}

async fn write(destination: &dyn Destination, table: &TableSchema, sync: i64, rows: i64) -> Result<u64> {
    let mut writer = destination.begin(part(table, HERE, at(sync), MODE)).await?;
    for rows in items(0..rows).chunks(5000) {
        writer.write(batch(table, HERE, at(sync), rows)).await?;
    }
    Ok(writer.commit(Outcome::Complete).await?.written)
}

/// The same table with another type of its number.
fn numbers(kind: DataType) -> TableSchema {
    let mut columns = things("t").columns.split_off(4);
    for column in columns.iter_mut().filter(|column| column.name == "number") {
        column.kind = ColumnType::plain(kind.clone());
    }
    TableSchema::new("t", "Things.", None, things("t").scopes, columns)
}

fn refused(connection_string: &str, change: impl FnOnce(&mut Spec)) -> String {
    let mut spec = Spec { connection_string: connection_string.to_owned(), ..Spec::default() };
    change(&mut spec);
    destination(spec).err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn a_library_that_is_not_there_is_said_before_anything_is_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.duckdb");
    let missing = || {
        let library = Some(folder.path().join("libduckdb.so"));
        destination(Spec { library, ..spec(&path) }).unwrap()
    };
    for error in [missing().check().await, migrate(&*missing(), &things("t")).await] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`library` names") && error.contains("which is no file"), "{error}");
    }
    std::fs::write(folder.path().join("libduckdb.so"), "no library").unwrap();
    let error = missing().check().await.unwrap_err().to_string();
    assert!(error.contains("cannot be loaded") && error.lines().count() <= 8, "{error}");
    assert!(!path.exists());
}

#[tokio::test]
async fn checks_and_plans_change_nothing() {
    let subject = Duckdb::new();
    let destination = open(&subject.path());
    destination.check().await.unwrap();
    let plans = destination.plan(&[Arc::new(things("t"))], MigrateMode::Safe).await.unwrap();
    assert!(matches!(&plans[0].changes[..], [Change::Create { .. }]), "{plans:?}");
    assert_eq!(std::fs::read_dir(subject.0.path()).unwrap().count(), 0, "not even an empty file");
    migrate(&*destination, &things("t")).await.unwrap();
    destination.close().await.unwrap();
    let bytes = std::fs::read(subject.path()).unwrap();
    open(&subject.path()).check().await.unwrap();
    open(&subject.path()).plan(&[Arc::new(things("u"))], MigrateMode::Safe).await.unwrap();
    assert_eq!(std::fs::read(subject.path()).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(subject.0.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_cannot_be_a_database_is_said_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let notes = folder.path().join("notes.txt");
    let text = "These are notes, and not a database at all.".repeat(1000);
    std::fs::write(&notes, &text).unwrap();
    let cases = [
        (notes.clone(), "notes.txt is not a DuckDB database"),
        (folder.path().to_owned(), "is not a file"),
        (folder.path().join("none/x.duckdb"), "none does not exist; create it"),
        (notes.join("x.duckdb"), "notes.txt is a file, not a folder"),
    ];
    for (path, expected) in cases {
        let checked = open(&path).check().await.unwrap_err().to_string();
        assert!(checked.contains(expected), "{checked}");
        let migrated = open(&path).migrate(&[Arc::new(things("t"))], MigrateMode::Forced).await;
        assert_eq!(migrated.unwrap_err().to_string(), checked);
    }
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_file_of_a_newer_duckdb_is_said() {
    let subject = Duckdb::new();
    let path = subject.path();
    let code = "import duckdb, sys; duckdb.connect(sys.argv[1], config={'storage_compatibility_version': 'latest'})\
                .execute('CREATE TABLE t AS SELECT 1 AS one')";
    python(code, &[path.to_str().unwrap()]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for error in [open(&path).check().await, migrate(&*open(&path), &things("t")).await] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("another version of DuckDB") && error.contains("`library`"), "{error}");
        assert!(error.lines().count() <= 8, "{error}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn what_is_written_is_read_by_another_program() {
    let subject = Duckdb::new();
    let destination = open(&subject.path());
    migrate(&*destination, &things("t")).await.unwrap();
    write(&*destination, &things("t"), 0, 1000).await.unwrap();
    destination.close().await.unwrap();
    let code = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).execute(\
                'SELECT count(*), sum(number), max(text), typeof(any_value(_cq_id)), typeof(any_value(_cq_sync_time)) \
                FROM t').fetchone())";
    let read = python(code, &[subject.path().to_str().unwrap()]).unwrap();
    assert_eq!(read, "(1000, 499500, 'text of n0000999', 'UUID', 'TIMESTAMP WITH TIME ZONE')");
}

#[tokio::test]
async fn a_program_that_has_the_file_open_is_said() {
    let subject = Duckdb::new();
    let destination = open(&subject.path());
    migrate(&*destination, &things("t")).await.unwrap();
    destination.close().await.unwrap();
    let interpreter = std::env::var_os(headwater_e2e::PYTHON).unwrap();
    let code = "import duckdb, sys\nheld = duckdb.connect(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()";
    let mut other = Command::new(interpreter)
        .args(["-c", code])
        .arg(subject.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");
    let error = write(&*open(&subject.path()), &things("t"), 0, 1).await.unwrap_err().to_string();
    drop(other.stdin.take());
    other.wait().unwrap();
    assert!(error.contains("another program has the file open"), "{error}");
    let destination = open(&subject.path());
    assert_eq!(write(&*destination, &things("t"), 0, 1).await.unwrap(), 1, "it goes on when the program is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_destinations_of_one_file_write_at_once() {
    let subject = Duckdb::new();
    let table = things("t");
    let (one, two) = (open(&subject.path()), open(&subject.path()));
    migrate(&*one, &table).await.unwrap();
    let unit = |destination: Arc<dyn Destination>, from, first: i64| {
        let table = table.clone();
        async move {
            for sync in 0..10 {
                let mut writer = destination.begin(part(&table, from, at(sync), MODE)).await.unwrap();
                writer.write(batch(&table, from, at(sync), &items(first..first + 300))).await.unwrap();
                writer.commit(Outcome::Complete).await.unwrap();
            }
            destination.close().await.unwrap();
        }
    };
    let one = tokio::spawn(unit(one.into(), HERE, 0));
    let two = tokio::spawn(unit(two.into(), THERE, 1000));
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(number(&subject.path(), "SELECT count(DISTINCT name) * 1000000 + count(*) FROM t"), 600_000_600);
}

#[tokio::test]
async fn a_large_unit_waits_outside_of_memory() {
    let subject = Duckdb::new();
    let destination = open(&subject.path());
    // A sixteenth of it is what parts hold; DuckDB itself needs more than the rest of its quarter.
    let budget = Budget::new(16 << 20);
    destination.use_memory(&budget);
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    let rows = 200_000;
    assert_eq!(write(&*destination, &table, 0, rows).await.unwrap(), rows as u64);
    let most = budget.peak();
    assert!(most < 4 << 20, "{most}");
    assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), rows);
    // One that is dropped leaves nothing.
    let mut writer = destination.begin(part(&table, HERE, at(1), MODE)).await.unwrap();
    for rows in items(0..50_000).chunks(5000) {
        writer.write(batch(&table, HERE, at(1), rows)).await.unwrap();
    }
    drop(writer);
    assert_eq!(write(&*destination, &table, 2, 10).await.unwrap(), 10);
    assert_eq!(budget.used(), 0);
    destination.close().await.unwrap();
    assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), 10);
    assert_eq!(number(&subject.path(), "SELECT count(*) FROM duckdb_tables()"), 1);
    assert_eq!(std::fs::read_dir(subject.0.path()).unwrap().count(), 1, "nothing is left beside the file");
}

#[tokio::test]
async fn the_last_of_equal_keys_stays_in_a_large_unit() {
    let subject = Duckdb::new();
    let destination = open(&subject.path());
    destination.use_memory(&Budget::new(16 << 20));
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    for sync in 0..2 {
        let mut writer = destination.begin(part(&table, HERE, at(sync), MODE)).await.unwrap();
        for round in 0..3 {
            let mut rows = items(0..60_000);
            rows.iter_mut().for_each(|row| row.number = Some(round));
            for rows in rows.chunks(7000) {
                writer.write(batch(&table, HERE, at(sync), rows)).await.unwrap();
            }
        }
        let done = writer.commit(Outcome::Complete).await.unwrap();
        assert_eq!((done.written, done.deleted), (60_000, 0));
        assert_eq!(number(&subject.path(), "SELECT count(*) FROM t WHERE number = 2"), 60_000);
        assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), 60_000);
    }
    destination.close().await.unwrap();
}

/// The process that is killed by the test below.
#[tokio::test]
#[ignore = "it is run by another test, which kills it"]
async fn to_be_killed() {
    let path = std::env::var_os("HEADWATER_TEST_FILE").unwrap();
    let destination = open(Path::new(&path));
    destination.use_memory(&Budget::new(16 << 20));
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    write(&*destination, &table, 0, 1000).await.unwrap();
    let mut writer = destination.begin(part(&table, HERE, at(1), MODE)).await.unwrap();
    for rows in items(500..100_000).chunks(5000) {
        writer.write(batch(&table, HERE, at(1), rows)).await.unwrap();
    }
    println!("in the middle");
    std::io::stdout().flush().unwrap();
    std::thread::park();
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_whole_units_only() {
    let subject = Duckdb::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "to_be_killed", "--ignored", "--nocapture"])
        .env("HEADWATER_TEST_FILE", subject.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reached = lines.map_while(std::result::Result::ok).any(|line| line.contains("in the middle"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(reached, "the process ended before it was killed");
    assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), 1000);
    let destination = open(&subject.path());
    assert_eq!(write(&*destination, &things("t"), 2, 10).await.unwrap(), 10);
    destination.close().await.unwrap();
    assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), 10);
}

#[tokio::test]
async fn types_are_widened_in_place_and_a_view_is_left_alone() {
    let subject = Duckdb::new();
    let path = subject.path();
    for (kind, expected) in [
        (DataType::UInt8, "UTINYINT"),
        (DataType::Int16, "SMALLINT"),
        (DataType::Int64, "BIGINT"),
        (DataType::Decimal128(24, 4), "DECIMAL(24,4)"),
        (DataType::Decimal128(38, 9), "DECIMAL(38,9)"),
    ] {
        let destination = open(&path);
        migrate(&*destination, &numbers(kind)).await.unwrap();
        if expected == "BIGINT" {
            write(&*destination, &things("t"), 0, 3).await.unwrap();
        }
        destination.close().await.unwrap();
        let sql =
            format!("SELECT count(*) FROM duckdb_columns() WHERE column_name = 'number' AND data_type = '{expected}'");
        assert_eq!(number(&path, &sql), 1, "{expected}");
    }
    assert_eq!(number(&path, "SELECT sum(number) FROM t"), 3);
    let error = migrate(&*open(&path), &numbers(DataType::Int64)).await.unwrap_err().to_string();
    assert!(error.contains("column number: DECIMAL(38,9) in the database, BIGINT in the source"), "{error}");
    let code = "import duckdb, sys\nd = duckdb.connect(sys.argv[1], config={'storage_compatibility_version': 'v1.4.0'})\n\
                d.execute('CREATE VIEW \"Watch\" AS SELECT 1 AS one')";
    let made = python(code, &[path.to_str().unwrap()]);
    assert!(made.is_ok(), "{made:?}");
    let error = migrate(&*open(&path), &things("watch")).await.unwrap_err().to_string();
    assert!(error.contains("a view of this name"), "{error}");
}

#[tokio::test]
async fn a_table_with_a_primary_key_keeps_it() {
    let subject = Duckdb::new();
    let mut columns = things("t").columns.split_off(4);
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    columns.push(Column::new("list", ColumnType::plain(list), ""));
    let table = TableSchema::new("t", "Things.", None, things("t").scopes, columns);
    // As CloudQuery's plugin makes it.
    let code = "import duckdb, sys\nd = duckdb.connect(sys.argv[1], config={'storage_compatibility_version': 'v1.4.0'})\n\
                d.execute('CREATE TABLE t (_cq_sync_time timestamptz not null, _cq_source_name varchar not null, \
                _cq_id uuid not null, _cq_parent_id uuid, account_id varchar not null, region varchar not null, \
                name varchar not null, text varchar, number bigint, list bigint[], PRIMARY KEY (name))')";
    python(code, &[subject.path().to_str().unwrap()]).unwrap();
    let destination = open(&subject.path());
    migrate(&*destination, &table).await.unwrap();
    for sync in 0..3 {
        let mut writer = destination.begin(part(&table, HERE, at(sync), MODE)).await.unwrap();
        let names: Vec<String> = (0..300).map(|number| format!("n{}", number + sync * 100)).collect();
        let texts = array(names.iter().map(|name| Some(format!("{name} {sync}"))));
        let numbers = array(names.iter().map(|_| Some(sync)));
        let lists = array(names.iter().map(|_| Some(vec![sync; sync as usize])));
        let rows = batch_of(&table, HERE, at(sync), &names, vec![texts, numbers, lists]);
        writer.write(rows).await.unwrap();
        let done = writer.commit(Outcome::Complete).await.unwrap();
        assert_eq!((done.written, done.deleted), (300, if sync == 0 { 0 } else { 100 }));
    }
    destination.close().await.unwrap();
    assert_eq!(number(&subject.path(), "SELECT count(*) FROM t WHERE number = 2 AND list = [2, 2]"), 300);
    assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), 300);
    let keys = "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'";
    assert_eq!(number(&subject.path(), keys), 1);
}

#[tokio::test]
async fn a_key_stands_in_the_comment() {
    let subject = Duckdb::new();
    let destination = open(&subject.path());
    migrate(&*destination, &things("t")).await.unwrap();
    destination.close().await.unwrap();
    let comment = "SELECT count(*) FROM duckdb_tables() WHERE comment = 'headwater key: [\"name\"]'";
    assert_eq!(number(&subject.path(), comment), 1);
    let error = migrate(&*open(&subject.path()), &things("t").without_key()).await.unwrap_err().to_string();
    assert!(error.contains("table t, key: (name) in the database, none in the source"), "{error}");
    assert!(query(&subject.path(), "SELECT * FROM nowhere").is_err());
}

#[tokio::test]
async fn options_are_duckdbs_own() {
    let subject = Duckdb::new();
    let name = subject.path().display().to_string();
    let mut wrong = spec(&subject.path());
    wrong.options.insert("no_such_option".to_owned(), "abcd".to_owned().into());
    let error = migrate(&*destination(wrong).unwrap(), &things("t")).await.unwrap_err().to_string();
    assert!(error.contains("no_such_option") && error.lines().count() <= 8, "{error}");
    let spec = Spec { connection_string: format!("{name}?threads=1&memory_limit=200MB"), ..spec(&subject.path()) };
    migrate(&*destination(spec).unwrap(), &things("t")).await.unwrap();
    assert!(subject.path().is_file());
    assert!(subject.rows(&things("t")).await.is_empty());
    assert!(libduckdb().unwrap().is_file());
}

#[test]
fn specs_are_strict() {
    assert!(refused(":memory:", |_| {}).contains("in memory"));
    assert!(refused("md:x", |_| {}).contains("MotherDuck"));
    assert!(refused("x.duckdb?access_mode=READ_ONLY", |_| {}).contains("access_mode"));
    assert!(refused("x.duckdb", |spec| spec.batch_size = Some(0)).contains("`batch_size` must be at least 1"));
    assert_eq!(refused("x.duckdb", |spec| spec.batch_size = Some(1)), "");
    let schema = serde_json::to_value(schemars::schema_for!(Spec)).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["connection_string"]));
    for property in schema["properties"].as_object().unwrap().values() {
        assert!(property["description"].is_string(), "{property}");
    }
}

/// Without a key, as in `append`.
fn log(name: &str) -> TableSchema {
    things(name).without_key()
}

async fn add(destination: &dyn Destination, table: &TableSchema, resumed: bool, rows: i64) -> Result<u64> {
    let mut part = part(table, HERE, at(0), WriteMode::Append);
    part.resumed = resumed;
    let mut writer = destination.begin(part).await?;
    for rows in items(0..rows).chunks(5000) {
        writer.write(batch(table, HERE, at(0), rows)).await?;
    }
    Ok(writer.commit(Outcome::Complete).await?.written)
}

#[tokio::test]
async fn many_rows_that_are_only_added_go_into_the_table_as_they_come() {
    let subject = Duckdb::new();
    let destination = open(&subject.path());
    destination.use_memory(&Budget::new(16 << 20));
    let table = log("t");
    migrate(&*destination, &table).await.unwrap();
    for times in 1..3 {
        assert_eq!(add(&*destination, &table, false, 60_000).await.unwrap(), 60_000);
        assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), times * 60_000);
    }
    // What the same sync has written before is replaced.
    assert_eq!(add(&*destination, &table, true, 50_000).await.unwrap(), 50_000);
    assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), 50_000);
    // Nothing of a part that is dropped is seen, nor is it in the way of others.
    let mut writer = destination.begin(part(&table, HERE, at(1), WriteMode::Append)).await.unwrap();
    for rows in items(0..60_000).chunks(5000) {
        writer.write(batch(&table, HERE, at(1), rows)).await.unwrap();
        assert_eq!(number(&subject.path(), "SELECT count(*) FROM t"), 50_000);
    }
    drop(writer);
    let parts = (0..6).map(|_| add(&*destination, &table, false, 30_000));
    for written in futures::future::join_all(parts).await {
        assert_eq!(written.unwrap(), 30_000);
    }
    destination.close().await.unwrap();
    assert_eq!(number(&subject.path(), "SELECT count(*) * 1000000 + count(DISTINCT name) FROM t"), 230_000_050_000);
}

#[tokio::test]
async fn a_table_whose_columns_stand_in_another_order_takes_them_too() {
    let subject = Duckdb::new();
    let destination = open(&subject.path());
    destination.use_memory(&Budget::new(16 << 20));
    let (table, other) = (log("t"), log("u"));
    for (table, extra) in [(&table, ""), (&other, ", more INTEGER DEFAULT 7")] {
        let mut columns: Vec<_> = destination.plan(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap()[0]
            .changes
            .iter()
            .flat_map(|change| match change {
                Change::Create { columns, .. } => columns.clone(),
                _ => Vec::new(),
            })
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        columns.reverse();
        let sql = format!("CREATE TABLE {} ({}{extra})", table.name, columns.join(", "));
        change(&subject.path(), &sql);
        migrate(&*destination, table).await.unwrap();
        assert_eq!(add(&*destination, table, false, 60_000).await.unwrap(), 60_000);
        destination.close().await.unwrap();
        let sql = format!("SELECT count(DISTINCT name) + sum(number) FROM {}", table.name);
        assert_eq!(number(&subject.path(), &sql), 60_000 + 60_000 * 59_999 / 2);
    }
}

#[tokio::test]
async fn rows_that_the_driver_loses_without_a_word_fail_the_unit() {
    let noise: String = (0..4_000_000).map(|_| fastrand::alphanumeric()).collect();
    for (table, mode, sizes) in [(things("t"), MODE, [1000, 60_000]), (log("t"), WriteMode::Append, [1000, 20_000])] {
        let subject = Duckdb::new();
        let limited = [("memory_limit", "32MB"), ("max_temp_directory_size", "4MB"), ("threads", "1")];
        let mut spec = spec(&subject.path());
        spec.options.extend(limited.map(|(name, value)| (name.to_owned(), value.to_owned().into())));
        let destination = destination(spec).unwrap();
        migrate(&*destination, &table).await.unwrap();
        // Some must be too many for it.
        let mut failed = 0;
        for rows in sizes {
            let mut writer = destination.begin(part(&table, HERE, at(rows), mode)).await.unwrap();
            let mut written = Ok(());
            for mut rows_of in items(0..rows).chunks(5000).map(<[Item]>::to_vec) {
                // Texts that do not compress.
                for item in &mut rows_of {
                    let at = fastrand::usize(0..noise.len() - 2000);
                    item.name = noise[at..at + 2000].to_owned();
                }
                if written.is_ok() {
                    written = writer.write(batch(&table, HERE, at(rows), &rows_of)).await;
                }
            }
            let done = match written {
                Ok(()) => writer.commit(Outcome::Complete).await.map(|done| done.written),
                Err(error) => Err(error),
            };
            let found = number(
                &subject.path(),
                "SELECT count(*) FROM t WHERE _cq_sync_time = (SELECT max(_cq_sync_time) FROM t)",
            );
            match done {
                Ok(written) => assert_eq!((written, found), (rows as u64, rows)),
                Err(error) => {
                    println!("{rows}: {error}");
                    assert_ne!(found, rows);
                    failed += 1;
                }
            }
        }
        // What is only added needs neither.
        assert_eq!(failed > 0, mode == MODE);
        destination.close().await.unwrap();
    }
}
