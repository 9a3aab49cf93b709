//! Rows that are removed because they are named, or because the units that they were of are no more.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::sql::named_columns;
use headwater_sdk::{Column, Part, Result, TableSchema};

use crate::convert::convert;
use crate::ddl::{declared, list, not_null, of_time, of_unit, quote};
use crate::part::Waiting;
use crate::server::Server;
use crate::types::Kind;

/// Rows that are to be removed.
pub struct Doomed {
    /// What is true of them, among the rows that can be seen.
    pub condition: String,
    /// What is true of rows that they may have replaced; of any, where it is not said.
    pub until: Option<String>,
}

/// Removes the rows that are equal to a row of `matching` in its columns.
pub async fn delete(server: &Arc<Server>, table: &TableSchema, matching: &RecordBatch) -> Result<u64> {
    let columns = named_columns(table, matching)?;
    if matching.num_rows() == 0 {
        return Ok(0);
    }
    let failed = |error: headwater_sdk::Error| error.while_doing(format!("table {}", table.name));
    remove_named(server, table, &columns, matching).await.map_err(failed)
}

/// Removes what earlier syncs than this one have left of a source.
pub async fn prune(server: &Arc<Server>, all: &Part) -> Result<u64> {
    let doomed = Doomed { condition: of_unit(all, "<")?, until: Some(of_time(all, "<")) };
    let removed = remove(server, &all.table, &doomed).await;
    removed.map_err(|error| error.while_doing(format!("table {}", all.table.name)))
}

async fn remove_named(
    server: &Arc<Server>,
    table: &TableSchema,
    columns: &[&Column],
    matching: &RecordBatch,
) -> Result<u64> {
    let batch = convert(matching, server.abilities().await?, None)?;
    let mut named = names(server, columns).await?;
    named.send(vec![batch], |_| {}).await?;
    // Missing equals missing: a value is compared together with whether it is there.
    let compared = columns.iter().map(|column| {
        let (name, kind) = (quote(&column.name), Kind::of(&column.kind));
        match kind {
            Kind::Array(_) => name,
            _ if not_null(column) => name,
            kind => {
                format!("ifNull({name}, defaultValueOfTypeName('{}')), isNull({name})", kind.sql().replace('\'', "\\'"))
            }
        }
    });
    let compared = compared.collect::<Vec<_>>().join(", ");
    let condition = format!("({compared}) IN (SELECT {compared} FROM {})", quote(&named.name));
    let removed = remove(server, table, &Doomed { condition, until: None }).await?;
    named.remove().await;
    Ok(removed)
}

/// A table for values of some columns, by which rows are named.
async fn names(server: &Arc<Server>, columns: &[&Column]) -> Result<Waiting> {
    let columns = columns.iter().map(|column| declared(column)).collect::<Vec<_>>().join(", ");
    let create =
        |name: &str| format!("CREATE TABLE IF NOT EXISTS {name} ({columns}) ENGINE = MergeTree ORDER BY tuple()");
    Waiting::made(server, create).await
}

/// Removes rows, and answers how many of them could be seen. With a row go those that it has replaced, which would be seen
/// again otherwise.
pub async fn remove(server: &Arc<Server>, table: &TableSchema, doomed: &Doomed) -> Result<u64> {
    let (name, key) = (quote(&table.name), list(table.key()));
    let condition = &doomed.condition;
    let latest = if key.is_empty() { "" } else { " FINAL" };
    let seen = server.count(&format!("{name}{latest} WHERE {condition}")).await?;
    if seen == 0 {
        return Ok(0);
    }
    let until = doomed.until.iter().map(|until| format!(" AND {until}")).collect::<String>();
    let others = format!(
        "{name} WHERE NOT ifNull({condition}, 0){until} AND ({key}) IN (SELECT {key} FROM {name} FINAL WHERE {condition})"
    );
    if key.is_empty() || server.count(&others).await? == 0 {
        remove_where(server, &name, condition).await?;
        return Ok(seen);
    }
    // Which keys they are is written down first: a deletion may look at the table when it has done half of its work.
    let columns: Vec<&Column> = table.columns.iter().filter(|column| column.key).collect();
    let keys = names(server, &columns).await?;
    let waiting = quote(&keys.name);
    // Keys that come twice, because an answer was lost, are of no matter.
    server.run(format!("INSERT INTO {waiting} ({key}) SELECT {key} FROM {name} FINAL WHERE {condition}")).await?;
    remove_where(server, &name, &format!("({key}) IN (SELECT {key} FROM {waiting}){until}")).await?;
    keys.remove().await;
    Ok(seen)
}

async fn remove_where(server: &Server, name: &str, condition: &str) -> Result<()> {
    match server.run(format!("DELETE FROM {name} WHERE {condition}")).await {
        // SUPPORT_IS_DISABLED: the table has projections, which only the heavier statement makes anew.
        Err(error) if error.has_code(&["344"]) => {
            server.run(format!("ALTER TABLE {name} DELETE WHERE {condition}")).await?;
        }
        removed => drop(removed?),
    }
    Ok(())
}
