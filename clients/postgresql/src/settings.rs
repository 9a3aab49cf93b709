//! What a configuration says about how to connect.

use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_sdk::{Error, Result, spec};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

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

/// What a spec says about the database, as it stands there.
#[derive(Clone, Copy, Default)]
pub struct Place<'a> {
    /// `connection_string`: an URL, or `host=… dbname=…`.
    pub connection_string: &'a str,
    /// `password`, where it does not stand in the connection string.
    pub password: Option<&'a str>,
    /// `password_file`, whose first line is the password.
    pub password_file: Option<&'a Path>,
    /// `ca_file`, the certificates of those who may certify the server.
    pub ca_file: Option<&'a Path>,
    /// `statement_timeout`, in seconds.
    pub statement_timeout: Option<u64>,
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

impl Place<'_> {
    /// Reads it; nothing is connected to.
    ///
    /// # Errors
    /// If it cannot be read; no part of the password is in what is said then.
    pub fn settings(&self) -> Result<Settings> {
        let mut text = self.connection_string.trim().to_owned();
        if text.is_empty() {
            return Err(Error::fatal(
                "`connection_string` is empty; name the database, such as postgresql://user@localhost/inventory",
            ));
        }
        if self.statement_timeout == Some(0) {
            return Err(Error::fatal("`statement_timeout` must be at least 1"));
        }
        let (mode, authority) = (take(&mut text, "sslmode"), take(&mut text, "sslrootcert"));
        let ca_file = self.ca_file.map(Path::to_owned).or(authority.map(PathBuf::from));
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
        Ok(Settings { config, verify, ca_file, shown })
    }

    /// The password that does not stand in the connection string; `has_one` says whether one does.
    fn password(&self, has_one: bool) -> Result<Option<String>> {
        let own = spec::password(self.password, self.password_file)?;
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

    fn place(text: &str) -> Place<'_> {
        Place { connection_string: text, ..Place::default() }
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
            let settings = place(&format!("postgresql://u:p@h/d{mode}")).settings();
            let settings = settings.map(|settings| (settings.config.get_ssl_mode(), settings.verify, settings.shown));
            let shown = "PostgreSQL at h:5432, database d".to_owned();
            assert_eq!(settings.map_err(|error| error.to_string()), Ok((ssl, verify, shown)), "{mode}");
        }
        let settings = place("host=::1 user=u dbname=d sslmode=verify-ca password=secret").settings();
        assert!(
            settings.is_ok_and(|settings| settings.verify == Verify::Authority && !settings.shown.contains("secret"))
        );
    }

    #[test]
    fn what_cannot_be_read_does_not_show_the_password() {
        for text in ["postgresql://u:secret@h:port/d", "user=u password='secret", "postgresql://:secret@h/d"] {
            let error = place(text).settings().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("`connection_string`") && !error.contains("secret"), "{error}");
        }
    }
}
