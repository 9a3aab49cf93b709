//! Syncs that are continued: what an earlier attempt left is replaced, and the state of a sync is kept.
#![allow(clippy::unwrap_used)]

#[path = "../../sqlite/tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::PathBuf;

use common::*;
use headwater_file::{Format, Spec, destination};
use headwater_sdk::{Destination, Outcome, StateStore, UnitHash, WriteMode};
use tempfile::TempDir;

fn open(folder: &TempDir, path: &str) -> Box<dyn Destination> {
    let path = format!("{}/{path}", folder.path().display());
    destination(Spec { path, format: Format::Jsonl, ..Spec::default() }).unwrap()
}

/// The lines of all files of the table, and how many files there are.
fn lines(folder: &TempDir) -> (usize, Vec<String>) {
    let files: Vec<_> = fs::read_dir(folder.path().join("out/t")).unwrap().map(|file| file.unwrap().path()).collect();
    let mut lines = Vec::new();
    for file in &files {
        for line in fs::read_to_string(file).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            lines.push(row["arn"].as_str().unwrap().to_owned());
        }
    }
    lines.sort();
    (files.len(), lines)
}

#[tokio::test]
async fn what_an_earlier_attempt_appended_is_replaced() {
    for path in ["out", "out/{{TABLE}}/{{UUID}}.{{FORMAT}}", "out/{{TABLE}}/{{SYNC_ID}}.{{UNIT}}.jsonl"] {
        let folder = TempDir::new().unwrap();
        let table = every_type("t").without_key();
        let destination = open(&folder, path);
        for (from, sync) in [(HERE, 0), (HERE, 1), (THERE, 1)] {
            let part = part(&table, from, at(sync), WriteMode::Append);
            write(&*destination, part, from, Outcome::Partial, vec![rows(&["a", "b"])]).await.unwrap();
        }
        let destination = open(&folder, path);
        let resumed = again(part(&table, HERE, at(1), WriteMode::Append));
        let done = write(&*destination, resumed.clone(), HERE, Outcome::Complete, vec![rows(&["b", "c"])]).await;
        assert_eq!(done.unwrap(), committed(2, 0));
        let names = ["a", "a", "b", "b", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(lines(&folder), (3, names), "{path}");
        let done = write(&*destination, resumed, HERE, Outcome::Complete, vec![]).await;
        assert_eq!(done.unwrap(), committed(0, 0));
        assert_eq!(lines(&folder).0, 2, "the earlier attempt had rows, and now there are none: {path}");
    }
}

async fn store(destination: &dyn Destination, key: &str) -> Box<dyn StateStore> {
    destination.state(key).await.unwrap().unwrap()
}

fn hashes(numbers: std::ops::Range<u32>) -> Vec<UnitHash> {
    numbers.map(|number| UnitHash::of(&number.to_string())).collect()
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("out/_headwater/aws-2of8.state")
}

#[tokio::test]
async fn the_state_of_a_sync_is_there_for_the_next_process() {
    let folder = TempDir::new().unwrap();
    let destination = open(&folder, "out");
    let state = store(&*destination, "aws-2of8").await;
    assert_eq!(state.load().await.unwrap(), None);
    assert!(!folder.path().join("out").exists(), "asking makes nothing");
    state.start(NOW, "a b").await.unwrap();
    state.add(&hashes(0..1000)).await.unwrap();
    state.add(&hashes(1000..1001)).await.unwrap();
    drop((state, destination));

    let destination = open(&folder, "out/{{TABLE}}/{{UNIT}}.{{FORMAT}}");
    let state = store(&*destination, "aws-2of8").await;
    let saved = state.load().await.unwrap().unwrap();
    assert_eq!((saved.sync_time, saved.fingerprint.as_str()), (NOW, "a b"));
    assert_eq!(saved.units, hashes(0..1001));
    assert_eq!(store(&*destination, "aws-3of8").await.load().await.unwrap(), None);
    state.resume(NOW).await.unwrap();
    state.add(&hashes(1001..1002)).await.unwrap();
    assert_eq!(state.load().await.unwrap().unwrap().units, hashes(0..1002));
    state.clear().await.unwrap();
    assert_eq!(state.load().await.unwrap(), None);
    state.start(at(1), "g").await.unwrap();
    assert_eq!(state.load().await.unwrap().unwrap().units, []);
}

#[tokio::test]
async fn a_line_that_was_torn_is_left_out_and_written_over() {
    let folder = TempDir::new().unwrap();
    let destination = open(&folder, "out");
    let state = store(&*destination, "aws-2of8").await;
    state.start(NOW, "f").await.unwrap();
    state.add(&hashes(0..3)).await.unwrap();
    drop(state);
    let whole = fs::read(file(&folder)).unwrap();
    for (lost, kept) in [(1, 2), (32, 2), (33, 2), (34, 1)] {
        fs::write(file(&folder), &whole[..whole.len() - lost]).unwrap();
        let state = store(&*destination, "aws-2of8").await;
        assert_eq!(state.load().await.unwrap().unwrap().units, hashes(0..kept), "{lost}");
        state.resume(NOW).await.unwrap();
        state.add(&hashes(kept..3)).await.unwrap();
        drop(state);
        assert_eq!(fs::read(file(&folder)).unwrap(), whole, "{lost}");
    }
    let mut zeros = whole.clone();
    let middle = whole.len() - 40;
    zeros[middle..].fill(0);
    for broken in [&whole[..20], b"", b"\n\n", b"something else\n", &[0xff; 50]] {
        fs::write(file(&folder), broken).unwrap();
        let state = store(&*destination, "aws-2of8").await;
        assert_eq!(state.load().await.unwrap(), None);
    }
    fs::write(file(&folder), zeros).unwrap();
    assert_eq!(store(&*destination, "aws-2of8").await.load().await.unwrap().unwrap().units, hashes(0..1));
}

#[tokio::test]
async fn two_processes_do_not_keep_one_state() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (open(&folder, "out"), open(&folder, "out"));
    let (old, new) = (store(&*first, "aws-2of8").await, store(&*second, "aws-2of8").await);
    old.start(NOW, "f").await.unwrap();
    for error in [new.load().await.unwrap_err(), new.start(at(1), "f").await.unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("another sync of this configuration is running"), "{error}");
    }
    old.add(&hashes(0..1)).await.unwrap();
    drop(old);
    assert_eq!(new.load().await.unwrap().unwrap().units, hashes(0..1), "whoever is dead holds no lock");
}
