//! What is measured once: an estate, what is read of it, and the processes that read it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use headwater_bench_server::{Config, Estate, Latency, Stats};
use headwater_e2e::isolate;

use crate::bare::{Read, What};
use crate::discard::Spec as Discard;
use crate::keys::{self, Sums};
use crate::server::Server;
use headwater_bench::machine;
use headwater_bench::usage::{self, Usage};

/// The one region of all estates.
pub const REGION: &str = "us-east-1";

/// Lines of a log that are shown where something failed.
const TAIL: usize = 15;

/// The share of the processors that other programs may have without a word.
const OTHERS: f64 = 0.1;

/// The programs, and where they may write.
pub struct Programs {
    /// This very binary.
    pub engine: PathBuf,
    /// The server's.
    pub server: PathBuf,
    /// A folder that goes when all is done.
    pub folder: PathBuf,
}

/// What is measured once.
#[derive(Clone)]
pub struct Case {
    /// The estate, and how the server behaves.
    pub server: Config,
    /// The tables that are read.
    pub tables: Vec<&'static str>,
    /// Whether the accounts are those of the organization, or the one of the credentials.
    pub org: bool,
    /// What follows `headwater sync FILE`.
    pub arguments: Vec<&'static str>,
    /// How slow the destination is.
    pub discard: Discard,
}

/// What came of it.
pub struct Run {
    /// Seconds from the start of the process to its end.
    pub seconds: f64,
    /// What the process used.
    pub usage: Usage,
    /// What the server has counted.
    pub stats: Stats,
    /// Rows that were read.
    pub rows: u64,
    /// What is not as it should be: rows, keys, the exit code.
    pub wrong: Vec<String>,
}

impl Run {
    /// Calls per second.
    pub fn rate(&self) -> f64 {
        self.stats.calls as f64 / self.seconds
    }
}

impl Case {
    /// All accounts of an organization, or the only account there is.
    pub fn new(server: Config, tables: &[&'static str]) -> Self {
        let server = server.with_regions([REGION]);
        Self {
            org: server.accounts > 1,
            server,
            tables: tables.to_vec(),
            arguments: Vec::new(),
            discard: Discard::default(),
        }
    }

    /// The same with more on the command line.
    pub fn with_arguments(mut self, arguments: &[&'static str]) -> Self {
        self.arguments = arguments.to_vec();
        self
    }

    /// The configuration for headwater.
    fn yaml(&self, url: &str, sums: &Path) -> Result<String> {
        let org = if self.org { "    org: {member_role_name: headwater}\n" } else { "" };
        let discard = Discard { sums: Some(sums.to_owned()), ..self.discard.clone() };
        Ok(format!(
            "kind: source\n\
             spec:\n\
             \x20 name: aws\n\
             \x20 path: aws\n\
             \x20 tables: {tables}\n\
             \x20 destinations: [discard]\n\
             \x20 spec:\n\
             {org}\
             \x20   regions: [{REGION}]\n\
             \x20   custom_endpoint_url: {url}\n\
             ---\n\
             kind: destination\n\
             spec:\n\
             \x20 name: discard\n\
             \x20 path: discard\n\
             \x20 spec: {discard}\n",
            tables = serde_json::to_string(&self.tables)?,
            discard = serde_json::to_string(&discard)?,
        ))
    }

    /// Runs headwater, and compares what it has read with the estate.
    pub fn engine(&self, programs: &Programs) -> Result<Run> {
        let measured = measure(programs, &self.server, |command, url, folder| {
            let (yaml, sums) = (folder.join("aws.yaml"), folder.join("sums.json"));
            fs::write(&yaml, self.yaml(url, &sums)?).with_context(|| format!("cannot write {}", yaml.display()))?;
            command.args(["run", "--usage"]).arg(folder.join("usage.json")).args(["--", "sync"]).arg(&yaml);
            command.args(&self.arguments);
            Ok(())
        })?;
        let Measured { seconds, status, stats, folder, busy_s } = measured;
        // A process that was killed has written nothing.
        let usage: Usage = usage::read(&folder.join("usage.json")).with_context(|| ended(status, &folder))?;
        warn_of_others(busy_s, &usage, &stats, seconds);
        let sums: Sums = usage::read(&folder.join("sums.json")).with_context(|| ended(status, &folder))?;
        let mut wrong = keys::wrong(&Estate::new(&self.server), &self.tables, &sums);
        if !status.success() {
            wrong.push(status.to_string());
        }
        if !wrong.is_empty() {
            eprintln!("{}", ended(status, &folder));
        }
        Ok(Run { seconds, usage, stats, rows: sums.values().map(|sum| sum.rows).sum(), wrong })
    }

    /// Reads the same with the bare clients, so many accounts at once; 0 is all of them.
    pub fn bare(&self, programs: &Programs, what: What, at_once: usize) -> Result<Run> {
        let measured = measure(programs, &self.server, |command, url, folder| {
            command.arg("bare").args([what.name(), url, "--at-once", &at_once.to_string(), "--result"]);
            command.arg(folder.join("result.json"));
            Ok(())
        })?;
        let Measured { seconds, status, stats, folder, busy_s } = measured;
        ensure!(status.success(), "the bare loop failed: {}", ended(status, &folder));
        let Read { usage, rows, failed, error } = usage::read(&folder.join("result.json"))?;
        warn_of_others(busy_s, &usage, &stats, seconds);
        let mut wrong = Vec::new();
        wrong.extend(error.map(|error| format!("{failed} lists failed: {error}")));
        let expected = keys::expected(&Estate::new(&self.server), &self.tables);
        if rows != expected {
            wrong.push(format!("{rows} of {expected} rows"));
        }
        Ok(Run { seconds, usage, stats, rows, wrong })
    }
}

/// A process that has ended.
struct Measured {
    seconds: f64,
    status: ExitStatus,
    stats: Stats,
    folder: PathBuf,
    /// Processor seconds of all that ran on the machine meanwhile.
    busy_s: f64,
}

/// Runs this binary against a server of its own. `tell` says what it is told.
fn measure(
    programs: &Programs,
    config: &Config,
    tell: impl FnOnce(&mut Command, &str, &Path) -> Result<()>,
) -> Result<Measured> {
    if let Some(problem) = config.problem() {
        bail!("the server's configuration cannot work: {problem}");
    }
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&programs.folder)?.keep();
    let server = Server::start(&programs.server, config, &folder)?;
    let mut command = Command::new(&programs.engine);
    tell(isolate(&mut command), &server.url, &folder)?;
    let log = |name: &str| File::create(folder.join(name)).context("cannot write a log");
    command.stdin(Stdio::null()).stdout(log("stdout.log")?).stderr(log("stderr.log")?);
    // What a sync notes of itself is noted here too, because it is by default.
    command.env("XDG_STATE_HOME", &folder).env_remove("RUST_LOG");
    let before = machine::busy_s();
    let began = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {}", programs.engine.display()))?;
    let seconds = began.elapsed().as_secs_f64();
    let busy_s = machine::busy_s().zip(before).map_or(0.0, |(after, before)| after - before);
    Ok(Measured { seconds, status, stats: server.stats()?, folder, busy_s })
}

/// Warns where other programs have had a good part of the processors: what is compared was not alike then.
fn warn_of_others(busy_s: f64, usage: &Usage, stats: &Stats, seconds: f64) {
    let others = (busy_s - usage.cpu_s - stats.cpu_s) / (seconds * machine::processors() as f64);
    if others > OTHERS {
        eprintln!("warning: other programs had {:.0} % of the processors meanwhile", others * 100.0);
    }
}

/// How a process ended, and the last that it said.
fn ended(status: ExitStatus, folder: &Path) -> String {
    let mut text = format!("the process ended with {status}; it said:\n");
    for name in ["stderr.log", "stdout.log"] {
        let log = fs::read_to_string(folder.join(name)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL)..] {
            text.push_str("  | ");
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// So many milliseconds for each call.
pub fn latency(ms: f64) -> Latency {
    Latency::Constant { ms }
}
