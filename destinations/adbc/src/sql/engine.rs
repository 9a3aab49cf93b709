//! DuckDB in memory, with as many connections as there are callers at once.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use adbc_core::{Database, Driver};
use adbc_driver_manager::ManagedDatabase;
use headwater_sdk::Result;

use crate::dialect::Dialect;
use crate::driver::{DUCKDB_ENTRYPOINT, LIBDUCKDB, find_libduckdb, load};
use crate::errors::Shown;
use crate::session::Session;

/// What the database may take for itself; a batch is a few megabytes.
const SETTINGS: [&str; 6] = [
    "SET memory_limit = '1GB'",
    // Batches are worked on at once, each by one thread.
    "SET threads = 1",
    // Nothing is ever downloaded, and no file is read or written.
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET TimeZone = 'UTC'",
];

/// DuckDB, loaded when it is first asked.
pub struct Engine {
    library: Option<PathBuf>,
    open: Mutex<Open>,
    shown: Arc<Shown>,
}

/// Fields are dropped in their order: connections go before their database.
#[derive(Default)]
struct Open {
    idle: Vec<Session>,
    database: Option<ManagedDatabase>,
}

impl Engine {
    pub fn new(library: Option<PathBuf>) -> Self {
        let shown = Arc::new(Shown::new("DuckDB".to_owned(), std::iter::empty()));
        Self { library, open: Mutex::default(), shown }
    }

    /// Does something with a connection that nobody else has.
    pub fn with<T>(&self, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let mut session = self.session()?;
        let done = work(&mut session)?;
        // After a failure it is not known what state it is in, and another is opened.
        self.open.lock().unwrap_or_else(PoisonError::into_inner).idle.push(session);
        Ok(done)
    }

    fn session(&self) -> Result<Session> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = open.idle.pop() {
            return Ok(session);
        }
        let database = match &open.database {
            Some(database) => database,
            None => {
                let library = find_libduckdb(self.library.as_deref(), std::env::var_os(LIBDUCKDB))?;
                let mut driver = load(&library.display().to_string(), Some(DUCKDB_ENTRYPOINT))?;
                let database = driver.new_database().map_err(|error| self.shown.explain(&error))?;
                open.database.insert(database)
            }
        };
        let connection = database.new_connection().map_err(|error| self.shown.explain(&error))?;
        let mut session = Session::new(connection, Dialect::Duckdb, Arc::clone(&self.shown));
        for setting in SETTINGS {
            if let Err(error) = session.execute(setting) {
                // What is locked already was set by the first connection; a library without zones has only UTC.
                tracing::debug!(%error, setting, "DuckDB keeps its own setting");
            }
        }
        Ok(session)
    }
}
