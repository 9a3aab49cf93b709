//! The tables whose changes are read: which those are, by what their rows are told, and what changes do not tell.

use std::collections::HashSet;

use headwater_sdk::selection::matches;
use headwater_sdk::{Selection, Wrong};
use tokio_postgres::Client;

use super::message::Lsn;
use super::reached::Known;
use super::spec::ReplicationSpec;
use crate::discover::Found;
use crate::relations::Relation;

type Pg<T> = Result<T, tokio_postgres::Error>;

/// A table whose changes are read, beyond what is known of every table.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    /// One for each of the relation's columns.
    columns: Vec<Attribute>,
    /// Whether the publication has the table.
    pub published: bool,
    /// Which of its rows the publication has, as SQL; none where it has all.
    pub filter: Option<String>,
}

#[derive(Debug, Clone)]
struct Attribute {
    number: i16,
    /// Whether rows that were there before the column may have a value in it.
    fills: bool,
    /// The expression that it is computed by, which is not told with a change.
    generated: Option<String>,
}

/// A table whose changes are read.
pub struct Tracked {
    /// As it was found.
    pub found: std::sync::Arc<Found>,
    /// Its schema, as the engine knows it.
    pub schema: std::sync::Arc<headwater_sdk::TableSchema>,
}

impl Tracked {
    fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.found.tracked.iter().flat_map(|attributes| &attributes.columns)
    }

    /// Which rows of the table the publication has.
    pub fn filter(&self) -> Option<&str> {
        self.found.tracked.as_ref()?.filter.as_deref()
    }

    /// The places of the columns that changes tell, among those of the table.
    pub fn told(&self) -> Vec<usize> {
        let told = self.attributes().enumerate().filter(|(_, attribute)| attribute.generated.is_none());
        told.map(|(at, _)| at).collect()
    }

    /// The columns that are computed, with their expressions.
    pub fn generated(&self) -> Vec<(usize, &str)> {
        self.attributes().enumerate().filter_map(|(at, of)| Some((at, of.generated.as_deref()?))).collect()
    }

    /// The columns as they are kept.
    pub fn known(&self) -> Vec<Known> {
        let columns = self.found.relation.columns.iter().zip(&self.found.columns).zip(self.attributes());
        let known = columns.map(|((column, mapped), attribute)| Known {
            number: attribute.number,
            name: format!("{} {}", column.name, mapped.column.name),
            kind: format!("{} {}", column.pg_type.name, mapped.column.kind.name()),
        });
        known.collect()
    }

    /// Whether each column may have values in rows that are older than it.
    pub fn fills(&self) -> impl Iterator<Item = bool> {
        self.attributes().map(|attribute| attribute.fills)
    }
}

/// The publication, as it was found.
#[derive(Debug, Clone, Default)]
pub struct Publication {
    /// Whether it is there.
    pub exists: bool,
    /// Whether it has all tables, whichever there are.
    all: bool,
    /// Its tables.
    tables: HashSet<(String, String)>,
    /// Until where changes are read: all that is found here was there before, or later.
    pub until: Lsn,
}

fn wrong(key: &str, message: String, help: &str) -> Wrong {
    let at = ["replication", key].into_iter().filter(|key| !key.is_empty());
    Wrong { at: at.map(str::to_owned).collect(), message, help: Some(help.to_owned()) }
}

impl Publication {
    /// Finds it.
    pub async fn find(client: &Client, spec: &ReplicationSpec, problems: &mut Vec<Wrong>) -> Pg<Self> {
        let server = "SELECT current_setting('wal_level'), pg_is_in_recovery()";
        let row = client.query_one(server, &[]).await?;
        let (level, standby): (String, bool) = (row.get(0), row.get(1));
        if standby {
            let message = "the server is a standby, and tells no changes".to_owned();
            problems.push(wrong("", message, "name the primary in `connection_string`"));
            return Ok(Self::default());
        }
        if level != "logical" {
            let message = format!("the server does not tell changes: its wal_level is {level}");
            let help = "ALTER SYSTEM SET wal_level = logical, and restart the server";
            problems.push(wrong("", message, help));
            return Ok(Self::default());
        }
        // Before anything else is looked at: a column that a change before this place has is then known.
        let until: String = client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await?.get(0);
        let mut publication = Self { until: until.parse().unwrap_or(Lsn(0)), ..Self::default() };
        let sql = "SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, \
                   coalesce((to_jsonb(p) ->> 'pubviaroot')::bool, false) \
                   FROM pg_publication p WHERE pubname = $1";
        let Some(row) = client.query_opt(sql, &[&spec.publication]).await? else {
            if !spec.create {
                let message = format!("there is no publication `{}`", spec.publication);
                let help =
                    "CREATE PUBLICATION … FOR TABLE … WITH (publish_via_partition_root = true), or say `create: true`";
                problems.push(wrong("publication", message, help));
            }
            return Ok(publication);
        };
        let (all, whole, by_root): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
        (publication.exists, publication.all) = (true, all);
        if !whole {
            let message = format!("the publication `{}` does not tell all changes", spec.publication);
            let help = "ALTER PUBLICATION … SET (publish = 'insert, update, delete, truncate')";
            problems.push(wrong("publication", message, help));
        }
        let sql = "SELECT p.schemaname::text, p.tablename::text, c.relispartition FROM pg_publication_tables p \
                   JOIN pg_namespace n ON n.nspname = p.schemaname \
                   JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename WHERE p.pubname = $1";
        let rows = client.query(sql, &[&spec.publication]).await?;
        if !by_root && rows.iter().any(|row| row.get(2)) {
            let message =
                format!("the publication `{}` tells changes of partitions, not of their tables", spec.publication);
            let help = "ALTER PUBLICATION … SET (publish_via_partition_root = true)";
            problems.push(wrong("publication", message, help));
        }
        publication.tables = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        Ok(publication)
    }

    fn has(&self, relation: &Relation) -> bool {
        self.tables.contains(&(relation.schema.clone(), relation.name.clone()))
    }

    /// Whether changes of a relation can be read.
    pub fn may_have(&self, relation: &Relation, spec: &ReplicationSpec) -> bool {
        matches!(relation.kind, 'r' | 'p') && (self.has(relation) || spec.create && !self.all)
    }

    /// Notes which of the relations are meant by their very names, and cannot be read.
    pub fn check_named(
        &self,
        all: &[Relation],
        spec: &ReplicationSpec,
        selection: &Selection,
        problems: &mut Vec<Wrong>,
    ) {
        let exact: Vec<&String> = selection.tables.iter().filter(|pattern| !pattern.contains('*')).collect();
        for relation in all.iter().filter(|relation| !self.may_have(relation, spec)) {
            let full = format!("{}.{}", relation.schema, relation.name);
            let short = (relation.schema == "public").then_some(&relation.name);
            if !exact
                .iter()
                .any(|pattern| matches(pattern, &full) || short.is_some_and(|short| matches(pattern, short)))
            {
                continue;
            }
            let (message, help) = match relation.kind {
                'r' | 'p' => (
                    format!("the publication `{}` does not have the table {full}", spec.publication),
                    "ALTER PUBLICATION … ADD TABLE …, or say `create: true`",
                ),
                _ => (format!("{full} is no table, so there are no changes of it"), "read it by a source of its own"),
            };
            problems.push(wrong("publication", message, help));
        }
    }

    /// What is to be known of a relation whose changes are read. Columns that the publication leaves out are left out of it.
    pub async fn attributes(
        &self,
        client: &Client,
        spec: &ReplicationSpec,
        relation: &mut Relation,
        key: &[String],
        problems: &mut Vec<Wrong>,
    ) -> Pg<Attributes> {
        let name = format!("{}.{}", relation.schema, relation.name);
        let mut refuse = |message: String, help: &str| problems.push(wrong("", message, help));
        if relation.kind == 'r' && relation.is_parent {
            refuse(
                format!("{name} has heirs, whose changes are told by themselves"),
                "leave it out with `skip_tables`",
            );
        }
        if key.is_empty() {
            let help = "add a primary key, or say `key` of the table and ALTER TABLE … REPLICA IDENTITY FULL, or leave it out \
                        with `skip_tables`";
            refuse(format!("{name} has no key, by which a changed row would be found again"), help);
        }
        let sql = "
            SELECT c.relname::text, c.relreplident::text,
                   ARRAY(SELECT a.attname::text FROM pg_index i
                         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                         WHERE i.indrelid = c.oid AND CASE c.relreplident
                             WHEN 'd' THEN i.indisprimary AND i.indimmediate WHEN 'i' THEN i.indisreplident
                             ELSE false END)
            FROM pg_class c
            WHERE c.oid = $1::oid AND c.relkind <> 'p'
               OR c.oid IN (SELECT relid FROM pg_partition_tree($1::oid::regclass) WHERE isleaf)";
        for row in client.query(sql, &[&relation.oid]).await? {
            let (of, identity, columns): (String, String, Vec<String>) = (row.get(0), row.get(1), row.get(2));
            if identity != "f" && !key.iter().all(|name| columns.contains(name)) {
                let message = format!("{}.{of} does not tell the key of a row that has gone", relation.schema);
                refuse(message, "ALTER TABLE … REPLICA IDENTITY FULL, or USING INDEX one with the columns of the key");
            }
        }
        // Which columns are told is said from version 15 on.
        let sql = "
            SELECT a.attname::text, a.attnum, a.atthasdef OR a.attnotnull OR a.attidentity <> '',
                   CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
                   coalesce((SELECT to_jsonb(p) -> 'attnames' ? a.attname::text FROM pg_publication_tables p
                             WHERE p.pubname = $2 AND p.schemaname = $3 AND p.tablename = $4), true),
                   (SELECT count(*) FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
                    WHERE p.pubname = $2 AND r.prrelid = a.attrelid AND to_jsonb(r) ->> 'prattrs' IS NOT NULL) > 0
            FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&relation.oid, &spec.publication, &relation.schema, &relation.name];
        let mut columns = Vec::new();
        for row in client.query(sql, &parameters).await? {
            let (name, generated): (String, Option<String>) = (row.get(0), row.get(3));
            let (told, listed): (bool, bool) = (row.get(4), row.get(5));
            // What is computed is told by nobody, and is computed again unless the publication lists what it tells.
            if listed && (generated.is_some() || !told) {
                relation.columns.retain(|column| column.name != name);
            } else {
                columns.push(Attribute { number: row.get(1), fills: row.get(2), generated });
            }
        }
        if let Some(left_out) = key.iter().find(|name| relation.column(name).is_none()) {
            refuse(format!("the publication leaves out `{left_out}`, which is of the key of {name}"), "add it there");
        }
        // Row filters, too, are there from version 15 on.
        let sql = "SELECT to_jsonb(p) ->> 'rowfilter' FROM pg_publication_tables p \
                   WHERE p.pubname = $1 AND p.schemaname = $2 AND p.tablename = $3";
        let row = client.query_opt(sql, &[&spec.publication, &relation.schema, &relation.name]).await?;
        let filter = row.and_then(|row| row.get(0));
        Ok(Attributes { columns, published: self.exists && self.has(relation), filter })
    }
}
