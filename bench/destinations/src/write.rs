//! One measurement, in a process of its own: rows through a destination, or through what writes them alone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use headwater_bench::usage::{self, Usage};
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Budget, Destination, Outcome, Part, TableSchema, Timestamp, WriteMode};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};

use crate::data::{Data, Kind};

/// What is written how.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// A destination: `file`, `postgresql` …; or `arrow-rs`, which is Parquet's own writer
    #[arg(long)]
    pub to: String,
    /// The destination's spec, as JSON
    #[arg(long, default_value = "{}")]
    pub spec: String,
    /// Which rows
    #[arg(long, value_enum, default_value = "mixed")]
    pub data: Kind,
    /// A ring of these rows that was made before
    #[arg(long, value_name = "FILE")]
    pub ring: Option<PathBuf>,
    /// The rows of a Parquet file instead
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// How many
    #[arg(long)]
    pub rows: u64,
    /// The table's name
    #[arg(long, default_value = "bench")]
    pub table: String,
    /// `append`, `overwrite` or `overwrite-delete-stale`
    #[arg(long, default_value = "append")]
    pub mode: String,
    /// How often: the first sync is not measured where there are more
    #[arg(long, default_value_t = 1)]
    pub syncs: u32,
    /// How many parts take the rows, in turns; they are all open until the end
    #[arg(long, default_value_t = 1)]
    pub parts: u64,
    /// The memory budget, in bytes
    #[arg(long, default_value_t = 512 << 20)]
    pub memory: u64,
    /// Where the result is written
    #[arg(long)]
    pub result: PathBuf,
}

/// What a measurement has shown.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Written {
    /// From the first row to the acknowledgement of the last.
    pub seconds: f64,
    /// Processor seconds of the process meanwhile.
    pub cpu_s: f64,
    /// The most memory that was resident.
    pub peak_bytes: u64,
    /// The rows that the destination says it has written.
    pub rows: u64,
}

/// Measures.
pub fn run(flags: &Flags) -> Result<()> {
    let data = match &flags.input {
        Some(file) => Data::of_file(file, &flags.table)?,
        None => Data::new(flags.data, &flags.table, flags.ring.as_deref())?,
    };
    let written = match flags.to.as_str() {
        "arrow-rs" => alone(flags, &data)?,
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(through(flags, &data))?,
    };
    usage::write(&flags.result, &written)
}

/// A destination by its name.
fn destination(name: &str, spec: &str) -> Result<Box<dyn Destination>> {
    let wrong = || format!("{spec} is no spec of {name}");
    Ok(match name {
        "clickhouse" => headwater_clickhouse::destination(serde_json::from_str(spec).with_context(wrong)?)?,
        "duckdb" => headwater_adbc::duckdb::destination(serde_json::from_str(spec).with_context(wrong)?)?,
        "file" => headwater_file::destination(serde_json::from_str(spec).with_context(wrong)?)?,
        "postgresql" => headwater_postgresql::destination(serde_json::from_str(spec).with_context(wrong)?)?,
        "s3" => headwater_s3::destination(serde_json::from_str(spec).with_context(wrong)?)?,
        "sqlite" => headwater_sqlite::destination(serde_json::from_str(spec).with_context(wrong)?)?,
        _ => bail!("{name} is no destination that is measured"),
    })
}

fn mode(name: &str) -> Result<WriteMode> {
    let modes = [WriteMode::Append, WriteMode::Overwrite, WriteMode::OverwriteDeleteStale];
    modes.into_iter().find(|mode| mode.as_str() == name).with_context(|| format!("{name} is no write mode"))
}

async fn through(flags: &Flags, data: &Data) -> Result<Written> {
    let mode = mode(&flags.mode)?;
    let table = match mode {
        WriteMode::Append => Arc::new(data.table.without_key()),
        _ => Arc::new(data.table.clone()),
    };
    let mut written = None;
    for sync in 0..flags.syncs {
        let destination = destination(&flags.to, &flags.spec)?;
        destination.use_memory(&Budget::new(flags.memory));
        destination.migrate(std::slice::from_ref(&table), MigrateMode::Safe).await?;
        let sync_time = Timestamp(1_795_251_542_123_456 + i64::from(sync) * 3_600_000_000);
        let (began, before) = (Instant::now(), Usage::now()?);
        let mut writers = Vec::new();
        for number in 0..flags.parts {
            writers.push(destination.begin(part(&table, number, sync_time, mode)).await?);
        }
        for (number, batch) in data.batches(flags.rows, sync_time).enumerate() {
            // The schema that says whether there is a key.
            let batch = RecordBatch::try_new(table.arrow(), batch?.columns().to_vec())?;
            let turn = number % writers.len();
            writers[turn].write(batch).await?;
        }
        let mut rows = 0;
        for writer in writers {
            rows += writer.commit(Outcome::Complete).await?.written;
        }
        destination.close().await?;
        let (seconds, after) = (began.elapsed().as_secs_f64(), Usage::now()?);
        let cpu_s = after.cpu_s - before.cpu_s;
        written = Some(Written { seconds, cpu_s, peak_bytes: after.peak_bytes, rows });
    }
    written.context("nothing is measured without a sync")
}

/// One of several parts, which are of scopes of their own.
fn part(table: &Arc<TableSchema>, number: u64, sync_time: Timestamp, mode: WriteMode) -> Part {
    Part {
        table: Arc::clone(table),
        source: "bench".to_owned(),
        scope: if number == 0 { String::new() } else { number.to_string() },
        predicate: Vec::new(),
        ranges: Vec::new(),
        sync_time,
        mode,
        resumed: false,
        rejects: None,
    }
}

/// The rows through Parquet's own writer, with the settings of the destination `file`.
fn alone(flags: &Flags, data: &Data) -> Result<Written> {
    let path: PathBuf = Path::new(&flags.spec).join("alone.parquet");
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_column_dictionary_enabled(ColumnPath::from("_cq_id"), false)
        .build();
    let (began, before) = (Instant::now(), Usage::now()?);
    let mut writer = ArrowWriter::try_new(File::create(&path)?, data.table.arrow(), Some(properties))?;
    let mut rows = 0;
    for batch in data.batches(flags.rows, Timestamp(0)) {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
        // Row groups of the size that the destination has by default.
        if writer.in_progress_size() >= 64 << 20 {
            writer.flush()?;
        }
    }
    let file = writer.into_inner()?;
    file.sync_all()?;
    let (seconds, after) = (began.elapsed().as_secs_f64(), Usage::now()?);
    Ok(Written { seconds, cpu_s: after.cpu_s - before.cpu_s, peak_bytes: after.peak_bytes, rows })
}
