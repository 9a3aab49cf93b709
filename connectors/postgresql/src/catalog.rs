//! The columns of a table, as the database's catalog has them.

use std::collections::HashMap;

use tokio_postgres::Client;

use crate::types::{PgColumn, PgType};

type Pg<T> = Result<T, tokio_postgres::Error>;

/// A type as `pg_type` has it.
struct Entry {
    name: String,
    typtype: char,
    /// The type of an array's items, or zero.
    item: u32,
    /// The type that a domain is of, or zero, with what stands in brackets behind that.
    base: u32,
    base_typmod: i32,
}

/// No type is made of types so deep.
const DEEPEST: usize = 32;

fn resolve(types: &HashMap<u32, Entry>, oid: u32, typmod: i32, name: Option<String>, depth: usize) -> PgType {
    let Some(entry) = types.get(&oid).filter(|_| depth < DEEPEST) else {
        return PgType { oid, typmod, name: name.unwrap_or_default(), typtype: 'b', inner: None };
    };
    let inner = match (entry.item, entry.base) {
        (0, 0) => None,
        (0, base) => Some(resolve(types, base, entry.base_typmod, None, depth + 1)),
        (item, _) => Some(resolve(types, item, typmod, None, depth + 1)),
    };
    let name = name.unwrap_or_else(|| entry.name.clone());
    PgType { oid, typmod, name, typtype: entry.typtype, inner: inner.map(Box::new) }
}

/// The columns of a table, view or other relation, in their order, by the relation's number.
///
/// # Errors
/// If the server cannot be asked.
pub async fn columns(client: &Client, relation: u32) -> Pg<Vec<PgColumn>> {
    // The name of a domain's type is that with what the domain says in brackets.
    let sql = "WITH RECURSIVE t AS (
                   SELECT atttypid AS oid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
                   UNION
                   SELECT x.oid FROM t JOIN pg_type p ON p.oid = t.oid,
                       LATERAL (VALUES (p.typelem), (p.typbasetype)) AS x (oid) WHERE x.oid <> 0)
               SELECT p.oid, format_type(p.oid, NULL), p.typtype::text,
                   CASE WHEN p.typlen = -1 AND p.typcategory = 'A' THEN p.typelem ELSE 0 END::oid,
                   p.typbasetype, p.typtypmod
               FROM t JOIN pg_type p ON p.oid = t.oid";
    let kind = |text: String| text.chars().next().unwrap_or('b');
    let types: HashMap<u32, Entry> = client
        .query(sql, &[&relation])
        .await?
        .into_iter()
        .map(|row| {
            let entry = Entry {
                name: row.get(1),
                typtype: kind(row.get(2)),
                item: row.get(3),
                base: row.get(4),
                base_typmod: row.get(5),
            };
            (row.get(0), entry)
        })
        .collect();
    let sql = "SELECT attname::text, atttypid, atttypmod, format_type(atttypid, atttypmod), attnotnull,
                   col_description(attrelid, attnum), format_type(b.typbasetype, b.typtypmod)
               FROM pg_attribute JOIN pg_type b ON b.oid = atttypid
               WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let rows = client.query(sql, &[&relation]).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut pg_type = resolve(&types, row.get(1), row.get(2), Some(row.get(3)), 0);
            if let (Some(inner), Some(name), 'd') = (&mut pg_type.inner, row.get(6), pg_type.typtype) {
                inner.name = name;
            }
            PgColumn { name: row.get(0), pg_type, not_null: row.get(4), comment: row.get(5) }
        })
        .collect())
}
