//! What the configuration says about the database.

use std::path::PathBuf;
use std::time::Duration;

use headwater_sdk::spec::{self, without_effect};
use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// Connections at once, where the spec does not say it.
const CONNECTIONS: usize = 4;
/// The fill factor, where the spec does not say it: room for a second version of every row, and some more.
const FILL: u32 = 45;

/// Where and how the PostgreSQL destination writes.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Where the database is: `postgresql://user@host:5432/database?sslmode=verify-full`, or `host=… dbname=…`.
    #[schemars(length(min = 1))]
    pub connection_string: String,
    /// The password, where it does not stand in the connection string.
    #[serde(default)]
    pub password: Option<String>,
    /// A file whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The schema that the tables are in; it must exist. By default the first that there is of the user's search path,
    /// mostly `public`.
    #[serde(default)]
    pub schema: Option<String>,
    /// Certificates in PEM of those who may certify the server, instead of those that the system trusts. Where they are
    /// named, the server is verified (`sslmode=verify-ca` at least), unless it says `sslmode=disable`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Seconds after which the server ends a statement. By default the server's own.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub statement_timeout: Option<u64>,
    /// Connections at once; by default 4.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub connections: Option<usize>,
    /// Hundredths of each page that are filled at first, in tables with a key that are created; by default 45. Every sync
    /// replaces all rows of such a table, and a new version of a row is cheap where it fits into the page of the old one.
    #[serde(default)]
    #[schemars(range(min = 10, max = 100))]
    pub fillfactor: Option<u32>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written in one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written in one transaction.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size_bytes: Option<u64>,
}

/// How the server is made sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// It is not; what is said is encrypted all the same.
    Nothing,
    /// By its certificate, whatever name it is for.
    Authority,
    /// By its certificate and its name.
    Full,
}

/// What is needed to connect.
#[derive(Clone)]
pub struct Settings {
    /// Where to, and as whom.
    pub config: Config,
    /// How the server is made sure of.
    pub verify: Verify,
    /// Who may certify it.
    pub ca_file: Option<PathBuf>,
    /// The schema.
    pub schema: Option<String>,
    /// Connections at once.
    pub connections: usize,
    /// Hundredths of each page of a new table with a key that are filled at first.
    pub fill: u32,
    /// The place without the password.
    pub shown: String,
}

/// Takes a parameter out of a connection string, which the library does not know or knows in part.
fn take(text: &mut String, key: &str) -> Option<String> {
    let mut from = 0;
    while let Some(found) = text[from..].find(&format!("{key}=")).map(|at| at + from) {
        let before = text[..found].chars().next_back();
        if before.is_none_or(|before| matches!(before, '?' | '&') || before.is_whitespace()) {
            let value = found + key.len() + 1;
            let end = text[value..].find(|c: char| c == '&' || c.is_whitespace()).map_or(text.len(), |at| at + value);
            let taken = text[value..end].trim_matches('\'').to_owned();
            let end = if text[end..].starts_with('&') { end + 1 } else { end };
            text.replace_range(found..end, "");
            return Some(taken);
        }
        from = found + key.len();
    }
    None
}

impl Spec {
    /// Reads the spec; nothing is connected to.
    pub fn settings(&self) -> Result<Settings> {
        let mut text = self.connection_string.trim().to_owned();
        if text.is_empty() {
            return Err(Error::fatal(
                "`connection_string` is empty; name the database, such as postgresql://user@localhost/inventory",
            ));
        }
        without_effect([("batch_size", self.batch_size), ("batch_size_bytes", self.batch_size_bytes)])?;
        for (name, zero) in
            [("connections", self.connections == Some(0)), ("statement_timeout", self.statement_timeout == Some(0))]
        {
            if zero {
                return Err(Error::fatal(format!("`{name}` must be at least 1")));
            }
        }
        if self.fillfactor.is_some_and(|fill| !(10..=100).contains(&fill)) {
            return Err(Error::fatal("`fillfactor` must be from 10 to 100"));
        }
        let (mode, authority) = (take(&mut text, "sslmode"), take(&mut text, "sslrootcert"));
        let ca_file = self.ca_file.clone().or(authority.map(PathBuf::from));
        // Who names an authority wants the server to be made sure of.
        let named = if ca_file.is_some() { Verify::Authority } else { Verify::Nothing };
        let (mode, verify) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, Verify::Nothing),
            None if ca_file.is_some() => (SslMode::Require, named),
            None | Some("allow" | "prefer") => (SslMode::Prefer, named),
            Some("require") => (SslMode::Require, named),
            Some("verify-ca") => (SslMode::Require, Verify::Authority),
            Some("verify-full") => (SslMode::Require, Verify::Full),
            Some(other) => {
                return Err(Error::fatal(format!(
                    "`connection_string` says sslmode={other}; there are disable, prefer, require, verify-ca and verify-full"
                )));
            }
        };
        let text = text.trim_end_matches(['?', '&']);
        // The library's error may quote a part of what it could not read, and that may be the password.
        let mut config: Config = text.parse().map_err(|_| {
            Error::fatal(
                "`connection_string` cannot be read; write postgresql://user@host:5432/database, with %XX for what is \
                 not a letter or a digit, or host=… user=… dbname=…",
            )
        })?;
        config.ssl_mode(mode);
        if config.get_application_name().is_none() {
            config.application_name("headwater");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        keep_alive(&mut config);
        if config.get_user().is_none_or(str::is_empty) {
            return Err(Error::fatal("`connection_string` names no user, such as postgresql://user@host/database"));
        }
        if let Some(password) = self.password(config.get_password().is_some())? {
            config.password(password);
        }
        if let Some(seconds) = self.statement_timeout {
            let options = config.get_options().unwrap_or_default();
            config.options(format!("{options} -c statement_timeout={}", seconds.saturating_mul(1000)));
        }
        let shown = shown(&config);
        Ok(Settings {
            config,
            verify,
            ca_file,
            schema: self.schema.clone(),
            connections: self.connections.unwrap_or(CONNECTIONS),
            fill: self.fillfactor.unwrap_or(FILL),
            shown,
        })
    }

    /// The password that does not stand in the connection string; `has_one` says whether one does.
    fn password(&self, has_one: bool) -> Result<Option<String>> {
        let own = spec::password(self.password.as_deref(), self.password_file.as_deref())?;
        // As every client of PostgreSQL does.
        Ok(own.or_else(|| std::env::var("PGPASSWORD").ok().filter(|_| !has_one)))
    }
}

/// Has a server that is gone without a word noticed within two minutes, where the connection string does not say when.
fn keep_alive(config: &mut Config) {
    /// What the library has for a connection string that says nothing.
    const UNSAID: Duration = Duration::from_secs(2 * 60 * 60);
    if config.get_keepalives_idle() == UNSAID {
        config.keepalives_idle(Duration::from_secs(60));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(10));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(6);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(120));
    }
}

/// The place for messages.
fn shown(config: &Config) -> String {
    use tokio_postgres::config::Host;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("PostgreSQL at {host}:{port}, database {database}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        Spec { connection_string: text.to_owned(), ..Spec::default() }
    }

    #[test]
    fn modes_of_encryption_are_libpqs() {
        for (mode, ssl, verify) in [
            ("", SslMode::Prefer, Verify::Nothing),
            ("?sslmode=disable", SslMode::Disable, Verify::Nothing),
            ("?sslmode=require&application_name=x", SslMode::Require, Verify::Nothing),
            ("?application_name=x&sslmode=verify-full&sslrootcert=/a", SslMode::Require, Verify::Full),
            ("?sslrootcert=/a", SslMode::Require, Verify::Authority),
            ("?sslrootcert=/a&sslmode=require", SslMode::Require, Verify::Authority),
            ("?sslmode=prefer&sslrootcert=/a", SslMode::Prefer, Verify::Authority),
            ("?sslmode=disable&sslrootcert=/a", SslMode::Disable, Verify::Nothing),
        ] {
            let settings = spec(&format!("postgresql://u:p@h/d{mode}")).settings();
            let settings = settings.map(|settings| (settings.config.get_ssl_mode(), settings.verify, settings.shown));
            let shown = "PostgreSQL at h:5432, database d".to_owned();
            assert_eq!(settings.map_err(|error| error.to_string()), Ok((ssl, verify, shown)), "{mode}");
        }
        let settings = spec("host=::1 user=u dbname=d sslmode=verify-ca password=secret").settings();
        assert!(
            settings.is_ok_and(|settings| settings.verify == Verify::Authority && !settings.shown.contains("secret"))
        );
    }

    #[test]
    fn what_cannot_be_read_does_not_show_the_password() {
        for text in ["postgresql://u:secret@h:port/d", "user=u password='secret", "postgresql://:secret@h/d"] {
            let error = spec(text).settings().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("`connection_string`") && !error.contains("secret"), "{error}");
        }
    }
}
