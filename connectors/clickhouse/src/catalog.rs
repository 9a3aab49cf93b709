//! The tables and columns that the server says there are.

use std::collections::HashMap;

use headwater_clickhouse_client::Server;
use headwater_clickhouse_client::sql::literal;
use headwater_sdk::Result;

/// Databases of the server's own.
const SYSTEM: &str = "('system', 'information_schema', 'INFORMATION_SCHEMA', '_temporary_and_external_tables')";

/// Engines whose rows are gone when they are read, or cannot be read.
const UNREADABLE: [&str; 9] =
    ["Kafka", "RabbitMQ", "NATS", "FileLog", "S3Queue", "AzureQueue", "ObjectStorageQueue", "Set", "WindowView"];

/// A table, as it stands in the server.
pub struct Found {
    pub database: String,
    pub name: String,
    pub engine: String,
    pub comment: String,
    pub columns: Vec<FoundColumn>,
}

/// A column, as it stands in the server.
pub struct FoundColumn {
    pub name: String,
    pub kind: String,
    pub comment: String,
}

/// All tables that can be read, by database and name: those of the database that is connected to, or of all.
pub async fn tables(server: &Server, all: bool) -> Result<Vec<Found>> {
    let of = match all {
        true => format!("database NOT IN {SYSTEM}"),
        false => format!("database = {}", literal(&server.settings.database)),
    };
    let engines = UNREADABLE.map(literal).join(", ");
    // What a materialised view keeps its rows in is read through the view.
    let tables = format!(
        "SELECT database, name, engine, comment FROM system.tables WHERE {of} AND NOT is_temporary AND engine NOT IN ({engines}) \
         AND NOT startsWith(name, '.inner') ORDER BY database, name"
    );
    // The values of these are made when they are asked for, or cannot be asked for.
    let columns = format!(
        "SELECT database, table, name, type, comment FROM system.columns WHERE {of} \
         AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') ORDER BY database, table, position"
    );
    let mut by_table: HashMap<(String, String), Vec<FoundColumn>> = HashMap::new();
    for row in server.rows(&columns).await? {
        let Ok([database, table, name, kind, comment]) = <[String; 5]>::try_from(row) else { continue };
        by_table.entry((database, table)).or_default().push(FoundColumn { name, kind, comment });
    }
    let rows = server.rows(&tables).await?.into_iter().filter_map(|row| <[String; 4]>::try_from(row).ok());
    Ok(rows
        .filter_map(|[database, name, engine, comment]| {
            let (_, columns) = by_table.remove_entry(&(database.clone(), name.clone()))?;
            Some(Found { database, name, engine, comment, columns })
        })
        .collect())
}
