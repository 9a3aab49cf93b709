//! The loopback AWS as a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_bench_server::{Config, Stats};
use serde::de::DeserializeOwned;

/// A server that is running; it ends when this is dropped.
pub struct Server {
    child: Child,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Server {
    /// Starts a server. `folder` is where its configuration is written.
    pub fn start(binary: &Path, config: &Config, folder: &Path) -> Result<Self> {
        let file = folder.join("server.json");
        fs::write(&file, serde_json::to_vec_pretty(config)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(binary);
        command.arg("--config").arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", binary.display()))?;
        let stdout = child.stdout.take().context("the server has no standard output")?;
        // From here on dropping ends it.
        let mut server = Self { child, url: String::new() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("the server cannot be read")?;
        let url = line.trim().strip_prefix("listening on ").context("the server did not start")?;
        server.url = url.to_owned();
        Ok(server)
    }

    /// What was called since it began.
    pub fn stats(&self) -> Result<Stats> {
        get(&self.url, "/_bench/stats")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gets a page that is JSON from `http://ADDRESS`.
fn get<T: DeserializeOwned>(url: &str, path: &str) -> Result<T> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach {url}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("{url} did not answer"))?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("{url} does not speak HTTP"))?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{url}{path} answered {:?}", head.lines().next().unwrap_or_default());
    serde_json::from_str(body).with_context(|| format!("{url}{path} is not what was asked for"))
}
