//! Load for a server: `load URL CONNECTIONS SECONDS [ACTION [MORE]]`, such as `load http://127.0.0.1:4000 32 5 ListUsers`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

#[derive(Default)]
struct Count {
    answers: AtomicU64,
    bytes: AtomicU64,
}

async fn open(address: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn call(sender: &mut SendRequest<Full<Bytes>>, path: &str, body: &Bytes) -> anyhow::Result<Vec<Bytes>> {
    let credential = "AWS4-HMAC-SHA256 Credential=100000000000/20260101/us-east-1/ec2/aws4_request, \
                      SignedHeaders=content-type;host;x-amz-date, \
                      Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    let request = Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", credential)
        .header("x-amz-date", "20260101T000000Z");
    sender.ready().await?;
    let mut answer = sender.send_request(request.body(Full::new(body.clone()))?).await?.into_body();
    let mut pieces = Vec::new();
    while let Some(frame) = answer.frame().await {
        pieces.extend(frame?.into_data().ok());
    }
    Ok(pieces)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, connections, seconds, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("load URL CONNECTIONS SECONDS [ACTION [MORE]]");
    };
    let action = rest.first().map_or("DescribeRegions", String::as_str);
    let more = rest.get(1).map_or("", String::as_str);
    let version = if action.starts_with("Describe") { "2016-11-15" } else { "2010-05-08" };
    let body = Bytes::from(format!("Action={action}&Version={version}{more}"));
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let lasts = Duration::from_secs(seconds.parse()?);
    let mut control = open(&address).await?;
    call(&mut control, "/_bench/reset", &Bytes::new()).await?;
    let count = Arc::new(Count::default());
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections.parse::<usize>()? {
        let (address, body, count) = (address.clone(), body.clone(), Arc::clone(&count));
        tasks.push(tokio::spawn(async move {
            let mut sender = open(&address).await?;
            while start.elapsed() < lasts {
                let bytes: usize = call(&mut sender, "/", &body).await?.iter().map(Bytes::len).sum();
                count.answers.fetch_add(1, Ordering::Relaxed);
                count.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let took = start.elapsed().as_secs_f64();
    let mut control = open(&address).await?;
    let request = Request::get("/_bench/stats").header("host", "localhost").body(Full::default())?;
    let stats = control.send_request(request).await?.into_body().collect().await?.to_bytes();
    let stats: serde_json::Value = serde_json::from_slice(&stats)?;
    let cpu = stats["cpu_s"].as_f64().context("no processor time in the statistics")?;
    let (answers, bytes) = (count.answers.load(Ordering::Relaxed) as f64, count.bytes.load(Ordering::Relaxed) as f64);
    writeln!(
        std::io::stdout(),
        "{:.0} answers/s, {:.1} MB/s; by second of the server's processor: {:.0} answers, {:.1} MB",
        answers / took,
        bytes / took / 1e6,
        answers / cpu,
        bytes / cpu / 1e6
    )?;
    Ok(())
}
