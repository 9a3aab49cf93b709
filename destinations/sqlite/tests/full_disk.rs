//! Disks that become full while a unit is written: what was committed stays, and the error says which disk.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::*;
use headwater_e2e::SmallDisk;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Budget, Destination, Outcome, TableSchema, WriteMode};
use headwater_sqlite::{Spec, destination};
use rusqlite::Connection;

const MODE: WriteMode = WriteMode::OverwriteDeleteStale;

/// A database on the disk with a unit of two rows, and one that has some MB of rows to bring in there.
async fn committed_unit(disk: &SmallDisk, budget: Option<&Budget>) -> (Box<dyn Destination>, TableSchema) {
    let connection_string = disk.path().join("x.db").display().to_string();
    let destination = destination(Spec { connection_string, batch_size: None, batch_size_bytes: None }).unwrap();
    if let Some(budget) = budget {
        destination.use_memory(budget);
    }
    let table = every_type("t");
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
    let part = part(&table, HERE, at(0), MODE);
    write(&*destination, part, HERE, Outcome::Complete, vec![rows(&["a", "b"])]).await.unwrap();
    (destination, table)
}

fn large(number: usize) -> Vec<Row> {
    let text = "x".repeat(10_000);
    (0..100).map(|row| Row { text: text.clone(), ..common::row(&format!("{number}/{row}")) }).collect()
}

fn arns(disk: &SmallDisk) -> Vec<String> {
    let db = Connection::open(disk.path().join("x.db")).unwrap();
    let mut arns = db.prepare("SELECT arn FROM t ORDER BY 1").unwrap();
    arns.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_unit_for_which_there_is_no_room_is_not_seen() {
    let Some(disk) = SmallDisk::or_skip(4) else { return };
    let (destination, table) = committed_unit(&disk, None).await;
    let over = part(&table, THERE, at(0), MODE);
    let error = write(&*destination, over, THERE, Outcome::Complete, (0..8).map(large).collect()).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("no space is left for") && error.contains("x.db"), "{error}");
    assert_eq!(arns(&disk), ["a", "b"]);
    // A smaller one is taken afterwards.
    let small = part(&table, HERE, at(1), MODE);
    write(&*destination, small, HERE, Outcome::Complete, vec![rows(&["b", "c"])]).await.unwrap();
    destination.close().await.unwrap();
    assert_eq!(arns(&disk), ["b", "c"]);
}

#[tokio::test]
async fn rows_that_cannot_wait_on_a_full_disk_are_said_to() {
    let Some(disk) = SmallDisk::or_skip(4) else { return };
    // So little that rows wait in a file.
    let (destination, table) = committed_unit(&disk, Some(&Budget::new(1 << 20))).await;
    let over = part(&table, THERE, at(0), MODE);
    let error = write(&*destination, over, THERE, Outcome::Complete, (0..8).map(large).collect()).await.unwrap_err();
    let (error, folder) = (error.to_string(), disk.path().display());
    assert!(error.contains(&format!("cannot be written to a temporary file in {folder}: ")), "{error}");
    assert!(error.contains("No space left on device"), "{error}");
    destination.close().await.unwrap();
    assert_eq!(arns(&disk), ["a", "b"]);
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 1, "the file of the rows is gone");
}
