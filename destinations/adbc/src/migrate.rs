//! Makes the database's tables fit the source's: new tables and columns are added, types widened; what would lose
//! values is refused unless it is forced.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::{self, Change, FoundColumn, FoundTable};
use headwater_sdk::sql::{list, quote, unit_columns};
use headwater_sdk::{Column, ColumnType, Result, TablePlan, TableSchema};

use crate::dialect::Dialect;
use crate::publish::again;
use crate::session::Session;
use crate::store::{Store, check_names};

/// A dialect's types and names, as tables are compared by them.
struct Types(Dialect);

impl plan::Dialect for Types {
    fn type_of(&self, kind: &ColumnType) -> String {
        self.0.kind(kind).sql
    }

    fn same_type(&self, found: &str, wanted: &str) -> bool {
        self.0.same_type(found, wanted)
    }

    fn same_name(&self, a: &str, b: &str) -> bool {
        if self.0.tells_case() { a == b } else { a.eq_ignore_ascii_case(b) }
    }

    fn widens(&self, found: &str, wanted: &ColumnType) -> bool {
        self.0.widens(found, wanted)
    }

    fn not_null(&self, column: &Column) -> bool {
        self.0.not_null(column)
    }
}

/// What the database has under a name.
enum Found {
    Table(FoundTable),
    Other(String),
}

/// What the database has, by name.
fn existing(session: &mut Session, dialect: Dialect) -> Result<HashMap<String, Found>> {
    let mut all: HashMap<String, Found> = HashMap::new();
    for row in session.query(dialect.columns_query())? {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        let (name, what) = (folded(dialect, &next().unwrap_or_default()), next().unwrap_or_default());
        if what != "table" {
            // A table has its indices and its own type beside it; it counts.
            all.entry(name).or_insert(Found::Other(what));
            continue;
        }
        let (column, kind) = (next(), next().unwrap_or_default());
        let is = |text: Option<String>| text.is_some_and(|text| matches!(text.as_str(), "true" | "1" | "t"));
        let (not_null, default, in_key, comment) = (is(next()), is(next()), is(next()), next());
        let found = all.entry(name).or_insert_with(|| Found::Table(FoundTable::default()));
        let Found::Table(table) = found else { continue };
        if let Some(column) = column {
            if in_key {
                table.key.push(column.clone());
            }
            table.columns.push(FoundColumn { name: column, kind, not_null, default });
        }
        if let Some(key) = comment.and_then(|comment| dialect.key_of_comment(&comment))
            && table.key.is_empty()
        {
            table.key = key;
        }
    }
    Ok(all)
}

fn folded(dialect: Dialect, name: &str) -> String {
    if dialect.tells_case() { name.to_owned() } else { name.to_ascii_lowercase() }
}

/// What has to be done to the tables.
pub fn plan(
    session: &mut Session,
    dialect: Dialect,
    tables: &[Arc<TableSchema>],
    mode: MigrateMode,
) -> Result<Vec<TablePlan>> {
    let found = existing(session, dialect)?;
    plan_all(dialect, &found, tables, mode)
}

/// The same where there is nothing yet.
pub fn plan_anew(dialect: Dialect, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<Vec<TablePlan>> {
    plan_all(dialect, &HashMap::new(), tables, mode)
}

fn plan_all(
    dialect: Dialect,
    found: &HashMap<String, Found>,
    tables: &[Arc<TableSchema>],
    mode: MigrateMode,
) -> Result<Vec<TablePlan>> {
    tables.iter().try_for_each(|table| check_names(dialect, table))?;
    let plan = |schema: &Arc<TableSchema>| {
        let name = &schema.name;
        match found.get(&folded(dialect, name)) {
            // Not even a forced migration takes this away: it is none of ours.
            Some(Found::Other(what)) => TablePlan::blocked(
                name,
                format!("table {name}: the database has a {what} of this name, which has to go first"),
            ),
            Some(Found::Table(table)) => relaxable(dialect, plan::compare(&Types(dialect), schema, Some(table), mode)),
            None => plan::compare(&Types(dialect), schema, None, mode),
        }
    };
    Ok(tables.iter().map(plan).collect())
}

/// A plan that can be carried out: SQLite takes NOT NULL from a column only by making the table anew.
fn relaxable(dialect: Dialect, plan: TablePlan) -> TablePlan {
    let relaxed = plan.changes.iter().find_map(|change| match change {
        Change::Relax { column } if dialect == Dialect::Sqlite => Some(column),
        _ => None,
    });
    match relaxed {
        Some(column) => TablePlan::blocked(
            &plan.table,
            format!(
                "table {}, column {column}: it is NOT NULL in the database and not in the source, which SQLite cannot \
                 change; destination `sqlite` can",
                plan.table
            ),
        ),
        None => plan,
    }
}

/// Makes all tables fit, or changes none of them.
pub fn migrate(store: &mut Store, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
    let (dialect, place) = (store.dialect, store.place.clone());
    again(|| {
        store.session().transaction(|session| {
            let plans = plan(session, dialect, tables, mode)?;
            let other = if dialect == Dialect::Postgresql { "schema" } else { "file" };
            plan::check(&place, &plans, other)?;
            for (schema, plan) in tables.iter().zip(&plans) {
                let done = apply(session, dialect, schema, plan);
                done.map_err(|error| error.while_doing(format!("table {}", schema.name)))?;
            }
            Ok(())
        })
    })
}

/// Does what is planned for a table.
fn apply(session: &mut Session, dialect: Dialect, schema: &TableSchema, plan: &TablePlan) -> Result<()> {
    let name = dialect.table(&schema.name);
    let mut statements = Vec::new();
    for change in &plan.changes {
        match change {
            Change::Create { .. } => statements.extend(dialect.create_table(schema)),
            Change::Replace { .. } => {
                statements.push(format!("DROP TABLE {name}"));
                statements.extend(dialect.create_table(schema));
            }
            // The rows that are there have no value for it, so it may be null whatever the source says.
            Change::Add { column, kind } => {
                statements.push(format!("ALTER TABLE {name} ADD COLUMN {} {kind}", quote(column)));
            }
            Change::Widen { column, to, .. } => {
                statements.push(format!("ALTER TABLE {name} ALTER COLUMN {} TYPE {to}", quote(column)));
            }
            Change::Relax { column } => {
                statements.push(format!("ALTER TABLE {name} ALTER COLUMN {} DROP NOT NULL", quote(column)));
            }
            // What is blocked is not applied.
            Change::Blocked { .. } => {}
        }
    }
    // DuckDB's indices are held in memory, and its own statistics of each part of a table serve as well.
    if dialect.upserts()
        && let Some(columns) = unit_columns(schema)
    {
        statements.push(dialect.unit_index(&schema.name, &list(columns)));
    }
    statements.iter().try_for_each(|sql| session.execute(sql).map(|_| ()))
}
