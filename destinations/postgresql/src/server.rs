//! Connections to the server: opened when they are needed, a few at once, and used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_postgresql_client::Connector;
use headwater_sdk::sql::quote;
use headwater_sdk::{Class, Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::errors::{explain, of_a_row};
use crate::left::Left;
use crate::spec::Settings;

/// How long the end of a sync waits for tables to be removed; the next sync removes those that are left.
const REMOVAL: Duration = Duration::from_secs(10);

/// The server, and the connections that are free.
pub struct Server {
    pub settings: Settings,
    connector: Connector,
    free: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
    /// Connections that may be kept for as long as a part is open; the others are for everyone.
    long_turns: Arc<Semaphore>,
    /// Tables that are being removed.
    removals: Mutex<JoinSet<()>>,
    /// What an interrupted sync has left.
    pub left: Left,
}

/// A connection, and the temporary tables that it has.
pub struct Connection {
    pub client: Client,
    /// By the columns that they were made for; they are empty outside of a transaction.
    pub stages: HashMap<String, String>,
}

/// A connection that is used. It is closed when it is dropped, unless it was given back.
pub struct Lent {
    pub connection: Connection,
    server: Arc<Server>,
    _turns: Arc<Turns>,
}

/// The right to some connections; it ends with the last who has it.
pub struct Turns {
    _turns: Option<OwnedSemaphorePermit>,
    _long: Option<OwnedSemaphorePermit>,
}

impl Lent {
    /// Gives the connection back, outside of a transaction.
    pub fn give_back(self) {
        if !self.connection.client.is_closed() {
            self.server.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
        }
    }
}

impl Server {
    /// A server that is not connected to yet.
    pub fn new(settings: Settings) -> Result<Arc<Self>> {
        let connector = Connector::new(settings.connect.clone())?;
        let turns = Arc::new(Semaphore::new(settings.connections));
        let long_turns = Arc::new(Semaphore::new(settings.connections / 2));
        let (free, removals) = (Mutex::default(), Mutex::default());
        Ok(Arc::new(Self { settings, connector, free, turns, long_turns, removals, left: Left::default() }))
    }

    /// An error of the server, with the place and what to do.
    pub fn explain(&self, error: tokio_postgres::Error) -> Error {
        ours(explain(&error, &self.settings.shown))
    }

    /// The same of an error of writing rows, which may be about single ones.
    pub fn explain_rows(&self, error: tokio_postgres::Error) -> Error {
        let class = if of_a_row(&error).is_some() { Class::Rejected } else { Class::Destination };
        Error { class, ..explain(&error, &self.settings.shown) }
    }

    /// A connection by turns that one has, or else waits for one.
    pub async fn connection_by(self: &Arc<Self>, turns: Option<&Arc<Turns>>) -> Result<Lent> {
        match turns {
            Some(turns) => self.connection_of(Arc::clone(turns)).await,
            None => self.connection().await,
        }
    }

    /// Waits for a connection.
    pub async fn connection(self: &Arc<Self>) -> Result<Lent> {
        // The semaphore is never closed, so a turn always comes.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        self.connection_of(Arc::new(Turns { _turns: turn, _long: None })).await
    }

    /// Turns for as long as a part is open, if so many are free now.
    pub fn long_turns(&self, count: u32) -> Option<Arc<Turns>> {
        let long = Arc::clone(&self.long_turns).try_acquire_many_owned(count).ok()?;
        let turns = Arc::clone(&self.turns).try_acquire_many_owned(count).ok()?;
        Some(Arc::new(Turns { _turns: Some(turns), _long: Some(long) }))
    }

    /// A connection by turns that one has; no more may be used at once than there are turns.
    pub async fn connection_of(self: &Arc<Self>, turns: Arc<Turns>) -> Result<Lent> {
        let free = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.retain(|connection| !connection.client.is_closed());
            free.pop()
        };
        let connection = match free {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lent { connection, server: Arc::clone(self), _turns: turns })
    }

    async fn connect(&self) -> Result<Connection> {
        let client = self.connector.connect().await.map_err(ours)?;
        if let Some(schema) = &self.settings.schema {
            let set = format!("SET search_path = {}", quote(schema));
            client.batch_execute(&set).await.map_err(|error| self.explain(error))?;
        }
        Ok(Connection { client, stages: HashMap::new() })
    }

    /// Removes a table while other things go on.
    pub fn remove(self: &Arc<Self>, table: String) {
        // Where the runtime is gone, the next sync removes the table.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let server = Arc::clone(self);
        let removal = async move {
            let Ok(lent) = server.connection().await else { return };
            let sql = format!("DROP TABLE IF EXISTS {}", quote(&table));
            match lent.connection.client.batch_execute(&sql).await {
                Ok(()) => lent.give_back(),
                Err(error) => tracing::debug!(%error, table, "a table stays until the next sync removes it"),
            }
        };
        let mut removals = self.removals.lock().unwrap_or_else(PoisonError::into_inner);
        while removals.try_join_next().is_some() {}
        removals.spawn_on(removal, &runtime);
    }

    /// Waits for what is being removed, and closes the connections that are free.
    pub async fn close(&self) {
        let mut removals = std::mem::take(&mut *self.removals.lock().unwrap_or_else(PoisonError::into_inner));
        let removed = async { while removals.join_next().await.is_some() {} };
        if tokio::time::timeout(REMOVAL, removed).await.is_err() {
            removals.detach_all();
        }
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// An error as one of a destination.
fn ours(error: Error) -> Error {
    Error { class: Class::Destination, ..error }
}
