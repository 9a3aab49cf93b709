//! How much memory many tables take that are written at once: 200 tables of 60 columns, 10 MB each, in turns.
//!
//! `cargo run --release -p headwater-s3 --example tables -- ENDPOINT BUCKET [TABLES] [BATCHES] [MEBIBYTES] [FORMAT]`
//!
//! The credentials are those of the environment. With `local` for ENDPOINT, a local S3 is started by the Python that
//! HEADWATER_TEST_PYTHON names, as in the tests, and the bucket is made.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../file/examples/wide/mod.rs"]
mod wide;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::stream::{FuturesUnordered, StreamExt};
use headwater_e2e::{LocalAws, PYTHON, Settings};
use headwater_s3::{Format, Spec, destination};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Budget, Outcome};
use wide::{batch, megabytes, part, table};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| arguments.get(index).map_or(default, |text| text.parse().unwrap());
    let [endpoint, bucket, ..] = &arguments[..] else { panic!("an endpoint and a bucket are needed") };
    let (tables, batches) = (number(2, 200), number(3, 12));
    let budget = Budget::new((number(4, 512) as u64) << 20);
    let format = match arguments.get(5).map(String::as_str) {
        Some("jsonl") => Format::Jsonl,
        Some("csv") => Format::Csv,
        _ => Format::Parquet,
    };
    let mut spec = Spec { bucket: bucket.clone(), path: "bench".to_owned(), format, ..Spec::default() };
    let local = (endpoint == "local").then(|| {
        let python = std::env::var_os(PYTHON).expect("HEADWATER_TEST_PYTHON names a Python with moto");
        let server = LocalAws::start(Path::new(&python), Settings::default()).unwrap();
        server.call("s3", "us-east-1", "create_bucket", &serde_json::json!({"Bucket": bucket})).unwrap();
        server
    });
    spec.endpoint = Some(local.as_ref().map_or(endpoint.as_str(), LocalAws::endpoint).to_owned());
    if local.is_some() {
        (spec.access_key_id, spec.secret_access_key) = (Some("testing".to_owned()), Some("testing".to_owned().into()));
    }

    let destination = destination(spec).unwrap();
    destination.use_memory(&budget);
    destination.check().await.unwrap();
    let tables: Vec<_> = (0..tables).map(|number| Arc::new(table(&format!("wide_{number}")))).collect();
    destination.migrate(&tables, MigrateMode::Safe).await.unwrap();
    let bytes = batch(&tables[0], 0, 0).get_array_memory_size() * batches / 1_000_000;
    println!("{} tables of {bytes} MB; before: VmHWM {} MB", tables.len(), megabytes("VmHWM"));

    let began = Instant::now();
    let mut writers = Vec::new();
    for table in &tables {
        writers.push(destination.begin(part(table, 0)).await.unwrap());
    }
    for turn in 0..batches {
        for (number, (table, writer)) in tables.iter().zip(&mut writers).enumerate() {
            writer.write(batch(table, number, turn)).await.unwrap();
        }
    }
    println!("written: VmHWM {} MB, budget peak {} MB", megabytes("VmHWM"), budget.peak() >> 20);
    // All at once, as when all units end together.
    let mut commits: FuturesUnordered<_> =
        writers.into_iter().map(|writer| tokio::spawn(writer.commit(Outcome::Complete))).collect();
    while let Some(committed) = commits.next().await {
        committed.unwrap().unwrap();
    }
    destination.close().await.unwrap();
    println!(
        "committed in {:.1?}: VmHWM {} MB, budget peak {} MB",
        began.elapsed(),
        megabytes("VmHWM"),
        budget.peak() >> 20
    );
}
