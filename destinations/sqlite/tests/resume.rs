//! Syncs that are continued: what an earlier attempt left is replaced, and the state of a sync is kept.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Destination, Outcome, StateStore, TableSchema, UnitHash, WriteMode};
use headwater_sqlite::{Spec, destination};
use rusqlite::Connection;
use tempfile::TempDir;

const COMPLETE: Outcome = Outcome::Complete;
const DELETE_STALE: WriteMode = WriteMode::OverwriteDeleteStale;

fn open(folder: &TempDir) -> Box<dyn Destination> {
    let connection_string = folder.path().join("x.db").to_str().unwrap().to_owned();
    destination(Spec { connection_string, batch_size: None, batch_size_bytes: None }).unwrap()
}

async fn ready(folder: &TempDir, table: &TableSchema) -> Box<dyn Destination> {
    let destination = open(folder);
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
    destination
}

fn arns(folder: &TempDir) -> Vec<String> {
    let db = Connection::open(folder.path().join("x.db")).unwrap();
    let mut statement = db.prepare("SELECT arn FROM t ORDER BY 1").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn what_an_earlier_attempt_appended_is_replaced() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t").without_key();
    let first = ready(&folder, &table).await;
    for (from, sync, names) in
        [(HERE, 0, ["h1", "h2"]), (HERE, 1, ["h1", "h2"]), (THERE, 1, ["t1", "t2"]), (OTHER, 1, ["o1", "o2"])]
    {
        let part = part(&table, from, at(sync), WriteMode::Append);
        write(&*first, part, from, COMPLETE, vec![rows(&names)]).await.unwrap();
    }
    drop(first);

    let second = ready(&folder, &table).await;
    let resumed = |from, outcome, batches| {
        write(&*second, again(part(&table, from, at(1), WriteMode::Append)), from, outcome, batches)
    };
    assert_eq!(resumed(HERE, COMPLETE, vec![rows(&["h2", "h3"])]).await.unwrap(), committed(2, 0));
    assert_eq!(arns(&folder), ["h1", "h2", "h2", "h3", "o1", "o2", "t1", "t2"], "the earlier sync's rows stay");
    assert_eq!(resumed(THERE, COMPLETE, vec![]).await.unwrap(), committed(0, 0));
    assert_eq!(arns(&folder), ["h1", "h2", "h2", "h3", "o1", "o2"]);
    assert_eq!(resumed(OTHER, Outcome::Partial, vec![]).await.unwrap(), committed(0, 0));
    assert_eq!(resumed(OTHER, Outcome::Partial, vec![rows(&["o1"])]).await.unwrap(), committed(1, 0));
    assert_eq!(arns(&folder), ["h1", "h2", "h2", "h3", "o1"]);
    let unseen = From { region: "eu-north-1", ..HERE };
    assert_eq!(resumed(unseen, COMPLETE, vec![rows(&["n1"])]).await.unwrap(), committed(1, 0));
}

#[tokio::test]
async fn what_is_gone_since_an_earlier_attempt_is_removed() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    for (from, sync, names) in [(HERE, 0, ["a", "b"]), (THERE, 1, ["t1", "t2"]), (HERE, 1, ["b", "c"])] {
        let part = part(&table, from, at(sync), DELETE_STALE);
        write(&*destination, part, from, Outcome::Partial, vec![rows(&names)]).await.unwrap();
    }
    assert_eq!(arns(&folder), ["a", "b", "c", "t1", "t2"]);
    let resumed =
        |outcome, batches| write(&*destination, again(part(&table, HERE, at(1), DELETE_STALE)), HERE, outcome, batches);
    assert_eq!(resumed(Outcome::Partial, vec![rows(&["d"])]).await.unwrap(), committed(1, 0));
    assert_eq!(arns(&folder), ["a", "b", "c", "d", "t1", "t2"], "a partial part removes nothing");
    let done = resumed(COMPLETE, vec![rows(&["c"]), rows(&["d"])]).await;
    assert_eq!(done.unwrap(), committed(2, 2), "one of the earlier sync, and one of the earlier attempt");
    assert_eq!(arns(&folder), ["c", "d", "t1", "t2"]);
    assert_eq!(resumed(COMPLETE, vec![rows(&["c", "d"])]).await.unwrap(), committed(2, 0));
    assert_eq!(resumed(COMPLETE, vec![]).await.unwrap(), committed(0, 2));
    assert_eq!(arns(&folder), ["t1", "t2"]);
}

#[tokio::test]
async fn rows_whose_identifier_is_random_are_not_there_twice() {
    let folder = TempDir::new().unwrap();
    let mut table = every_type("t");
    for column in &mut table.columns {
        column.key = column.name == "_cq_id";
    }
    let destination = ready(&folder, &table).await;
    let names = |name: &'static str| vec![rows(&[name])];
    let first = part(&table, HERE, at(0), DELETE_STALE);
    write(&*destination, first, HERE, COMPLETE, names("old")).await.unwrap();
    let second = part(&table, HERE, at(1), DELETE_STALE);
    write(&*destination, second.clone(), HERE, Outcome::Partial, names("of another identifier")).await.unwrap();
    let done = write(&*destination, again(second.clone()), HERE, Outcome::Partial, names("new")).await.unwrap();
    assert_eq!((done, arns(&folder)), (committed(1, 0), vec!["new".to_owned(), "old".to_owned()]));
    let done = write(&*destination, again(second), HERE, COMPLETE, names("newer")).await.unwrap();
    assert_eq!((done, arns(&folder)), (committed(1, 1), vec!["newer".to_owned()]));
}

async fn store(destination: &dyn Destination, key: &str) -> Box<dyn StateStore> {
    destination.state(key).await.unwrap().unwrap()
}

fn hashes(numbers: std::ops::Range<u32>) -> Vec<UnitHash> {
    numbers.map(|number| UnitHash::of(&number.to_string())).collect()
}

#[tokio::test]
async fn asking_for_a_state_makes_no_file() {
    let folder = TempDir::new().unwrap();
    let state = store(&*open(&folder), "a").await;
    assert_eq!(state.load().await.unwrap(), None);
    assert!(!Path::new(&folder.path().join("x.db")).exists());
}

#[tokio::test]
async fn a_run_that_another_process_has_taken_over_is_not_added_to() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (open(&folder), open(&folder));
    let (old, new) = (store(&*first, "a").await, store(&*second, "a").await);
    old.start(NOW, "f").await.unwrap();
    old.add(&hashes(0..1)).await.unwrap();
    new.resume(NOW).await.unwrap();
    let error = old.add(&hashes(1..2)).await.unwrap_err().to_string();
    assert!(error.contains("another sync of the same configuration has begun meanwhile"), "{error}");
    assert!(old.clear().await.is_err());
    assert_eq!(new.load().await.unwrap().unwrap().units, hashes(0..1));
    old.start(at(1), "f").await.unwrap();
    assert!(new.resume(NOW).await.is_err(), "it is not the run that was loaded");
}

#[tokio::test]
async fn a_database_whose_writer_was_killed_in_the_middle_can_be_written_again() {
    let folder = TempDir::new().unwrap();
    let table = every_type("t");
    let destination = ready(&folder, &table).await;
    let first = part(&table, HERE, NOW, DELETE_STALE);
    let done = write(&*destination, first.clone(), HERE, COMPLETE, vec![rows(&["a", "b"])]).await;
    assert_eq!(done.unwrap(), committed(2, 0));
    // What a power cut or a kill leaves: the log, and a file into which it was not or not wholly brought.
    let killed = TempDir::new().unwrap();
    for name in ["x.db", "x.db-wal"] {
        std::fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
    }
    let file = std::fs::OpenOptions::new().write(true).open(killed.path().join("x.db")).unwrap();
    file.set_len(file.metadata().unwrap().len().min(4096)).unwrap();
    let destination = ready(&killed, &table).await;
    let done = write(&*destination, again(first), HERE, COMPLETE, vec![rows(&["b", "c"])]).await;
    assert_eq!(done.unwrap(), committed(2, 1));
    destination.close().await.unwrap();
    assert_eq!(arns(&killed), ["b", "c"]);
}
