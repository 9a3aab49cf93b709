//! A request as the API sees it: who calls what, where, and with which parameters.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::http::request::Parts;

use crate::estate::Estate;
use crate::text::{key_id, key_number};

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Ec2,
    Iam,
    Sts,
    S3,
    Organizations,
}

impl Service {
    /// The name by which requests are signed, as in `ec2:DescribeInstances`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::S3 => "s3",
            Self::Organizations => "organizations",
        }
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub account: u64,
    /// The role and the name of the session; without, it is a user.
    pub role: Option<(String, String)>,
    pub expired: bool,
}

/// A call.
pub struct Call {
    pub service: Service,
    pub api: String,
    pub caller: Caller,
    /// The account that it is about, which is another one only for `AssumeRole`.
    pub subject: u64,
    pub region: String,
    pub region_index: Option<usize>,
    pub bucket: Option<String>,
    params: Vec<(String, String)>,
}

impl Call {
    /// Reads a request. The body of S3 is not looked at.
    pub fn read(parts: &Parts, body: &[u8], estate: &Estate) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let mut params = pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let mut bucket = None;
        let (service, api) = if let Some(target) = header("x-amz-target") {
            params.extend(json_pairs(body));
            let api = target.rsplit('.').next().unwrap_or_default();
            (Service::Organizations, api.to_owned())
        } else {
            if header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
                params.extend(pairs(body));
            }
            match value(&params, "Action") {
                Some(action) => (query_service(&params), action.to_owned()),
                None => {
                    let path = parts.uri.path().trim_start_matches('/');
                    let (name, key) = path.split_once('/').unwrap_or((path, ""));
                    bucket = Some(name.to_owned()).filter(|name| !name.is_empty());
                    let api = crate::s3::operation(&parts.method, bucket.is_some(), key, &params);
                    (Service::S3, api.to_owned())
                }
            }
        };
        // A presigned request has its credential among the parameters.
        let credential = header("authorization")
            .and_then(|text| text.split_once("Credential="))
            .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default())
            .or_else(|| value(&params, "X-Amz-Credential"))
            .unwrap_or_default();
        let mut scope = credential.split('/');
        let key = scope.next().unwrap_or_default();
        let region = scope.nth(1).unwrap_or(&estate.regions[0]).to_owned();
        let caller = caller(key, header("x-amz-security-token"), estate);
        let subject = value(&params, "RoleArn").filter(|_| service == Service::Sts).and_then(|arn| {
            let id = arn.split(':').nth(4)?;
            estate.account(id)
        });
        Self {
            service,
            api,
            subject: subject.unwrap_or(caller.account),
            caller,
            region_index: estate.region(&region),
            region,
            bucket,
            params,
        }
    }

    /// A parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        value(&self.params, name)
    }

    /// A parameter that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.param(name)?.parse().ok()
    }

    /// The caller's ARN.
    pub fn caller_arn(&self, estate: &Estate) -> String {
        let account = estate.account_id(self.caller.account);
        match &self.caller.role {
            Some((role, session)) => format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            None => format!("arn:aws:iam::{account}:user/bench"),
        }
    }
}

fn value<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// The members of a JSON body that are texts or numbers.
fn json_pairs(body: &[u8]) -> Vec<(String, String)> {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    members.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
}

fn query_service(params: &[(String, String)]) -> Service {
    match value(params, "Version") {
        Some("2010-05-08") => Service::Iam,
        Some("2011-06-15") => Service::Sts,
        _ => Service::Ec2,
    }
}

/// The time in seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The access key and the token of a session.
pub fn session(account: u64, role: &str, name: &str, expires: u64) -> (String, String) {
    let key = key_id("ASIA", (u128::from(account) << 40) | u128::from(expires));
    (key, format!("headwater/{role}/{name}"))
}

fn caller(key: &str, token: Option<&str>, estate: &Estate) -> Caller {
    let session = key_number("ASIA", key).map(|number| ((number >> 40) as u64, number as u64 & 0xff_ffff_ffff));
    match session.filter(|(account, _)| *account < estate.accounts) {
        Some((account, expires)) => {
            let mut words = token.unwrap_or_default().split('/').skip(1);
            let mut word = || words.next().unwrap_or("unknown").to_owned();
            Caller { account, role: Some((word(), word())), expired: expires <= now() }
        }
        None => Caller { account: estate.account(key).unwrap_or(0), role: None, expired: false },
    }
}
