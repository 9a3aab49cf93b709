//! What is of any driver: how it is found, whose SQL it speaks, and what is not said of it.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::postgresql::Postgresql;
use common::sqlite::Sqlite;
use headwater_adbc::{Spec, destination};
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::testing::things::{array, batch_of};
use headwater_sdk::testing::{HERE, Subject, at, batch, part, thing, things};
use headwater_sdk::{ColumnType, Destination, Outcome, Result, TableSchema, WriteMode};

const MODE: WriteMode = WriteMode::OverwriteDeleteStale;

async fn error_of(spec: Spec) -> String {
    destination(spec).unwrap().check().await.unwrap_err().to_string()
}

async fn migrate(destination: &dyn Destination, table: &TableSchema) -> Result<()> {
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await
}

#[tokio::test]
async fn a_driver_that_is_not_there_or_not_known_is_said() {
    let named = |driver: &str| Spec { driver: driver.to_owned(), ..Spec::default() };
    let error = error_of(named("/nowhere/libadbc_driver_sqlite.so")).await;
    assert!(error.contains("cannot be loaded") && error.contains("`driver`"), "{error}");
    assert!(error.lines().count() <= 8, "{error}");
    let error = error_of(named("adbc_driver_snowflake")).await;
    assert!(error.contains("set `dialect` to one of duckdb, postgresql, sqlite"), "{error}");
    let sqlite = Sqlite::new();
    let wrong = Spec { dialect: Some(serde_json::from_str("\"duckdb\"").unwrap()), ..sqlite.spec() };
    let error = error_of(wrong).await;
    assert!(error.contains("the driver is of SQLite, and not of DuckDB"), "{error}");
    assert!(destination(named("")).err().unwrap().to_string().contains("`driver` is empty"));
}

#[tokio::test]
async fn whoever_cannot_get_in_is_told_why_and_not_the_password() {
    let server = Postgresql::start();
    let url = server.server.url().replace("a%20pass%2Fword", "hunter2hunter2");
    let wrong = Spec { options: [("uri".to_owned(), url.into())].into(), ..server.spec() };
    let error = error_of(wrong).await;
    assert!(error.contains("password authentication failed") && !error.contains("hunter2"), "{error}");
    let nobody = "postgresql://u:hunter2hunter2@127.0.0.1:1/d".to_owned();
    let nobody = Spec { options: [("uri".to_owned(), nobody.into())].into(), ..server.spec() };
    let error = error_of(nobody).await;
    assert!(error.contains("refused") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_constraint_fails_the_unit_as_a_whole_and_the_next_goes_on() {
    let server = Postgresql::start();
    let destination = server.open();
    let table = things("t");
    migrate(&*destination, &table).await.unwrap();
    server.server.query("ALTER TABLE t ADD CONSTRAINT small CHECK (number < 7)").unwrap();
    for (rows, good) in [(3, true), (10, false), (5, true)] {
        let rows: Vec<_> = (0..rows).map(|number| thing(&format!("n{number}"), number)).collect();
        let mut writer = destination.begin(part(&table, HERE, at(rows.len() as i64), MODE)).await.unwrap();
        writer.write(batch(&table, HERE, at(rows.len() as i64), &rows)).await.unwrap();
        match writer.commit(Outcome::Complete).await {
            Ok(_) => assert!(good),
            Err(error) => assert!(!good && error.to_string().contains("small"), "{error}"),
        }
    }
    assert_eq!(server.rows(&table).await.len(), 5);
    destination.close().await.unwrap();
    let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'headwater_stage%'";
    assert_eq!(server.server.query(left).unwrap().trim(), "0");
}

#[tokio::test]
async fn a_migration_that_a_view_is_in_the_way_of_changes_nothing() {
    let server = Postgresql::start();
    let with = |kind: DataType| {
        let mut columns = things("t").columns.split_off(4);
        for column in columns.iter_mut().filter(|column| column.name == "number") {
            column.kind = ColumnType::plain(kind.clone());
        }
        TableSchema::new("t", "Things.", None, things("t").scopes, columns)
    };
    let destination = server.open();
    migrate(&*destination, &with(DataType::Int16)).await.unwrap();
    server.server.query("CREATE VIEW watch AS SELECT number FROM t").unwrap();
    let tables = [Arc::new(things("new")), Arc::new(with(DataType::Int64))];
    let error = destination.migrate(&tables, MigrateMode::Safe).await.unwrap_err().to_string();
    assert!(error.contains("table t") && error.contains("view"), "{error}");
    assert_eq!(server.server.query("SELECT count(*) FROM pg_class WHERE relname = 'new'").unwrap().trim(), "0");
    server.server.query("DROP VIEW watch").unwrap();
    destination.migrate(&tables, MigrateMode::Safe).await.unwrap();
}

#[test]
fn specs_are_strict() {
    let schema = serde_json::to_value(schemars::schema_for!(Spec)).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["driver"]));
    for property in schema["properties"].as_object().unwrap().values() {
        assert!(property["description"].is_string(), "{property}");
    }
    let spec = serde_json::from_str::<Spec>(r#"{"driver": "x", "dialect": "oracle"}"#).err().unwrap().to_string();
    assert!(spec.contains("oracle"), "{spec}");
}

#[tokio::test]
async fn a_database_in_memory_is_refused() {
    let spec = Spec { options: [].into(), ..Sqlite::new().spec() };
    let destination = destination(spec).unwrap();
    let error = migrate(&*destination, &things("t")).await.unwrap_err().to_string();
    assert!(error.contains("is in memory") && error.contains("uri"), "{error}");
}

#[tokio::test]
async fn keys_that_wait_as_text_are_compared_as_what_they_are() {
    let server = Postgresql::start();
    let destination = server.open();
    let mut columns = things("t").columns.split_off(4);
    for column in &mut columns {
        column.key = column.name == "number";
        if column.key {
            // PostgreSQL has it as a numeric, and its driver sends it as text.
            column.kind = ColumnType::plain(DataType::UInt64);
        }
    }
    let table = TableSchema::new("t", "Things.", None, things("t").scopes, columns);
    migrate(&*destination, &table).await.unwrap();
    for (resumed, numbers) in [(false, 0..5u64), (true, 3..8)] {
        let mut part = part(&table, HERE, at(0), MODE);
        part.resumed = resumed;
        let mut writer = destination.begin(part).await.unwrap();
        let names: Vec<_> = numbers.clone().map(|number| format!("n{number}")).collect();
        let more = vec![array(names.iter().cloned().map(Some)), array(numbers.map(Some))];
        writer.write(batch_of(&table, HERE, at(0), &names, more)).await.unwrap();
        writer.commit(Outcome::Complete).await.unwrap();
    }
    assert_eq!(
        server.server.query("SELECT string_agg(number::text, ',' ORDER BY number) FROM t").unwrap().trim(),
        "3,4,5,6,7"
    );
    destination.close().await.unwrap();
}
