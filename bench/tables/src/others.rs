//! Other programs that read a table of PostgreSQL. What cannot be installed from a package registry, or needs a download
//! when it runs, is told.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::bench::{Bench, Run};

/// Programs that hand out Arrow.
pub const TO_ARROW: [&str; 5] = ["connectorx", "connectorx-stream", "adbc", "duckdb", "duckdb-one"];

/// Programs that write Parquet; those of [`TO_ARROW`] with Arrow's own writer, DuckDB with its own.
pub const TO_PARQUET: [&str; 8] =
    ["connectorx", "connectorx-stream", "adbc", "duckdb", "duckdb-one", "dlt-connectorx", "dlt-pyarrow", "sling"];

/// Reads `lineitem` at this URL with a program, into Parquet or to nowhere, and looks that these were all rows.
pub fn read(bench: &Bench, program: &str, url: &str, parquet: bool, rows: u64, server: Option<u32>) -> Result<Run> {
    let folder = bench.folder()?;
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("others");
    let mut command = match program {
        "sling" => sling(bench, url, &folder)?,
        _ => {
            let mut command = Command::new(&bench.python);
            command.arg(scripts.join("read.py")).args([program, url]);
            if parquet {
                command.arg(&folder);
            }
            command
        }
    };
    command.env("RUNTIME__DLTHUB_TELEMETRY", "false").env("SLING_HOME_DIR", folder.join("sling"));
    // Its Parquet is else written by a program that it downloads.
    command.env("SLING_DUCKDB_COMPUTE", "false");
    let run = bench.measure(&command, server)?;
    if parquet {
        let counted = Command::new(&bench.python).arg(scripts.join("count.py")).arg(&folder).output()?;
        let counted = String::from_utf8_lossy(&counted.stdout).trim().to_owned();
        ensure!(counted == rows.to_string(), "{program}: {counted} of {rows} rows in the files");
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(run)
}

fn sling(bench: &Bench, url: &str, folder: &Path) -> Result<Command> {
    let library = bench.python.parent().and_then(Path::parent).context("Python is in no environment")?.join("lib");
    let of = |version: &Path| version.join("site-packages/sling_linux_amd64/bin/sling-linux-amd64");
    let versions = std::fs::read_dir(library)?.flatten().map(|version| of(&version.path()));
    let program = versions.into_iter().find(|program| program.is_file()).context("Sling is not installed")?;
    let mut command = Command::new(program);
    command.args(["run", "--src-conn", &format!("{url}?sslmode=disable"), "--src-stream", "public.lineitem"]);
    command.arg("--tgt-object").arg(format!("file://{}", folder.join("lineitem.parquet").display()));
    Ok(command)
}
