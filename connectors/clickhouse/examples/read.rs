//! How fast rows are read, of a table or view, and how much memory that takes. Rows are discarded.
//!
//! `cargo run --release -p headwater-clickhouse-source --example read -- URL TABLE [none|zstd] [ROWS_PER_BATCH]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use headwater_clickhouse_source::{Compression, Spec, connector};
use headwater_sdk::connector::all_wanted;
use headwater_sdk::futures::StreamExt;
use headwater_sdk::memory::held;
use headwater_sdk::unit::UnitRun;
use headwater_sdk::{Budget, Calls, Connector, Found, Message, Selection, Timestamp};

/// A number of this process's status, such as `VmHWM`, in MiB.
fn mebibytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let spec = Spec {
        connection_string: arguments[0].clone(),
        compression: if arguments.get(2).is_some_and(|word| word == "zstd") {
            Compression::Zstd
        } else {
            Compression::None
        },
        rows_per_batch: arguments.get(3).map(|rows| rows.parse().unwrap()),
        ..Spec::default()
    };
    let connector: Arc<dyn Connector> = connector(spec).unwrap().into();
    let selection = Selection { tables: vec![arguments[1].clone()], ..Selection::all() };
    let nodes = connector.discover(&selection).await.unwrap();
    let nodes = selection.apply(nodes).into_iter().map(Arc::new).collect();
    let mut found = Arc::clone(&connector).plan(nodes, all_wanted());
    let began = Instant::now();
    let (mut rows, mut bytes, mut batches) = (0, 0, 0);
    while let Some(found) = found.next().await {
        let Found::Open(units) = found else { continue };
        for unit in units {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
            let calls = Calls::new(connector.limits(), Budget::new(1 << 30)).of_unit(&unit.scope);
            let run = UnitRun::new("bench", Timestamp(0), calls, sender);
            let connector = Arc::clone(&connector);
            let running = tokio::spawn(async move { connector.run(&unit, run).await });
            while let Some(message) = receiver.recv().await {
                match message {
                    Message::Batch(_, batch, _) => {
                        (rows, batches) = (rows + batch.num_rows(), batches + 1);
                        bytes += held(&batch);
                    }
                    Message::Failure(_, error) => println!("{error}"),
                    Message::Removed(..) | Message::Checkpoint(_) => {}
                }
            }
            running.await.unwrap();
        }
    }
    let took = began.elapsed();
    println!(
        "{rows} rows in {batches} batches of {} MiB in {took:.2?}: {:.0} rows/s, {:.0} MiB/s; VmHWM {} MiB",
        bytes >> 20,
        rows as f64 / took.as_secs_f64(),
        (bytes >> 20) as f64 / took.as_secs_f64(),
        mebibytes("VmHWM")
    );
}
