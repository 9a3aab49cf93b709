//! Connections to a server.

use std::sync::{Arc, Mutex, PoisonError};

use headwater_sdk::Result;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::errors::{explain_connecting, unreachable};
use crate::settings::Settings;
use crate::takeover::{Opener, Shared, Stream};
use crate::tls::tls;
use crate::wire::Wire;

/// What every session begins with: values have one form as text, whatever the server is set up for. The server, too, has to
/// notice that it was cut off: what a transaction holds is waited for by the next attempt.
const SET: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; \
                   SET bytea_output = 'hex'; SET extra_float_digits = 1; SET lc_monetary = 'C'; \
                   SET client_min_messages = warning; SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; \
                   SET tcp_keepalives_count = 6;";

/// Connects to one server.
pub struct Connector {
    /// Where to, and how.
    pub settings: Settings,
    tls: MakeRustlsConnect,
}

impl Connector {
    /// A connector that has not connected yet.
    ///
    /// # Errors
    /// If the certificates that the server is verified with cannot be read.
    pub fn new(mut settings: Settings) -> Result<Self> {
        name_hosts(&mut settings.config);
        let tls = MakeRustlsConnect::new(tls(&settings)?);
        Ok(Self { settings, tls })
    }

    /// A new connection, in UTC.
    ///
    /// # Errors
    /// If the server cannot be reached, or does not take the user.
    pub async fn connect(&self) -> Result<Client> {
        async fn watched(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL has ended");
            }
        }
        let explained = |error| explain_connecting(&error, &self.settings.shown);
        let config = &self.settings.config;
        #[cfg(unix)]
        let is_local = matches!(config.get_hosts().first(), Some(Host::Unix(_)));
        #[cfg(not(unix))]
        let is_local = false;
        // A socket has no name that a certificate could be for.
        let client = if is_local {
            let (client, connection) =
                config.clone().ssl_mode(SslMode::Disable).connect(NoTls).await.map_err(explained)?;
            tokio::spawn(watched(connection));
            client
        } else {
            let (client, connection) = config.connect(self.tls.clone()).await.map_err(explained)?;
            tokio::spawn(watched(connection));
            client
        };
        client.batch_execute(SET).await.map_err(explained)?;
        Ok(client)
    }

    /// The same, to be read as it stands on the wire.
    ///
    /// # Errors
    /// If the server cannot be reached, or does not take the user.
    pub async fn connect_wire(&self) -> Result<Wire> {
        let explained = |error| explain_connecting(&error, &self.settings.shown);
        let mut config = self.settings.config.clone();
        #[cfg(unix)]
        if let Some(Host::Unix(folder)) = config.get_hosts().first() {
            let port = config.get_ports().first().copied().unwrap_or(5432);
            let opened = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await;
            let socket = opened.map_err(|error| unreachable(&self.settings.shown, &error))?;
            let shared = Shared::new(Stream::Unix(socket));
            config.ssl_mode(SslMode::Disable);
            let (client, connection) = config.connect_raw(shared.clone(), NoTls).await.map_err(explained)?;
            tokio::spawn(connection);
            return self.take_over(client, &shared, None).await;
        }
        let opener = Opener {
            tls: self.tls.clone(),
            mode: config.get_ssl_mode(),
            negotiation: config.get_ssl_negotiation(),
            last: Arc::new(Mutex::new(None)),
        };
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        let (client, connection) = config.connect(opener.clone()).await.map_err(explained)?;
        tokio::spawn(connection);
        let last = opener.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        match last {
            Some(shared) => self.take_over(client, &shared, Some(opener)).await,
            None => Err(unreachable(&self.settings.shown, &"the connection was not opened")),
        }
    }

    /// Takes a stream away from the library, which has read all answers of the server by then.
    async fn take_over(&self, client: Client, shared: &Shared, opener: Option<Opener>) -> Result<Wire> {
        client.batch_execute(SET).await.map_err(|error| explain_connecting(&error, &self.settings.shown))?;
        let stream = shared.take();
        let stream = stream.ok_or_else(|| unreachable(&self.settings.shown, &"the connection was lost"))?;
        let cancel = opener.map(|opener| (client.cancel_token(), opener));
        Ok(Wire::new(stream, self.settings.shown.clone(), cancel))
    }
}

/// Gives addresses that have no name themselves as one: the library encrypts nothing for a server without a name.
fn name_hosts(config: &mut Config) {
    if config.get_hosts().is_empty() {
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
}
