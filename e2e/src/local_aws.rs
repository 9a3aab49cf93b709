//! Moto's server as a child process that ends with whoever started it.
//!
//! `aws/serve.py` binds a free port by itself and prints it, and ends when its standard input does. So there is no
//! port to guess, and nothing is left behind when this process panics, is interrupted or is killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::environment::isolate;
use crate::output::{last_lines, tail};

/// How long the server may take to say where it is. It takes two seconds, and more on a machine that is busy building.
const START: Duration = Duration::from_secs(120);

/// How long it may take to obey an order.
const ANSWER: Duration = Duration::from_secs(30);

/// The folder of the Python programs: in the workspace of the package that cargo runs, else where it was when this was
/// compiled. Copies of the project that share a target folder share what is compiled too.
fn programs() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let mut candidates = package.ancestors().map(|folder| folder.join("e2e/aws"));
    let here = candidates.find(|folder| folder.join("serve.py").exists());
    here.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/aws").into())
}

/// How a local AWS is set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Whether AWS's own policies are there, about 1,500 of them, as in a real account.
    pub managed_policies: bool,
}

/// A running local AWS. It ends when this is dropped.
pub struct LocalAws {
    python: PathBuf,
    settings: Settings,
    endpoint: String,
    log: PathBuf,
    child: Mutex<Option<Running>>,
    /// Holds the log, and goes last.
    _folder: TempDir,
}

struct Running {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl LocalAws {
    /// Starts a server with the given Python interpreter, which must have moto, and waits until it listens.
    pub fn start(python: &Path, settings: Settings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("headwater-aws-").tempdir().context("no temporary folder")?;
        let log = folder.path().join("moto.log");
        let mut command = Command::new(python);
        isolate(&mut command)
            .arg(programs().join("serve.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // Moto would own over a thousand images and snapshots, which no account does.
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", settings.managed_policies.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?);
        let mut child = command.spawn().with_context(|| format!("cannot run {}", python.display()))?;
        let (Some(orders), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the server has no standard streams");
        };
        let (sender, answers) = mpsc::channel();
        // The thread ends with the server's output.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let running = Running { child, orders, answers };
        let port = running.answers.recv_timeout(START);
        let mut server = Self {
            python: python.to_owned(),
            settings,
            endpoint: String::new(),
            log,
            child: Mutex::new(Some(running)),
            _folder: folder,
        };
        let port: u16 = match port.ok().and_then(|line| line.parse().ok()) {
            Some(port) => port,
            None => bail!("moto's server did not start:\n{}", server.log_tail()),
        };
        server.endpoint = format!("http://127.0.0.1:{port}");
        Ok(server)
    }

    /// The server's address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The last lines of the server's log.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// Gives the server an order of those in `aws/serve.py`, and answers with what it says.
    pub fn order(&self, order: &str) -> Result<String> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let running = child.as_mut().context("the server was stopped")?;
        writeln!(running.orders, "{order}").context("the server does not listen any more")?;
        let answer = running.answers.recv_timeout(ANSWER);
        let answer = answer.map_err(|error| anyhow!("no answer to `{order}`: {error}\n{}", self.log_tail()))?;
        if answer.starts_with("unknown") {
            bail!("{answer}");
        }
        Ok(answer)
    }

    /// How many calls the server has answered.
    pub fn calls(&self) -> Result<u64> {
        self.order("calls")?.parse().context("the number of calls is no number")
    }

    /// Ends the server at once, as a machine that loses its power does.
    pub fn stop(&self) {
        let running = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut running) = running {
            // It may have ended by itself already.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// Puts the estate of `aws/estate` into the server, and answers with its report.
    pub fn build_estate(&self, try_lacking: bool) -> Result<Value> {
        let mut arguments = vec!["--endpoint", self.endpoint()];
        if self.settings.managed_policies {
            arguments.push("--managed-policies");
        }
        if try_lacking {
            arguments.push("--lacking");
        }
        let report = self.python("estate", &arguments)?;
        serde_json::from_str(&report).with_context(|| format!("the estate's report is no JSON: {report}"))
    }

    /// Makes one call through boto3: its service, region, method and arguments.
    pub fn call(&self, service: &str, region: &str, method: &str, arguments: &Value) -> Result<Value> {
        let arguments = arguments.to_string();
        let answer = self.python("call.py", &[self.endpoint(), region, service, method, &arguments])?;
        serde_json::from_str(&answer).with_context(|| format!("{service} {method} answered no JSON: {answer}"))
    }

    /// Runs one of the programs beside `serve.py`, and answers with its output.
    pub fn python(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.python);
        let output = isolate(&mut command)
            .arg(programs().join(program))
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .with_context(|| format!("cannot run {}", self.python.display()))?;
        if !output.status.success() {
            let errors = last_lines(&String::from_utf8_lossy(&output.stderr));
            bail!("{program} failed ({}):\n{errors}\nmoto's log ends with:\n{}", output.status, self.log_tail());
        }
        String::from_utf8(output.stdout).with_context(|| format!("{program} wrote something that is no text"))
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("moto's log ends with:\n{}", self.log_tail());
        }
    }
}
