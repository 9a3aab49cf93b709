//! How fast files are read: `lineitem write FOLDER SCALE FILES` fills TPC-H's `lineitem`, 16 columns, into so many Parquet
//! files; `lineitem read PATH` reads all that is there and throws it away.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use headwater_file_source::{Spec, connector};
use headwater_sdk::arrow::array::RecordBatchReader;
use headwater_sdk::connector::all_wanted;
use headwater_sdk::unit::UnitRun;
use headwater_sdk::{Budget, Calls, Found, Message, Selection, Timestamp};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tpchgen::generators::LineItemGenerator;
use tpchgen_arrow::LineItemArrow;

fn write(folder: &str, scale: f64, files: i32) {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_max_row_group_row_count(Some(256 << 10))
        .build();
    std::fs::create_dir_all(folder).unwrap();
    for part in 1..=files {
        let rows = LineItemArrow::new(LineItemGenerator::new(scale, part, files)).with_batch_size(16 << 10);
        let file = File::create(format!("{folder}/{part}.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties.clone())).unwrap();
        rows.for_each(|batch| writer.write(&batch.unwrap()).unwrap());
        writer.close().unwrap();
    }
}

async fn read(path: &str) {
    let spec: Spec = serde_json::from_value(serde_json::json!({ "tables": { "lineitem": { "path": path } } })).unwrap();
    let connector = connector(spec).unwrap();
    let began = Instant::now();
    let nodes = connector.discover(&Selection::all()).await.unwrap().into_iter().map(Arc::new).collect();
    println!("found in {:.2} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let budget = Budget::default();
    let calls = Calls::new(connector.limits(), budget.clone());
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    let mut plan = Arc::clone(&connector).plan(nodes, all_wanted());
    while let Some(found) = plan.next().await {
        let Found::Open(units) = found else { continue };
        for unit in units {
            let run = UnitRun::new("files", Timestamp::now(), calls.of_unit(""), sender.clone());
            let connector = Arc::clone(&connector);
            tokio::spawn(async move { connector.run(&unit, run).await });
        }
    }
    drop(sender);
    let (mut rows, mut batches, mut bytes) = (0, 0, 0);
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Batch(_, batch, _) => {
                rows += batch.num_rows();
                batches += 1;
                bytes += batch.get_array_memory_size();
            }
            Message::Failure(_, error) => panic!("{error}"),
            Message::Removed(..) | Message::Checkpoint(_) => {}
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{rows} rows in {seconds:.2} s: {:.0} rows/s, {batches} batches, {} MB of columns, at most {} MB at once",
        rows as f64 / seconds,
        bytes >> 20,
        budget.peak() >> 20
    );
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["write", folder, scale, files] => write(folder, scale.parse().unwrap(), files.parse().unwrap()),
        ["read", path] => read(path).await,
        _ => panic!("write FOLDER SCALE FILES, or read PATH"),
    }
}
