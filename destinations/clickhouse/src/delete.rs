//! Rows that are removed because they are named.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::sql::named_columns;
use headwater_sdk::{Column, Result, TableSchema};

use crate::convert::convert;
use crate::ddl::{declared, list, not_null, quote};
use crate::part::Waiting;
use crate::server::Server;
use crate::types::Kind;

/// Removes the rows that are equal to a row of `matching` in its columns.
pub async fn delete(server: &Arc<Server>, table: &TableSchema, matching: &RecordBatch) -> Result<u64> {
    let columns = named_columns(table, matching)?;
    if matching.num_rows() == 0 {
        return Ok(0);
    }
    let failed = |error: headwater_sdk::Error| error.while_doing(format!("table {}", table.name));
    remove(server, table, &columns, matching).await.map_err(failed)
}

async fn remove(server: &Arc<Server>, table: &TableSchema, columns: &[&Column], matching: &RecordBatch) -> Result<u64> {
    let batch = convert(matching, server.abilities().await?, None)?;
    let merge_tree = |columns: &[&Column]| {
        let columns: Vec<String> = columns.iter().map(|column| declared(column)).collect();
        format!("({}) ENGINE = MergeTree ORDER BY tuple()", columns.join(", "))
    };
    let mut named =
        Waiting::made(server, |name| format!("CREATE TABLE IF NOT EXISTS {name} {}", merge_tree(columns))).await?;
    named.send(named.insert(vec![batch])?).await?;
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
    let name = quote(&table.name);
    let key = table.key();
    let deleted = if key.is_empty() {
        let count = server.count(&format!("SELECT toString(count()) FROM {name} WHERE {condition}")).await?;
        if count > 0 {
            server.run(format!("DELETE FROM {name} WHERE {condition}")).await?;
        }
        count
    } else {
        // With a row go those that it has replaced, which would be seen again otherwise.
        let typed: Vec<&Column> = table.columns.iter().filter(|column| column.key).collect();
        let key = list(key);
        let create = |waiting: &str| format!("CREATE TABLE IF NOT EXISTS {waiting} {}", merge_tree(&typed));
        let keys = Waiting::made(server, create).await?;
        let waiting = quote(&keys.name);
        // Keys that come twice, because an answer was lost, are one.
        let insert = format!("INSERT INTO {waiting} ({key}) SELECT {key} FROM {name} FINAL WHERE {condition}");
        server.run(insert).await?;
        let count =
            server.count(&format!("SELECT toString(count()) FROM (SELECT DISTINCT {key} FROM {waiting})")).await?;
        if count > 0 {
            let sql = format!("DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {waiting})");
            server.run(sql).await?;
        }
        keys.remove().await;
        count
    };
    named.remove().await;
    Ok(deleted)
}
