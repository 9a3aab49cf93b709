//! Makes the database's tables fit the source's: new tables and columns are added, what would lose values is refused
//! unless it is forced.

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::sql::{list, quote};
use headwater_sdk::{Result, TableSchema, sql};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::ddl::{column_definition, create_table, create_unit_index, declared, not_null, primary_key};
use crate::store::Store;

/// A column of a table that exists.
struct Existing {
    name: String,
    declared: String,
    not_null: bool,
    default: Option<String>,
    /// The place in the key, from 1; 0 outside of it.
    key: u32,
}

impl Existing {
    fn is(&self, name: &str) -> bool {
        // SQLite does not tell names by case.
        self.name.eq_ignore_ascii_case(name)
    }
}

fn existing(db: &Connection, table: &str) -> rusqlite::Result<Option<Vec<Existing>>> {
    let mut columns =
        db.prepare_cached("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?1, 'main')")?;
    let columns = columns
        .query_map([table], |row| {
            Ok(Existing {
                name: row.get(0)?,
                declared: row.get(1)?,
                not_null: row.get(2)?,
                default: row.get(3)?,
                key: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Some(columns).filter(|columns| !columns.is_empty()))
}

/// The names of the key's columns, in the key's order.
fn key_of(columns: &[Existing]) -> Vec<&str> {
    let mut key: Vec<&Existing> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    key.into_iter().map(|column| column.name.as_str()).collect()
}

/// What is in the way of a table, if anything: a view, say.
fn other_kind(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT type FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type <> 'table'";
    db.query_row(sql, [name], |row| row.get(0)).optional()
}

/// Why a table cannot stay as it is; none where it can.
fn misfit(columns: &[Existing], schema: &TableSchema) -> Option<String> {
    let name = &schema.name;
    for column in &schema.columns {
        let Some(found) = columns.iter().find(|found| found.is(&column.name)) else { continue };
        let wanted = declared(&column.kind);
        if !found.declared.eq_ignore_ascii_case(wanted) {
            let found = if found.declared.is_empty() { "no type" } else { found.declared.as_str() };
            let column = &column.name;
            return Some(format!("table {name}, column {column}: {found} in the database, {wanted} in the source"));
        }
    }
    let (found, wanted) = (key_of(columns), schema.key());
    // SQLite does not tell names by case.
    let has = |name: &&str| found.iter().any(|found| found.eq_ignore_ascii_case(name));
    if found.len() == wanted.len() && wanted.iter().all(has) {
        return None;
    }
    Some(sql::other_key(name, &found, &wanted))
}

/// Whether a column must let go of its NOT NULL, because the source may now have no value for it, or does not have
/// the column any more.
fn too_strict(found: &Existing, schema: &TableSchema) -> bool {
    let wanted = schema.columns.iter().find(|column| found.is(&column.name));
    found.not_null && found.key == 0 && wanted.map_or(found.default.is_none(), |column| !not_null(column))
}

/// Rebuilds a table with all of its rows and with fewer NOT NULL, which SQLite cannot take from a column in place.
/// Source of the procedure: <https://www.sqlite.org/lang_altertable.html#otheralter>.
fn relax(transaction: &Transaction<'_>, columns: &[Existing], schema: &TableSchema) -> rusqlite::Result<()> {
    let dependents = {
        let sql = "SELECT sql FROM main.sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE AND type <> 'table' AND sql IS NOT NULL";
        let mut dependents = transaction.prepare(sql)?;
        let rows = dependents.query_map([&schema.name], |row| row.get::<_, String>(0))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()?
    };
    let mut lines: Vec<String> = Vec::new();
    for column in columns {
        let not_null = if column.not_null && !too_strict(column, schema) { " NOT NULL" } else { "" };
        let default = column.default.as_ref().map(|default| format!(" DEFAULT ({default})")).unwrap_or_default();
        lines.push(format!("{} {}{not_null}{default}", quote(&column.name), column.declared));
    }
    let key = key_of(columns);
    if !key.is_empty() {
        lines.push(primary_key(&schema.name, key));
    }
    let old = quote(&schema.name);
    let new = quote(&format!("{}_headwater_new", schema.name));
    let names = list(columns.iter().map(|column| &column.name));
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

fn add_columns(transaction: &Transaction<'_>, columns: &[Existing], schema: &TableSchema) -> rusqlite::Result<()> {
    for column in &schema.columns {
        if columns.iter().any(|found| found.is(&column.name)) {
            continue;
        }
        // The rows that are there have no value for it, so it may be null whatever the source says.
        let definition = column_definition(column);
        let definition = definition.strip_suffix(" NOT NULL").unwrap_or(&definition);
        transaction.execute_batch(&format!("ALTER TABLE main.{} ADD COLUMN {definition}", quote(&schema.name)))?;
    }
    Ok(())
}

/// One table: what does not fit is answered in the way that [`misfit`] says it.
fn table(transaction: &Transaction<'_>, schema: &TableSchema, mode: MigrateMode) -> rusqlite::Result<Option<String>> {
    if let Some(kind) = other_kind(transaction, &schema.name)? {
        // Not even a forced migration takes this away: it is none of ours.
        return Ok(Some(format!(
            "table {}: the database has a {kind} of this name, which has to go first",
            schema.name
        )));
    }
    match existing(transaction, &schema.name)? {
        None => transaction.execute_batch(&create_table(schema))?,
        Some(columns) => match (misfit(&columns, schema), mode) {
            (Some(misfit), MigrateMode::Safe) => return Ok(Some(misfit)),
            (Some(_), MigrateMode::Forced) => {
                transaction.execute_batch(&format!("DROP TABLE main.{}", quote(&schema.name)))?;
                transaction.execute_batch(&create_table(schema))?;
            }
            (None, _) => {
                if columns.iter().any(|column| too_strict(column, schema)) {
                    relax(transaction, &columns, schema)?;
                }
                add_columns(transaction, &columns, schema)?;
            }
        },
    }
    if let Some(index) = create_unit_index(schema) {
        transaction.execute_batch(&index)?;
    }
    Ok(None)
}

impl Store {
    /// Makes all tables fit, or changes none of them.
    pub fn migrate<'a>(&mut self, tables: impl Iterator<Item = &'a TableSchema>, mode: MigrateMode) -> Result<()> {
        let location = self.location.clone();
        let explain = |error: rusqlite::Error| crate::explain::explain(&error, location.path());
        // Views that read a table which is being rebuilt do not stop its renaming.
        self.db.pragma_update(None, "legacy_alter_table", true).map_err(explain)?;
        let transaction =
            self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(explain)?;
        let mut misfits = Vec::new();
        for schema in tables {
            let misfit = table(&transaction, schema, mode);
            misfits.extend(misfit.map_err(|error| explain(error).while_doing(format!("table {}", schema.name)))?);
        }
        if misfits.is_empty() {
            return transaction.commit().map_err(explain);
        }
        Err(sql::misfits(&location.path().display().to_string(), &misfits, mode, "file"))
    }
}
