//! The loopback AWS as a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use headwater_bench_server::{Config, Stats};

use crate::http;

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
        http::get(&self.url, "/_bench/stats")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
