//! The scenarios, in the order in which they run.

use std::time::Instant;

use anyhow::{Context, Result};
use headwater_bench::{Figures, Goal, Report, Unit};
use headwater_e2e::{DUCKDB, LocalAws, LocalClickhouse, LocalPostgresql, PYTHON, Settings};

use crate::bench::{Bench, Case, clear, median};
use crate::others::others;
use crate::write::Written;

/// A scenario.
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// Measures it.
    pub run: fn(&Bench, &mut Report) -> Result<()>,
}

/// All scenarios.
pub static ALL: [Scenario; 7] = [
    Scenario {
        name: "parquet",
        what: "five million rows of ten mixed columns, and of TPC-H's lineitem, beside the writer of arrow-rs alone",
        run: parquet,
    },
    Scenario {
        name: "postgresql",
        what: "five million rows added, beside psql's \\copy of the same in binary form, and replaced",
        run: postgresql,
    },
    Scenario { name: "duckdb", what: "five million rows of ten mixed columns, added and replaced", run: duckdb },
    Scenario { name: "clickhouse", what: "the same", run: clickhouse },
    Scenario { name: "s3", what: "two hundred parts that are written at once: memory", run: s3 },
    Scenario { name: "sqlite", what: "five million rows of six narrow columns, and of ten mixed ones", run: sqlite },
    Scenario {
        name: "others",
        what: "a million mixed rows from a file, through headwater's destinations, dlt and Sling",
        run: others,
    },
];

const ROWS: u64 = 5_000_000;

fn rate(written: &Written) -> f64 {
    written.rows as f64 / written.seconds
}

fn parquet(bench: &Bench, report: &mut Report) -> Result<()> {
    let at = Figures("parquet");
    for data in ["mixed", "lineitem"] {
        let (mut ours, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..bench.runs() {
            let folder = bench.folder()?;
            let spec = serde_json::json!({ "path": folder, "format": "parquet" }).to_string();
            let case = Case {
                to: "file",
                spec,
                data,
                rows: bench.rows(ROWS),
                mode: "append",
                syncs: 1,
                table: "bench",
                parts: 1,
            };
            ours.push(bench.measure(&case)?);
            let spec = folder.display().to_string();
            alone.push(bench.measure(&Case { to: "arrow-rs", spec, ..case })?);
            clear(&folder);
        }
        let (ours, alone) = (median(ours)?, median(alone)?);
        report.number(&at, format!("{data}: rows a second"), Unit::PerSecond, rate(&ours), None);
        report.number(&at, format!("{data}: rows a second of arrow-rs alone"), Unit::PerSecond, rate(&alone), None);
        let share = alone.seconds / ours.seconds;
        report.number(&at, format!("{data}: share of that speed"), Unit::Percent, share, Some(Goal::AtLeast(0.9)));
        report.number(&at, format!("{data}: processor time"), Unit::Seconds, ours.cpu_s, None);
        report.number(&at, format!("{data}: processor time of arrow-rs"), Unit::Seconds, alone.cpu_s, None);
        let most = Some(Goal::AtMost(300e6));
        report.number(&at, format!("{data}: peak memory"), Unit::Mebibytes, ours.peak_bytes as f64, most);
    }
    Ok(())
}

fn postgresql(bench: &Bench, report: &mut Report) -> Result<()> {
    let at = Figures("postgresql");
    let server = LocalPostgresql::start()?;
    let spec = serde_json::json!({ "connection_string": server.url() }).to_string();
    for data in ["mixed", "lineitem"] {
        let rows = bench.rows(ROWS);
        let case = |mode, syncs, table| Case {
            to: "postgresql",
            spec: spec.clone(),
            data,
            rows,
            mode,
            syncs,
            table,
            parts: 1,
        };
        let folder = bench.folder()?;
        let (mut added, mut copied) = (Vec::new(), Vec::new());
        for _ in 0..bench.runs() {
            server.query("DROP TABLE IF EXISTS added")?;
            server.query("CHECKPOINT")?;
            added.push(bench.measure(&case("append", 1, "added"))?);
            let file = folder.join("rows.copy");
            server.query(&format!("\\copy added TO '{}' (FORMAT binary)", file.display()))?;
            server.query("DROP TABLE IF EXISTS copied")?;
            server.query("CREATE TABLE copied (LIKE added)")?;
            server.query("CHECKPOINT")?;
            let began = Instant::now();
            server.query(&format!("\\copy copied FROM '{}' (FORMAT binary)", file.display()))?;
            copied.push(Written { seconds: began.elapsed().as_secs_f64(), cpu_s: 0.0, peak_bytes: 0, rows });
            server.query("DROP TABLE copied")?;
        }
        clear(&folder);
        server.query("DROP TABLE IF EXISTS added")?;
        server.query("DROP TABLE IF EXISTS replaced")?;
        let (added, copied) = (median(added)?, median(copied)?);
        report.number(&at, format!("{data}: rows a second, added"), Unit::PerSecond, rate(&added), None);
        report.number(&at, format!("{data}: rows a second of psql"), Unit::PerSecond, rate(&copied), None);
        let share = copied.seconds / added.seconds;
        report.number(&at, format!("{data}: share of that speed"), Unit::Percent, share, Some(Goal::AtLeast(0.9)));
        report.number(&at, format!("{data}: processor time"), Unit::Seconds, added.cpu_s, None);
        report.number(&at, format!("{data}: peak memory"), Unit::Mebibytes, added.peak_bytes as f64, None);
        let replaced = bench.measure(&case("overwrite-delete-stale", 2, "replaced"))?;
        report.number(&at, format!("{data}: rows a second, replaced"), Unit::PerSecond, rate(&replaced), None);
        let times = replaced.seconds / added.seconds;
        report.number(&at, format!("{data}: time of replacing to adding"), Unit::Ratio, times, Some(Goal::AtMost(3.0)));
    }
    Ok(())
}

fn sqlite(bench: &Bench, report: &mut Report) -> Result<()> {
    let at = Figures("sqlite");
    // The goal is of six narrow columns; a row has headwater's four besides.
    for (data, mode, columns, goal) in [
        ("narrow", "append", Some(10.0), Some(Goal::AtLeast(1e6))),
        ("narrow", "overwrite-delete-stale", None, None),
        ("mixed", "append", None, None),
    ] {
        let mut runs = Vec::new();
        for _ in 0..bench.runs() {
            let folder = bench.folder()?;
            let spec = serde_json::json!({ "connection_string": folder.join("bench.db") }).to_string();
            let rows = bench.rows(ROWS);
            runs.push(bench.measure(&Case {
                to: "sqlite",
                spec,
                data,
                rows,
                mode,
                syncs: 1,
                table: "bench",
                parts: 1,
            })?);
            clear(&folder);
        }
        let run = median(runs)?;
        report.number(&at, format!("{data}, {mode}: rows a second"), Unit::PerSecond, rate(&run), None);
        if let Some(columns) = columns {
            let name = format!("{data}, {mode}: rows of six columns a second");
            report.number(&at, name, Unit::PerSecond, rate(&run) * columns / 6.0, goal);
        }
        report.number(&at, format!("{data}, {mode}: processor time"), Unit::Seconds, run.cpu_s, None);
        report.number(&at, format!("{data}, {mode}: peak memory"), Unit::Mebibytes, run.peak_bytes as f64, None);
    }
    Ok(())
}

/// Five million mixed rows, added and replaced, by spec.
fn added_and_replaced(
    bench: &Bench,
    report: &mut Report,
    at: &Figures,
    to: &str,
    spec: &dyn Fn(&std::path::Path) -> String,
    goal: Option<Goal>,
) -> Result<()> {
    for (mode, syncs, name, goal) in [
        ("append", 1, "added", goal),
        ("overwrite-delete-stale", 1, "with a key", goal),
        ("overwrite-delete-stale", 2, "replaced", None),
    ] {
        let mut runs = Vec::new();
        for run in 0..bench.runs() {
            let folder = bench.folder()?;
            let (rows, table) = (bench.rows(ROWS), format!("bench_{syncs}_{}_{run}", mode.len()));
            let case = Case { to, spec: spec(&folder), data: "mixed", rows, mode, syncs, table: &table, parts: 1 };
            runs.push(bench.measure(&case)?);
            clear(&folder);
        }
        let run = median(runs)?;
        report.number(at, format!("mixed, {name}: rows a second"), Unit::PerSecond, rate(&run), None);
        if goal.is_some() {
            // The goal is of ten mixed columns; a row has headwater's four besides.
            let name = format!("mixed, {name}: rows of ten columns a second");
            report.number(at, name, Unit::PerSecond, rate(&run) * 14.0 / 10.0, goal);
        }
        report.number(at, format!("mixed, {name}: processor time"), Unit::Seconds, run.cpu_s, None);
        report.number(at, format!("mixed, {name}: peak memory"), Unit::Mebibytes, run.peak_bytes as f64, None);
    }
    Ok(())
}

fn duckdb(bench: &Bench, report: &mut Report) -> Result<()> {
    let library = std::env::var(DUCKDB).context("HEADWATER_TEST_DUCKDB names no libduckdb")?;
    let spec = |folder: &std::path::Path| {
        serde_json::json!({ "connection_string": folder.join("bench.duckdb"), "library": library }).to_string()
    };
    added_and_replaced(bench, report, &Figures("duckdb"), "duckdb", &spec, Some(Goal::AtLeast(1e6)))
}

fn clickhouse(bench: &Bench, report: &mut Report) -> Result<()> {
    let server = LocalClickhouse::start()?;
    let spec = |_: &std::path::Path| serde_json::json!({ "connection_string": server.url() }).to_string();
    added_and_replaced(bench, report, &Figures("clickhouse"), "clickhouse", &spec, None)
}

fn s3(bench: &Bench, report: &mut Report) -> Result<()> {
    let at = Figures("s3");
    let python = std::env::var(PYTHON).context("HEADWATER_TEST_PYTHON names no Python with moto")?;
    let server = LocalAws::start(std::path::Path::new(&python), Settings::default())?;
    server.call("s3", "us-east-1", "create_bucket", &serde_json::json!({ "Bucket": "bench" }))?;
    let spec = serde_json::json!({
        "bucket": "bench",
        "region": "us-east-1",
        "path": "{{TABLE}}/{{UNIT}}.{{FORMAT}}",
        "endpoint": server.endpoint(),
        "access_key_id": "testing",
        "secret_access_key": "testing",
    });
    for (parts, rows) in [(1, ROWS / 10), (200, ROWS)] {
        let (spec, rows) = (spec.to_string(), bench.rows(rows));
        let mode = "overwrite-delete-stale";
        let run =
            bench.measure(&Case { to: "s3", spec, data: "mixed", rows, mode, syncs: 1, table: "bench", parts })?;
        report.number(&at, format!("{parts} at once: rows a second"), Unit::PerSecond, rate(&run), None);
        report.number(&at, format!("{parts} at once: processor time"), Unit::Seconds, run.cpu_s, None);
        let most = Some(Goal::AtMost(300e6));
        report.number(&at, format!("{parts} at once: peak memory"), Unit::Mebibytes, run.peak_bytes as f64, most);
    }
    Ok(())
}
