//! The SQL of one table: its creation, and the statements that write it.

use headwater_sdk::schema::SYNC_TIME;
use headwater_sdk::sql::{list, on_conflict, quote, unit_columns};
use headwater_sdk::text::fnv1a;
use headwater_sdk::{Column, Error, Result, TableSchema};

use crate::native::of_column;

/// Longer names are cut by PostgreSQL without a word.
const LONGEST: usize = 63;

/// A page that is filled wholly, in hundredths.
const FULL: u32 = 100;

/// Whether PostgreSQL can take the names of a table as they are.
pub fn check_names(schema: &TableSchema) -> Result<()> {
    let names = std::iter::once(&schema.name).chain(schema.columns.iter().map(|column| &column.name));
    for name in names {
        if name.len() > LONGEST || name.contains('\0') || name.is_empty() {
            return Err(Error::destination(format!(
                "table {}: the name {name} is longer than the {LONGEST} bytes that PostgreSQL takes, or no name at all",
                schema.name
            )));
        }
    }
    Ok(())
}

/// A name that is made of a table's: where it is too long, its end is a hash.
pub fn derived(table: &str, end: &str) -> String {
    let name = format!("{table}{end}");
    if name.len() <= LONGEST {
        return name;
    }
    let hash = fnv1a(name.bytes());
    let kept = (0..=LONGEST - 17).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    format!("{}_{hash:016x}", &name[..kept])
}

/// Whether a column is declared as never null.
pub fn not_null(column: &Column) -> bool {
    column.key || !column.nullable
}

/// `CREATE TABLE` of a table that does not exist. So many hundredths of each page of a table with a key are filled at
/// first.
pub fn create_table(schema: &TableSchema, fill: u32) -> String {
    let mut lines: Vec<String> = schema
        .columns
        .iter()
        .map(|column| {
            let not_null = if not_null(column) { " NOT NULL" } else { "" };
            format!("{} {}{not_null}", quote(&column.name), of_column(column).sql())
        })
        .collect();
    let key = schema.key();
    if !key.is_empty() {
        lines.push(format!("CONSTRAINT {} PRIMARY KEY ({})", quote(&derived(&schema.name, "_cqpk")), list(key)));
    }
    let fill =
        if schema.key().is_empty() || fill == FULL { String::new() } else { format!(" WITH (fillfactor = {fill})") };
    format!("CREATE TABLE {} ({}){fill}", quote(&schema.name), lines.join(", "))
}

/// The index by which the rows of one unit are found when its stale rows are removed, by name and as `CREATE INDEX`;
/// none where the whole table is one unit, or nothing is ever removed.
pub fn unit_index(schema: &TableSchema) -> Option<(String, String)> {
    let columns = list(unit_columns(schema)?);
    let name = derived(&schema.name, "_headwater_unit");
    let create = format!("CREATE INDEX IF NOT EXISTS {} ON {} ({columns})", quote(&name), quote(&schema.name));
    Some((name, create))
}

/// So many columns a table can have.
const MOST: usize = 1600;

/// The column of a stage that says in which order its rows came.
const NUMBER: &str = "n";

/// Whether rows have a number in their stage: where two of them may have one key, of which the later counts.
pub fn is_numbered(schema: &TableSchema) -> bool {
    !schema.key().is_empty() && schema.columns.len() < MOST
}

/// By what the rows of a stage are in the order in which they came. Where they have no number it is their place on disk,
/// which is that order but for rows of very different sizes.
pub fn order(schema: &TableSchema) -> &'static str {
    if is_numbered(schema) { NUMBER } else { "ctid" }
}

/// The columns of a table that waits to be moved, which are those of the table but for what they may not be, and the
/// rows' number.
pub fn stage_columns(schema: &TableSchema) -> String {
    let columns = schema.columns.iter().enumerate();
    let mut columns: Vec<String> =
        columns.map(|(index, column)| format!("c{index} {}", of_column(column).staged())).collect();
    if is_numbered(schema) {
        columns.push(format!("{NUMBER} bigint"));
    }
    columns.join(", ")
}

/// Whether rows can only be moved into the table: values of a type that comes as text are cast on the way.
pub fn is_cast(schema: &TableSchema) -> bool {
    schema.columns.iter().any(|column| of_column(column).is_cast())
}

/// `COPY` into a table of [`stage_columns`].
pub fn copy_into(stage: &str) -> String {
    format!("COPY {stage} FROM STDIN (FORMAT binary)")
}

/// `COPY` into the table itself.
pub fn copy(schema: &TableSchema) -> String {
    let columns = list(schema.columns.iter().map(|column| &column.name));
    format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", quote(&schema.name))
}

/// The key's columns in a table of [`stage_columns`].
pub fn staged_key(schema: &TableSchema) -> Vec<String> {
    let columns = schema.columns.iter().enumerate();
    columns.filter(|(_, column)| column.key).map(|(index, _)| format!("c{index}")).collect()
}

/// Moves rows into the table. Of those with one key, the one that came last counts.
pub fn publish(schema: &TableSchema, stage: &str) -> String {
    if schema.key().is_empty() {
        return move_all(schema, "", stage);
    }
    let of_stage = staged_key(schema).join(", ");
    let distinct = move_all(schema, &format!("DISTINCT ON ({of_stage}) "), stage);
    format!("{distinct} ORDER BY {of_stage}, {} DESC {}", order(schema), on_conflict(schema))
}

/// The same for a table with a key, where no key comes twice; otherwise it fails.
pub fn publish_unsorted(schema: &TableSchema, stage: &str) -> String {
    format!("{} {}", move_all(schema, "", stage), on_conflict(schema))
}

/// The same, but rows stay that are of the same sync.
pub fn publish_anew(schema: &TableSchema, stage: &str) -> String {
    let (table, time) = (quote(&schema.name), quote(SYNC_TIME));
    format!("{} WHERE {table}.{time} <> excluded.{time}", publish_unsorted(schema, stage))
}

/// How many keys there are in several stages.
pub fn count_keys(schema: &TableSchema, stages: &[&str]) -> String {
    let key = staged_key(schema).join(", ");
    let keys: Vec<String> = stages.iter().map(|stage| format!("SELECT {key} FROM {stage}")).collect();
    format!("SELECT count(*) FROM ({}) AS s", keys.join(" UNION "))
}

fn move_all(schema: &TableSchema, distinct: &str, stage: &str) -> String {
    let columns = list(schema.columns.iter().map(|column| &column.name));
    let staged = schema.columns.iter().enumerate();
    let staged: Vec<String> = staged.map(|(index, column)| of_column(column).cast(&format!("c{index}"))).collect();
    format!("INSERT INTO {} ({columns}) SELECT {distinct}{} FROM {stage}", quote(&schema.name), staged.join(", "))
}

/// The condition that a row of the table is not one of those that wait.
pub fn unseen(schema: &TableSchema, stage: &str) -> String {
    let pairs: Vec<String> = schema
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.key)
        .map(|(index, column)| {
            format!("{} = t.{}", of_column(column).cast(&format!("s.c{index}")), quote(&column.name))
        })
        .collect();
    format!("NOT EXISTS (SELECT 1 FROM {stage} s WHERE {})", pairs.join(" AND "))
}
