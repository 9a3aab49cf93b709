//! Rows that are removed because they are named, or because the units that they were of are no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_sdk::arrow::array::{Array, RecordBatch};
use headwater_sdk::arrow::datatypes::Fields;
use headwater_sdk::sql::{named_columns, quote};
use headwater_sdk::{Column, Part, Result, TableSchema};

use crate::copy::send;
use crate::ddl::copy_into;
use crate::encode::Rows;
use crate::native::of_column;
use crate::publish::delete_of_unit;
use crate::retry::Retry;
use crate::server::Server;

/// The temporary table of the rows' values.
const NAMED: &str = "pg_temp.headwater_named";

/// Removes the rows that are equal to a row of `matching` in its columns.
pub async fn delete(server: &Arc<Server>, table: &TableSchema, matching: &RecordBatch) -> Result<u64> {
    let columns = named_columns(table, matching)?;
    if matching.num_rows() == 0 {
        return Ok(0);
    }
    let mut rows = Vec::new();
    let fields: Fields = columns.iter().map(|column| column.field()).collect();
    Rows::new(&fields, matching)?.write(None, &mut rows)?;
    let kinds = columns.iter().enumerate();
    let kinds: Vec<String> = kinds.map(|(index, column)| format!("c{index} {}", of_column(column).staged())).collect();
    let mut lent = server.connection().await?;
    let explained = |error| server.explain(error);
    let transaction = lent.connection.client.transaction().await.map_err(explained)?;
    let deleted = async {
        let create = format!("CREATE TEMPORARY TABLE {NAMED} ({}) ON COMMIT DROP", kinds.join(", "));
        transaction.batch_execute(&create).await?;
        send(transaction.copy_in(&copy_into(NAMED)).await?, rows.into()).await?;
        let mut deleted = 0;
        for missing in missing(matching) {
            deleted += transaction.execute(&statement(table, &columns, &missing), &[]).await?;
        }
        transaction.commit().await?;
        Ok(deleted)
    };
    let deleted = deleted.await.map_err(|error| explained(error).while_doing(format!("table {}", table.name)))?;
    lent.give_back();
    Ok(deleted)
}

/// Removes what earlier syncs than this one have left of a source; again where that fails for a passing reason.
pub async fn prune(server: &Arc<Server>, all: &Part) -> Result<u64> {
    let mut retry = Retry::default();
    loop {
        let deleted = async {
            let lent = server.connection().await?;
            let deleted = delete_of_unit(&lent.connection.client, all, Some("<"), &[]).await;
            let deleted = deleted.map_err(|error| server.explain(error))?;
            lent.give_back();
            Ok(deleted)
        };
        match deleted.await {
            Err(error) if retry.again(&error).await => {}
            deleted => return deleted.map_err(|error| error.while_doing(format!("table {}", all.table.name))),
        }
    }
}

/// Which values are missing in rows of a batch, each set of them once.
fn missing(batch: &RecordBatch) -> BTreeSet<Vec<bool>> {
    let nulls: Vec<_> = batch.columns().iter().map(|column| column.logical_nulls()).collect();
    let of_row =
        |row: usize| nulls.iter().map(|nulls| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))).collect();
    (0..batch.num_rows()).map(of_row).collect()
}

/// `DELETE` of the rows that are named by those in which just these values are missing: only plain comparisons can use an
/// index, or be hashed.
fn statement(table: &TableSchema, columns: &[&Column], missing: &[bool]) -> String {
    let equal = columns.iter().zip(missing).enumerate().map(|(index, (column, missing))| {
        let name = quote(&column.name);
        match missing {
            true => format!("t.{name} IS NULL AND s.c{index} IS NULL"),
            false => format!("t.{name} = {}", of_column(column).cast(&format!("s.c{index}"))),
        }
    });
    let equal = equal.collect::<Vec<_>>().join(" AND ");
    format!("DELETE FROM {} AS t USING {NAMED} AS s WHERE {equal}", quote(&table.name))
}
