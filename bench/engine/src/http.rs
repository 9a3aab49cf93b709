//! As much of HTTP as it takes to ask the server for its statistics.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

/// Gets a page that is JSON from `http://ADDRESS`.
pub fn get<T: DeserializeOwned>(url: &str, path: &str) -> Result<T> {
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
