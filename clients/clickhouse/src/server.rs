//! Statements over the HTTP interface.
//!
//! Source of the protocol: <https://clickhouse.com/docs/interfaces/http>.

use std::time::Duration;

use bytes::Bytes;
use headwater_sdk::{Error, Result};
use reqwest::header::{HeaderValue, LOCATION};
use reqwest::{Certificate, Client, Response, Url, redirect};
use secrecy::ExposeSecret;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::errors::{explain, lost, passes};
use crate::settings::Settings;

/// How often something is tried that may be done twice.
const TRIES: u32 = 6;
/// The pause before the second try; each time after that it is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// The oldest version with all that is used here.
const OLDEST: (u32, u32) = (25, 8);

/// The server.
pub struct Server {
    /// Where it is, and how it is reached.
    pub settings: Settings,
    always: &'static [(&'static str, &'static str)],
    http: Client,
    user: HeaderValue,
    password: HeaderValue,
    turns: Semaphore,
    abilities: OnceCell<Abilities>,
}

/// What a server can and others cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Whether dates reach from the year 1 to 9999, and not only from 1900 to 2299.
    pub all_years: bool,
}

/// A statement.
#[derive(Default)]
pub struct Statement {
    /// Its bytes.
    pub sql: Bytes,
    /// How many bytes of it are text; what follows are rows.
    pub head: usize,
    /// Settings of ClickHouse for this one.
    pub settings: Vec<(&'static str, String)>,
    /// By which the server knows it.
    pub id: Option<String>,
}

impl From<String> for Statement {
    fn from(sql: String) -> Self {
        Self { head: sql.len(), sql: sql.into(), ..Self::default() }
    }
}

impl From<&str> for Statement {
    fn from(sql: &str) -> Self {
        sql.to_owned().into()
    }
}

/// How often something was tried.
#[derive(Default)]
pub struct Tries(u32);

impl Tries {
    /// Whether this is not the first try.
    pub fn some(&self) -> bool {
        self.0 > 0
    }

    /// Waits before another try, unless that cannot help or there were enough: then it is the error.
    pub async fn next(&mut self, error: Error) -> Result<()> {
        self.0 += 1;
        if self.0 >= TRIES || !passes(&error) {
            return Err(error);
        }
        tracing::debug!(%error, "it is tried again");
        tokio::time::sleep(PAUSE.saturating_mul(1 << self.0).mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        Ok(())
    }
}

/// A turn to send a statement, of which there are as many as connections.
pub type Turn<'a> = SemaphorePermit<'a>;

/// A value of a header that no log shows.
fn secret(name: &str, value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        Error::fatal(format!("the {name} cannot be sent: there is a line break or another control in it"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl Server {
    /// A server that is not connected to yet. `always` are settings of ClickHouse for all statements, whatever else is said.
    ///
    /// # Errors
    /// If the settings are such that no connection can be.
    pub fn new(settings: Settings, always: &'static [(&'static str, &'static str)]) -> Result<Self> {
        // Whoever else set a provider for the process set ring too; then this changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent("headwater")
            // The password would go wherever an answer points.
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .tcp_keepalive(Duration::from_secs(30))
            // Servers close idle connections after ten seconds.
            .pool_idle_timeout(Duration::from_secs(3));
        if let Some(file) = &settings.ca_file {
            let failed =
                |error: &dyn std::fmt::Display| Error::fatal(format!("`ca_file: {}`: {error}", file.display()));
            let text = std::fs::read(file).map_err(|error| failed(&error))?;
            let certificates = Certificate::from_pem_bundle(&text).map_err(|error| failed(&error))?;
            if certificates.is_empty() {
                return Err(failed(&"there are no certificates in it"));
            }
            client = client.tls_certs_only(certificates);
        }
        if let Some(text) = &settings.ca_cert {
            let certificates = Certificate::from_pem_bundle(text.as_bytes());
            let certificates = certificates.map_err(|error| Error::fatal(format!("`ca_cert`: {error}")))?;
            client = client.tls_certs_merge(certificates);
        }
        if settings.skip_verify {
            client = client.tls_danger_accept_invalid_certs(true);
        }
        let http = client.build().map_err(|error| Error::fatal(format!("HTTP client: {error}")))?;
        let user = secret("user", &settings.user)?;
        let password = secret("password", settings.password.expose_secret())?;
        let turns = Semaphore::new(settings.connections);
        Ok(Self { settings, always, http, user, password, turns, abilities: OnceCell::new() })
    }

    /// A turn. Whoever has one makes the body of a statement only then, so that few of them are in memory.
    pub async fn turn(&self) -> Result<Turn<'_>> {
        self.turns.acquire().await.map_err(Error::fatal)
    }

    /// The address of a statement, with its settings.
    fn address(&self, statement: &Statement) -> Url {
        let mut url = self.settings.url.clone();
        // Of what comes, the server holds so much to find out where the text ends.
        let longest = (statement.head + 1024).max(256 << 10).to_string();
        let ours = [("database", self.settings.database.as_str()), ("max_query_size", longest.as_str())];
        let mut pairs = url.query_pairs_mut();
        let named = |name: &str| ours.iter().chain(self.always).any(|(ours, _)| *ours == name);
        for (name, value) in self.settings.settings.iter().filter(|(name, _)| !named(name)) {
            pairs.append_pair(name, value);
        }
        pairs.extend_pairs(ours);
        pairs.extend_pairs(self.always);
        pairs.extend_pairs(&statement.settings);
        pairs.extend_pairs(statement.id.iter().map(|id| ("query_id", id)));
        drop(pairs);
        url
    }

    /// Carries out a statement once, and answers with what it says.
    ///
    /// # Errors
    /// If it is not carried out, or that is not known.
    pub async fn once(&self, turn: &Turn<'_>, statement: &Statement) -> Result<String> {
        self.answer(turn, statement).await?.text().await.map_err(|error| lost(error, &self.settings.shown))
    }

    /// The same as soon as the answer begins.
    ///
    /// # Errors
    /// If the server answers with one. What is in the answer may still turn out to be one.
    pub async fn answer(&self, _turn: &Turn<'_>, statement: &Statement) -> Result<Response> {
        let shown = &self.settings.shown;
        let request = self.http.post(self.address(statement)).header("X-ClickHouse-User", self.user.clone());
        let request = request.header("X-ClickHouse-Key", self.password.clone());
        let answer = request.body(statement.sql.clone()).send().await.map_err(|error| lost(error, shown))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(redirected(&answer, shown));
        }
        let code =
            answer.headers().get("X-ClickHouse-Exception-Code").and_then(|code| code.to_str().ok()?.parse().ok());
        if status.is_success() && code.is_none() {
            return Ok(answer);
        }
        let text = answer.text().await.map_err(|error| lost(error, shown))?;
        Err(explain(status.as_u16(), code, &text, shown))
    }

    /// Carries out a statement that does no more when it is carried out twice; again where it fails for a passing reason.
    pub async fn repeat(&self, turn: &Turn<'_>, statement: &Statement) -> Result<String> {
        let mut tries = Tries::default();
        loop {
            match self.once(turn, statement).await {
                Ok(answer) => return Ok(answer),
                Err(error) => tries.next(error).await?,
            }
        }
    }

    /// The same as soon as there is a turn.
    pub async fn run(&self, statement: impl Into<Statement>) -> Result<String> {
        self.repeat(&self.turn().await?, &statement.into()).await
    }

    /// The rows of a query all of whose columns are text.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let text = self.run(format!("{sql} FORMAT JSONCompactStringsEachRow")).await?;
        let rows = text.lines().filter(|line| !line.is_empty()).map(serde_json::from_str);
        rows.collect::<Result<_, _>>()
            .map_err(|error| Error::destination(format!("{}: an answer cannot be read: {error}", self.settings.shown)))
    }

    /// How many rows there are, of what stands behind `FROM`.
    pub async fn count(&self, from: &str) -> Result<u64> {
        let rows = self.rows(&format!("SELECT toString(count()) FROM {from}")).await?;
        let count = rows.first().and_then(|row| row.first()?.parse().ok());
        count.ok_or_else(|| Error::destination(format!("{}: no number where one was expected", self.settings.shown)))
    }

    /// What the server can; an error where it is too old.
    pub async fn abilities(&self) -> Result<Abilities> {
        self.abilities.get_or_try_init(|| self.ask_abilities()).await.copied()
    }

    async fn ask_abilities(&self) -> Result<Abilities> {
        let rows =
            self.rows("SELECT version(), toString(toDate32('0001-01-01')), toString(toDate32('9999-12-31'))").await?;
        let row: Vec<&str> = rows.first().into_iter().flatten().map(String::as_str).collect();
        let [version, first, last] = row[..] else {
            return Err(Error::destination(format!("{}: it does not say its version", self.settings.shown)));
        };
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        let found = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        if found < OLDEST {
            let (major, minor) = OLDEST;
            return Err(Error::destination(format!(
                "{}: version {version} is older than {major}.{minor}",
                self.settings.shown
            )));
        }
        Ok(Abilities { all_years: (first, last) == ("0001-01-01", "9999-12-31") })
    }
}

/// An answer that points elsewhere, without what stands behind the question mark: that are the statement's settings.
fn redirected(answer: &Response, shown: &str) -> Error {
    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or("nowhere");
    let location = location.split(['?', '#']).next().unwrap_or_default();
    Error::destination(format!(
        "{shown}: HTTP status {} to {location}, which is not followed, so that the password goes nowhere else; name that \
         address in `connection_string` if it is ClickHouse's",
        answer.status().as_u16()
    ))
}
