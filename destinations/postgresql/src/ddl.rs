//! The SQL of one table: its creation, and the statements that write it.

use headwater_sdk::schema::SOURCE_NAME;
use headwater_sdk::{Column, Error, Result, TableSchema};

use crate::types::Kind;

/// Longer names are cut by PostgreSQL without a word.
const LONGEST: usize = 63;

/// A name as SQL: in double quotes, with those in it doubled.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names as SQL, with commas between them.
pub fn list(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    names.into_iter().map(|name| quote(name.as_ref())).collect::<Vec<_>>().join(", ")
}

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
    // FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): the same in every version.
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let kept = (0..=LONGEST - 17).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    format!("{}_{hash:016x}", &name[..kept])
}

/// Whether a column is declared as never null.
pub fn not_null(column: &Column) -> bool {
    column.key || !column.nullable
}

/// `CREATE TABLE` of a table that does not exist.
pub fn create_table(schema: &TableSchema) -> String {
    let mut lines: Vec<String> = schema
        .columns
        .iter()
        .map(|column| {
            let not_null = if not_null(column) { " NOT NULL" } else { "" };
            format!("{} {}{not_null}", quote(&column.name), Kind::of(&column.kind).sql())
        })
        .collect();
    let key = schema.key();
    if !key.is_empty() {
        lines.push(format!("CONSTRAINT {} PRIMARY KEY ({})", quote(&derived(&schema.name, "_cqpk")), list(key)));
    }
    format!("CREATE TABLE {} ({})", quote(&schema.name), lines.join(", "))
}

/// `CREATE INDEX` by which the rows of one unit are found when its stale rows are removed; none where the whole table
/// is one unit, or nothing is ever removed.
pub fn create_unit_index(schema: &TableSchema) -> Option<String> {
    let scope: Vec<&str> = schema.scopes.columns.iter().map(|column| column.name).collect();
    if schema.key().is_empty() || scope.is_empty() || scope.iter().any(|name| schema.column(name).is_none()) {
        return None;
    }
    let name = quote(&derived(&schema.name, "_headwater_unit"));
    let columns = list(scope.into_iter().chain([SOURCE_NAME]));
    Some(format!("CREATE INDEX IF NOT EXISTS {name} ON {} ({columns})", quote(&schema.name)))
}

/// The columns of a table that waits to be moved, which are those of the table but for what they may not be.
pub fn stage_columns(schema: &TableSchema) -> String {
    let columns = schema.columns.iter().enumerate();
    columns.map(|(index, column)| format!("c{index} {}", Kind::of(&column.kind).sql())).collect::<Vec<_>>().join(", ")
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

fn staged_key(schema: &TableSchema) -> Vec<String> {
    let columns = schema.columns.iter().enumerate();
    columns.filter(|(_, column)| column.key).map(|(index, _)| format!("c{index}")).collect()
}

/// Moves rows into the table. Of those with one key, the one that came last counts.
pub fn publish(schema: &TableSchema, stage: &str) -> String {
    let columns = list(schema.columns.iter().map(|column| &column.name));
    let staged: Vec<String> = (0..schema.columns.len()).map(|index| format!("c{index}")).collect();
    let (staged, key) = (staged.join(", "), schema.key());
    let into = format!("INSERT INTO {} ({columns})", quote(&schema.name));
    if key.is_empty() {
        return format!("{into} SELECT {staged} FROM {stage}");
    }
    let of_stage = staged_key(schema).join(", ");
    let set: Vec<String> = schema
        .columns
        .iter()
        .filter(|column| !column.key)
        .map(|column| quote(&column.name))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    let conflict = match set.is_empty() {
        true => "DO NOTHING".to_owned(),
        false => format!("DO UPDATE SET {}", set.join(", ")),
    };
    // In the order of the key, so that two transactions never wait for each other's rows.
    format!(
        "{into} SELECT DISTINCT ON ({of_stage}) {staged} FROM {stage} ORDER BY {of_stage}, ctid DESC \
         ON CONFLICT ({}) {conflict}",
        list(&key)
    )
}

/// The condition that a row of the table is not one of those that wait.
pub fn unseen(schema: &TableSchema, stage: &str) -> String {
    let pairs: Vec<String> = schema
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.key)
        .map(|(index, column)| format!("s.c{index} = t.{}", quote(&column.name)))
        .collect();
    format!("NOT EXISTS (SELECT 1 FROM {stage} s WHERE {})", pairs.join(" AND "))
}
