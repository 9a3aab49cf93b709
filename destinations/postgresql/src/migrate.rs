//! Makes the database's tables fit the source's: new tables and columns are added, types widened; what would lose
//! values is refused unless it is forced.

use std::sync::Arc;

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::sql::quote;
use headwater_sdk::{Result, TableSchema, sql};
use tokio_postgres::Transaction;

use crate::ddl::{check_names, create_table, create_unit_index, not_null};
use crate::errors::explain;
use crate::server::Server;
use crate::types::Kind;

/// One migration at a time: the number of a lock of PostgreSQL's.
const LOCK: i64 = 0x6865_6164_7761_7465;

/// How tables begin in which units wait; those that a process has left behind are removed two days later.
pub const WAITING: &str = "headwater_waiting_";

/// No unit runs for so many seconds.
const LONG_AGO: f64 = 2.0 * 86_400.0;

struct Existing {
    name: String,
    kind: String,
    not_null: bool,
    default: bool,
}

struct Found {
    columns: Vec<Existing>,
    key: Vec<String>,
}

type Pg<T> = std::result::Result<T, tokio_postgres::Error>;

/// Makes all tables fit, or changes none of them.
pub async fn migrate(server: &Arc<Server>, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
    tables.iter().try_for_each(|table| check_names(table))?;
    let shown = &server.settings.shown;
    let mut lent = server.connection().await?;
    let explained = |error: tokio_postgres::Error| explain(&error, shown);
    let transaction = lent.connection.client.transaction().await.map_err(explained)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(explained)?;
    sweep(&transaction).await.map_err(explained)?;
    let mut misfits = Vec::new();
    for schema in tables {
        let failed = |error| explained(error).while_doing(format!("table {}", schema.name));
        misfits.extend(table(&transaction, schema, mode).await.map_err(failed)?);
    }
    if misfits.is_empty() {
        transaction.commit().await.map_err(explained)?;
        lent.give_back();
        return Ok(());
    }
    Err(sql::misfits(shown, &misfits, mode, "schema"))
}

/// Removes tables in which units have waited whose process is gone: their name says when they were made.
async fn sweep(transaction: &Transaction<'_>) -> Pg<()> {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' \
               AND starts_with(relname, $1) AND extract(epoch FROM now()) - $2::float8 > \
               substring(relname FROM '^[a-z_]+([0-9]{1,12})_')::float8";
    for row in transaction.query(sql, &[&WAITING, &LONG_AGO]).await? {
        let name: String = row.get(0);
        transaction.batch_execute(&format!("DROP TABLE IF EXISTS {}", quote(&name))).await?;
    }
    Ok(())
}

/// One table: what does not fit is answered.
async fn table(transaction: &Transaction<'_>, schema: &TableSchema, mode: MigrateMode) -> Pg<Option<String>> {
    let name = &schema.name;
    let sql =
        "SELECT oid, relkind::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = $1";
    let found = transaction.query_opt(sql, &[name]).await?;
    let Some(found) = found else {
        transaction.batch_execute(&create_table(schema)).await?;
        return index(transaction, schema).await;
    };
    let (oid, kind): (u32, String) = (found.get(0), found.get(1));
    if !matches!(kind.as_str(), "r" | "p") {
        // Not even a forced migration takes this away: it is none of ours.
        let kind = match kind.as_str() {
            "v" => "view",
            "m" => "materialized view",
            "f" => "foreign table",
            "S" => "sequence",
            "i" | "I" => "index",
            _ => "type",
        };
        return Ok(Some(format!("table {name}: the database has a {kind} of this name, which has to go first")));
    }
    let existing = existing(transaction, oid).await?;
    match (misfit(&existing, schema), mode) {
        (Some(misfit), MigrateMode::Safe) => return Ok(Some(misfit)),
        (Some(_), MigrateMode::Forced) => {
            transaction.batch_execute(&format!("DROP TABLE {}; {}", quote(name), create_table(schema))).await?;
        }
        (None, _) => {
            let changes = changes(&existing, schema);
            if !changes.is_empty() {
                let sql = format!("ALTER TABLE {} {}", quote(name), changes.join(", "));
                transaction.batch_execute(&sql).await?;
            }
        }
    }
    index(transaction, schema).await
}

async fn index(transaction: &Transaction<'_>, schema: &TableSchema) -> Pg<Option<String>> {
    if let Some(index) = create_unit_index(schema) {
        transaction.batch_execute(&index).await?;
    }
    Ok(None)
}

async fn existing(transaction: &Transaction<'_>, oid: u32) -> Pg<Found> {
    let sql = "SELECT attname, format_type(atttypid, atttypmod), attnotnull, atthasdef OR attidentity <> '' \
               FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let columns = transaction.query(sql, &[&oid]).await?.into_iter().map(|row| Existing {
        name: row.get(0),
        kind: row.get(1),
        not_null: row.get(2),
        default: row.get(3),
    });
    let columns = columns.collect();
    let sql = "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
               WHERE i.indrelid = $1 AND i.indisprimary";
    let key = transaction.query(sql, &[&oid]).await?.into_iter().map(|row| row.get(0)).collect();
    Ok(Found { columns, key })
}

/// Why a table cannot stay as it is; none where it can.
fn misfit(found: &Found, schema: &TableSchema) -> Option<String> {
    let name = &schema.name;
    for column in &schema.columns {
        let Some(existing) = found.columns.iter().find(|existing| existing.name == column.name) else { continue };
        let wanted = Kind::of(&column.kind);
        if existing.kind != wanted.sql() && !wanted.widens(&existing.kind) {
            let (column, kind, wanted) = (&column.name, &existing.kind, wanted.sql());
            return Some(format!("table {name}, column {column}: {kind} in the database, {wanted} in the source"));
        }
    }
    let (mut has, mut wanted): (Vec<&str>, Vec<&str>) = (found.key.iter().map(String::as_str).collect(), schema.key());
    has.sort_unstable();
    wanted.sort_unstable();
    if has == wanted {
        return None;
    }
    Some(sql::other_key(name, &has, &wanted))
}

/// What is changed in place, without losing a value.
fn changes(found: &Found, schema: &TableSchema) -> Vec<String> {
    let mut changes = Vec::new();
    for column in &schema.columns {
        let (name, kind) = (quote(&column.name), Kind::of(&column.kind).sql());
        match found.columns.iter().find(|existing| existing.name == column.name) {
            // The rows that are there have no value for it, so it may be null whatever the source says.
            None => changes.push(format!("ADD COLUMN {name} {kind}")),
            Some(existing) if existing.kind != kind => changes.push(format!("ALTER COLUMN {name} TYPE {kind}")),
            Some(_) => {}
        }
    }
    for existing in found.columns.iter().filter(|existing| existing.not_null && !found.key.contains(&existing.name)) {
        let wanted = schema.columns.iter().find(|column| column.name == existing.name);
        if wanted.map_or(!existing.default, |column| !not_null(column)) {
            changes.push(format!("ALTER COLUMN {} DROP NOT NULL", quote(&existing.name)));
        }
    }
    changes
}
