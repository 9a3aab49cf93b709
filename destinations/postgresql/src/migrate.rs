//! Makes the database's tables fit the source's: new tables and columns are added, types widened; what would lose
//! values is refused unless it is forced.

use std::sync::Arc;

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::{Change, Dialect, FoundColumn, FoundTable};
use headwater_sdk::sql::quote;
use headwater_sdk::{Column, ColumnType, Result, TablePlan, TableSchema, plan};
use tokio_postgres::Transaction;

use crate::ddl::{check_names, create_table, unit_index};
use crate::native::of_column;
use crate::server::Server;
use crate::types::Kind;

/// One migration at a time: the number of a lock of PostgreSQL's.
pub const LOCK: i64 = 0x6865_6164_7761_7465;

/// How tables begin in which units wait; those that a process has left behind are removed two days later.
pub const WAITING: &str = "headwater_waiting_";

/// No unit runs for so many seconds.
const LONG_AGO: f64 = 2.0 * 86_400.0;

/// PostgreSQL's types, as tables are compared by them.
struct Types;

impl Dialect for Types {
    fn type_of(&self, kind: &ColumnType) -> String {
        Kind::of(kind).sql()
    }

    fn type_of_column(&self, column: &Column) -> String {
        of_column(column).sql()
    }

    fn widens(&self, found: &str, wanted: &ColumnType) -> bool {
        Kind::of(wanted).widens(found)
    }

    fn widens_to(&self, found: &str, wanted: &Column) -> bool {
        of_column(wanted).widens(found)
    }
}

type Pg<T> = std::result::Result<T, tokio_postgres::Error>;

/// What [`migrate`] would do.
pub async fn plan(server: &Arc<Server>, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<Vec<TablePlan>> {
    tables.iter().try_for_each(|table| check_names(table))?;
    let mut lent = server.connection().await?;
    let explained = |error| server.explain(error);
    let transaction = lent.connection.client.build_transaction().read_only(true).start().await.map_err(explained)?;
    let plans = plan_all(&transaction, tables, mode).await.map_err(explained)?;
    transaction.rollback().await.map_err(explained)?;
    lent.give_back();
    Ok(plans)
}

/// Makes all tables fit, or changes none of them.
pub async fn migrate(server: &Arc<Server>, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
    tables.iter().try_for_each(|table| check_names(table))?;
    let shown = &server.settings.shown;
    let mut lent = server.connection().await?;
    let explained = |error| server.explain(error);
    let transaction = lent.connection.client.transaction().await.map_err(explained)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(explained)?;
    sweep(&transaction).await.map_err(explained)?;
    let plans = plan_all(&transaction, tables, mode).await.map_err(explained)?;
    plan::check(shown, &plans, "schema")?;
    for (schema, plan) in tables.iter().zip(&plans) {
        let failed = |error| explained(error).while_doing(format!("table {}", schema.name));
        apply(&transaction, schema, plan, server.settings.fill).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(explained)?;
    lent.give_back();
    Ok(())
}

async fn plan_all(transaction: &Transaction<'_>, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Pg<Vec<TablePlan>> {
    let mut plans = Vec::with_capacity(tables.len());
    for schema in tables {
        plans.push(plan_table(transaction, schema, mode).await?);
    }
    Ok(plans)
}

/// Removes tables in which units have waited whose process is gone: their name says when they were made. Those of
/// another user are that one's matter.
async fn sweep(transaction: &Transaction<'_>) -> Pg<()> {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' \
               AND pg_has_role(relowner, 'USAGE') AND starts_with(relname, $1) AND extract(epoch FROM now()) - $2::float8 > \
               substring(relname FROM '^[a-z_]+([0-9]{1,12})_')::float8";
    for row in transaction.query(sql, &[&WAITING, &LONG_AGO]).await? {
        let name: String = row.get(0);
        transaction.batch_execute(&format!("DROP TABLE IF EXISTS {}", quote(&name))).await?;
    }
    Ok(())
}

/// What has to be done to one table.
async fn plan_table(transaction: &Transaction<'_>, schema: &TableSchema, mode: MigrateMode) -> Pg<TablePlan> {
    let name = &schema.name;
    let sql =
        "SELECT oid, relkind::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = $1";
    let Some(found) = transaction.query_opt(sql, &[name]).await? else {
        return Ok(plan::compare(&Types, schema, None, mode));
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
        let why = format!("table {name}: the database has a {kind} of this name, which has to go first");
        return Ok(TablePlan::blocked(name, why));
    }
    let found = existing(transaction, oid).await?;
    let plan = plan::compare(&Types, schema, Some(&found), mode);
    let readers = readers(transaction, oid).await?;
    Ok(match blocked(schema, &plan, &readers) {
        Some(why) => TablePlan::blocked(name, why),
        None => plan,
    })
}

/// The views that read a table, with the column that they read, and the foreign keys that point to it.
async fn readers(transaction: &Transaction<'_>, oid: u32) -> Pg<Vec<(Option<String>, String)>> {
    let sql = "SELECT DISTINCT a.attname::text, CASE v.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' \
               ELSE 'rule of ' END || v.oid::regclass::text FROM pg_depend d \
               JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid \
               JOIN pg_class v ON v.oid = r.ev_class \
               LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0 \
               WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND v.oid <> $1 \
               UNION SELECT NULL, 'foreign key of ' || conrelid::regclass::text FROM pg_constraint \
               WHERE confrelid = $1 AND contype = 'f' AND conrelid <> $1 ORDER BY 2, 1";
    Ok(transaction.query(sql, &[&oid]).await?.into_iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What of the database is in the way of a plan. PostgreSQL refuses to change the type of a column that a view reads, and
/// to drop a table that a view or a foreign key needs; neither is dropped here.
fn blocked(schema: &TableSchema, plan: &TablePlan, readers: &[(Option<String>, String)]) -> Option<String> {
    let name = &schema.name;
    let names = |of: &dyn Fn(&Option<String>) -> bool| {
        let mut names: Vec<&str> =
            readers.iter().filter(|(column, _)| of(column)).map(|(_, reader)| reader.as_str()).collect();
        names.dedup();
        names.join(", ")
    };
    plan.changes.iter().find_map(|change| match change {
        Change::Replace { why, .. } if !readers.is_empty() => {
            Some(format!("{why}; the table cannot be dropped while {} needs it", names(&|_| true)))
        }
        Change::Widen { column, from, to } => {
            let of_column = |read: &Option<String>| read.as_ref() == Some(column);
            let readers = names(&of_column);
            (!readers.is_empty()).then(|| {
                format!(
                    "table {name}, column {column}: {from} cannot become {to} while {readers} reads it; drop that first"
                )
            })
        }
        _ => None,
    })
}

/// Does what is planned for a table.
async fn apply(transaction: &Transaction<'_>, schema: &TableSchema, plan: &TablePlan, fill: u32) -> Pg<()> {
    let name = quote(&schema.name);
    let mut altered = Vec::new();
    for change in &plan.changes {
        match change {
            Change::Create { .. } => transaction.batch_execute(&create_table(schema, fill)).await?,
            Change::Replace { .. } => {
                transaction.batch_execute(&format!("DROP TABLE {name}; {}", create_table(schema, fill))).await?;
            }
            // The rows that are there have no value for it, so it may be null whatever the source says.
            Change::Add { column, kind } => altered.push(format!("ADD COLUMN {} {kind}", quote(column))),
            Change::Widen { column, to, .. } => altered.push(format!("ALTER COLUMN {} TYPE {to}", quote(column))),
            Change::Relax { column } => altered.push(format!("ALTER COLUMN {} DROP NOT NULL", quote(column))),
            // What is blocked is not applied.
            Change::Blocked { .. } => {}
        }
    }
    if !altered.is_empty() {
        transaction.batch_execute(&format!("ALTER TABLE {name} {}", altered.join(", "))).await?;
    }
    let Some((index, create)) = unit_index(schema) else { return Ok(()) };
    // To create it if it is not there takes a lock and the table's owner, also where it is.
    let sql = "SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = $1";
    match transaction.query_opt(sql, &[&index]).await? {
        Some(_) => Ok(()),
        None => transaction.batch_execute(&create).await,
    }
}

async fn existing(transaction: &Transaction<'_>, oid: u32) -> Pg<FoundTable> {
    let sql = "SELECT attname, format_type(atttypid, atttypmod), attnotnull, atthasdef OR attidentity <> '' \
               FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let columns = transaction.query(sql, &[&oid]).await?.into_iter().map(|row| FoundColumn {
        name: row.get(0),
        kind: row.get(1),
        not_null: row.get(2),
        default: row.get(3),
    });
    let columns = columns.collect();
    let sql = "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
               AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) \
               WHERE i.indrelid = $1 AND i.indisprimary";
    let key = transaction.query(sql, &[&oid]).await?.into_iter().map(|row| row.get(0)).collect();
    Ok(FoundTable { columns, key })
}
