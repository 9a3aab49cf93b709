//! A server that answers the calls by which accounts are found and opened, for the tests.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The account of the credentials that all begins with.
pub const HOME: &str = "100000000000";

/// The server; it notes every call as its operation and what it is about.
pub struct Fake {
    pub url: String,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Serves on a free port until the runtime ends.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&noted)));
            }
        });
        Self { url, calls }
    }

    /// The calls so far, sorted.
    pub fn calls(&self) -> Vec<String> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        calls.sort();
        calls
    }
}

async fn serve(mut stream: TcpStream, calls: Arc<Mutex<Vec<String>>>) {
    let mut read = Vec::new();
    loop {
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
            if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
                return;
            }
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        let length: usize = length.unwrap_or(0);
        if read.len() < end + length {
            if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
                return;
            }
            continue;
        }
        let body = String::from_utf8_lossy(&read[end..end + length]).into_owned();
        let target = head.split("x-amz-target: awsorganizationsv20161128.").nth(1);
        let (call, status, answer) = match target.and_then(|rest| rest.lines().next()) {
            Some(operation) => organizations(operation, &body),
            None => sts(&body),
        };
        calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        read.drain(..end + length);
        let head = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all(format!("{head}{answer}").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn sts(body: &str) -> (String, u16, String) {
    let value = |name: &str| {
        let found = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().replace("%3A", ":").replace("%2F", "/")
    };
    let role = value("RoleArn");
    match value("Action").as_str() {
        "AssumeRole" if role.ends_with("closed") => {
            let message = format!("User: x is not authorized to perform: sts:AssumeRole on resource: {role}");
            let error = format!("<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>");
            (format!("AssumeRole {role}"), 403, format!("<ErrorResponse>{error}</ErrorResponse>"))
        }
        "AssumeRole" => {
            let keys = "<AccessKeyId>k</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                        <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>";
            let answer = format!(
                "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>{role}</Arn><AssumedRoleId>r:s\
                 </AssumedRoleId></AssumedRoleUser><Credentials>{keys}</Credentials></AssumeRoleResult>\
                 </AssumeRoleResponse>"
            );
            (format!("AssumeRole {role}"), 200, answer)
        }
        other => {
            let answer = format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{HOME}:user/u</Arn>\
                 <UserId>u</UserId><Account>{HOME}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
            );
            (other.to_owned(), 200, answer)
        }
    }
}

/// Root `r-1` has the unit `ou-1` with `ou-2` in it, and `ou-3`. An account's last digit is its unit's.
fn organizations(operation: &str, body: &str) -> (String, u16, String) {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let parent = body["ParentId"].as_str().unwrap_or_default();
    let account = |id: &str, status: &str| json!({ "Id": id, "Name": format!("name of {id}"), "Status": status });
    let units = |ids: &[&str]| ids.iter().map(|id| json!({ "Id": id, "Type": "ORGANIZATIONAL_UNIT" })).collect();
    let answer = match (operation, body["NextToken"].as_str(), parent) {
        ("listaccounts", None, _) => json!({ "NextToken": "more", "Accounts": [
            account(HOME, "ACTIVE"), account("100000000001", "ACTIVE"), account("200000000001", "SUSPENDED"),
        ] }),
        ("listaccounts", Some("more"), _) => json!({ "Accounts": [
            account("100000000002", "ACTIVE"), account("100000000003", "ACTIVE"),
        ] }),
        ("listroots", ..) => json!({ "Roots": [{ "Id": "r-1" }] }),
        ("listchildren", _, "r-1") => json!({ "Children": Value::Array(units(&["ou-1", "ou-3"])) }),
        ("listchildren", _, "ou-1") => json!({ "Children": Value::Array(units(&["ou-2"])) }),
        ("listchildren", ..) => json!({ "Children": [] }),
        ("listaccountsforparent", _, "r-1") => json!({ "Accounts": [account(HOME, "ACTIVE")] }),
        ("listaccountsforparent", _, "ou-denied") => {
            let error = json!({ "__type": "AccessDeniedException", "Message": "You may not." });
            return (format!("{operation} {parent}"), 400, error.to_string());
        }
        ("listaccountsforparent", _, unit) => {
            let id = format!("10000000000{}", unit.trim_start_matches("ou-"));
            json!({ "Accounts": [account(&id, "ACTIVE")] })
        }
        _ => json!({}),
    };
    (format!("{operation} {parent}").trim_end().to_owned(), 200, answer.to_string())
}
