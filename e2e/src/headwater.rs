//! The binary under test, as a user runs it: in a folder of its own, with a configuration file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::BINARY;
use crate::environment::isolate;

/// No run of a test takes this long; one that does hangs.
const LIMIT: Duration = Duration::from_secs(900);

/// The binary with a folder to work in.
pub struct Headwater {
    binary: PathBuf,
    folder: TempDir,
    state: TempDir,
    environment: Vec<(String, String)>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// The report, where one was written.
    pub report: Option<Value>,
}

impl Run {
    /// Everything that it wrote, for an assertion's message.
    pub fn output(&self) -> String {
        format!("exit code {:?}\nstdout:\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Headwater {
    /// The binary that the environment names.
    pub fn new() -> Result<Self> {
        let binary = std::env::var_os(BINARY)
            .map(PathBuf::from)
            .with_context(|| format!("{BINARY} names no binary: run the tests with `cargo xtask test`"))?;
        Self::of(binary)
    }

    /// A binary at a given place.
    pub fn of(binary: PathBuf) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("headwater-run-").tempdir().context("no temporary folder")?;
        let state = tempfile::Builder::new().prefix("headwater-state-").tempdir().context("no temporary folder")?;
        Ok(Self { binary, folder, state, environment: Vec::new() })
    }

    /// The folder that the binary runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable of its environment.
    pub fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder().join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Syncs a configuration, and reads the report.
    pub fn sync(&self, configuration: &str) -> Result<Run> {
        self.write("sync.yml", configuration)?;
        let report = self.folder().join("report.json");
        // What an earlier run said must not be taken for this one's.
        if report.exists() {
            std::fs::remove_file(&report).context("cannot remove the earlier report")?;
        }
        let mut sync = self.run(&["sync", "sync.yml", "--report", "report.json"])?;
        if let Ok(text) = std::fs::read_to_string(&report) {
            sync.report = Some(serde_json::from_str(&text).with_context(|| format!("the report is no JSON: {text}"))?);
        }
        Ok(sync)
    }

    /// Starts the binary, for a test that is to end it. What it writes is thrown away.
    pub fn start(&self, arguments: &[&str]) -> Result<Child> {
        self.command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        isolate(&mut command)
            // The state of a run is not the user's.
            .env("XDG_STATE_HOME", self.state.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(arguments)
            .current_dir(self.folder())
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary.
    pub fn run(&self, arguments: &[&str]) -> Result<Run> {
        // The streams go to files, so that a run which writes much never waits for a reader.
        let (out, err) = (self.folder().join(".stdout"), self.folder().join(".stderr"));
        let mut child = self
            .command(arguments)
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        let began = Instant::now();
        let read = |path: &Path| -> Result<String> { Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned()) };
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if began.elapsed() > LIMIT {
                child.kill()?;
                child.wait()?;
                bail!("headwater {} hangs:\n{}{}", arguments.join(" "), read(&out)?, read(&err)?);
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let sync = Run { code: status.code(), stdout: read(&out)?, stderr: read(&err)?, report: None };
        std::fs::remove_file(&out)?;
        std::fs::remove_file(&err)?;
        Ok(sync)
    }
}
