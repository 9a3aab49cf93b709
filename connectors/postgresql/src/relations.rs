//! What tables a database has, and what they look like.

use headwater_sdk::sql::quote;
use tokio_postgres::Client;

use crate::types::PgColumn;

/// A table, view or anything else that can be read like one.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its number.
    pub oid: u32,
    /// The schema that it is in.
    pub schema: String,
    /// Its name there.
    pub name: String,
    /// `relkind`: `r` a table, `p` one with partitions, `v` a view, `m` a materialised view, `f` a foreign table.
    pub kind: char,
    /// What is said of it.
    pub comment: String,
    /// The columns of its primary key.
    pub key: Vec<String>,
    /// Its columns, in order.
    pub columns: Vec<PgColumn>,
    /// Whether rows of other tables belong to it: it has partitions, or heirs.
    pub is_parent: bool,
}

impl Relation {
    /// As it stands in SQL.
    pub fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&PgColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

type Pg<T> = Result<T, tokio_postgres::Error>;

/// What is read of each relation. Partitions are read with the table that they are of; what extensions keep of their own is
/// not the user's.
const RELATIONS: &str = "
    SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), ''),
           c.relhassubclass,
           ARRAY(SELECT a.attname::text
                 FROM pg_index i
                 CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, at)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                 WHERE i.indrelid = c.oid AND i.indisprimary AND k.at <= i.indnkeyatts
                 ORDER BY k.at)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast\\_temp\\_%'
      AND c.relpersistence <> 't'
      AND NOT EXISTS (SELECT 1 FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      AND has_schema_privilege(n.oid, 'USAGE')
      AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
    ORDER BY n.nspname, c.relname";

/// All relations that the user may read, without their columns.
pub async fn relations(client: &Client) -> Pg<Vec<Relation>> {
    let rows = client.query(RELATIONS, &[]).await?;
    let relation = |row: &tokio_postgres::Row| Relation {
        oid: row.get(0),
        schema: row.get(1),
        name: row.get(2),
        kind: row.get::<_, &str>(3).chars().next().unwrap_or('r'),
        comment: row.get(4),
        is_parent: row.get::<_, bool>(5),
        key: row.get(6),
        columns: Vec::new(),
    };
    Ok(rows.iter().map(relation).collect())
}

/// A table whose rows are in a file of its own.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// As it stands in SQL.
    pub sql: String,
    /// Its name, with that of its schema where that is another than its parent's.
    pub name: String,
    /// How many pages the file has.
    pub pages: u64,
    /// Whether its rows have a place in a file: a foreign table's have none.
    pub has_pages: bool,
}

/// The tables whose rows a relation has: its partitions and heirs, and itself.
pub async fn leaves(client: &Client, relation: &Relation) -> Pg<Vec<Leaf>> {
    let sql = "
        WITH RECURSIVE tree (oid) AS (
            SELECT $1::oid
            UNION
            SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid
        )
        SELECT n.nspname::text, c.relname::text, c.relkind IN ('r', 'm'),
               CASE WHEN c.relkind IN ('r', 'm')
                    THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE 0 END
        FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'f', 'm')
        ORDER BY n.nspname, c.relname";
    let rows = client.query(sql, &[&relation.oid]).await?;
    let leaf = |row: &tokio_postgres::Row| {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        Leaf {
            sql: format!("{}.{}", quote(&schema), quote(&name)),
            has_pages: row.get(2),
            pages: u64::try_from(row.get::<_, i64>(3)).unwrap_or_default(),
            name: if schema == relation.schema { name } else { format!("{schema}.{name}") },
        }
    };
    Ok(rows.iter().map(leaf).collect())
}
