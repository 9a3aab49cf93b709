//! What the configuration says about the database.

use std::path::PathBuf;

pub use headwater_clickhouse_client::Compression;
use headwater_clickhouse_client::{Connection, Settings};
use headwater_sdk::selection::matches;
use headwater_sdk::spec::without_effect;
use headwater_sdk::{Error, Result, TableSchema};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where and how the ClickHouse destination writes.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Where the database is: `http://user@host:8123/database`, or `https://…`. `clickhouse://…?secure=true` is another
    /// word for it. Settings of ClickHouse may follow, such as `?max_execution_time=60`.
    #[schemars(length(min = 1))]
    pub connection_string: String,
    /// The password, where it does not stand in the connection string.
    #[serde(default)]
    pub password: Option<String>,
    /// A file whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Certificates in PEM of those who may certify the server, instead of those that the system trusts.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The same as text, besides those that the system trusts.
    #[serde(default)]
    pub ca_cert: Option<String>,
    /// Engine of the tables. `MergeTree` is the only one that can be named: tables with a key are made of
    /// `ReplacingMergeTree` by themselves.
    #[serde(default)]
    pub engine: Option<Engine>,
    /// Not supported: statements are carried out on the one server that is named.
    #[serde(default)]
    pub cluster: Option<String>,
    /// How tables are partitioned when they are created.
    #[serde(default)]
    pub partition: Option<Vec<Partition>>,
    /// How tables are sorted when they are created.
    #[serde(default)]
    pub order: Option<Vec<Order>>,
    /// How rows are compressed on their way.
    #[serde(default)]
    pub compression: Compression,
    /// Connections at once; by default 4.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub connections: Option<usize>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written as a whole.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written as a whole.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_size_bytes: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is always written as a whole.
    #[serde(default)]
    pub batch_timeout: Option<String>,
}

/// The engine of the tables.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Its name.
    pub name: Option<String>,
    /// Its parameters; there can be none.
    #[serde(default)]
    pub parameters: Option<Vec<String>>,
}

/// How some tables are partitioned.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Patterns of the tables; by default all.
    #[serde(default)]
    pub tables: Option<Vec<String>>,
    /// Patterns of tables that are left out.
    #[serde(default)]
    pub skip_tables: Option<Vec<String>>,
    /// What stands behind `PARTITION BY`, such as `toYYYYMM(_cq_sync_time)`.
    #[schemars(length(min = 1))]
    pub partition_by: String,
    /// Accepted from CloudQuery's configurations; it has no effect.
    #[serde(default)]
    pub skip_incremental_tables: bool,
}

/// How some tables are sorted.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Patterns of the tables; by default all.
    #[serde(default)]
    pub tables: Option<Vec<String>>,
    /// Patterns of tables that are left out.
    #[serde(default)]
    pub skip_tables: Option<Vec<String>>,
    /// What stands behind `ORDER BY`. In a table with a key these are the columns of the key, in another order.
    #[schemars(length(min = 1))]
    pub order_by: Vec<String>,
}

/// How tables are created and written.
#[derive(Clone)]
pub struct Tables {
    pub compression: Compression,
    partition: Vec<Partition>,
    order: Vec<Order>,
}

impl Spec {
    /// Reads the spec; nothing is connected to.
    pub fn settings(&self) -> Result<(Settings, Tables)> {
        without_effect([("batch_size", self.batch_size), ("batch_size_bytes", self.batch_size_bytes)])?;
        self.check()?;
        let connection = Connection {
            address: self.connection_string.clone(),
            password: self.password.clone(),
            password_file: self.password_file.clone(),
            ca_file: self.ca_file.clone(),
            ca_cert: self.ca_cert.clone(),
            connections: self.connections,
        };
        let tables = Tables {
            compression: self.compression,
            partition: self.partition.clone().unwrap_or_default(),
            order: self.order.clone().unwrap_or_default(),
        };
        Ok((connection.settings()?, tables))
    }

    fn check(&self) -> Result<()> {
        if self.connections == Some(0) {
            return Err(Error::fatal("`connections` must be at least 1"));
        }
        if self.cluster.as_deref().is_some_and(|cluster| !cluster.is_empty()) {
            return Err(Error::fatal(
                "`cluster` is not supported: tables are made on the one server that `connection_string` names; leave it \
                 out. ClickHouse Cloud has them on all of its servers by itself",
            ));
        }
        if let Some(engine) = &self.engine {
            if let Some(name) =
                engine.name.as_deref().filter(|name| !matches!(*name, "MergeTree" | "ReplacingMergeTree"))
            {
                return Err(Error::fatal(format!(
                    "`engine` cannot be {name}: tables with a key are of ReplacingMergeTree, and the others of MergeTree"
                )));
            }
            if engine.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
                return Err(Error::fatal("`parameters` of the engine cannot be chosen; leave them out"));
            }
        }
        let empty = |text: &String| text.trim().is_empty();
        if self.partition.iter().flatten().any(|partition| empty(&partition.partition_by)) {
            return Err(Error::fatal("`partition_by` is empty"));
        }
        if self.order.iter().flatten().any(|order| order.order_by.is_empty() || order.order_by.iter().any(empty)) {
            return Err(Error::fatal("`order_by` is empty"));
        }
        Ok(())
    }
}

/// Whether a table is among those of patterns.
fn meant(tables: &Option<Vec<String>>, skipped: &Option<Vec<String>>, name: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name));
    tables.as_deref().is_none_or(|tables| tables.is_empty() || any(tables)) && !skipped.as_deref().is_some_and(any)
}

/// What is said about a table, if anything; twice is an error.
fn only<'a, T>(what: &str, table: &str, mut of: impl Iterator<Item = &'a T>) -> Result<Option<&'a T>> {
    let first = of.next();
    match of.next() {
        Some(_) => Err(Error::fatal(format!("table {table}: two entries of `{what}` are for it; leave one out"))),
        None => Ok(first),
    }
}

impl Tables {
    /// What stands behind `PARTITION BY` of a table, if anything.
    pub fn partition_by(&self, table: &str) -> Result<Option<&str>> {
        let of = self.partition.iter().filter(|one| meant(&one.tables, &one.skip_tables, table));
        Ok(only("partition", table, of)?.map(|one| one.partition_by.as_str()))
    }

    /// What stands behind `ORDER BY` of a table, if it is said.
    pub fn order_by(&self, table: &TableSchema) -> Result<Option<&[String]>> {
        let of = self.order.iter().filter(|one| meant(&one.tables, &one.skip_tables, &table.name));
        let Some(order) = only("order", &table.name, of)? else { return Ok(None) };
        let key = table.key();
        let bare = |text: &str| text.trim().trim_matches(['`', '"']).to_owned();
        let named: Vec<String> = order.order_by.iter().map(|text| bare(text)).collect();
        let same = named.len() == key.len() && key.iter().all(|column| named.iter().any(|name| name == column));
        if !key.is_empty() && !same {
            return Err(Error::fatal(format!(
                "table {}: `order_by` must hold the columns of its key and nothing else, because they tell which row a \
                 row replaces: {}",
                table.name,
                key.join(", ")
            )));
        }
        Ok(Some(&order.order_by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        Spec { connection_string: text.to_owned(), ..Spec::default() }
    }

    #[test]
    fn what_cannot_be_taken_is_said() {
        let other = |change: &dyn Fn(&mut Spec)| {
            let mut spec = spec("http://h");
            change(&mut spec);
            spec.settings().err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(other(&|spec| spec.cluster = Some("c".to_owned())).contains("`cluster` is not supported"));
        let engine = Engine { name: Some("SummingMergeTree".to_owned()), parameters: None };
        assert!(other(&|spec| spec.engine = Some(engine.clone())).contains("ReplacingMergeTree"));
        let engine = Engine { name: Some("MergeTree".to_owned()), parameters: None };
        assert_eq!(other(&|spec| spec.engine = Some(engine.clone())), "");
    }
}
