//! Makes the database's tables fit the source's: new tables and columns are added, types widened; what would lose
//! values is refused unless it is forced.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::{Change, Dialect, FoundColumn, FoundTable};
use headwater_sdk::{ColumnType, Error, Result, TablePlan, TableSchema, plan};

use crate::ddl::{check_names, create_table, literal, quote};
use crate::server::Server;
use crate::types::{Kind, bare};

/// How tables begin in which rows wait; those that a process has left behind are removed two days later.
pub const WAITING: &str = "headwater_waiting_";

/// No unit runs for so many seconds.
const LONG_AGO: u64 = 2 * 86_400;

/// How many tables that were changed an error names.
const NAMED: usize = 10;

/// How many tables are asked about at once.
const ASKED: usize = 500;

/// ClickHouse's types, as tables are compared by them.
struct Types;

impl Dialect for Types {
    fn type_of(&self, kind: &ColumnType) -> String {
        Kind::of(kind).sql()
    }

    fn widens(&self, found: &str, wanted: &ColumnType) -> bool {
        Kind::of(wanted).widens(found)
    }
}

/// A table as it is there.
#[derive(Default)]
struct Existing {
    engine: String,
    /// The materialized views that its rows are handed to.
    views: String,
    table: FoundTable,
    /// The columns by which rows are sorted or partitioned, which cannot be changed.
    fixed: Vec<String>,
}

/// What [`migrate`] would do.
pub async fn plan(server: &Arc<Server>, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<Vec<TablePlan>> {
    for table in tables {
        check_names(table)?;
        // What the spec says about it must be usable.
        create_table(table, &server.tables)?;
    }
    server.abilities().await?;
    let mut plans = Vec::with_capacity(tables.len());
    for tables in tables.chunks(ASKED) {
        let found = existing(server, tables).await?;
        plans.extend(tables.iter().map(|table| plan_table(table, found.get(table.name.as_str()), mode)));
    }
    Ok(plans)
}

/// Makes all tables fit; where one cannot, none is changed.
pub async fn migrate(server: &Arc<Server>, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
    let plans = plan(server, tables, mode).await?;
    plan::check(&server.settings.shown, &plans, "database")?;
    sweep(server).await?;
    let mut changed: Vec<&str> = Vec::new();
    for (schema, plan) in tables.iter().zip(&plans).filter(|(_, plan)| !plan.changes.is_empty()) {
        let applied = apply(server, schema, plan).await;
        applied.map_err(|error| halfway(error, &changed).while_doing(format!("table {}", schema.name)))?;
        changed.push(&schema.name);
    }
    Ok(())
}

/// There are no transactions: what was changed before an error stays so, and is said with it.
fn halfway(mut error: Error, changed: &[&str]) -> Error {
    if changed.is_empty() {
        return error;
    }
    let (named, rest) = changed.split_at(changed.len().min(NAMED));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    let before = format!("; these tables were changed before it and stay so: {}{more}", named.join(", "));
    error.message.push_str(&before);
    error
}

/// Removes tables in which rows have waited whose process is gone: their name says when they were made.
async fn sweep(server: &Server) -> Result<()> {
    let made = format!("extract(name, '^{WAITING}([0-9]{{1,12}})_')");
    let sql = format!(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, '{WAITING}') \
         AND {made} != '' AND toUInt64OrZero({made}) + {LONG_AGO} < toUnixTimestamp(now())"
    );
    for name in server.rows(&sql).await?.into_iter().flatten() {
        server.run(format!("DROP TABLE IF EXISTS {} SYNC", quote(&name))).await?;
    }
    Ok(())
}

async fn existing(server: &Server, tables: &[Arc<TableSchema>]) -> Result<HashMap<String, Existing>> {
    let names: Vec<String> = tables.iter().map(|table| literal(&table.name)).collect();
    let names = names.join(", ");
    let sql = format!(
        "SELECT name, engine, arrayStringConcat(arrayMap((d, t) -> if(d = currentDatabase(), t, concat(d, '.', t)), \
         dependencies_database, dependencies_table), ', ') FROM system.tables \
         WHERE database = currentDatabase() AND name IN ({names})"
    );
    let mut found: HashMap<String, Existing> = HashMap::new();
    for row in server.rows(&sql).await? {
        let mut row = row.into_iter();
        let mut next = || row.next().unwrap_or_default();
        let (name, engine, views) = (next(), next(), next());
        found.insert(name, Existing { engine, views, ..Existing::default() });
    }
    let sql = format!(
        "SELECT table, name, type, default_kind, toString(is_in_sorting_key), \
         if(is_in_sorting_key OR is_in_partition_key, '1', '0') FROM system.columns \
         WHERE database = currentDatabase() AND table IN ({names}) ORDER BY table, position"
    );
    for row in server.rows(&sql).await? {
        let mut row = row.into_iter();
        let mut next = || row.next().unwrap_or_default();
        let (table, name, kind, default, sorted, fixed) = (next(), next(), next(), next(), next(), next());
        let Some(existing) = found.get_mut(&table) else { continue };
        if sorted == "1" && existing.engine.ends_with("ReplacingMergeTree") {
            existing.table.key.push(name.clone());
        }
        if fixed == "1" {
            existing.fixed.push(name.clone());
        }
        let (kind, not_null) = bare(&kind);
        let column = FoundColumn { name, kind: kind.to_owned(), not_null, default: !default.is_empty() };
        existing.table.columns.push(column);
    }
    Ok(found)
}

/// What has to be done to one table.
fn plan_table(schema: &TableSchema, found: Option<&Existing>, mode: MigrateMode) -> TablePlan {
    let name = &schema.name;
    let Some(found) = found else { return plan::compare(&Types, schema, None, mode) };
    let plain = ["", "Replicated", "Shared"].iter().any(|kind| {
        found.engine.strip_prefix(kind).is_some_and(|rest| matches!(rest, "MergeTree" | "ReplacingMergeTree"))
    });
    if !plain {
        // Not even a forced migration takes this away: it is none of ours.
        let engine = &found.engine;
        let why =
            format!("table {name}: the database has a table of engine {engine} of this name, which has to go first");
        return TablePlan::blocked(name, why);
    }
    let mut plan = plan::compare(&Types, schema, Some(&found.table), mode);
    if let Some(why) = plan.changes.iter().find_map(|change| found.forbids(name, change)) {
        let columns = || schema.columns.iter().map(|column| (column.name.clone(), Types.type_of(&column.kind)));
        plan.changes = vec![match mode {
            MigrateMode::Safe => Change::Blocked { why, forceable: true },
            MigrateMode::Forced => Change::Replace { why, columns: columns().collect() },
        }];
    }
    // A view whose table has other columns than it reads would refuse every row.
    match plan.changes.first() {
        Some(Change::Replace { why, .. }) if !found.views.is_empty() => {
            let views = &found.views;
            TablePlan::blocked(name, format!("{why}; the table cannot be dropped while the view {views} reads it"))
        }
        _ => plan,
    }
}

impl Existing {
    /// Why ClickHouse does not make a change in place, if so.
    fn forbids(&self, table: &str, change: &Change) -> Option<String> {
        let (column, what) = match change {
            Change::Widen { column, from, to } => (column, format!("{from} in the database, {to} in the source")),
            Change::Relax { column } => (column, "it may not be missing in the database".to_owned()),
            _ => return None,
        };
        let fixed = self.fixed.contains(column);
        fixed.then(|| format!("table {table}, column {column}: {what}, and rows are sorted or partitioned by it"))
    }
}

/// Does what is planned for a table.
async fn apply(server: &Server, schema: &TableSchema, plan: &TablePlan) -> Result<()> {
    let name = quote(&schema.name);
    let mut altered = Vec::new();
    for change in &plan.changes {
        match change {
            Change::Create { .. } => drop(server.run(create_table(schema, &server.tables)?).await?),
            Change::Replace { .. } => {
                server.run(format!("DROP TABLE IF EXISTS {name} SYNC")).await?;
                server.run(create_table(schema, &server.tables)?).await?;
            }
            // The rows that are there have no value for it, so it may be missing whatever the source says.
            Change::Add { column, .. } => {
                if let Some(column) = schema.column(column) {
                    let kind = Kind::of(&column.kind).declared(false);
                    altered.push(format!("ADD COLUMN IF NOT EXISTS {} {kind}", quote(&column.name)));
                }
            }
            Change::Widen { column, to, .. } => altered.push(modified(server, schema, column, Some(to)).await?),
            Change::Relax { column } => {
                let widened =
                    |change: &Change| matches!(change, Change::Widen { column: other, .. } if other == column);
                if !plan.changes.iter().any(widened) {
                    altered.push(modified(server, schema, column, None).await?);
                }
            }
            // What is blocked is not applied.
            Change::Blocked { .. } => {}
        }
    }
    if !altered.is_empty() {
        server.run(format!("ALTER TABLE {name} {}", altered.join(", "))).await?;
    }
    Ok(())
}

/// A column with the type that it gets, which may be missing unless both the source and the table know it never is.
async fn modified(server: &Server, schema: &TableSchema, column: &str, to: Option<&str>) -> Result<String> {
    let sql = format!(
        "SELECT type FROM system.columns WHERE database = currentDatabase() AND table = {} AND name = {}",
        literal(&schema.name),
        literal(column)
    );
    let declared = server.rows(&sql).await?.into_iter().flatten().next().unwrap_or_default();
    let (found, not_null) = bare(&declared);
    let stays = not_null && schema.column(column).is_some_and(crate::ddl::not_null);
    let kind = to.unwrap_or(found);
    let kind = if stays || kind.starts_with("Array(") { kind.to_owned() } else { format!("Nullable({kind})") };
    let kind = if declared.starts_with("LowCardinality(") { format!("LowCardinality({kind})") } else { kind };
    Ok(format!("MODIFY COLUMN {} {kind}", quote(column)))
}
