//! Connections to a server.

use headwater_sdk::Result;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::errors::explain_connecting;
use crate::settings::Settings;
use crate::tls::tls;

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
    pub fn new(settings: Settings) -> Result<Self> {
        let tls = MakeRustlsConnect::new(tls(&settings)?);
        Ok(Self { settings, tls })
    }

    /// A new connection, in UTC.
    ///
    /// # Errors
    /// If the server cannot be reached, or does not take the user.
    pub async fn connect(&self) -> Result<Client> {
        let explained = |error| explain_connecting(&error, &self.settings.shown);
        let (client, connection) = self.settings.config.connect(self.tls.clone()).await.map_err(explained)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL has ended");
            }
        });
        client.batch_execute(SET).await.map_err(explained)?;
        Ok(client)
    }
}
