//! The same rows through headwater's destinations and through other programs, one after another in one run. What cannot be
//! installed from a package registry, or needs a download when it runs, is told.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use headwater_bench::{Figures, Goal, Report, Unit, usage};
use headwater_e2e::{DUCKDB, LocalPostgresql};

use crate::bench::{Bench, median};
use crate::write::Written;

/// The variable that names a Python with the packages of `others/requirements.txt`.
const OTHERS: &str = "HEADWATER_BENCH_OTHERS";

const ROWS: u64 = 1_000_000;

const PROGRAMS: [&str; 3] = ["headwater", "dlt", "sling"];

struct Others<'a> {
    bench: &'a Bench,
    python: PathBuf,
    scripts: PathBuf,
    folder: PathBuf,
    database: LocalPostgresql,
    rows: u64,
}

/// Measures them all.
pub fn others(bench: &Bench, report: &mut Report) -> Result<()> {
    let at = Figures("others");
    let Some(python) = std::env::var_os(OTHERS).map(PathBuf::from) else {
        report.text(&at, "dlt, Sling", "not installed here");
        return Ok(());
    };
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("others");
    let folder = bench.folder()?;
    let rows = bench.rows(ROWS);
    let made = Command::new(&python).arg(scripts.join("rows.py")).arg(rows.to_string()).arg(&folder).status()?;
    ensure!(made.success(), "the rows could not be made");
    let database = LocalPostgresql::start()?;
    // Sling takes the letters of a URL's password as they stand there.
    database.query("CREATE ROLE plain LOGIN SUPERUSER PASSWORD 'plain'")?;
    let others = Others { bench, python, scripts, folder, database, rows };
    for target in ["postgresql", "duckdb", "file", "sqlite"] {
        let mut measured = Vec::new();
        for program in PROGRAMS {
            let mut runs = Vec::new();
            for _ in 0..bench.runs() {
                match others.run(program, target)? {
                    Some(run) => {
                        runs.push(run);
                        // What takes so long is told well enough by one run.
                        if run.seconds > 20.0 {
                            break;
                        }
                    }
                    None => break,
                }
            }
            if runs.is_empty() {
                report.text(&at, format!("{target}, {program}"), "cannot do it here");
                continue;
            }
            let run = median(runs)?;
            report.number(&at, format!("{target}, {program}: time"), Unit::Seconds, run.seconds, None);
            report.number(&at, format!("{target}, {program}: processor time"), Unit::Seconds, run.cpu_s, None);
            report.number(
                &at,
                format!("{target}, {program}: peak memory"),
                Unit::Mebibytes,
                run.peak_bytes as f64,
                None,
            );
            measured.push(run);
        }
        if let [ours, best @ ..] = &measured[..]
            && let Some(best) = best.iter().min_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s))
        {
            let name = format!("{target}: processor time of the best other");
            report.number(&at, name, Unit::Ratio, best.cpu_s / ours.cpu_s, Some(Goal::AtLeast(2.0)));
        }
    }
    Ok(())
}

impl Others<'_> {
    /// The command of a program; none where it cannot write there without a download.
    fn command(&self, program: &str, target: &str, place: &Path) -> Result<Option<Vec<String>>> {
        let shown = |path: PathBuf| path.display().to_string();
        let (parquet, csv) = (shown(self.folder.join("rows.parquet")), shown(self.folder.join("rows.csv")));
        let database = self.database.url();
        let of = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        Ok(match program {
            "headwater" => {
                let spec = match target {
                    "postgresql" => serde_json::json!({ "connection_string": database }),
                    "duckdb" => serde_json::json!({
                        "connection_string": place.join("bench.duckdb"),
                        "library": std::env::var(DUCKDB).context("there is no libduckdb")?,
                    }),
                    "file" => serde_json::json!({ "path": place, "format": "parquet" }),
                    _ => serde_json::json!({ "connection_string": place.join("bench.db") }),
                };
                let (own, result) = (shown(self.bench.program()), shown(place.join("own.json")));
                let table = ["--table", "rows_headwater", "--rows", &self.rows.to_string(), "--input", &parquet];
                let mut command =
                    of(&[&own, "write", "--to", target, "--spec", &spec.to_string(), "--result", &result]);
                command.iter_mut().for_each(|words| words.extend(table.map(str::to_owned)));
                command
            }
            "dlt" if target != "sqlite" => {
                let place = match target {
                    "postgresql" => database,
                    // Not `bench`, which would be the name of both the catalog and the schema.
                    "duckdb" => shown(place.join("rows.duckdb")),
                    _ => format!("file://{}", place.display()),
                };
                let (python, script) = (shown(self.python.clone()), shown(self.scripts.join("dlt_load.py")));
                of(&[&python, &script, &parquet, target, &place, &shown(self.folder.join("dlt"))])
            }
            // It reads Parquet, and writes Parquet and DuckDB, by a program that it downloads.
            "sling" if matches!(target, "postgresql" | "sqlite") => {
                let Some(sling) = self.sling() else { return Ok(None) };
                let (connection, table) = match target {
                    "postgresql" => {
                        let place = database.rsplit('@').next().unwrap_or_default();
                        (format!("postgresql://plain:plain@{place}?sslmode=disable"), "public.rows_sling")
                    }
                    _ => (format!("sqlite://{}", place.join("sling.db").display()), "main.rows_sling"),
                };
                let source = format!("file://{csv}");
                let words = ["run", "--src-stream", &source, "--tgt-conn", &connection, "--tgt-object", table];
                let mut command = of(&[&shown(sling)]);
                command.iter_mut().for_each(|all| all.extend(words.map(str::to_owned)));
                command.iter_mut().for_each(|all| all.extend(["--mode", "full-refresh"].map(str::to_owned)));
                command
            }
            _ => None,
        })
    }

    fn sling(&self) -> Option<PathBuf> {
        let library = self.python.parent()?.parent()?.join("lib");
        let versions = std::fs::read_dir(library).ok()?;
        let of = |version: PathBuf| version.join("site-packages/sling_linux_amd64/bin/sling-linux-amd64");
        versions.flatten().map(|version| of(version.path())).find(|sling| sling.is_file())
    }

    fn run(&self, program: &str, target: &str) -> Result<Option<Written>> {
        let place = self.bench.folder()?;
        for table in ["rows_headwater", "bench.rows_dlt", "rows_sling"] {
            self.database.query(&format!("DROP TABLE IF EXISTS {table}"))?;
        }
        // What dlt has noted of an earlier run would have it change a table that is not there.
        self.database.query("DROP SCHEMA IF EXISTS bench CASCADE")?;
        let _ = std::fs::remove_dir_all(self.folder.join("dlt"));
        let Some(command) = self.command(program, target, &place)? else { return Ok(None) };
        let result = place.join("measured.json");
        let mut measured = Command::new(&self.python);
        measured.arg(usage::MEASURED).arg(&result).args(&command).stdin(Stdio::null());
        measured.env("RUNTIME__DLTHUB_TELEMETRY", "false").env("SLING_HOME_DIR", self.folder.join("sling"));
        let output = measured.current_dir(&place).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(" ");
        ensure!(output.status.success(), "{program} to {target}: {last}");
        let written: Written = usage::read(&result)?;
        if target == "postgresql" {
            let table = match program {
                "headwater" => "rows_headwater",
                "dlt" => "bench.rows_dlt",
                _ => "rows_sling",
            };
            let count = self.database.query(&format!("SELECT count(*) FROM {table}"))?;
            ensure!(count.trim() == self.rows.to_string(), "{program} to {target}: {} rows", count.trim());
        }
        crate::bench::clear(&place);
        Ok(Some(Written { rows: self.rows, ..written }))
    }
}
