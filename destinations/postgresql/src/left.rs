//! What an interrupted sync has left in tables that are only added to.

use std::collections::{HashMap, HashSet};

use headwater_sdk::Part;
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::sql::quote;
use tokio::sync::Mutex;
use tokio_postgres::Client;

type Pg<T> = Result<T, tokio_postgres::Error>;

/// The units of which an earlier attempt of a sync left rows, read once for each table: a table that is only added to
/// has no index, and is not searched again for each of its units.
#[derive(Default)]
pub struct Left(Mutex<HashMap<(String, i64), Units>>);

/// Units, by the source and the values that they are told by.
type Units = HashSet<Vec<String>>;

impl Left {
    /// Whether there may be rows of a part that is written again.
    pub async fn holds(&self, client: &Client, part: &Part) -> Pg<bool> {
        if !part.table.key().is_empty() {
            return Ok(true);
        }
        let columns = std::iter::once(SOURCE_NAME).chain(part.predicate.iter().map(|(column, _)| column.as_str()));
        let columns: Vec<String> = columns.map(|column| format!("{}::text", quote(column))).collect();
        let sql = format!(
            "SELECT DISTINCT {} FROM {} WHERE {} = (SELECT $1::text::timestamptz)",
            columns.join(", "),
            quote(&part.table.name),
            quote(SYNC_TIME)
        );
        let unit: Vec<String> =
            std::iter::once(&part.source).chain(part.predicate.iter().map(|(_, value)| value)).cloned().collect();
        let mut left = self.0.lock().await;
        let key = (sql, part.sync_time.0);
        if let Some(units) = left.get(&key) {
            return Ok(units.contains(&unit));
        }
        let rows = client.query(&key.0, &[&part.sync_time.to_rfc3339()]).await?;
        // A value that is missing is of no unit.
        let units = rows.iter().filter_map(|row| (0..columns.len()).map(|index| row.get(index)).collect());
        let units: Units = units.collect();
        let holds = units.contains(&unit);
        left.insert(key, units);
        Ok(holds)
    }
}
