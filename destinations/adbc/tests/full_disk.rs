//! DuckDB's file on a disk that becomes full, or that nothing can be written to: what was committed stays, and the error
//! says which file and why.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;
use std::sync::Arc;

use common::duckdb::{number, open};
use headwater_e2e::SmallDisk;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::testing::{HERE, Item, at, batch, part, thing, things};
use headwater_sdk::{Destination, Outcome, Result, WriteMode};

async fn write(destination: &dyn Destination, sync: i64, rows: &[Item], mode: WriteMode) -> Result<u64> {
    let table = if mode == WriteMode::Append { things("log").without_key() } else { things("t") };
    let mut writer = destination.begin(part(&table, HERE, at(sync), mode)).await?;
    for rows in rows.chunks(500) {
        writer.write(batch(&table, HERE, at(sync), rows)).await?;
    }
    Ok(writer.commit(Outcome::Complete).await?.written)
}

fn small() -> Vec<Item> {
    (0..10).map(|number| thing(&format!("n{number}"), number)).collect()
}

/// Some 40 MB that do not compress.
fn large() -> Vec<Item> {
    let noise: String = (0..1_000_000).map(|_| fastrand::alphanumeric()).collect();
    let text = |_| noise[fastrand::usize(0..noise.len() - 4000)..][..4000].to_owned();
    (0..10_000).map(|number| Item { text: Some(text(number)), ..thing(&format!("n{number}"), number) }).collect()
}

#[tokio::test]
async fn a_unit_for_which_there_is_no_room_is_not_seen() {
    for mode in [WriteMode::OverwriteDeleteStale, WriteMode::Append] {
        let Some(disk) = SmallDisk::or_skip(12) else { return };
        let path = disk.path().join("x.duckdb");
        let tables = [Arc::new(things("t")), Arc::new(things("log").without_key())];
        let destination = open(&path);
        destination.migrate(&tables, MigrateMode::Safe).await.unwrap();
        write(&*destination, 0, &small(), mode).await.unwrap();
        let error = write(&*destination, 1, &large(), mode).await.unwrap_err().to_string();
        assert!(error.contains("x.duckdb") && error.contains("free some space"), "{error}");
        let _ = destination.close().await;
        let name = if mode == WriteMode::Append { "log" } else { "t" };
        assert_eq!(number(&path, &format!("SELECT count(*) FROM {name}")), 10);
        // The next sync goes on with what there is.
        let destination = open(&path);
        destination.migrate(&tables, MigrateMode::Safe).await.unwrap();
        assert_eq!(write(&*destination, 2, &small(), mode).await.unwrap(), 10);
        destination.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_nothing_can_be_written_to_is_said() {
    let Some(disk) = SmallDisk::or_skip(12) else { return };
    let path = disk.path().join("x.duckdb");
    let tables = [Arc::new(things("t"))];
    let destination = open(&path);
    destination.migrate(&tables, MigrateMode::Safe).await.unwrap();
    write(&*destination, 0, &small(), WriteMode::OverwriteDeleteStale).await.unwrap();
    destination.close().await.unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.path()).status().unwrap();
    assert!(remounted.success());
    for error in [open(&path).check().await, open(&path).migrate(&tables, MigrateMode::Safe).await] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("x.duckdb cannot be written to: Read-only file system"), "{error}");
    }
    assert_eq!(number(&path, "SELECT count(*) FROM t"), 10);
}
