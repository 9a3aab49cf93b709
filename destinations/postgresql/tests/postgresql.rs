//! What is PostgreSQL's own: how it is reached, what is changed in place, what stands in the way, and what a server that
//! goes away does.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Postgresql;
use headwater_e2e::LocalPostgresql;
use headwater_postgresql::{Spec, destination};
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::Change;
use headwater_sdk::testing::{HERE, Subject, at, batch, part, thing, things};
use headwater_sdk::{Budget, ColumnType, Destination, Outcome, Rejects, TableSchema, WriteMode};

const MODE: WriteMode = WriteMode::OverwriteDeleteStale;

async fn migrate(destination: &dyn Destination, table: &TableSchema) -> headwater_sdk::Result<()> {
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await
}

async fn write(destination: &dyn Destination, table: &TableSchema, rows: i64) -> headwater_sdk::Result<u64> {
    let rows: Vec<_> = (0..rows).map(|number| thing(&format!("n{number:07}"), number)).collect();
    let mut writer = destination.begin(part(table, HERE, at(0), MODE)).await?;
    for rows in rows.chunks(5000) {
        writer.write(batch(table, HERE, at(0), rows)).await?;
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

#[tokio::test]
async fn types_are_widened_in_place_unless_a_view_is_in_the_way() {
    let server = Postgresql::start();
    let destination = server.open();
    migrate(&*destination, &numbers(DataType::Int16)).await.unwrap();
    let client = server.client().await;
    client.batch_execute("CREATE VIEW watch AS SELECT number FROM t").await.unwrap();
    let error = migrate(&*destination, &numbers(DataType::Int64)).await.unwrap_err().to_string();
    assert!(error.contains("table t") && error.contains("view watch"), "{error}");
    // Not even by force is a view taken away, nor the table under it.
    let text = [Arc::new(numbers(DataType::Utf8))];
    let error = destination.migrate(&text, MigrateMode::Forced).await.unwrap_err().to_string();
    assert!(error.contains("cannot be dropped while view watch needs it"), "{error}");
    let plan = destination.plan(&text, MigrateMode::Forced).await.unwrap();
    assert!(matches!(&plan[0].changes[..], [Change::Blocked { forceable: false, .. }]), "{plan:?}");
    client.batch_execute("DROP VIEW watch").await.unwrap();
    let plan = destination.plan(&text, MigrateMode::Forced).await.unwrap();
    assert!(matches!(&plan[0].changes[..], [Change::Replace { .. }]), "{plan:?}");
    migrate(&*destination, &numbers(DataType::Int64)).await.unwrap();
    let sql = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'number'";
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, String>(0), "bigint");
    let error = migrate(&*destination, &numbers(DataType::Int32)).await.unwrap_err().to_string();
    assert!(error.contains("column number: bigint in the database, integer in the source"), "{error}");
    client.batch_execute("DROP TABLE t; CREATE VIEW t AS SELECT 1 AS one").await.unwrap();
    let error = migrate(&*destination, &things("t")).await.unwrap_err().to_string();
    assert!(error.contains("a view of this name"), "{error}");
}

#[tokio::test]
async fn a_large_unit_waits_in_a_table_of_its_own() {
    let server = Postgresql::start();
    let destination = server.open();
    // A sixteenth of it is what a part holds at most.
    let budget = Budget::new(4 << 20);
    destination.use_memory(&budget);
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    let rows = 100_000;
    assert_eq!(write(&*destination, &table, rows).await.unwrap(), rows as u64);
    // A key that comes twice is found out when the rows are moved.
    let mut twice: Vec<_> = (0..20_000).map(|number| thing(&format!("n{number:07}"), number)).collect();
    twice.push(thing("n0000005", -5));
    let mut writer = destination.begin(part(&table, HERE, at(0), WriteMode::Overwrite)).await.unwrap();
    for rows in twice.chunks(4000) {
        writer.write(batch(&table, HERE, at(0), rows)).await.unwrap();
    }
    assert_eq!(writer.commit(Outcome::Complete).await.unwrap().written, 20_000);
    assert!(budget.peak() < 4 << 20, "{}", budget.peak());
    let client = server.client().await;
    let count = |sql: &'static str| async { client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) };
    assert_eq!(count("SELECT count(*) FROM t").await, rows);
    assert_eq!(count("SELECT number FROM t WHERE name = 'n0000005'").await, -5);
    assert_eq!(count("SELECT count(*) FROM pg_class WHERE relname LIKE 'headwater_waiting%'").await, 0);
    // One that is dropped leaves none either.
    let mut writer = destination.begin(part(&table, HERE, at(1), MODE)).await.unwrap();
    for number in 0..20 {
        let rows: Vec<_> = (0..1000).map(|row| thing(&format!("{number} {row}"), row)).collect();
        writer.write(batch(&table, HERE, at(1), &rows)).await.unwrap();
    }
    assert_eq!(count("SELECT count(DISTINCT true) FROM pg_class WHERE relname LIKE 'headwater_waiting%'").await, 1);
    drop(writer);
    destination.close().await.unwrap();
    assert_eq!(count("SELECT count(*) FROM pg_class WHERE relname LIKE 'headwater_waiting%'").await, 0);
    assert_eq!(count("SELECT count(*) FROM t").await, rows);
}

/// Rows of a large unit are moved while more of them come, unseen; where that is cut off the commit moves them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_are_moved_while_more_come() {
    let server = Postgresql::start();
    let destination = server.open();
    destination.use_memory(&Budget::new(4 << 20));
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    let client = server.client().await;
    let count = |sql: &'static str| async { client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) };
    let mut seen = 0;
    for (sync, ends) in [(0, None), (1, None), (2, Some("pg_terminate_backend")), (3, Some("pg_cancel_backend"))] {
        let mut writer = destination.begin(part(&table, HERE, at(sync), MODE)).await.unwrap();
        for number in 0..20 {
            // Half of the keys come once more in the next batch, and some of the last sync do not come.
            let first = sync * 100 + number * 1500;
            let rows: Vec<_> = (first..first + 3000).map(|row| thing(&format!("n{row:07}"), row + number)).collect();
            writer.write(batch(&table, HERE, at(sync), &rows)).await.unwrap();
        }
        let moving = "FROM pg_stat_activity WHERE application_name = 'headwater' AND xact_start IS NOT NULL";
        assert_eq!(client.query(&format!("SELECT {moving}"), &[]).await.unwrap().len(), 1);
        if let Some(ends) = ends {
            client.query(&format!("SELECT {ends}(pid) {moving}"), &[]).await.unwrap();
        }
        assert_eq!(count("SELECT count(*) FROM t").await, seen);
        let committed = writer.commit(Outcome::Complete).await.unwrap();
        assert_eq!((committed.written, committed.deleted), (31_500, if sync == 0 { 0 } else { 100 }), "{sync}");
        seen = count("SELECT count(*) FROM t").await;
        assert_eq!(seen, 31_500);
        assert_eq!(count("SELECT max(number) FROM t").await, sync * 100 + 31_499 + 19);
        assert_eq!(count("SELECT min(number) FROM t").await, sync * 100);
        assert_eq!(count("SELECT count(DISTINCT _cq_sync_time) FROM t").await, 1);
    }
    assert_eq!(count("SELECT count(*) FROM pg_class WHERE relname LIKE 'headwater_waiting%'").await, 0);
}

/// Rows that are only added go into the table as they come, where a connection is free for that; what is dropped or run
/// again leaves no trace, and more parts than there are connections do not wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_that_are_added_are_copied_as_they_come() {
    let server = Postgresql::start();
    let destination = server.open();
    destination.use_memory(&Budget::new(4 << 20));
    let table = things("t");
    migrate(&*destination, &table.without_key()).await.unwrap();
    let rows =
        |first: i64| (first..first + 5000).map(|number| thing(&format!("n{number:07}"), number)).collect::<Vec<_>>();
    let mut writers = Vec::new();
    for _ in 0..5 {
        writers.push(destination.begin(part(&table, HERE, at(0), WriteMode::Append)).await.unwrap());
    }
    for batch_number in 0..4 {
        for writer in &mut writers {
            writer.write(batch(&table.without_key(), HERE, at(0), &rows(batch_number * 5000))).await.unwrap();
        }
    }
    let client = server.client().await;
    let count = |sql: &'static str| async { client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) };
    assert_eq!(count("SELECT count(*) FROM t").await, 0);
    let copies = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY \"t\"%' AND state = 'active'";
    assert_eq!(count(copies).await, 2, "half of the connections");
    drop(writers.pop());
    drop(writers.remove(0));
    for writer in writers {
        assert_eq!(writer.commit(Outcome::Complete).await.unwrap().written, 20_000);
    }
    assert_eq!(count("SELECT count(*) FROM t").await, 60_000);
    let again = headwater_sdk::Part { resumed: true, ..part(&table, HERE, at(0), WriteMode::Append) };
    let mut writer = destination.begin(again).await.unwrap();
    for batch_number in 0..4 {
        writer.write(batch(&table.without_key(), HERE, at(0), &rows(batch_number * 5000))).await.unwrap();
    }
    assert_eq!(writer.commit(Outcome::Complete).await.unwrap().written, 20_000);
    assert_eq!(count("SELECT count(*) FROM t").await, 20_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_comes_back_costs_nothing() {
    let mut server = Postgresql::start();
    let destination = server.open();
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    assert_eq!(write(&*destination, &table, 10).await.unwrap(), 10);
    let rows: Vec<_> = (0..20).map(|number| thing(&format!("n{number:07}"), number)).collect();
    let mut writer = destination.begin(part(&table, HERE, at(1), MODE)).await.unwrap();
    writer.write(batch(&table, HERE, at(1), &rows)).await.unwrap();
    server.0.kill();
    let committing = tokio::spawn(async move { writer.commit(Outcome::Complete).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.0.run().unwrap();
    assert_eq!(committing.await.unwrap().unwrap().written, 20);
    assert_eq!(server.rows(&table).await.len(), 20);
}

#[tokio::test]
async fn whoever_cannot_get_in_is_told_why_and_not_the_password() {
    let server = Postgresql::start();
    let spec = |change: &dyn Fn(&mut Spec)| {
        let mut spec = server.spec();
        change(&mut spec);
        destination(spec).unwrap()
    };
    let without = server.0.url().replace(":a%20pass%2Fword", "");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n", headwater_e2e::local_postgresql::PASSWORD)).unwrap();
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
    assert!(error.contains("password authentication failed") && !error.contains("hunter2"), "{error}");
    let schema = spec(&|spec| spec.schema = Some("nowhere".to_owned()));
    let error = schema.check().await.unwrap_err().to_string();
    assert!(error.contains("does not exist; create it"), "{error}");
    let encrypted = spec(&|spec| spec.connection_string.push_str("?sslmode=require"));
    let error = encrypted.check().await.unwrap_err().to_string();
    assert!(error.contains("TLS") && !error.contains("pass"), "{error}");
    let nobody = spec(&|spec| spec.connection_string = "postgresql://u:hunter2@127.0.0.1:1/d".to_owned());
    let error = nobody.check().await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1") && error.contains("refused") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn encryption_is_as_strict_as_it_is_asked_for() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(names(&[])).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = parameters.self_signed(&authority).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority);
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (ours, others) = (of("ours.pem", &root.pem()), {
        let key = rcgen::KeyPair::generate().unwrap();
        of("others.pem", &rcgen::CertificateParams::new(names(&["x"])).unwrap().self_signed(&key).unwrap().pem())
    });
    for (name, full) in [("127.0.0.1", true), ("elsewhere.example", false)] {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(names(&[name])).unwrap().signed_by(&key, &issuer).unwrap();
        let server = Postgresql(LocalPostgresql::start_encrypted(&certificate.pem(), &key.serialize_pem()).unwrap());
        let tries = [
            ("", &ours, true),
            ("?sslmode=require", &ours, true),
            ("?sslmode=verify-ca", &ours, true),
            ("?sslmode=verify-full", &ours, full),
            ("", &others, false),
            ("?sslmode=prefer", &others, false),
            ("?sslmode=require", &others, false),
            ("?sslmode=verify-ca", &others, false),
            ("?sslmode=verify-full", &others, false),
            ("?sslmode=disable", &others, true),
        ];
        for (mode, authority, expected) in tries {
            let mut spec = server.spec();
            spec.connection_string.push_str(mode);
            spec.ca_file = Some(authority.clone());
            let checked = destination(spec).unwrap().check().await;
            // A certificate that is refused now is refused later, too.
            assert!(checked.as_ref().err().is_none_or(|error| error.code.is_none()), "{checked:?}");
            assert_eq!(checked.is_ok(), expected, "{name}, {mode}: {checked:?}");
        }
    }
    // Who names an authority does not want to speak in the clear.
    let plain = Postgresql::start();
    let checked = destination(Spec { ca_file: Some(ours), ..plain.spec() }).unwrap().check().await;
    assert!(checked.unwrap_err().to_string().contains("TLS"));
}

#[tokio::test]
async fn a_constraint_and_a_read_only_database_fail_the_unit_as_a_whole() {
    let server = Postgresql::start();
    let destination = server.open();
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    assert_eq!(write(&*destination, &table, 3).await.unwrap(), 3);
    let client = server.client().await;
    client.batch_execute("ALTER TABLE t ADD CONSTRAINT small CHECK (number < 7)").await.unwrap();
    let error = write(&*destination, &table, 10).await.unwrap_err().to_string();
    assert!(error.contains("table t") && error.contains("small"), "{error}");
    client.batch_execute("ALTER DATABASE postgres SET default_transaction_read_only = on").await.unwrap();
    let error = write(&*server.open(), &table, 5).await.unwrap_err().to_string();
    assert!(error.contains("read-only transaction"), "{error}");
    assert_eq!(server.rows(&table).await.len(), 3);
}

#[tokio::test]
async fn rows_that_a_constraint_refuses_are_put_aside() {
    let server = Postgresql::start();
    let destination = server.open();
    // A part that waits in a table of its own is sifted like a small one.
    destination.use_memory(&Budget::new(4 << 20));
    for (name, count, mode) in [("t", 40, MODE), ("many", 60_000, MODE), ("added", 40, WriteMode::Append)] {
        let table = things(name);
        let client = server.client().await;
        let written = if mode == WriteMode::Append { table.without_key() } else { table.clone() };
        migrate(&*destination, &written).await.unwrap();
        let constraint = format!(
            "ALTER TABLE {name} ADD CONSTRAINT odd CHECK (number NOT IN (3, 5, 30)); CREATE UNIQUE INDEX ON {name} (text)"
        );
        client.batch_execute(&constraint).await.unwrap();
        let mut rows: Vec<_> = (0..count).map(|number| thing(&format!("n{number:07}"), number)).collect();
        // The same text as that of another row.
        rows[20].text = rows[7].text.clone();
        // Of two rows with one key the last one counts, in whatever piece it is.
        let keyed = mode == MODE;
        if keyed {
            rows.push(headwater_sdk::testing::Item { number: Some(-1), ..rows[0].clone() });
        }
        let write = |rejects: Option<Rejects>| {
            let part = headwater_sdk::Part { rejects, ..part(&table, HERE, at(0), mode) };
            let (destination, rows) = (&destination, &rows);
            async move {
                let table = Arc::clone(&part.table);
                let mut writer = destination.begin(part).await?;
                for rows in rows.chunks(3000) {
                    writer.write(batch(&table, HERE, at(0), rows)).await?;
                }
                writer.commit(Outcome::Complete).await
            }
        };
        let error = write(None).await.unwrap_err().to_string();
        assert!(error.contains("odd") || error.contains("unique"), "{error}");
        let error = write(Some(Rejects::new(2))).await.unwrap_err().to_string();
        assert!(error.contains("more than 2 rows were not taken"), "{error}");
        assert_eq!(server.rows(&table).await.len(), 0);
        let rejects = Rejects::new(10);
        let committed = write(Some(rejects.clone())).await.unwrap();
        assert_eq!(committed.written, count as u64 - 4, "{name}");
        let seen = server.rows(&table).await;
        assert_eq!(seen.len() as i64, count - 4, "{name}");
        let first = seen.iter().find(|row| row[6].as_deref() == Some("n0000000")).unwrap();
        assert_eq!(first[8].as_deref(), Some(if keyed { "-1" } else { "0" }));
        let aside = rejects.take();
        let numbers: Vec<i64> = aside
            .iter()
            .map(|aside| serde_json::from_str::<serde_json::Value>(&aside.row).unwrap()["number"].as_i64().unwrap())
            .collect();
        assert_eq!(numbers, [3, 5, 20, 30], "{name}");
        assert!(aside[0].reason.starts_with("23514: ") && aside[0].reason.contains("odd"), "{:?}", aside[0]);
        assert!(aside[2].reason.starts_with("23505: "), "{:?}", aside[2]);
    }
}

/// A user who may write the tables, but owns none of them.
#[tokio::test]
async fn a_user_who_owns_nothing_can_sync() {
    let server = Postgresql::start();
    let table = things("t");
    migrate(&*server.open(), &table).await.unwrap();
    let client = server.client().await;
    let sql = "CREATE ROLE writer LOGIN PASSWORD 'w'; GRANT CREATE ON SCHEMA public TO writer; \
               GRANT SELECT, INSERT, UPDATE, DELETE ON t TO writer; CREATE TABLE headwater_waiting_1000000000_a (c int)";
    client.batch_execute(sql).await.unwrap();
    let place = server.0.url().rsplit_once('@').unwrap().1.to_owned();
    let spec = Spec { connection_string: format!("postgresql://writer:w@{place}"), ..Spec::default() };
    let destination = destination(spec).unwrap();
    destination.check().await.unwrap();
    // Neither is the index created again, nor a table removed that is another user's.
    migrate(&*destination, &table).await.unwrap();
    assert_eq!(write(&*destination, &table, 10).await.unwrap(), 10);
    client.batch_execute("REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC").await.unwrap();
    let error = destination.check().await.unwrap_err().to_string();
    assert!(error.contains("GRANT TEMPORARY"), "{error}");
    migrate(&*server.open(), &table).await.unwrap();
    let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'headwater_waiting%'";
    assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
    client.batch_execute("ALTER DATABASE postgres SET default_transaction_read_only = on").await.unwrap();
    let error = server.open().check().await.unwrap_err().to_string();
    assert!(error.contains("takes no changes"), "{error}");
}

#[tokio::test]
async fn a_unit_may_take_longer_than_a_statement() {
    let server = Postgresql::start();
    let destination = destination(Spec { statement_timeout: Some(1), ..server.spec() }).unwrap();
    destination.use_memory(&Budget::new(4 << 20));
    let table = things("t").without_key();
    migrate(&*destination, &table).await.unwrap();
    let mut writer = destination.begin(part(&table, HERE, at(0), WriteMode::Append)).await.unwrap();
    for number in 0..4 {
        let rows: Vec<_> = (0..5000).map(|row| thing(&format!("{number} {row}"), row)).collect();
        writer.write(batch(&table, HERE, at(0), &rows)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(writer.commit(Outcome::Complete).await.unwrap().written, 20_000);
}

/// A sync that is resumed asks a table without an index once what there is of it.
#[tokio::test]
async fn a_resumed_sync_searches_a_table_once() {
    let server = Postgresql::start();
    let table = things("t").without_key();
    let destination = server.open();
    migrate(&*destination, &table).await.unwrap();
    let origins: Vec<headwater_sdk::testing::Origin> =
        ["a", "b", "c", "d"].map(|region| headwater_sdk::testing::Origin { region, ..HERE }).to_vec();
    let write = async |destination: &dyn Destination, from, resumed| {
        let part = headwater_sdk::Part { resumed, ..part(&table, from, at(0), WriteMode::Append) };
        let mut writer = destination.begin(part).await.unwrap();
        writer.write(batch(&table, from, at(0), &[thing("x", 1)])).await.unwrap();
        writer.commit(Outcome::Complete).await.unwrap();
    };
    write(&*destination, origins[1], false).await;
    let again = server.open();
    for from in &origins {
        write(&*again, *from, true).await;
    }
    destination.close().await.unwrap();
    again.close().await.unwrap();
    assert_eq!(server.rows(&table).await.len(), 4);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // One to ask, one to delete, and one by this test.
    let scans = server.0.query("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 't'").unwrap();
    assert!(scans.trim().parse::<i64>().unwrap() <= 3, "{scans}");
}

#[tokio::test]
async fn the_catalogue_is_read_as_it_is_meant() {
    let server = Postgresql::start();
    let destination = server.open();
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    let client = server.client().await;
    // Columns that an index only carries are none of the key.
    let sql = "ALTER TABLE t DROP CONSTRAINT t_cqpk; ALTER TABLE t ADD PRIMARY KEY (name) INCLUDE (number); \
               ALTER TABLE t ALTER COLUMN text TYPE varchar(10)";
    client.batch_execute(sql).await.unwrap();
    migrate(&*destination, &table).await.unwrap();
    client.batch_execute("ALTER TABLE t ALTER COLUMN text TYPE varchar(10)[] USING NULL").await.unwrap();
    let error = migrate(&*destination, &table).await.unwrap_err().to_string();
    assert!(error.contains("column text: character varying(10)[] in the database, text in the source"), "{error}");
}
