//! How much memory many open parts take: 300 parts of a table with 60 columns, 10 MB each, written in turns.
//!
//! `cargo run --release -p headwater-file --example memory -- MEBIBYTES [FORMAT] [PARTS] [BATCHES]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod wide;

use std::sync::Arc;
use std::time::Instant;

use headwater_file::{Format, Spec, destination};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Budget, Outcome};
use wide::{batch, megabytes, part, table};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| arguments.get(index).map_or(default, |text| text.parse().unwrap());
    let budget = Budget::new((number(0, 128) as u64) << 20);
    let format = match arguments.get(1).map(String::as_str) {
        Some("jsonl") => Format::Jsonl,
        Some("csv") => Format::Csv,
        _ => Format::Parquet,
    };
    let (parts, batches) = (number(2, 300), number(3, 12));

    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("out").display().to_string();
    let destination = destination(Spec { path, format, ..Spec::default() }).unwrap();
    destination.use_memory(&budget);
    let table = Arc::new(table("wide"));
    destination.migrate(&[Arc::clone(&table)], MigrateMode::Safe).await.unwrap();
    println!(
        "batch of {} KB; before the parts: VmHWM {} MB",
        batch(&table, 0, 0).get_array_memory_size() / 1000,
        megabytes("VmHWM")
    );

    let began = Instant::now();
    let mut writers = Vec::new();
    for number in 0..parts {
        writers.push(destination.begin(part(&table, number)).await.unwrap());
    }
    for turn in 0..batches {
        for (part, writer) in writers.iter_mut().enumerate() {
            writer.write(batch(&table, part, turn)).await.unwrap();
        }
    }
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    println!("written: VmHWM {} MB, budget peak {} MB, {files} files open", megabytes("VmHWM"), budget.peak() >> 20);
    for writer in writers {
        writer.commit(Outcome::Complete).await.unwrap();
    }
    destination.close().await.unwrap();
    println!(
        "committed in {:.1?}: VmHWM {} MB, budget peak {} MB",
        began.elapsed(),
        megabytes("VmHWM"),
        budget.peak() >> 20
    );
    describe(folder.path());
}

/// Says what the first file is made of.
fn describe(folder: &std::path::Path) {
    let Some(file) = std::fs::read_dir(folder.join("out/wide")).unwrap().next() else { return };
    let path = file.unwrap().path();
    let bytes = std::fs::metadata(&path).unwrap().len();
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let file = std::fs::File::open(&path).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        println!("a file has {} KB and {} row groups", bytes / 1000, reader.metadata().num_row_groups());
    } else {
        println!("a file has {} KB", bytes / 1000);
    }
}
