//! Where the server is, and how it is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;

use headwater_sdk::{Error, Result, spec};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

/// Connections at once, where the spec does not say it.
const CONNECTIONS: usize = 4;

/// What the specs of destination and source say about the server, each under these names.
#[derive(Clone, Default)]
pub struct Connection {
    /// `connection_string`.
    pub address: String,
    /// `password`.
    pub password: Option<String>,
    /// `password_file`.
    pub password_file: Option<PathBuf>,
    /// `ca_file`.
    pub ca_file: Option<PathBuf>,
    /// `ca_cert`.
    pub ca_cert: Option<String>,
    /// Statements at once.
    pub connections: Option<usize>,
}

/// How rows are compressed on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all, which is best in one's own network.
    #[default]
    None,
    /// By Zstandard.
    Zstd,
}

/// What is needed to connect.
#[derive(Clone)]
pub struct Settings {
    /// The address of the HTTP interface, without user and password.
    pub url: Url,
    /// The user.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// The database that names without one are of.
    pub database: String,
    /// Settings of ClickHouse for all statements.
    pub settings: BTreeMap<String, String>,
    /// Whether the server's certificate is of no matter.
    pub skip_verify: bool,
    /// Certificates instead of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The same as text, besides those that the system trusts.
    pub ca_cert: Option<String>,
    /// Statements at once.
    pub connections: usize,
    /// The place without the password.
    pub shown: String,
}

/// What clickhouse-go takes in a connection string and is no setting of ClickHouse.
const OF_THE_CLIENT: [&str; 14] = [
    "block_buffer_size",
    "client_info_product",
    "compress",
    "compress_level",
    "conn_max_lifetime",
    "connection_open_strategy",
    "debug",
    "dial_timeout",
    "http_proxy",
    "max_compression_buffer",
    "max_idle_conns",
    "max_open_conns",
    "read_timeout",
    "write_timeout",
];

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn is_true(text: &str) -> bool {
    matches!(text, "" | "1" | "true" | "True" | "TRUE")
}

/// What a connection string says.
struct Address {
    /// The scheme, host and port of the HTTP interface.
    url: Url,
    /// The host and port, as they are shown.
    place: String,
    user: String,
    password: Option<String>,
    database: String,
    /// Settings of ClickHouse.
    settings: BTreeMap<String, String>,
    skip_verify: bool,
}

impl Address {
    fn parse(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Error::fatal(
                "`connection_string` is no address; name the HTTP interface, such as http://user@localhost:8123/inventory",
            ));
        };
        let mut secure = match scheme {
            "http" | "clickhouse" => false,
            "https" => true,
            _ => {
                return Err(Error::fatal("`connection_string` must begin with http://, https:// or clickhouse://"));
            }
        };
        // Under its own scheme an address keeps the port that it says. The parser's error may quote the password.
        let parsed = Url::parse(&format!("clickhouse://{rest}")).ok().filter(Url::has_host);
        let Some(parsed) = parsed.filter(|url| !url.host_str().unwrap_or_default().contains(',')) else {
            return Err(Error::fatal(
                "`connection_string` cannot be read; write http://user@host:8123/database, with one host, and %XX for \
                 what is not a letter or a digit",
            ));
        };
        let mut user = decoded(parsed.username());
        let mut password = parsed.password().map(decoded);
        let mut database = decoded(parsed.path().trim_matches('/'));
        let (mut settings, mut skip_verify) = (BTreeMap::new(), false);
        for (name, value) in parsed.query_pairs() {
            match name.as_ref() {
                "secure" => secure = is_true(&value),
                "skip_verify" => skip_verify = is_true(&value),
                "user" | "username" => user = value.into_owned(),
                "password" => password = Some(value.into_owned()),
                "database" => database = value.into_owned(),
                name if OF_THE_CLIENT.contains(&name) => {}
                name if name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') => {
                    settings.insert(name.to_owned(), value.into_owned());
                }
                _ => return Err(Error::fatal("`connection_string` names a setting that cannot be one")),
            }
        }
        let place = format!("{}:{}", parsed.host_str().unwrap_or_default(), port(&parsed, secure)?);
        let url = Url::parse(&format!("{}://{place}/", if secure { "https" } else { "http" }));
        let url = url.map_err(|_| Error::fatal("`connection_string` names no host that can be one"))?;
        let or_default = |text: String| if text.is_empty() { "default".to_owned() } else { text };
        let (user, database) = (or_default(user), or_default(database));
        Ok(Self { url, place, user, password, database, settings, skip_verify })
    }
}

/// The port of the HTTP interface.
fn port(url: &Url, secure: bool) -> Result<u16> {
    match url.port() {
        Some(port @ (9000 | 9440)) => Err(Error::fatal(format!(
            "`connection_string` names port {port} of ClickHouse's own protocol; name the HTTP interface's, which is {}",
            if port == 9000 { "mostly 8123" } else { "mostly 8443, with https://" }
        ))),
        Some(port) => Ok(port),
        None => Ok(if secure { 8443 } else { 8123 }),
    }
}

impl Connection {
    /// Reads what was said; nothing is connected to.
    ///
    /// # Errors
    /// If it cannot be an address, or the password cannot be had.
    pub fn settings(&self) -> Result<Settings> {
        let of = Address::parse(self.address.trim())?;
        let own = spec::password(self.password.as_deref(), self.password_file.as_deref())?;
        // As ClickHouse's own client does.
        let password = own.or(of.password).or_else(|| std::env::var("CLICKHOUSE_PASSWORD").ok()).unwrap_or_default();
        Ok(Settings {
            url: of.url,
            user: of.user,
            password: password.into(),
            shown: format!("ClickHouse at {}, database {}", of.place, of.database),
            database: of.database,
            settings: of.settings,
            skip_verify: of.skip_verify,
            ca_file: self.ca_file.clone(),
            ca_cert: self.ca_cert.clone().filter(|text| !text.trim().is_empty()),
            connections: self.connections.unwrap_or(CONNECTIONS),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(text: &str) -> Connection {
        Connection { address: text.to_owned(), ..Connection::default() }
    }

    #[test]
    fn an_address_is_the_http_interfaces() {
        for (text, url, user, database) in [
            ("http://h", "http://h:8123/", "default", "default"),
            ("http://h:80/d", "http://h/", "default", "d"),
            ("https://me:p%2Fw@h/a%20b", "https://h:8443/", "me", "a b"),
            ("clickhouse://me@[::1]:8124/d?secure=true&dial_timeout=1s", "https://[::1]:8124/", "me", "d"),
            ("clickhouse://h?username=me&database=d&secure=false", "http://h:8123/", "me", "d"),
        ] {
            let settings = connection(text).settings().map(|of| (of.url.to_string(), of.user, of.database));
            let expected = (url.to_owned(), user.to_owned(), database.to_owned());
            assert_eq!(settings.map_err(|error| error.to_string()), Ok(expected), "{text}");
        }
        let settings = connection("http://h?max_execution_time=60").settings().map(|of| of.settings);
        assert_eq!(settings.ok().and_then(|of| of.get("max_execution_time").cloned()).as_deref(), Some("60"));
    }

    #[test]
    fn what_cannot_be_taken_is_said_without_the_password() {
        for (text, part) in [
            ("u:secret@h", "no address"),
            ("mysql://u:secret@h", "must begin with"),
            ("clickhouse://u:secret@h:9000/d", "HTTP interface's, which is mostly 8123"),
            ("http://u:secret@h:port/d", "cannot be read"),
            ("clickhouse://u:secret@one:8123,two:8123/d", "one host"),
            ("http://u:secret@", "cannot be read"),
        ] {
            let error = connection(text).settings().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
