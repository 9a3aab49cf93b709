//! Many open parts and little memory: what is written is the same, and what was held is given back.
#![allow(clippy::unwrap_used)]

#[path = "../../sqlite/tests/common/mod.rs"]
mod common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::*;
use headwater_file::{Compression, Format, Spec, destination};
use headwater_sdk::arrow::array::{Array, AsArray};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Budget, Destination, Outcome, PartWriter, TableSchema, WriteMode};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

const ROWS: usize = 100;

struct Sync {
    folder: TempDir,
    destination: Box<dyn Destination>,
    table: TableSchema,
    budget: Budget,
    parts: Vec<(From, Box<dyn PartWriter>)>,
}

impl Sync {
    async fn new(format: Format, compression: Compression, budget: u64, parts: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("out").display().to_string();
        let destination = destination(Spec { path, format, compression, ..Spec::default() }).unwrap();
        let (budget, table) = (Budget::new(budget), every_type("t"));
        destination.use_memory(&budget);
        destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
        let mut sync = Self { folder, destination, table, budget, parts: Vec::new() };
        for number in 0..parts {
            let from = From { account: Box::leak(number.to_string().into_boxed_str()), ..HERE };
            let part = part(&sync.table, from, NOW, WriteMode::OverwriteDeleteStale);
            sync.parts.push((from, sync.destination.begin(part).await.unwrap()));
        }
        sync
    }

    /// Writes a batch to each part. Its first row has the key of the second row of the batch before.
    async fn write(&mut self, turn: usize) {
        let mut rows: Vec<Row> = (0..ROWS).map(|number| row(&format!("{turn}-{number}"))).collect();
        if turn > 0 {
            rows[0] = Row { text: format!("again in {turn}"), ..row(&format!("{}-1", turn - 1)) };
        }
        for (from, writer) in &mut self.parts {
            writer.write(batch(&self.table, *from, NOW, &rows)).await.unwrap();
        }
    }

    async fn commit(&mut self) -> u64 {
        let mut written = 0;
        for (_, writer) in self.parts.drain(..) {
            written += writer.commit(Outcome::Complete).await.unwrap().written;
        }
        self.destination.close().await.unwrap();
        written
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in ["out", "out/t"] {
            let entries = std::fs::read_dir(self.folder.path().join(folder)).into_iter().flatten();
            files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
        }
        files.sort();
        files
    }
}

/// The keys of a file in their order, and its row groups.
fn keys(path: &Path) -> (Vec<String>, usize) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let row_groups = reader.metadata().num_row_groups();
    let mut keys = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.num_columns(), 29);
        let (arns, texts) = (batch.column_by_name("arn").unwrap(), batch.column_by_name(ODD).unwrap());
        for (arn, text) in arns.as_string::<i32>().iter().zip(texts.as_string::<i32>()) {
            let (arn, text) = (arn.unwrap(), text.unwrap());
            assert!(text == format!("text of {arn}") || text.starts_with("again in"), "{arn}: {text}");
            keys.push(arn.to_owned());
        }
        assert_eq!(batch.column_by_name("json").unwrap().null_count(), 0);
    }
    (keys, row_groups)
}

fn expected(turns: usize) -> Vec<String> {
    let mut keys = Vec::new();
    for turn in 0..turns {
        keys.push(if turn == 0 { "0-0".to_owned() } else { format!("{}-1", turn - 1) });
        // The second row came again in the next batch.
        let second = if turn + 1 == turns { 1 } else { 2 };
        keys.extend((second..ROWS).map(|number| format!("{turn}-{number}")));
    }
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_memory_and_many_parts_make_the_same_files() {
    for (parts, turns, most_row_groups) in [(10, 8, 1), (3, 25, 4)] {
        let budget = 4 << 20;
        let mut sync = Sync::new(Format::Parquet, Compression::Default, budget, parts).await;
        for turn in 0..turns {
            sync.write(turn).await;
            // A part's own batch comes on top of what it may hold, and so does the encoder of a column.
            assert!(sync.budget.used() < budget / 3, "{} bytes", sync.budget.used());
        }
        let expected = expected(turns);
        assert_eq!(sync.commit().await, (parts * expected.len()) as u64);
        assert_eq!(sync.budget.used(), 0);
        let files = sync.files();
        assert_eq!(files.len(), parts);
        for file in &files {
            let (keys, row_groups) = keys(file);
            assert_eq!(keys, expected, "{}", file.display());
            assert!((1..=most_row_groups).contains(&row_groups), "{row_groups} row groups");
        }
    }
}

#[tokio::test]
async fn text_is_the_same_with_little_memory() {
    for (format, compression) in [
        (Format::Jsonl, Compression::Gzip),
        (Format::Jsonl, Compression::None),
        (Format::Csv, Compression::Gzip),
        (Format::Csv, Compression::None),
    ] {
        let mut contents = Vec::new();
        for budget in [2 << 20, 1 << 30] {
            let mut sync = Sync::new(format, compression, budget, 6).await;
            for turn in 0..6 {
                sync.write(turn).await;
            }
            assert_eq!(sync.commit().await, 6 * expected(6).len() as u64);
            assert_eq!(sync.budget.used(), 0);
            contents.push(sync.files().iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>());
        }
        // gzip's bytes depend on how they came; those of the texts do not.
        if compression == Compression::None {
            assert_eq!(contents[0], contents[1], "{format:?}");
        }
        assert_eq!(contents[0].len(), 6);
    }
}

#[tokio::test]
async fn many_open_parts_are_few_open_files() {
    let mut sync = Sync::new(Format::Jsonl, Compression::None, 2 << 20, 150).await;
    for turn in 0..3 {
        sync.write(turn).await;
    }
    let during = sync.files();
    assert!((1..=5).contains(&during.len()), "{} files", during.len());
    // There are more rows than can be remembered, so some come twice.
    assert!(sync.commit().await >= 150 * expected(3).len() as u64);
    assert_eq!(sync.files().len(), 150);
    assert_eq!(sync.budget.used(), 0);
}

#[tokio::test]
async fn what_a_dropped_part_held_is_given_back() {
    let mut sync = Sync::new(Format::Parquet, Compression::Default, 4 << 20, 10).await;
    for turn in 0..20 {
        sync.write(turn).await;
    }
    assert!(sync.budget.used() > 0);
    assert!(!sync.files().is_empty());
    sync.parts.clear();
    assert_eq!(sync.budget.used(), 0);
    assert_eq!(sync.files(), Vec::<PathBuf>::new());
}
