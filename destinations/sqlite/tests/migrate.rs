//! Tables that change between syncs, and files that are no database.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Destination, Outcome, Result, Scopes, TableSchema, WriteMode};
use headwater_sqlite::{Spec, destination};
use rusqlite::Connection;
use tempfile::TempDir;

fn open(path: &Path) -> Box<dyn Destination> {
    open_text(path.to_str().unwrap())
}

fn open_text(connection_string: &str) -> Box<dyn Destination> {
    let connection_string = connection_string.to_owned();
    destination(Spec { connection_string, batch_size: None, batch_size_bytes: None }).unwrap()
}

/// A file with the table `t` of two rows.
async fn before(folder: &TempDir) -> (std::path::PathBuf, TableSchema) {
    let (path, table) = (folder.path().join("x.db"), every_type("t"));
    let destination = open(&path);
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
    let part = part(&table, HERE, at(0), WriteMode::OverwriteDeleteStale);
    write(&*destination, part, HERE, Outcome::Complete, vec![rows(&["a", "b"])]).await.unwrap();
    destination.close().await.unwrap();
    (path, table)
}

async fn migrate(path: &Path, tables: &[TableSchema], mode: MigrateMode) -> Result<()> {
    let destination = open(path);
    let tables: Vec<_> = tables.iter().cloned().map(Arc::new).collect();
    destination.migrate(&tables, mode).await?;
    destination.close().await
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn changed(table: &TableSchema, change: impl FnOnce(&mut Vec<headwater_sdk::Column>)) -> TableSchema {
    let mut columns = table.columns[4..].to_vec();
    change(&mut columns);
    TableSchema::new(&table.name, "", None, table.scopes, columns)
}

#[tokio::test]
async fn columns_come_and_go() {
    let folder = TempDir::new().unwrap();
    let (path, table) = before(&folder).await;
    migrate(&path, std::slice::from_ref(&table), MigrateMode::Safe).await.unwrap();
    let more = changed(&table, |columns| {
        columns.push(column::<String>("new", false, false));
        columns.retain(|column| column.name != "json");
    });
    migrate(&path, std::slice::from_ref(&more), MigrateMode::Safe).await.unwrap();
    migrate(&path, &[more], MigrateMode::Safe).await.unwrap();
    assert_eq!(number(&path, "SELECT count(json) FROM t WHERE new IS NULL"), 2, "the earlier values stay");
}

#[tokio::test]
async fn a_column_that_is_not_always_there_any_more_lets_go_of_not_null() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    let strict = |gone: bool, nullable: bool| {
        let mut columns = vec![column::<String>("arn", false, true), column::<i64>("size", nullable, false)];
        if !gone {
            columns.push(column::<String>("gone", false, false));
        }
        TableSchema::new("t", "", None, Scopes::SINGLE, columns)
    };
    migrate(&path, &[strict(false, false)], MigrateMode::Safe).await.unwrap();
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "INSERT INTO t VALUES ('2026', 's', 'id', NULL, 'a', 1, 'x');
         CREATE INDEX by_size ON t (size);
         CREATE VIEW sizes AS SELECT arn, size FROM t;",
    )
    .unwrap();
    let refused = db.execute("INSERT INTO t VALUES ('2026', 's', 'id', NULL, 'b', NULL, NULL)", []);
    assert!(refused.is_err(), "the columns were strict before");
    drop(db);
    migrate(&path, &[strict(true, true)], MigrateMode::Safe).await.unwrap();
    let db = Connection::open(&path).unwrap();
    db.execute("INSERT INTO t VALUES ('2026', 's', 'id', NULL, 'b', NULL, NULL)", []).unwrap();
    assert_eq!(number(&path, "SELECT count(*) FROM sizes"), 2);
    assert_eq!(number(&path, "SELECT count(*) FROM t WHERE arn = 'a' AND size = 1 AND gone = 'x'"), 1);
    assert_eq!(number(&path, "SELECT count(*) FROM sqlite_schema WHERE name = 'by_size'"), 1);
    let twice = db.execute("INSERT INTO t VALUES ('2026', 's', 'id', NULL, 'b', NULL, NULL)", []);
    assert!(twice.is_err(), "the key is still a key");
}

#[tokio::test]
async fn a_table_that_would_lose_more_than_not_null_is_left_alone() {
    let cq = "_cq_sync_time TIMESTAMP, _cq_source_name TEXT, _cq_id TEXT, _cq_parent_id TEXT, arn TEXT";
    let key = "CONSTRAINT t_cqpk PRIMARY KEY (arn)";
    let size = "size INTEGER NOT NULL";
    let create = |columns: &str, after: &str| format!("CREATE TABLE t ({cq}, {columns}){after}");
    let cases = [
        (create(&format!("{size} UNIQUE, {key}"), ""), "UNIQUE"),
        (create(&format!("{size}, {key}, UNIQUE (size, arn)"), ""), "UNIQUE"),
        (create(&format!("{size} CHECK (size > 0), {key}"), ""), "CHECK"),
        (create(&format!("{size}, other TEXT COLLATE NOCASE, {key}"), ""), "COLLATE"),
        (create(&format!("{size} REFERENCES other (size), {key}"), ""), "foreign keys"),
        (create(&format!("{size}, twice AS (size * 2), {key}"), ""), "generated columns"),
        (create(&format!("{size}, {key}"), " WITHOUT ROWID"), "WITHOUT ROWID"),
        (create(&format!("size INTEGER NOT NULL ON CONFLICT IGNORE, {key}"), ""), "ON CONFLICT"),
        (create(&format!("{size}, \"check\" TEXT DEFAULT 'it''s COLLATE', {key} /* CHECK ** */ -- UNIQUE\n"), ""), ""),
    ];
    let columns = vec![column::<String>("arn", false, true), column::<i64>("size", true, false)];
    for (create, lost) in cases {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(&format!(
            "PRAGMA foreign_keys = OFF; {create}; INSERT INTO t (_cq_id, arn, size) VALUES ('i', 'a', 1)"
        ))
        .unwrap();
        let table = TableSchema::new("t", "", None, Scopes::SINGLE, columns.clone());
        let migrated = migrate(&path, std::slice::from_ref(&table), MigrateMode::Safe).await;
        let sql: String = db.query_row("SELECT sql FROM sqlite_schema WHERE name = 't'", [], |row| row.get(0)).unwrap();
        if lost.is_empty() {
            migrated.unwrap();
            db.execute("INSERT INTO t (_cq_id, arn) VALUES ('i', 'b')", []).unwrap();
            continue;
        }
        let error = migrated.unwrap_err().to_string();
        assert!(error.contains("table t, column size") && error.contains(&format!("besides: {lost}\n")), "{error}");
        assert_eq!(sql, create);
        migrate(&path, &[table], MigrateMode::Forced).await.unwrap();
        assert_eq!(number(&path, "SELECT count(*) FROM t"), 0);
        let db = Connection::open(&path).unwrap();
        db.execute("INSERT INTO t VALUES ('2026', 's', 'i', NULL, 'b', NULL)", []).unwrap();
    }
}

#[tokio::test]
async fn a_change_that_loses_values_must_be_forced() {
    let table = every_type("t");
    let retyped = changed(&table, |columns| {
        columns.iter_mut().filter(|column| column.name == "i64").for_each(|column| column.kind = kind::<String>());
    });
    let rekeyed = changed(&table, |columns| {
        columns.iter_mut().filter(|column| column.name == "region").for_each(|column| column.key = true);
    });
    let unkeyed = table.without_key();
    let cases = [
        (&retyped, &table, "table t, column i64: TEXT in the database, INTEGER in the source"),
        (&table, &rekeyed, "table t, key: (arn) in the database, (region, arn) in the source"),
        (&table, &unkeyed, "table t, key: (arn) in the database, none in the source"),
        (&unkeyed, &table, "table t, key: none in the database, (arn) in the source"),
    ];
    for (before, after, expected) in cases {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.db");
        migrate(&path, std::slice::from_ref(before), MigrateMode::Safe).await.unwrap();
        let insert = "INSERT INTO t (_cq_sync_time, _cq_source_name, _cq_id, account_id, region, arn) VALUES";
        let row = "('2026', 's', 'id', '1', 'r', 'x')";
        Connection::open(&path).unwrap().execute_batch(&format!("{insert} {row}")).unwrap();

        let tables = [every_type("other"), after.clone()];
        let error = migrate(&path, &tables, MigrateMode::Safe).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("`migrate_mode: forced`"), "{error}");
        assert_eq!(number(&path, "SELECT count(*) FROM sqlite_schema WHERE name = 'other'"), 0, "all or nothing");
        assert_eq!(number(&path, "SELECT count(*) FROM t"), 1);

        let destination = open(&path);
        destination.migrate(&tables.map(Arc::new), MigrateMode::Forced).await.unwrap();
        assert_eq!(number(&path, "SELECT count(*) FROM t"), 0);
        let mode = if after.key().is_empty() { WriteMode::Append } else { WriteMode::OverwriteDeleteStale };
        let done =
            write(&*destination, part(after, HERE, at(1), mode), HERE, Outcome::Complete, vec![rows(&["a", "b"])]);
        assert_eq!(done.await.unwrap(), committed(2, 0));
        destination.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_error_names_a_few_of_many_tables_that_do_not_fit() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    let tables: Vec<TableSchema> = (0..9).map(|number| every_type(&format!("t{number}"))).collect();
    migrate(&path, &tables, MigrateMode::Safe).await.unwrap();
    let tables: Vec<TableSchema> = tables.iter().map(TableSchema::without_key).collect();
    let error = migrate(&path, &tables, MigrateMode::Safe).await.unwrap_err().to_string();
    assert!(error.lines().count() <= 8 && error.contains("and 4 more"), "{error}");
}

#[tokio::test]
async fn a_view_is_in_the_way() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    Connection::open(&path).unwrap().execute_batch("CREATE VIEW t AS SELECT 1 AS a").unwrap();
    for mode in [MigrateMode::Safe, MigrateMode::Forced] {
        let error = migrate(&path, &[every_type("t")], mode).await.unwrap_err().to_string();
        assert!(error.contains("table t: the database has a view of this name"), "{error}");
    }
}

#[tokio::test]
async fn a_database_of_cloudquery_is_taken_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE \"t\" (\"_cq_sync_time\" timestamp,\"_cq_source_name\" text,\"_cq_id\" text NOT NULL,\
             \"_cq_parent_id\" text,\"num\" integer NOT NULL,\"ok\" boolean, CONSTRAINT t_cqpk PRIMARY KEY (\"num\"))",
        )
        .unwrap();
    let columns = vec![column::<i64>("num", false, true), column::<bool>("ok", true, false)];
    let table = TableSchema::new("t", "", None, Scopes::SINGLE, columns);
    migrate(&path, &[table], MigrateMode::Safe).await.unwrap();
}

#[tokio::test]
async fn checks_change_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    open(&path).check().await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "not even an empty file");
    drop(open(&path));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let (path, _) = before(&folder).await;
    let bytes = std::fs::read(&path).unwrap();
    open(&path).check().await.unwrap();
    open_text(&format!("file:{}?cache=private", path.display())).check().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_cannot_be_a_database_is_said_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let notes = folder.path().join("notes.txt");
    let text = "These are notes, and not a database at all.".repeat(100);
    std::fs::write(&notes, &text).unwrap();
    let cases = [
        (open(&notes), "notes.txt is not a SQLite database"),
        (open(folder.path()), "is not a file"),
        (open(&folder.path().join("none/x.db")), "none does not exist; create it"),
        (open(&notes.join("x.db")), "notes.txt is a file, not a folder"),
        (open_text(&format!("file:{}/none.db?mode=rw", folder.path().display())), "`mode=rw` does not create it"),
    ];
    for (destination, expected) in cases {
        let checked = destination.check().await.unwrap_err().to_string();
        assert!(checked.contains(expected), "{checked}");
        let migrated = destination.migrate(&[Arc::new(every_type("t"))], MigrateMode::Forced).await;
        assert_eq!(migrated.unwrap_err().to_string(), checked);
    }
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let mut damaged = b"SQLite format 3\0".to_vec();
    damaged.extend(vec![0xAB; 5000]);
    std::fs::write(folder.path().join("damaged.db"), damaged).unwrap();
    let error = open(&folder.path().join("damaged.db")).check().await.unwrap_err().to_string();
    assert!(error.contains("damaged.db"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_is_waited_for() {
    let folder = TempDir::new().unwrap();
    let (path, table) = before(&folder).await;
    let destination = open(&path);
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let unlocked = std::thread::spawn(move || {
        // Longer than what SQLite waits at once.
        std::thread::sleep(std::time::Duration::from_secs(12));
        other.execute_batch("ROLLBACK").unwrap();
        other
    });
    let part = part(&table, HERE, at(1), WriteMode::OverwriteDeleteStale);
    let done = write(&*destination, part, HERE, Outcome::Complete, vec![rows(&["c"])]).await.unwrap();
    assert_eq!(done, committed(1, 2), "it goes on when the lock is gone");
    let other = unlocked.join().unwrap();
    // A program that is reading sees what was there when it began, and does not keep a sync from ending.
    other.execute_batch("BEGIN").unwrap();
    let count = || other.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1);
    let part = common::part(&table, THERE, at(2), WriteMode::OverwriteDeleteStale);
    write(&*destination, part, THERE, Outcome::Complete, vec![rows(&["d"])]).await.unwrap();
    destination.close().await.unwrap();
    assert_eq!(count(), 1);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(count(), 2);
}

#[tokio::test]
async fn the_rows_of_a_unit_are_found_by_an_index() {
    let folder = TempDir::new().unwrap();
    let (path, _) = before(&folder).await;
    let db = Connection::open(&path).unwrap();
    let plan: String = db
        .query_row(
            "EXPLAIN QUERY PLAN DELETE FROM t WHERE _cq_source_name = 'aws' AND account_id = '1' AND region = 'r' \
             AND _cq_sync_time < '2026'",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("USING INDEX t_headwater_unit"), "{plan}");
}

#[test]
fn specs_are_strict() {
    let refused = |connection_string: &str, batch_size| {
        let spec = Spec { connection_string: connection_string.to_owned(), batch_size, batch_size_bytes: None };
        destination(spec).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(":memory:", None).contains("in memory"));
    assert!(refused("", None).contains("is empty"));
    assert!(refused("x.db", Some(0)).contains("`batch_size` must be at least 1"));
    assert_eq!(refused("x.db", Some(1)), "");
    let schema = serde_json::to_value(schemars::schema_for!(Spec)).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["connection_string"]));
    for property in schema["properties"].as_object().unwrap().values() {
        assert!(property["description"].is_string(), "{property}");
    }
}
