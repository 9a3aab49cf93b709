//! Makes the database's tables fit the source's: new tables and columns are added, what would lose values is refused
//! unless it is forced.

use std::sync::Arc;

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plan::{self, Change, Dialect, FoundColumn, FoundTable};
use headwater_sdk::sql::{list, quote};
use headwater_sdk::{Column, ColumnType, Result, TablePlan, TableSchema};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::ddl::{create_table, create_unit_index, declared, not_null, primary_key};
use crate::store::Store;

/// SQLite's types and names, as tables are compared by them.
struct Types;

impl Dialect for Types {
    fn type_of(&self, kind: &ColumnType) -> String {
        declared(kind).to_owned()
    }

    fn same_type(&self, found: &str, wanted: &str) -> bool {
        found.eq_ignore_ascii_case(wanted)
    }

    fn same_name(&self, a: &str, b: &str) -> bool {
        // SQLite does not tell names by case.
        a.eq_ignore_ascii_case(b)
    }

    fn not_null(&self, column: &Column) -> bool {
        not_null(column)
    }
}

/// A table that exists, and the defaults of its columns as SQL.
struct Existing {
    table: FoundTable,
    defaults: Vec<Option<String>>,
}

fn existing(db: &Connection, table: &str) -> rusqlite::Result<Option<Existing>> {
    let mut columns =
        db.prepare_cached("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?1, 'main')")?;
    let mut found = Existing { table: FoundTable::default(), defaults: Vec::new() };
    let mut key: Vec<(u32, String)> = Vec::new();
    let mut rows = columns.query([table])?;
    while let Some(row) = rows.next()? {
        let (name, place): (String, u32) = (row.get(0)?, row.get(4)?);
        // The place in the key, from 1; 0 outside of it.
        if place > 0 {
            key.push((place, name.clone()));
        }
        let default: Option<String> = row.get(3)?;
        let (kind, not_null) = (row.get(1)?, row.get(2)?);
        found.table.columns.push(FoundColumn { name, kind, not_null, default: default.is_some() });
        found.defaults.push(default);
    }
    key.sort_unstable();
    found.table.key = key.into_iter().map(|(_, name)| name).collect();
    Ok(Some(found).filter(|found| !found.defaults.is_empty()))
}

/// What is in the way of a table, if anything: a view, say.
fn other_kind(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT type FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type <> 'table'";
    db.query_row(sql, [name], |row| row.get(0)).optional()
}

/// What [`relax`] would take from a table besides the NOT NULL: it knows names, types, defaults and the key alone.
fn lost_by_relaxing(db: &Connection, table: &str) -> rusqlite::Result<Vec<&'static str>> {
    let asked = |sql: &str| db.query_row(&format!("SELECT EXISTS ({sql})"), [table], |row| row.get::<_, bool>(0));
    let mut lost = Vec::new();
    for (what, sql) in [
        ("UNIQUE", "SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'u'"),
        ("foreign keys", "SELECT 1 FROM pragma_foreign_key_list(?1, 'main')"),
        ("generated columns", "SELECT 1 FROM pragma_table_xinfo(?1, 'main') WHERE hidden IN (2, 3)"),
        ("WITHOUT ROWID", "SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE AND wr"),
    ] {
        if asked(sql)? {
            lost.push(what);
        }
    }
    // Of these there is no list.
    let sql = "SELECT sql FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type = 'table'";
    let sql: String = db.query_row(sql, [table], |row| row.get(0))?;
    let words = bare_words(&sql);
    lost.extend(
        ["CHECK", "COLLATE", "AUTOINCREMENT"].into_iter().filter(|word| words.iter().any(|found| found == word)),
    );
    if words.windows(2).any(|pair| pair == ["ON", "CONFLICT"]) {
        lost.push("ON CONFLICT");
    }
    Ok(lost)
}

/// The words of a piece of SQL, in capitals, without what is quoted or a comment.
fn bare_words(sql: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut rest = sql.chars().peekable();
    while let Some(letter) = rest.next() {
        let end = match letter {
            '\'' | '"' | '`' => Some(letter),
            '[' => Some(']'),
            '-' if rest.peek() == Some(&'-') => Some('\n'),
            '/' if rest.peek() == Some(&'*') => {
                let mut before = ' ';
                rest.next();
                while let Some(letter) = rest.next().filter(|letter| (before, *letter) != ('*', '/')) {
                    before = letter;
                }
                None
            }
            letter if letter.is_alphanumeric() || letter == '_' => {
                words.last_mut().into_iter().for_each(|word| word.push(letter.to_ascii_uppercase()));
                continue;
            }
            _ => None,
        };
        if let Some(end) = end {
            // A doubled quote within quotes ends one piece and begins another.
            rest.by_ref().find(|letter| *letter == end);
        }
        if words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
    }
    words
}

/// Rebuilds a table with all of its rows and with fewer NOT NULL, which SQLite cannot take from a column in place.
/// Source of the procedure: <https://www.sqlite.org/lang_altertable.html#otheralter>.
fn relax(transaction: &Transaction<'_>, name: &str, relaxed: &[&str]) -> rusqlite::Result<()> {
    let dependents = {
        let sql = "SELECT sql FROM main.sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE AND type <> 'table' AND sql IS NOT NULL";
        let mut dependents = transaction.prepare(sql)?;
        let rows = dependents.query_map([name], |row| row.get::<_, String>(0))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()?
    };
    let Some(Existing { table, defaults }) = existing(transaction, name)? else { return Ok(()) };
    let mut lines: Vec<String> = Vec::new();
    for (column, default) in table.columns.iter().zip(&defaults) {
        let not_null = if column.not_null && !relaxed.contains(&column.name.as_str()) { " NOT NULL" } else { "" };
        let default = default.as_ref().map(|default| format!(" DEFAULT ({default})")).unwrap_or_default();
        lines.push(format!("{} {}{not_null}{default}", quote(&column.name), column.kind));
    }
    if !table.key.is_empty() {
        lines.push(primary_key(name, table.key.iter().map(String::as_str)));
    }
    let old = quote(name);
    let new = quote(&format!("{name}_headwater_new"));
    let names = list(table.columns.iter().map(|column| &column.name));
    transaction.execute_batch(&format!(
        "CREATE TABLE main.{new} ({});
         INSERT INTO main.{new} ({names}) SELECT {names} FROM main.{old};
         DROP TABLE main.{old};
         ALTER TABLE main.{new} RENAME TO {old};",
        lines.join(", ")
    ))?;
    for sql in dependents {
        transaction.execute_batch(&sql)?;
    }
    Ok(())
}

/// What has to be done to the tables; without a database, all are made.
pub fn plan(
    db: Option<&Connection>,
    tables: &[Arc<TableSchema>],
    mode: MigrateMode,
) -> rusqlite::Result<Vec<TablePlan>> {
    let plan = |schema: &Arc<TableSchema>| match db {
        Some(db) => plan_table(db, schema, mode),
        None => Ok(plan::compare(&Types, schema, None, mode)),
    };
    tables.iter().map(plan).collect()
}

fn plan_table(db: &Connection, schema: &TableSchema, mode: MigrateMode) -> rusqlite::Result<TablePlan> {
    let name = &schema.name;
    if let Some(kind) = other_kind(db, name)? {
        // Not even a forced migration takes this away: it is none of ours.
        let why = format!("table {name}: the database has a {kind} of this name, which has to go first");
        return Ok(TablePlan::blocked(name, why));
    }
    let found = existing(db, name)?;
    let plan = plan::compare(&Types, schema, found.as_ref().map(|found| &found.table), mode);
    let relaxed = plan.changes.iter().find_map(|change| match change {
        Change::Relax { column } => Some(column.as_str()),
        _ => None,
    });
    let Some(column) = relaxed else { return Ok(plan) };
    let lost = lost_by_relaxing(db, name)?;
    if lost.is_empty() {
        return Ok(plan);
    }
    let lost = lost.join(", ");
    let why = format!(
        "table {name}, column {column}: NOT NULL in the database, null in the source; SQLite takes NOT NULL from a table \
         that is made anew only, which would lose what it has besides: {lost}"
    );
    let change = match mode {
        MigrateMode::Safe => Change::Blocked { why, forceable: true },
        MigrateMode::Forced => {
            let typed = |column: &Column| (column.name.clone(), declared(&column.kind).to_owned());
            Change::Replace { why, columns: schema.columns.iter().map(typed).collect() }
        }
    };
    Ok(TablePlan { table: name.clone(), changes: vec![change] })
}

/// Does what is planned for a table.
fn apply(transaction: &Transaction<'_>, schema: &TableSchema, plan: &TablePlan) -> rusqlite::Result<()> {
    let name = quote(&schema.name);
    let mut relaxed = Vec::new();
    for change in &plan.changes {
        match change {
            Change::Create { .. } => transaction.execute_batch(&create_table(schema))?,
            Change::Replace { .. } => {
                transaction.execute_batch(&format!("DROP TABLE main.{name}; {}", create_table(schema)))?;
            }
            Change::Add { column, kind } => {
                // The rows that are there have no value for it, so it may be null whatever the source says.
                let sql = format!("ALTER TABLE main.{name} ADD COLUMN {} {kind}", quote(column));
                transaction.execute_batch(&sql)?;
            }
            Change::Relax { column } => relaxed.push(column.as_str()),
            // No type is widened here, and what is blocked is not applied.
            Change::Widen { .. } | Change::Blocked { .. } => {}
        }
    }
    if !relaxed.is_empty() {
        relax(transaction, &schema.name, &relaxed)?;
    }
    match create_unit_index(schema) {
        Some(index) => transaction.execute_batch(&index),
        None => Ok(()),
    }
}

impl Store {
    /// Makes all tables fit, or changes none of them.
    pub fn migrate(&mut self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
        let location = self.location.clone();
        let explain = |error: rusqlite::Error| crate::explain::explain(&error, location.path());
        // Views that read a table which is being rebuilt do not stop its renaming.
        self.db.pragma_update(None, "legacy_alter_table", true).map_err(explain)?;
        let transaction = location.begin(&self.db).map_err(explain)?;
        let plans = plan(Some(&transaction), tables, mode).map_err(explain)?;
        plan::check(&location.path().display().to_string(), &plans, "file")?;
        for (schema, plan) in tables.iter().zip(&plans) {
            apply(&transaction, schema, plan)
                .map_err(|error| explain(error).while_doing(format!("table {}", schema.name)))?;
        }
        transaction.commit().map_err(explain)
    }
}
