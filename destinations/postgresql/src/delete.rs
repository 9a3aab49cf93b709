//! Rows that are removed because they are named.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::sql::{named_columns, quote};
use headwater_sdk::{Result, TableSchema};

use crate::ddl::{copy_into, not_null};
use crate::encode::Rows;
use crate::errors::explain;
use crate::publish::send;
use crate::server::Server;
use crate::types::Kind;

/// The temporary table of the rows' values.
const NAMED: &str = "pg_temp.headwater_named";

/// Removes the rows that are equal to a row of `matching` in its columns.
pub async fn delete(server: &Arc<Server>, table: &TableSchema, matching: &RecordBatch) -> Result<u64> {
    let columns = named_columns(table, matching)?;
    if matching.num_rows() == 0 {
        return Ok(0);
    }
    let mut rows = Vec::new();
    Rows::new(matching)?.write(&mut rows)?;
    let kinds = columns.iter().enumerate();
    let kinds: Vec<String> =
        kinds.map(|(index, column)| format!("c{index} {}", Kind::of(&column.kind).sql())).collect();
    let equal = columns.iter().enumerate().map(|(index, column)| {
        let name = quote(&column.name);
        // Only a plain comparison can use an index.
        match not_null(column) {
            true => format!("t.{name} = s.c{index}"),
            false => format!("(t.{name} = s.c{index} OR t.{name} IS NULL AND s.c{index} IS NULL)"),
        }
    });
    let sql = format!(
        "DELETE FROM {} AS t USING {NAMED} AS s WHERE {}",
        quote(&table.name),
        equal.collect::<Vec<_>>().join(" AND ")
    );
    let mut lent = server.connection().await?;
    let explained = |error: tokio_postgres::Error| explain(&error, &server.settings.shown);
    let transaction = lent.connection.client.transaction().await.map_err(explained)?;
    let deleted = async {
        let create = format!("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP", &NAMED[8..], kinds.join(", "));
        transaction.batch_execute(&create).await?;
        send(transaction.copy_in(&copy_into(NAMED)).await?, rows.into()).await?;
        let deleted = transaction.execute(&sql, &[]).await?;
        transaction.commit().await?;
        Ok(deleted)
    };
    let deleted = deleted.await.map_err(|error| explained(error).while_doing(format!("table {}", table.name)))?;
    lent.give_back();
    Ok(deleted)
}
