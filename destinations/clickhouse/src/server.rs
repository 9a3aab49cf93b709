//! The server that is written to.

use std::ops::Deref;
use std::sync::Arc;

pub use headwater_clickhouse_client::{Abilities, Statement, Tries};
use headwater_clickhouse_client::{Server as Client, Settings};
use headwater_sdk::Result;

use crate::spec::Tables;

/// Settings of ClickHouse for all statements.
const ALWAYS: [(&str, &str); 7] = [
    // An error after the first rows could not be told from rows.
    ("wait_end_of_query", "1"),
    // Rows are where they are when the statement has ended.
    ("async_insert", "0"),
    ("mutations_sync", "1"),
    ("alter_sync", "1"),
    ("lightweight_deletes_sync", "1"),
    // A name means the table itself, as it is.
    ("final", "0"),
    // Until it became a matter of course, the type of a time of day had to be asked for.
    ("enable_time_time64_type", "1"),
];

/// The server, and how tables are created and written there.
pub struct Server {
    client: Client,
    pub tables: Tables,
}

impl Server {
    /// A server that is not connected to yet.
    pub fn new((settings, tables): (Settings, Tables)) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { client: Client::new(settings, &ALWAYS)?, tables }))
    }
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
