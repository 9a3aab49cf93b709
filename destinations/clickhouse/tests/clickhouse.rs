//! What is ClickHouse's own: how it is reached, what is changed in place, what stands in the way, what others see of a
//! unit, and what a server that goes away does.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::Clickhouse;
use headwater_clickhouse::{Compression, Order, Partition, Spec, destination};
use headwater_e2e::LocalClickhouse;
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::Change;
use headwater_sdk::testing::{HERE, Item, Origin, Subject, THERE, at, batch, part, thing, things};
use headwater_sdk::{
    Budget, Column, ColumnType, Destination, Outcome, Part, Rejects, TableSchema, Timestamp, UnitHash, WriteMode,
};

const MODE: WriteMode = WriteMode::OverwriteDeleteStale;
const WAITING: &str =
    "SELECT count() FROM system.tables WHERE database = 'inventory' AND name LIKE 'headwater_waiting%'";

async fn migrate(destination: &dyn Destination, table: &TableSchema) -> headwater_sdk::Result<()> {
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await
}

fn rows(range: std::ops::Range<i64>) -> Vec<Item> {
    range.map(|number| thing(&format!("n{number:07}"), number)).collect()
}

async fn write(destination: &dyn Destination, part: Part, rows: &[Item]) -> headwater_sdk::Result<(u64, u64)> {
    let (table, time) = (Arc::clone(&part.table), part.sync_time);
    let mut writer = destination.begin(part).await?;
    for rows in rows.chunks(5000) {
        writer.write(batch(&table, HERE, time, rows)).await?;
    }
    let done = writer.commit(Outcome::Complete).await?;
    Ok((done.written, done.deleted))
}

/// The same table with other types of its number and its key.
fn typed(number: DataType, name: DataType) -> TableSchema {
    let mut columns = things("t").columns.split_off(4);
    for column in &mut columns {
        match column.name.as_str() {
            "number" => column.kind = ColumnType::plain(number.clone()),
            "name" => column.kind = ColumnType::plain(name.clone()),
            _ => {}
        }
    }
    TableSchema::new("t", "Things.", None, things("t").scopes, columns)
}

#[tokio::test]
async fn types_are_widened_in_place_unless_rows_are_sorted_by_them() {
    let server = Clickhouse::start();
    let destination = server.open();
    migrate(&*destination, &typed(DataType::Int16, DataType::Int32)).await.unwrap();
    server.ask("ALTER TABLE t MODIFY COLUMN text LowCardinality(Nullable(String))").await.unwrap();
    server.ask("INSERT INTO t (name, number) VALUES (1, -3), (2, NULL)").await.unwrap();
    let wide = typed(DataType::Int64, DataType::Int32);
    let plan = destination.plan(&[Arc::new(wide.clone())], MigrateMode::Safe).await.unwrap();
    let expected = Change::Widen { column: "number".to_owned(), from: "Int16".to_owned(), to: "Int64".to_owned() };
    assert_eq!(plan[0].changes, [expected]);
    migrate(&*destination, &wide).await.unwrap();
    assert_eq!(
        server.text("SELECT name, number, toTypeName(number) FROM t ORDER BY name").await,
        "1\t-3\tNullable(Int64)\n2\t\\N\tNullable(Int64)"
    );
    let error = migrate(&*destination, &typed(DataType::Int64, DataType::Int64)).await.unwrap_err().to_string();
    assert!(error.contains("column name: Int32 in the database, Int64 in the source, and rows are sorted"), "{error}");
    let error = migrate(&*destination, &typed(DataType::Int8, DataType::Int32)).await.unwrap_err().to_string();
    assert!(error.contains("column number: Int64 in the database, Int8 in the source"), "{error}");
    // Nor those by which a table is partitioned.
    let by = Partition { partition_by: "number % 2".to_owned(), ..Partition::default() };
    let partitioned = headwater_clickhouse::destination(Spec { partition: Some(vec![by]), ..server.spec() }).unwrap();
    server.ask("DROP TABLE t SYNC").await.unwrap();
    let mut columns = typed(DataType::Int16, DataType::Int32).columns.split_off(4);
    columns.iter_mut().for_each(|column| column.nullable = false);
    let narrow = TableSchema::new("t", "Things.", None, things("t").scopes, columns);
    migrate(&*partitioned, &narrow).await.unwrap();
    let error = migrate(&*partitioned, &wide).await.unwrap_err().to_string();
    assert!(error.contains("rows are sorted or partitioned by it"), "{error}");
}

#[tokio::test]
async fn what_stands_in_the_way_is_named_and_left() {
    let server = Clickhouse::start();
    let destination = server.open();
    migrate(&*destination, &things("t")).await.unwrap();
    server
        .ask("CREATE MATERIALIZED VIEW watch ENGINE = MergeTree ORDER BY name AS SELECT name, number FROM t")
        .await
        .unwrap();
    let text = [Arc::new(typed(DataType::Utf8, DataType::Utf8))];
    let error = destination.migrate(&text, MigrateMode::Forced).await.unwrap_err().to_string();
    assert!(error.contains("cannot be dropped while the view watch reads it"), "{error}");
    let plan = destination.plan(&text, MigrateMode::Forced).await.unwrap();
    assert!(matches!(&plan[0].changes[..], [Change::Blocked { forceable: false, .. }]), "{plan:?}");
    server.ask("DROP TABLE watch SYNC").await.unwrap();
    let plan = destination.plan(&text, MigrateMode::Forced).await.unwrap();
    assert!(matches!(&plan[0].changes[..], [Change::Replace { .. }]), "{plan:?}");
    server.ask("CREATE VIEW other AS SELECT 1 AS one").await.unwrap();
    let error = destination.migrate(&[Arc::new(things("other"))], MigrateMode::Forced).await.unwrap_err().to_string();
    assert!(error.contains("table of engine View of this name"), "{error}");
    // A table without a key would keep every row that is written again.
    server.ask("CREATE TABLE plain AS t ENGINE = MergeTree ORDER BY name").await.unwrap();
    let error = migrate(&*destination, &things("plain")).await.unwrap_err().to_string();
    assert!(error.contains("key: none in the database, (name) in the source"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_unit_waits_in_a_table_of_its_own_and_is_seen_as_a_whole() {
    let server = Arc::new(Clickhouse::start());
    // However many pieces its rows are.
    let partition = Partition { partition_by: "cityHash64(name) % 8".to_owned(), ..Partition::default() };
    let destination = destination(Spec { partition: Some(vec![partition]), ..server.spec() }).unwrap();
    // A sixteenth of it is what a part holds at most.
    let budget = Budget::new(4 << 20);
    destination.use_memory(&budget);
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    // Whoever looks meanwhile sees a unit as it was or as it is.
    let watching = tokio::spawn({
        let server = Arc::clone(&server);
        async move {
            let mut seen = std::collections::BTreeSet::new();
            while !seen.contains("60000\t60000") {
                seen.insert(server.text("SELECT count(), countIf(number >= 20000) FROM t FINAL").await);
            }
            seen
        }
    });
    assert_eq!(write(&*destination, part(&table, HERE, at(0), MODE), &rows(0..40_000)).await.unwrap(), (40_000, 0));
    assert!(budget.peak() < 4 << 20, "{}", budget.peak());
    let next = rows(20_000..80_000);
    assert_eq!(write(&*destination, part(&table, HERE, at(1), MODE), &next).await.unwrap(), (60_000, 20_000));
    let seen = watching.await.unwrap();
    // All new rows are seen at once; in the end stale rows are seen beside them, until they are deleted.
    let allowed = |seen: &String| match seen.split_once('\t') {
        Some((all, "60000")) => (60_000..=80_000).contains(&all.parse::<u64>().unwrap()),
        _ => seen == "0\t0" || seen == "40000\t20000",
    };
    assert!(seen.iter().all(allowed), "{seen:?}");
    assert_eq!(server.text(WAITING).await, "0");
    // One that is dropped leaves none either.
    let mut writer = destination.begin(part(&table, HERE, at(2), MODE)).await.unwrap();
    for number in 0..20 {
        let rows: Vec<_> = (0..1000).map(|row| thing(&format!("{number} {row}"), row)).collect();
        writer.write(batch(&table, HERE, at(2), &rows)).await.unwrap();
    }
    assert_eq!(server.text(WAITING).await, "1");
    drop(writer);
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if server.text(WAITING).await == "0" {
            assert_eq!(server.text("SELECT count() FROM t FINAL").await, "60000");
            return;
        }
    }
    panic!("the table in which rows waited is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_comes_back_costs_nothing() {
    let mut server = Clickhouse::start();
    let destination = server.open();
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    assert_eq!(write(&*destination, part(&table, HERE, at(0), MODE), &rows(0..10)).await.unwrap(), (10, 0));
    let mut writer = destination.begin(part(&table, HERE, at(1), MODE)).await.unwrap();
    writer.write(batch(&table, HERE, at(1), &rows(0..20))).await.unwrap();
    server.0.kill();
    let committing = tokio::spawn(async move { writer.commit(Outcome::Complete).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.0.run().unwrap();
    assert_eq!(committing.await.unwrap().unwrap().written, 20);
    assert_eq!(server.rows(&table).await.len(), 20);
    server.0.kill();
    let error = write(&*destination, part(&table, HERE, at(2), MODE), &rows(0..5)).await.unwrap_err().to_string();
    assert!(error.contains("ClickHouse at 127.0.0.1"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_server_is_killed_no_half_unit_is_seen() {
    let mut server = Clickhouse::start();
    let destination = server.open();
    destination.use_memory(&Budget::new(2 << 20));
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    let destination: Arc<dyn Destination> = destination.into();
    for sync in 0..4 {
        let writing = tokio::spawn({
            let (destination, table) = (Arc::clone(&destination), table.clone());
            async move { write(&*destination, part(&table, HERE, at(sync), MODE), &rows(0..20_000)).await }
        });
        // Wherever this falls.
        tokio::time::sleep(Duration::from_millis(100 + 350 * sync as u64)).await;
        server.0.kill();
        server.0.run().unwrap();
        let syncs = server.text("SELECT count() % 20000, uniqExact(_cq_sync_time) < 3 FROM t FINAL").await;
        assert_eq!(syncs, "0\t1", "sync {sync}");
        assert_eq!(writing.await.unwrap().map(|(written, _)| written).ok(), Some(20_000), "sync {sync}");
        let seen =
            server.text("SELECT count(), countIf(_cq_sync_time = (SELECT max(_cq_sync_time) FROM t)) FROM t FINAL");
        assert_eq!(seen.await, "20000\t20000", "sync {sync}");
    }
}

#[tokio::test]
async fn what_is_not_answered_is_not_written_twice() {
    let server = Clickhouse::start();
    let mut expected = 0;
    for (number, mode) in [MODE, WriteMode::Overwrite, WriteMode::Append].into_iter().enumerate() {
        let table = things(&format!("t{number}"));
        let made = if mode == WriteMode::Append { table.without_key() } else { table.clone() };
        let destination = server.open();
        migrate(&*destination, &made).await.unwrap();
        let small = Budget::new(1 << 20);
        let large = server.open();
        large.use_memory(&small);
        for when in ["fail-after", "fail-before"] {
            for (sync, what) in [
                "FORMAT ArrowStream",
                "ATTACH PARTITION",
                "DELETE FROM",
                "CREATE TABLE",
                "OPTIMIZE",
                "DROP TABLE",
                "INSERT INTO `t",
            ]
            .into_iter()
            .enumerate()
            {
                let into_the_table = what == "INSERT INTO `t";
                // Twice, so that the second try is not answered either.
                let times = if into_the_table { 2 } else { 1 };
                server.0.order(&format!("{when} {what} {times}")).unwrap();
                let time = at(if when == "fail-after" { sync } else { 10 + sync } as i64);
                let range = 0..if into_the_table { 50 } else { 6000 };
                let destination = if into_the_table { &destination } else { &large };
                let written = write(&**destination, part(&table, HERE, time, mode), &rows(range.clone())).await;
                assert_eq!(written.map(|(written, _)| written).ok(), Some(range.end as u64), "{mode:?}, {when} {what}");
                expected = match mode {
                    WriteMode::Append => expected + range.end,
                    WriteMode::Overwrite => expected.max(range.end),
                    WriteMode::OverwriteDeleteStale => range.end,
                };
                let seen = server.rows(&table).await.len() as i64;
                assert_eq!(seen, expected, "{mode:?}, {when} {what}");
                // Those that were not needed.
                server.0.order("never").unwrap();
            }
        }
        expected = 0;
    }
    assert_eq!(server.text(WAITING).await, "0");
}

#[tokio::test]
async fn a_statement_that_still_runs_is_waited_for() {
    let server = Clickhouse::start();
    for (number, mode) in [MODE, WriteMode::Append].into_iter().enumerate() {
        let table = things(&format!("t{number}"));
        let made = if mode == WriteMode::Append { table.without_key() } else { table.clone() };
        let destination = server.open();
        destination.use_memory(&Budget::new(1 << 20));
        migrate(&*destination, &made).await.unwrap();
        for (sync, (what, range)) in [("INSERT INTO `t", 0..50), ("ATTACH PARTITION", 0..6000)].into_iter().enumerate()
        {
            server.0.order(&format!("leave {what} 1")).unwrap();
            let count = range.end as u64;
            let written = write(&*destination, part(&table, HERE, at(sync as i64), mode), &rows(range)).await.unwrap();
            assert_eq!(written.0, count, "{mode:?}, {what}");
            let expected = if mode == WriteMode::Append && sync == 1 { 6050 } else { count as usize };
            assert_eq!(server.rows(&table).await.len(), expected, "{mode:?}, {what}");
        }
    }
}

#[tokio::test]
async fn what_the_server_remembers_is_written_all_the_same() {
    let server = Clickhouse::start();
    let table = things("t");
    let partition = Partition { partition_by: "number % 2".to_owned(), ..Partition::default() };
    for (sync, partition) in [None, Some(vec![partition])].into_iter().enumerate() {
        let destination = destination(Spec { partition, ..server.spec() }).unwrap();
        migrate(&*destination, &table.without_key()).await.unwrap();
        // What is always so in replicated tables.
        server.ask("ALTER TABLE t MODIFY SETTING non_replicated_deduplication_window = 100").await.unwrap();
        let part = Part { resumed: sync > 0, ..part(&table, HERE, at(0), WriteMode::Append) };
        assert_eq!(write(&*destination, part.clone(), &rows(0..3)).await.unwrap(), (3, 0));
        for _ in 0..2 {
            let again = Part { resumed: true, ..part.clone() };
            assert_eq!(write(&*destination, again, &rows(0..3)).await.unwrap(), (3, 0));
            assert_eq!(server.rows(&table).await.len(), 3);
        }
    }
}

#[tokio::test]
async fn reads_are_tried_again() {
    let server = Clickhouse::start();
    let destination = server.open();
    for what in ["version()", "system.tables", "system.columns"] {
        server.0.order(&format!("fail-before {what} 2")).unwrap();
    }
    migrate(&*destination, &things("t")).await.unwrap();
    server.0.order("fail-before CHECK 1").unwrap();
    destination.check().await.unwrap();
}

#[tokio::test]
async fn a_state_whose_answers_are_lost_is_kept() {
    let server = Clickhouse::start();
    let (first, second) = (server.open(), server.open());
    let key = "it's a \\ key";
    let (old, new) = (first.state(key).await.unwrap().unwrap(), second.state(key).await.unwrap().unwrap());
    let lose = |what: &str| server.0.order(&format!("fail-after {what} 1")).unwrap();
    let units: Vec<UnitHash> = ["a", "b"].map(UnitHash::of).to_vec();
    lose("CREATE TABLE");
    old.start(at(0), "f").await.unwrap();
    lose("INSERT INTO");
    old.add(&units).await.unwrap();
    lose("SELECT DISTINCT");
    assert_eq!(new.load().await.unwrap().unwrap().units.len(), 2);
    lose("RENAME TABLE");
    new.resume(at(0)).await.unwrap();
    let error = old.add(&units).await.unwrap_err().to_string();
    assert!(error.contains("another sync of the same configuration has begun meanwhile"), "{error}");
    assert_eq!(new.load().await.unwrap().unwrap().units.len(), 2);
    lose("DROP TABLE");
    new.clear().await.unwrap();
    assert_eq!(old.load().await.unwrap(), None);
    assert_eq!(server.text("SELECT count() FROM system.tables WHERE database = 'inventory'").await, "0");
}

#[tokio::test]
async fn the_password_does_not_follow_where_an_answer_points() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (first, second) = (
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(),
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    second.set_nonblocking(true).unwrap();
    let (from, to) = (first.local_addr().unwrap(), second.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = first.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1 << 16]).await.unwrap();
        let answer = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{to}/elsewhere?x=y\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.read(&mut [0; 1 << 16]).await;
    });
    let spec = Spec { connection_string: format!("http://u:hunter2@{from}/d"), ..Spec::default() };
    let error = destination(spec).unwrap().check().await.unwrap_err().to_string();
    assert!(error.contains(&format!("307 to http://{to}/elsewhere, which is not followed")), "{error}");
    assert!(second.accept().is_err(), "nobody came");
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_after_two_days() {
    let server = Clickhouse::start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for (age, name) in [(3 * 86_400, "old"), (86_400, "young")] {
        let sql = format!("CREATE TABLE headwater_waiting_{}_{name} (a Int8) ENGINE = MergeTree ORDER BY a", now - age);
        server.ask(&sql).await.unwrap();
    }
    server.ask("CREATE TABLE headwater_waiting_room (a Int8) ENGINE = MergeTree ORDER BY a").await.unwrap();
    let destination = server.open();
    destination.plan(&[Arc::new(things("t"))], MigrateMode::Safe).await.unwrap();
    assert_eq!(server.text(WAITING).await, "3", "a plan touches nothing");
    migrate(&*destination, &things("t")).await.unwrap();
    let names = server.text("SELECT name FROM system.tables WHERE database = 'inventory' ORDER BY name").await;
    let names: Vec<&str> = names.lines().collect();
    assert!(names.len() == 3 && names[0].ends_with("_young") && names[1] == "headwater_waiting_room", "{names:?}");
}

#[tokio::test]
async fn whoever_cannot_get_in_is_told_why_and_not_the_password() {
    let server = Clickhouse::start();
    let spec = |change: &dyn Fn(&mut Spec)| {
        let mut spec = server.spec();
        change(&mut spec);
        destination(spec).unwrap()
    };
    server.open().check().await.unwrap();
    let without = server.0.url().replace(":a%20pass%2Fword", "");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n", headwater_e2e::local_clickhouse::PASSWORD)).unwrap();
    let good = spec(&|spec| {
        spec.connection_string = without.clone();
        spec.password_file = Some(file.path().to_owned());
    });
    good.check().await.unwrap();
    let wrong = spec(&|spec| {
        spec.connection_string = without.clone();
        spec.password = Some("hunter2".to_owned());
    });
    let error = wrong.check().await.unwrap_err().to_string();
    assert!(error.contains("password is incorrect") && !error.contains("hunter2"), "{error}");
    let nowhere = spec(&|spec| spec.connection_string = server.0.url().replace("inventory", "nowhere"));
    let error = nowhere.check().await.unwrap_err().to_string();
    assert!(error.contains("Database nowhere does not exist") && error.contains("create the database"), "{error}");
    let encrypted = spec(&|spec| spec.connection_string = server.0.url().replace("http:", "https:"));
    let error = encrypted.check().await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1") && !error.contains("word"), "{error}");
    let nobody = spec(&|spec| spec.connection_string = "http://u:hunter2@127.0.0.1:1/d".to_owned());
    let error = nobody.check().await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1") && error.contains("refused") && !error.contains("hunter2"), "{error}");
    let reader = spec(&|spec| spec.connection_string = server.0.url().replace("headwater:", "reader:"));
    let error = reader.check().await.unwrap_err().to_string();
    assert!(error.contains("the user has no right to INSERT"), "{error}");
    let error = migrate(&*reader, &things("t")).await.unwrap_err().to_string();
    assert!(error.contains("the user may only read"), "{error}");
}

#[tokio::test]
async fn a_certificate_is_verified_unless_that_is_not_wanted() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(names(&[])).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = parameters.self_signed(&authority).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority);
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (folder.path().join("ours.pem"), folder.path().join("others.pem"));
    std::fs::write(&ours, root.pem()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let other = rcgen::CertificateParams::new(names(&["x"])).unwrap().self_signed(&key).unwrap();
    std::fs::write(&others, other.pem()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(names(&["127.0.0.1"])).unwrap().signed_by(&key, &issuer).unwrap();
    let server = LocalClickhouse::start_encrypted(&certificate.pem(), &key.serialize_pem()).unwrap();
    let url = server.url();
    let lenient = format!("{url}?skip_verify=true");
    for (url, file, text, good) in [
        (&url, Some(&ours), None, true),
        (&url, Some(&others), None, false),
        (&url, None, Some(root.pem()), true),
        (&url, None, None, false),
        (&lenient, None, None, true),
    ] {
        let spec = Spec {
            connection_string: url.clone(),
            ca_file: file.cloned(),
            ca_cert: text.clone(),
            connections: Some(1),
            ..Spec::default()
        };
        let checked = destination(spec).unwrap().check().await;
        assert_eq!(checked.is_ok(), good, "{file:?}, {text:?}: {checked:?}");
    }
}

#[tokio::test]
async fn a_constraint_fails_the_unit_as_a_whole() {
    let server = Clickhouse::start();
    let table = things("t");
    let destination = server.open();
    destination.use_memory(&Budget::new(1 << 20));
    migrate(&*destination, &table).await.unwrap();
    assert_eq!(write(&*destination, part(&table, HERE, at(0), MODE), &rows(0..3)).await.unwrap(), (3, 0));
    server.ask("ALTER TABLE t ADD CONSTRAINT small CHECK number < 5999").await.unwrap();
    for range in [5990..6000, 0..6000] {
        let error = write(&*destination, part(&table, HERE, at(1), MODE), &rows(range)).await.unwrap_err().to_string();
        assert!(error.contains("table t") && error.contains("small"), "{error}");
        assert_eq!(server.rows(&table).await.len(), 3);
    }
    // Those of a small unit and those of one that waits are put aside; then what was not seen is not stale.
    for (range, there) in [(5990..6001, 3 + 9), (0..6001, 5999)] {
        let (rejects, few) = (Rejects::new(2), Rejects::new(1));
        let aside = |rejects: &Rejects| Part { rejects: Some(rejects.clone()), ..part(&table, HERE, at(2), MODE) };
        let error = write(&*destination, aside(&few), &rows(range.clone())).await.unwrap_err().to_string();
        assert!(error.contains("more than 1 rows were not taken"), "{error}");
        let written = range.end as u64 - range.start as u64 - 2;
        assert_eq!(write(&*destination, aside(&rejects), &rows(range)).await.unwrap(), (written, 0));
        let aside = rejects.take();
        assert!(aside.len() == 2 && aside[0].reason.contains("small"), "{aside:?}");
        assert!(aside[0].row.contains("n0005999") && aside[0].row.contains("-"), "{aside:?}");
        assert_eq!(server.rows(&table).await.len(), there);
    }
}

#[tokio::test]
async fn tables_are_partitioned_and_sorted_as_the_spec_says() {
    let server = Clickhouse::start();
    let order = |tables: &str, by: &[&str]| Order {
        tables: Some(vec![tables.to_owned()]),
        order_by: by.iter().map(|by| (*by).to_owned()).collect(),
        ..Order::default()
    };
    let spec = Spec {
        partition: Some(vec![Partition { partition_by: "intDiv(number, 10)".to_owned(), ..Partition::default() }]),
        order: Some(vec![
            order("added*", &["region", "lower(name)"]),
            order("wrong", &["region"]),
            order("t", &["`name`"]),
        ]),
        compression: Compression::Zstd,
        ..server.spec()
    };
    let destination = destination(spec).unwrap();
    let error = migrate(&*destination, &things("wrong")).await.unwrap_err().to_string();
    assert!(error.contains("table wrong: `order_by` must hold the columns of its key"), "{error}");
    let not_null = |name: &str| {
        let mut columns = things(name).columns.split_off(4);
        columns.iter_mut().for_each(|column| column.nullable = false);
        TableSchema::new(name, "Things.", None, things(name).scopes, columns)
    };
    let (table, added) = (not_null("t"), not_null("added").without_key());
    migrate(&*destination, &table).await.unwrap();
    migrate(&*destination, &added).await.unwrap();
    let keys = "SELECT partition_key, sorting_key FROM system.tables WHERE database = 'inventory' ORDER BY name";
    assert_eq!(server.text(keys).await, "intDiv(number, 10)\tregion, lower(name)\nintDiv(number, 10)\tname");
    assert_eq!(write(&*destination, part(&table, HERE, at(0), MODE), &rows(0..100)).await.unwrap(), (100, 0));
    assert_eq!(server.rows(&table).await.len(), 100);
    // A row that moves to another partition is still one row.
    let moved: Vec<Item> = rows(0..60).into_iter().map(|row| Item { number: Some(7), ..row }).collect();
    assert_eq!(write(&*destination, part(&table, HERE, at(1), MODE), &moved).await.unwrap(), (60, 40));
    assert_eq!(server.text("SELECT count(), min(number), max(number) FROM t FINAL").await, "60\t7\t7");
}

#[tokio::test]
async fn a_row_that_comes_back_after_a_delete_is_there_and_what_it_replaced_is_not() {
    let server = Clickhouse::start();
    let table = things("t");
    let destination = server.open();
    migrate(&*destination, &table).await.unwrap();
    // Merging at once would hide what is tried here.
    server.ask("ALTER TABLE t MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1").await.unwrap();
    for sync in 0..2 {
        let mode = WriteMode::Overwrite;
        write(&*destination, part(&table, HERE, at(sync), mode), &[thing("a", sync), thing("b", sync)]).await.unwrap();
    }
    assert_eq!(server.text("SELECT count() FROM t").await, "4");
    let a = batch(&table, HERE, at(0), &[thing("a", 0)]);
    let by = |names: &[&str]| {
        let indices: Vec<usize> = names.iter().map(|name| a.schema().index_of(name).unwrap()).collect();
        a.project(&indices).unwrap()
    };
    let table = Arc::new(table);
    assert_eq!(destination.delete(&table, by(&["name", "number"])).await.unwrap(), 0, "that row is replaced");
    assert_eq!(destination.delete(&table, by(&["name"])).await.unwrap(), 1);
    assert_eq!(server.text("SELECT name, number FROM t FINAL").await, "b\t1");
    let mode = WriteMode::Overwrite;
    write(&*destination, part(&table, THERE, at(2), mode), &[thing("a", 9)]).await.unwrap();
    assert_eq!(server.text("SELECT name, number FROM t FINAL ORDER BY name").await, "a\t9\nb\t1");
}

#[tokio::test]
async fn what_a_stale_row_has_replaced_does_not_come_back() {
    let server = Clickhouse::start();
    let by_month = Partition { partition_by: "toYYYYMM(_cq_sync_time)".to_owned(), ..Partition::default() };
    for (number, partition) in [None, Some(vec![by_month])].into_iter().enumerate() {
        let table = things(&format!("t{number}"));
        let name = &table.name;
        let destination = destination(Spec { partition, ..server.spec() }).unwrap();
        migrate(&*destination, &table).await.unwrap();
        let unmerged = format!("ALTER TABLE {name} MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1");
        server.ask(&unmerged).await.unwrap();
        // The same two rows come from a source that is gone and from the one that is there now, a month later.
        let day = 86_400_000_000;
        for (source, days, count) in [("old", 0, 3), ("new", 40, 2), ("new", 80, 1)] {
            let (from, time) = (Origin { source, ..HERE }, Timestamp(at(0).0 + days * day));
            let mut writer = destination.begin(part(&table, from, time, MODE)).await.unwrap();
            writer.write(batch(&table, from, time, &rows(0..count))).await.unwrap();
            writer.commit(Outcome::Complete).await.unwrap();
        }
        let seen = server.text(&format!("SELECT _cq_source_name, name FROM {name} FINAL ORDER BY name")).await;
        assert_eq!(seen, "new\tn0000000\nold\tn0000002");
    }
}

#[tokio::test]
async fn stale_rows_go_from_a_table_with_a_projection() {
    let server = Clickhouse::start();
    let (table, destination) = (things("t"), server.open());
    migrate(&*destination, &table).await.unwrap();
    server.ask("ALTER TABLE t MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild'").await.unwrap();
    server.ask("ALTER TABLE t ADD PROJECTION p (SELECT region, count() GROUP BY region)").await.unwrap();
    assert_eq!(write(&*destination, part(&table, HERE, at(0), MODE), &rows(0..9)).await.unwrap(), (9, 0));
    assert_eq!(write(&*destination, part(&table, HERE, at(1), MODE), &rows(0..5)).await.unwrap(), (5, 4));
    assert_eq!(server.rows(&table).await.len(), 5);
}

#[tokio::test]
async fn what_was_changed_before_an_error_is_said() {
    let server = Clickhouse::start();
    let destination = server.open();
    let narrow = typed(DataType::Int16, DataType::Int32);
    let named = |table: &TableSchema, name: &str| {
        let columns = table.columns.clone().split_off(4);
        Arc::new(TableSchema::new(name, "Things.", None, things("t").scopes, columns))
    };
    let tables = |table: &TableSchema| ["a", "b", "c", "d"].map(|name| named(table, name));
    destination.migrate(&tables(&narrow), MigrateMode::Safe).await.unwrap();
    server.ask("ALTER TABLE c MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild'").await.unwrap();
    server.ask("ALTER TABLE c ADD PROJECTION p (SELECT number, count() GROUP BY number)").await.unwrap();
    let wide = typed(DataType::Int64, DataType::Int32);
    let error = destination.migrate(&tables(&wide), MigrateMode::Safe).await.unwrap_err().to_string();
    assert!(error.starts_with("table c: ") && error.ends_with("changed before it and stay so: a, b"), "{error}");
}

#[tokio::test]
async fn columns_that_the_server_takes_only_together_or_not_so_long_are_known() {
    let server = Clickhouse::start();
    let destination = server.open();
    let with = |name: &str, more: &[(&str, DataType)]| {
        let mut columns = things("t").columns.split_off(4);
        let number = columns.iter().find(|column| column.name == "number").unwrap().clone();
        columns.extend(more.iter().map(|(name, kind)| Column {
            name: (*name).to_owned(),
            kind: ColumnType::plain(kind.clone()),
            ..number.clone()
        }));
        TableSchema::new(name, "Things.", None, things("t").scopes, columns)
    };
    let list = || DataType::new_list(DataType::Int64, true);
    let table = with("t", &[("n.a", list()), ("n.b", list())]);
    let error = migrate(&*destination, &table).await.unwrap_err().to_string();
    assert!(error.contains("table t: ClickHouse would want the lists `n.a` and `n.b` to be of one length"), "{error}");
    let binary = DataType::FixedSizeBinary(257);
    migrate(&*destination, &with("u", &[("n.a", list()), ("m.b", list()), ("n.c", binary)])).await.unwrap();
    assert_eq!(
        server.text("SELECT type FROM system.columns WHERE table = 'u' AND name = 'n.c'").await,
        "Nullable(String)"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_whose_writer_is_gone_in_the_middle_of_the_commit_is_written_again() {
    let server = Clickhouse::start();
    for (number, mode) in [MODE, WriteMode::Append].into_iter().enumerate() {
        let table = things(&format!("t{number}"));
        let made = if mode == WriteMode::Append { table.without_key() } else { table.clone() };
        migrate(&*server.open(), &made).await.unwrap();
        for sync in 0..4_u64 {
            let time = at(sync as i64);
            let writing = tokio::spawn({
                let (destination, table) = (server.open(), table.clone());
                destination.use_memory(&Budget::new(2 << 20));
                async move { write(&*destination, part(&table, HERE, time, mode), &rows(0..9000)).await }
            });
            // Wherever this falls.
            tokio::time::sleep(Duration::from_millis(40 + 120 * sync)).await;
            writing.abort();
            let _ = writing.await;
            let again = Part { resumed: true, ..part(&table, HERE, time, mode) };
            let written = write(&*server.open(), again, &rows(0..8000)).await.unwrap().0;
            assert_eq!(written, 8000, "{mode:?}, sync {sync}");
            let seen = server.rows(&table).await.len() as u64;
            let expected = if mode == WriteMode::Append { 8000 * (sync + 1) } else { 8000 };
            assert_eq!(seen, expected, "{mode:?}, sync {sync}");
        }
    }
}
