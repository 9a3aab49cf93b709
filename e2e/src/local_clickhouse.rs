//! A ClickHouse of one's own: its engine behind its HTTP interface, on a free port of the loopback, in a temporary folder,
//! gone with its value.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;

use crate::PYTHON;
use crate::output::tail;

/// How long the server may take to say where it is. It takes half a second, and more on a machine that is busy building.
const START: Duration = Duration::from_secs(120);

/// How long it may take to obey an order.
const ANSWER: Duration = Duration::from_secs(30);

/// The password of the server's users, `headwater` and `reader`, who may change nothing.
pub const PASSWORD: &str = "a pass/word";

/// The server; it ends when this is dropped.
pub struct LocalClickhouse {
    folder: TempDir,
    port: u16,
    encrypted: bool,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

/// The server's program: in the workspace of the package that cargo runs, else where it was when this was compiled.
fn program() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let mut candidates = package.ancestors().map(|folder| folder.join("e2e/servers/clickhouse.py"));
    let here = candidates.find(|file| file.exists());
    here.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/servers/clickhouse.py").into())
}

impl LocalClickhouse {
    /// Starts a server without tables, with the Python interpreter that [`PYTHON`] names, which must have chdb.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// The same with a certificate and its key, in PEM; connections are encrypted then.
    pub fn start_encrypted(certificate: &str, key: &str) -> Result<Self> {
        Self::start_with(Some((certificate, key)))
    }

    fn start_with(encryption: Option<(&str, &str)>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("headwater-ch-").tempdir().context("no temporary folder")?;
        let mut server = Self { folder, port: 0, encrypted: encryption.is_some(), running: Mutex::default() };
        if let Some((certificate, key)) = encryption {
            fs::write(server.folder.path().join("certificate.pem"), certificate)?;
            fs::write(server.folder.path().join("key.pem"), key)?;
        }
        server.run()?;
        Ok(server)
    }

    /// Starts the server where it does not run, on the port that it had.
    pub fn run(&mut self) -> Result<()> {
        let python = std::env::var_os(PYTHON)
            .with_context(|| format!("{PYTHON} does not name a Python with chdb; `cargo xtask test` prepares one"))?;
        let began = Instant::now();
        loop {
            let failed = match self.spawn(&python.clone().into()) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // Whatever held the port, or the folder, of one that was killed lets go of it in a moment.
            if self.port == 0 || began.elapsed() > START / 4 {
                return Err(failed);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn spawn(&mut self, python: &PathBuf) -> Result<()> {
        let log = self.folder.path().join("log");
        let mut command = Command::new(python);
        command.arg(program()).arg(self.folder.path().join("data")).arg(self.port.to_string());
        if self.encrypted {
            command.args(["certificate.pem", "key.pem"].map(|name| self.folder.path().join(name)));
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?);
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
        let mut running = Running { child, orders, answers };
        let port = running.answers.recv_timeout(START).ok().and_then(|line| line.parse().ok());
        let Some(port) = port else {
            let _ = running.child.kill();
            let _ = running.child.wait();
            bail!("the ClickHouse of {} did not start:\n{}", python.display(), tail(&log));
        };
        self.port = port;
        *self.held() = Some(running);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the server an order of those in `servers/clickhouse.py`.
    pub fn order(&self, order: &str) -> Result<()> {
        let mut held = self.held();
        let running = held.as_mut().context("the server was stopped")?;
        writeln!(running.orders, "{order}").context("the server does not listen any more")?;
        let answer =
            running.answers.recv_timeout(ANSWER).map_err(|error| anyhow!("no answer to `{order}`: {error}"))?;
        if answer != "ok" {
            bail!("{answer}");
        }
        Ok(())
    }

    /// Ends the server as `kill -9` does.
    pub fn kill(&self) {
        let running = self.held().take();
        if let Some(mut running) = running {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// The process of the server.
    pub fn process(&self) -> Option<u32> {
        self.held().as_ref().map(|running| running.child.id())
    }

    /// The port of the HTTP interface.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How to connect, with the password.
    pub fn url(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://headwater:a%20pass%2Fword@127.0.0.1:{}/inventory", self.port)
    }
}

impl Drop for LocalClickhouse {
    fn drop(&mut self) {
        self.kill();
    }
}
