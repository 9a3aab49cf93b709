//! The scenarios, in the order in which they run.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_bench::{Figures, Goal, Report, Unit};
use headwater_e2e::{LocalClickhouse, LocalPostgresql};
use serde_json::{Value, json};

use crate::bench::{Bench, Run, Sync, tell};
use crate::others::{TO_ARROW, TO_PARQUET, read};
use crate::{lineitem, registry};

/// A scenario.
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// Measures it.
    pub run: fn(&mut Tables<'_>, &mut Report) -> Result<()>,
}

/// All scenarios.
pub static ALL: [Scenario; 6] = [
    Scenario {
        name: "arrow",
        what: "lineitem of PostgreSQL over one connection to Arrow, dropped, beside psql to /dev/null and others",
        run: arrow,
    },
    Scenario { name: "parquet", what: "the same to Parquet with zstd, beside others", run: parquet },
    Scenario { name: "divided", what: "the same over one, two and four connections, divided by ctid", run: divided },
    Scenario { name: "load", what: "lineitem from Parquet into PostgreSQL, beside psql's \\copy", run: load },
    Scenario { name: "clickhouse", what: "narrow rows and lineitem of ClickHouse, beside curl", run: clickhouse },
    Scenario { name: "growth", what: "lineitem and one five times as large", run: growth },
];

/// Narrow rows that ClickHouse has, at TPC-H's scale factor of 1.
const NARROW: f64 = 20e6;

/// What all scenarios read.
pub struct Tables<'a> {
    bench: &'a Bench,
    server: LocalPostgresql,
    url: String,
    /// The rows of `lineitem`.
    rows: u64,
    /// psql to /dev/null, once it is measured.
    limit: Option<Run>,
}

impl<'a> Tables<'a> {
    /// A server with `lineitem`.
    pub fn new(bench: &'a Bench) -> Result<Self> {
        let server = LocalPostgresql::start()?;
        // Not every program takes a password that is encoded in a URL as it is meant.
        server.query("CREATE ROLE plain LOGIN SUPERUSER PASSWORD 'plain'")?;
        let place = server.url().rsplit('@').next().unwrap_or_default().to_owned();
        let rows = lineitem::load(&server, "lineitem", bench.scale)?;
        Ok(Self { bench, server, url: format!("postgresql://plain:plain@{place}"), rows, limit: None })
    }

    fn spec(&self, connections: u32) -> (&'static str, Value) {
        ("postgresql", json!({ "connection_string": self.url, "connections": connections }))
    }

    /// The server's own limit.
    fn psql(&self, table: &str) -> Result<Run> {
        let mut psql = self.server.psql("postgres");
        psql.args(["--command", &format!("\\copy (SELECT * FROM {table}) TO '/dev/null' (FORMAT binary)")]);
        self.bench.measure(&psql, self.server.process())
    }

    fn to_arrow(&self, table: &str, rows: u64) -> Result<Run> {
        self.bench.discard(self.spec(1), table, rows, self.server.process())
    }

    /// To Parquet, which is removed.
    fn to_parquet(&self, source: (&str, Value), table: &str) -> Result<Run> {
        let folder = self.bench.folder()?;
        let destination = ("file", json!({ "path": folder, "format": "parquet" }));
        let run = self.bench.sync(&Sync { source, destination, table }, self.server.process())?;
        fs::remove_dir_all(&folder)?;
        Ok(run)
    }

    /// The other programs; none of what failed, which is told.
    fn others(&self, report: &mut Report, at: &Figures, programs: &[&'static str], parquet: bool) -> Vec<Run> {
        let mut runs = Vec::new();
        for program in programs {
            let process = self.server.process();
            match self.bench.median(|| read(self.bench, program, &self.url, parquet, self.rows, process)) {
                Ok(run) => {
                    tell(report, at, program, self.rows, &run);
                    runs.push(run);
                }
                Err(error) => {
                    eprintln!("{program}: {error:#}");
                    report.text(at, *program, "cannot do it here");
                }
            }
        }
        runs
    }
}

fn arrow(tables: &mut Tables<'_>, report: &mut Report) -> Result<()> {
    let at = Figures("arrow");
    let rows = tables.rows;
    let (ours, psql) = tables.bench.both(|| tables.to_arrow("lineitem", rows), || tables.psql("lineitem"))?;
    tables.limit = Some(psql);
    tell(report, &at, "headwater", rows, &ours);
    tell(report, &at, "psql to /dev/null", rows, &psql);
    let by = ours.own.seconds / psql.own.seconds;
    report.number(&at, "headwater: time by psql", Unit::Ratio, by, Some(Goal::AtMost(1.15)));
    let rate = rows as f64 / ours.own.seconds;
    report.number(&at, "headwater: speed", Unit::PerSecond, rate, Some(Goal::AtLeast(600e3)));
    tables.others(report, &at, &TO_ARROW, false);
    Ok(())
}

fn parquet(tables: &mut Tables<'_>, report: &mut Report) -> Result<()> {
    let at = Figures("parquet");
    let ours = tables.bench.median(|| tables.to_parquet(tables.spec(1), "lineitem"))?;
    tell(report, &at, "headwater", tables.rows, &ours);
    report.number(&at, "headwater: peak memory", Unit::Mebibytes, ours.own.peak_bytes as f64, Some(Goal::Below(150e6)));
    let others = tables.others(report, &at, &TO_PARQUET, true);
    let best = others.iter().map(|run| run.own.cpu_s).min_by(f64::total_cmp).context("no other was measured")?;
    report.number(&at, "processor time by the best other", Unit::Ratio, ours.own.cpu_s / best, Some(Goal::AtMost(0.5)));
    Ok(())
}

fn divided(tables: &mut Tables<'_>, report: &mut Report) -> Result<()> {
    let at = Figures("divided");
    for connections in [1, 2, 4] {
        let (path, mut spec) = tables.spec(connections);
        spec["tables"] = json!({ "lineitem": { "divide": { "by": "ctid", "parts": 16 } } });
        let process = tables.server.process();
        let source = || (path, spec.clone());
        let arrow = tables.bench.median(|| tables.bench.discard(source(), "lineitem", tables.rows, process))?;
        tell(report, &at, &format!("{connections} at once, arrow"), tables.rows, &arrow);
        let parquet = tables.bench.median(|| tables.to_parquet(source(), "lineitem"))?;
        tell(report, &at, &format!("{connections} at once, parquet"), tables.rows, &parquet);
    }
    Ok(())
}

fn load(tables: &mut Tables<'_>, report: &mut Report) -> Result<()> {
    let at = Figures("load");
    if registry().source("file").is_none() {
        report.text(&at, "headwater", "no source `file` is built in");
        return Ok(());
    }
    let bench = tables.bench;
    let (server, process) = (&tables.server, tables.server.process());
    let folder = bench.folder()?;
    let destination = ("file", json!({ "path": folder, "format": "parquet" }));
    bench.sync(&Sync { source: tables.spec(1), destination, table: "lineitem" }, process)?;
    // `lineitem` itself is read again later.
    fs::rename(folder.join("lineitem"), folder.join("lineitem_loaded"))?;
    let copy = folder.join("rows.copy");
    let to = |table: &str| format!("\\copy {table} FROM '{}' (FORMAT binary)", copy.display());
    let ours = || -> Result<Run> {
        server.query("DROP TABLE IF EXISTS lineitem_loaded; CHECKPOINT")?;
        let source = ("file", json!({ "path": folder, "concurrency": 1 }));
        let destination = ("postgresql", json!({ "connection_string": tables.url }));
        let run = bench.sync(&Sync { source, destination, table: "lineitem_loaded" }, process)?;
        let loaded = server.query("SELECT count(*) FROM lineitem_loaded")?;
        ensure!(loaded.trim() == tables.rows.to_string(), "{} of {} rows", loaded.trim(), tables.rows);
        if !copy.exists() {
            server.query(&format!("\\copy lineitem_loaded TO '{}' (FORMAT binary)", copy.display()))?;
            server.query("CREATE TABLE lineitem_copied (LIKE lineitem_loaded INCLUDING ALL)")?;
        }
        Ok(run)
    };
    let psql = || -> Result<Run> {
        server.query("TRUNCATE lineitem_copied; CHECKPOINT")?;
        let mut psql = server.psql("postgres");
        psql.args(["--command", &to("lineitem_copied")]);
        bench.measure(&psql, process)
    };
    let (ours, psql) = bench.both(ours, psql)?;
    tell(report, &at, "headwater", tables.rows, &ours);
    tell(report, &at, "psql of the same rows", tables.rows, &psql);
    let by = ours.own.seconds / psql.own.seconds;
    report.number(&at, "headwater: time by psql", Unit::Ratio, by, Some(Goal::AtMost(1.15)));
    server.query("DROP TABLE lineitem_loaded, lineitem_copied")?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn clickhouse(tables: &mut Tables<'_>, report: &mut Report) -> Result<()> {
    let at = Figures("clickhouse");
    let server = LocalClickhouse::start()?;
    let process = server.process();
    let (base, _) =
        server.url().rsplit_once('/').map(|(base, name)| (base.to_owned(), name.to_owned())).unwrap_or_default();
    let curl = |words: &[&str], sql: &str| {
        let mut command = Command::new("curl");
        let place =
            format!("{base}/?database=inventory&output_format_arrow_compression_method=none&max_block_size=65536");
        command.args(["--silent", "--show-error", "--fail-with-body", "--data-binary", sql]).args(words).arg(place);
        command
    };
    let execute = |sql: &str| -> Result<()> {
        let output = curl(&[], sql).output().context("curl cannot be run")?;
        ensure!(output.status.success(), "ClickHouse: {}", String::from_utf8_lossy(&output.stdout));
        Ok(())
    };
    let narrow = (NARROW * tables.bench.scale) as u64;
    execute(
        "CREATE TABLE narrow (id Int64, a Int64, b Float64, c Int32, d Bool, e String) ENGINE = MergeTree ORDER BY id",
    )?;
    execute(&format!(
        "INSERT INTO narrow SELECT number, number % 1000000, number / 7, number % 5000, number % 2 = 0, \
         hex(number * 2654435761 % 4294967296) FROM numbers({narrow})"
    ))?;
    let folder = tables.bench.folder()?;
    let destination = ("file", json!({ "path": folder, "format": "parquet" }));
    let process_of_postgresql = tables.server.process();
    tables.bench.sync(&Sync { source: tables.spec(1), destination, table: "lineitem" }, process_of_postgresql)?;
    let files = folder.join("lineitem/*.parquet");
    execute(&format!(
        "CREATE TABLE lineitem ENGINE = MergeTree ORDER BY (l_orderkey, l_linenumber) AS \
         SELECT COLUMNS('^l_') FROM file('{}', Parquet) SETTINGS schema_inference_make_columns_nullable = 0",
        files.display()
    ))?;
    fs::remove_dir_all(&folder)?;
    let source = || ("clickhouse", json!({ "connection_string": server.url(), "concurrency": 1 }));
    for (table, rows) in [("narrow", narrow), ("lineitem", tables.rows)] {
        let sql = format!("SELECT * FROM {table} FORMAT ArrowStream");
        let limit = || tables.bench.measure(&curl(&["--output", "/dev/null"], &sql), process);
        let (ours, limit) = tables.bench.both(|| tables.bench.discard(source(), table, rows, process), limit)?;
        tell(report, &at, &format!("{table}, curl to /dev/null"), rows, &limit);
        tell(report, &at, &format!("{table}, arrow"), rows, &ours);
        let by = ours.own.seconds / limit.own.seconds;
        report.number(&at, format!("{table}, arrow: time by curl"), Unit::Ratio, by, None);
        let parquet = tables.bench.median(|| {
            let folder = tables.bench.folder()?;
            let destination = ("file", json!({ "path": folder, "format": "parquet" }));
            let run = tables.bench.sync(&Sync { source: source(), destination, table }, process)?;
            fs::remove_dir_all(&folder)?;
            Ok(run)
        })?;
        tell(report, &at, &format!("{table}, parquet"), rows, &parquet);
        if table == "narrow" {
            // The goal is two million rows a second, or what the server can.
            let goal = (rows as f64 / limit.own.seconds / 1.15).min(2e6);
            let rate = rows as f64 / parquet.own.seconds;
            report.number(&at, "narrow, parquet: speed", Unit::PerSecond, rate, Some(Goal::AtLeast(goal)));
        }
    }
    Ok(())
}

fn growth(tables: &mut Tables<'_>, report: &mut Report) -> Result<()> {
    let at = Figures("growth");
    let bench = tables.bench;
    let large = lineitem::load(&tables.server, "lineitem_large", bench.scale * bench.growth)?;
    let sizes = [("lineitem", tables.rows), ("lineitem_large", large)];
    for (name, is_parquet) in [("arrow", false), ("parquet", true)] {
        let mut runs = Vec::new();
        for (table, rows) in sizes {
            let run = bench.median(|| match is_parquet {
                true => tables.to_parquet(tables.spec(1), table),
                false => tables.to_arrow(table, rows),
            })?;
            let millions = rows as f64 / 1e6;
            let figure = |what: &str| format!("{name}, {millions:.1} million rows: {what}");
            report.number(&at, figure("time by row"), Unit::Micros, run.own.seconds / rows as f64, None);
            report.number(&at, figure("peak memory"), Unit::Mebibytes, run.own.peak_bytes as f64, None);
            runs.push((run, rows as f64));
        }
        if let [(small, few), (large, many)] = runs[..] {
            let time = large.own.seconds / many / (small.own.seconds / few);
            let figure = |what: &str| format!("{name}, {what}, the larger by the smaller");
            report.number(&at, figure("time by row"), Unit::Ratio, time, Some(Goal::AtMost(1.1)));
            let peak = large.own.peak_bytes as f64 / small.own.peak_bytes as f64;
            report.number(&at, figure("peak memory"), Unit::Ratio, peak, Some(Goal::AtMost(1.1)));
        }
    }
    tables.server.query("DROP TABLE lineitem_large")?;
    Ok(())
}
