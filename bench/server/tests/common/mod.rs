//! A plain HTTP client that calls like an SDK.

#![allow(dead_code, reason = "no test needs all of it")]

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use headwater_bench_server::{Estate, Kind, Server, key_hash};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection with the credentials of an account.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    account: String,
    region: String,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: String,
}

impl Client {
    pub async fn open(server: &Server, account: u64, region: &str) -> Result<Self> {
        let stream = TcpStream::connect(server.address()).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, account: server.estate().account_id(account), region: region.to_owned() })
    }

    /// Calls with another access key.
    pub fn with_key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.account);
        self
    }

    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer> {
        let (account, region) = (&self.account, &self.region);
        let credential = format!("AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/{service}/aws4_request, X=y");
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        request = request.header("authorization", credential);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::from(body.to_owned()))?).await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().map(str::to_owned));
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, retry_after: retry_after.transpose()?, body: String::from_utf8(body.to_vec())? })
    }

    /// A call of the query protocol.
    pub async fn query(&mut self, service: &str, action: &str, more: &str) -> Result<Answer> {
        let version = match service {
            "ec2" => "2016-11-15",
            "iam" => "2010-05-08",
            _ => "2011-06-15",
        };
        let body = format!("Action={action}&Version={version}{more}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", "/", service, &headers, &body).await
    }

    /// A call of AWS Organizations.
    pub async fn organizations(&mut self, action: &str, body: &str) -> Result<serde_json::Value> {
        let target = format!("AWSOrganizationsV20161128.{action}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let answer = self.send("POST", "/", "organizations", &headers, body).await?;
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// All pages of a list, and how many there were.
    pub async fn pages(&mut self, service: &str, action: &str, more: &str) -> Result<(String, usize)> {
        let (parameter, tag) = if service == "ec2" { ("NextToken", "nextToken") } else { ("Marker", "Marker") };
        let (mut all, mut count, mut token) = (String::new(), 0, String::new());
        loop {
            let answer = self.query(service, action, &format!("{more}{token}")).await?;
            anyhow::ensure!(answer.status == 200, "{answer:?}");
            count += 1;
            all.push_str(&answer.body);
            match values(&answer.body, tag).first() {
                Some(next) => token = format!("&{parameter}={next}"),
                None => return Ok((all, count)),
            }
        }
    }

    /// A page about the server.
    pub async fn control(&mut self, method: &str, path: &str, body: &str) -> Result<serde_json::Value> {
        let answer = self.send(method, &format!("/_bench/{path}"), "bench", &[], body).await?;
        serde_json::from_str(&answer.body).with_context(|| answer.body)
    }
}

/// The texts of all elements with that tag.
pub fn values<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    text.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

/// Asserts that these keys are those of the estate, each once.
pub fn assert_keys(estate: &Estate, kind: Kind, keys: &[String]) {
    let distinct: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "{kind:?}");
    assert_eq!(keys.len() as u64, estate.rows(kind), "{kind:?}");
    let sum = keys.iter().fold(0_u64, |sum, key| sum.wrapping_add(key_hash(key)));
    assert_eq!(sum, estate.checksum(kind), "{kind:?}");
}
