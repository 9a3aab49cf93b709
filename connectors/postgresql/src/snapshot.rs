//! One moment of the database, at which several connections read.

use std::sync::Arc;

use headwater_postgresql_client::errors::explain;
use headwater_postgresql_client::{Connector, Wire};
use headwater_sdk::{Class, Error, Result};
use tokio_postgres::Client;

/// A moment, as long as it is held.
pub struct Snapshot {
    /// The connection whose transaction holds it; what it asks is of the same moment.
    pub client: Client,
    id: String,
    shown: Arc<str>,
}

impl Snapshot {
    /// Takes hold of the present moment.
    ///
    /// # Errors
    /// If the server cannot be reached, or has no snapshots to give.
    pub async fn take(connect: &Connector, shown: &Arc<str>) -> Result<Arc<Self>> {
        let client = connect.connect().await?;
        let explained = |error| explain(&error, shown).while_doing("the snapshot of all that is read");
        // A session that holds a snapshot is idle all the time.
        let begin = "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; \
                     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        client.batch_execute(begin).await.map_err(explained)?;
        let id = client.query_one("SELECT pg_export_snapshot()", &[]).await.map_err(explained)?.get(0);
        Ok(Arc::new(Self { client, id, shown: Arc::clone(shown) }))
    }

    /// Begins a transaction at the moment on another connection.
    ///
    /// # Errors
    /// If the moment is over, because its connection was lost.
    pub async fn enter(&self, wire: &mut Wire) -> Result<()> {
        let text = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{}'", self.id);
        match wire.execute(&text).await {
            Err(_) if self.client.is_closed() => Err(Error::new(
                Class::Fatal,
                format!("{}: the connection that held the moment of all that is read was lost; sync again", self.shown),
            )),
            done => done,
        }
    }
}
