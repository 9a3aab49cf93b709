//! What a migration would do to a table: found out before anything is touched, shown, refused or done.

use crate::destination::MigrateMode;
use crate::error::{Error, Result};
use crate::schema::{Column, ColumnType, TableSchema};
use crate::sql::other_key;

/// How many tables that do not fit an error names.
const NAMED: usize = 5;

/// What has to be done to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// The table.
    pub table: String,
    /// In the order in which they are done; none where the table fits.
    pub changes: Vec<Change>,
}

/// One change of a table. Types are those of the target, as it spells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The table does not exist, and is made with these columns (name and type).
    Create {
        /// Names and types, in order.
        columns: Vec<(String, String)>,
        /// The names of the key's columns.
        key: Vec<String>,
    },
    /// A column is added; the rows that are there have no value for it.
    Add {
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// A column's type changes in place, with all of its values.
    Widen {
        /// The column.
        column: String,
        /// The type it has.
        from: String,
        /// The type it gets.
        to: String,
    },
    /// A column that could not be null may be.
    Relax {
        /// The column.
        column: String,
    },
    /// The table is dropped with its rows and made anew: what `migrate_mode: forced` does with one that does not fit.
    Replace {
        /// What does not fit.
        why: String,
        /// Names and types, in order.
        columns: Vec<(String, String)>,
    },
    /// Nothing can be done: what does not fit, and what is in the way.
    Blocked {
        /// The whole reason, which names the table.
        why: String,
        /// Whether `migrate_mode: forced` would drop the table.
        forceable: bool,
    },
}

/// A table as the target has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundTable {
    /// Its columns in order.
    pub columns: Vec<FoundColumn>,
    /// The names of its key's columns.
    pub key: Vec<String>,
}

/// A column as the target has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundColumn {
    /// The name.
    pub name: String,
    /// The type, as the target spells it.
    pub kind: String,
    /// Whether it is declared as never null.
    pub not_null: bool,
    /// Whether a row that does not name it gets a value all the same.
    pub default: bool,
}

/// What a target's types and names are like, as far as comparing tables needs it.
pub trait Dialect {
    /// The type that a column is stored as, as the target spells it when it is asked about a table.
    fn type_of(&self, kind: &ColumnType) -> String;

    /// The same of a column, whose native type may say more.
    fn type_of_column(&self, column: &Column) -> String {
        self.type_of(&column.kind)
    }

    /// Whether two spellings are one type.
    fn same_type(&self, found: &str, wanted: &str) -> bool {
        found == wanted
    }

    /// Whether two names are one.
    fn same_name(&self, a: &str, b: &str) -> bool {
        a == b
    }

    /// Whether a column can become this type in place, with all of its values.
    fn widens(&self, found: &str, wanted: &ColumnType) -> bool {
        let _ = (found, wanted);
        false
    }

    /// The same of a column, whose native type may say more.
    fn widens_to(&self, found: &str, wanted: &Column) -> bool {
        self.widens(found, &wanted.kind)
    }

    /// Whether the target keeps keys. Where it does not, they are not compared.
    fn keeps_keys(&self) -> bool {
        true
    }

    /// Whether a column is declared as never null.
    fn not_null(&self, column: &Column) -> bool {
        column.key || !column.nullable
    }
}

/// What has to be done so that a table of the target, if there is one, fits the source's.
pub fn compare(
    dialect: &dyn Dialect,
    schema: &TableSchema,
    found: Option<&FoundTable>,
    mode: MigrateMode,
) -> TablePlan {
    let typed = || schema.columns.iter().map(|column| (column.name.clone(), dialect.type_of_column(column))).collect();
    let changes = match found {
        None => {
            let key = schema.key().into_iter().map(str::to_owned).collect();
            vec![Change::Create { columns: typed(), key }]
        }
        Some(found) => match (misfit(dialect, schema, found), mode) {
            (Some(why), MigrateMode::Safe) => vec![Change::Blocked { why, forceable: true }],
            (Some(why), MigrateMode::Forced) => vec![Change::Replace { why, columns: typed() }],
            (None, _) => in_place(dialect, schema, found),
        },
    };
    TablePlan { table: schema.name.clone(), changes }
}

/// Why a table cannot stay as it is; none where it can.
fn misfit(dialect: &dyn Dialect, schema: &TableSchema, found: &FoundTable) -> Option<String> {
    let table = &schema.name;
    for column in &schema.columns {
        let Some(existing) = found.column(dialect, &column.name) else { continue };
        let wanted = dialect.type_of_column(column);
        if !dialect.same_type(&existing.kind, &wanted) && !dialect.widens_to(&existing.kind, column) {
            let has = if existing.kind.is_empty() { "no type" } else { existing.kind.as_str() };
            let name = &column.name;
            return Some(format!("table {table}, column {name}: {has} in the database, {wanted} in the source"));
        }
    }
    let (has, wanted) = (found.key.iter().map(String::as_str).collect::<Vec<_>>(), schema.key());
    let same = has.len() == wanted.len()
        && wanted.iter().all(|name| has.iter().any(|existing| dialect.same_name(existing, name)));
    (dialect.keeps_keys() && !same).then(|| other_key(table, &has, &wanted))
}

/// What is changed without losing a value.
fn in_place(dialect: &dyn Dialect, schema: &TableSchema, found: &FoundTable) -> Vec<Change> {
    let mut changes = Vec::new();
    for column in &schema.columns {
        let kind = dialect.type_of_column(column);
        match found.column(dialect, &column.name) {
            None => changes.push(Change::Add { column: column.name.clone(), kind }),
            Some(existing) if !dialect.same_type(&existing.kind, &kind) => {
                let (column, from) = (existing.name.clone(), existing.kind.clone());
                changes.push(Change::Widen { column, from, to: kind });
            }
            Some(_) => {}
        }
    }
    for existing in found.columns.iter().filter(|existing| existing.not_null) {
        let wanted = schema.columns.iter().find(|column| dialect.same_name(&existing.name, &column.name));
        let in_key = found.key.iter().any(|key| dialect.same_name(key, &existing.name));
        // A column that the source does not have any more gets no values.
        if !in_key && wanted.map_or(!existing.default, |column| !dialect.not_null(column)) {
            changes.push(Change::Relax { column: existing.name.clone() });
        }
    }
    changes
}

impl FoundTable {
    fn column(&self, dialect: &dyn Dialect, name: &str) -> Option<&FoundColumn> {
        self.columns.iter().find(|column| dialect.same_name(&column.name, name))
    }
}

impl TablePlan {
    /// A plan for a table that cannot be had: something else has its name, say.
    pub fn blocked(table: &str, why: impl Into<String>) -> Self {
        Self { table: table.to_owned(), changes: vec![Change::Blocked { why: why.into(), forceable: false }] }
    }

    /// A plan for a table that fits.
    pub fn fits(table: &str) -> Self {
        Self { table: table.to_owned(), changes: Vec::new() }
    }

    fn blocks(&self) -> Option<(&str, bool)> {
        self.changes.iter().find_map(|change| match change {
            Change::Blocked { why, forceable } => Some((why.as_str(), *forceable)),
            _ => None,
        })
    }
}

/// An error, unless all plans can be carried out. `place` has the tables, and `other` is what may be named instead, such
/// as `file`.
pub fn check(place: &str, plans: &[TablePlan], other: &str) -> Result<()> {
    let blocks: Vec<(&str, bool)> = plans.iter().filter_map(TablePlan::blocks).collect();
    if blocks.is_empty() {
        return Ok(());
    }
    let mut text = format!("{place} has tables that do not fit; none was changed:");
    for (why, _) in blocks.iter().take(NAMED) {
        text.push_str(&format!("\n  {why}"));
    }
    if blocks.len() > NAMED {
        text.push_str(&format!("\n  and {} more", blocks.len() - NAMED));
    }
    text.push_str(match blocks.iter().all(|(_, forceable)| *forceable) {
        true => {
            "\nset `migrate_mode: forced` to drop these tables with their rows and create them anew, or name another "
        }
        false => "\nremove or rename what is in the way, or name another ",
    });
    text.push_str(other);
    Err(Error::destination(text))
}
