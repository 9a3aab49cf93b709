//! The source's own part of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use headwater_postgresql_client::Place;
use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::replication::ReplicationSpec;
use crate::types::Override;

/// Connections at once, where nothing else is said.
const CONNECTIONS: usize = 4;

/// Spec of the `postgresql` source.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Where the database is: `postgresql://user@host:5432/database?sslmode=verify-full`, or `host=… dbname=…`.
    #[schemars(length(min = 1))]
    pub connection_string: String,
    /// The password, where it does not stand in the connection string.
    #[serde(default)]
    pub password: Option<String>,
    /// A file whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Certificates in PEM of those who may certify the server, instead of those that the system trusts. Where they are
    /// named, the server is verified (`sslmode=verify-ca` at least), unless it says `sslmode=disable`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Seconds after which the server ends a statement, such as the reading of a unit. By default the server's own.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub statement_timeout: Option<u64>,
    /// The schemas whose tables are found, `*` stands for any text; by default all but the system's. A table of `public` is
    /// named as it is there, one of another schema `SCHEMA_TABLE`.
    #[serde(default = "all_schemas")]
    pub schemas: Vec<String>,
    /// Connections at once, each of which reads a unit; by default 4.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub connections: Option<usize>,
    /// Whether all tables are read as they were at one moment. Otherwise only the parts of a table that is divided by
    /// `ctid`, `hash`, `partition` or `list` are of one moment.
    #[serde(default)]
    pub consistent: bool,
    /// What `numeric` without a precision becomes: `text` (the default), `double`, or `decimal(P,S)`, which refuses what
    /// does not fit.
    #[serde(default)]
    pub numeric: Option<String>,
    /// How many rows a batch has at most; by default 65536.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub rows_per_batch: Option<usize>,
    /// How many bytes a batch has at most; by default 8 MiB.
    #[serde(default)]
    #[schemars(range(min = 1024))]
    pub bytes_per_batch: Option<usize>,
    /// Reads the changes of tables: each is copied once, and from then on only what has changed is read, rows that have gone
    /// included.
    #[serde(default)]
    pub replication: Option<ReplicationSpec>,
    /// What is special about single tables, by their names: as in `tables` of the source, or `SCHEMA.TABLE`.
    #[serde(default)]
    pub tables: BTreeMap<String, TableSpec>,
}

fn all_schemas() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What is special about one table.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TableSpec {
    /// What it is called in the destinations.
    pub name: Option<String>,
    /// The columns of its key, where it has no primary key or another is meant; an empty list is none.
    pub key: Option<Vec<String>>,
    /// Which rows are read, as a condition of SQL.
    pub r#where: Option<String>,
    /// What becomes of its columns.
    pub columns: BTreeMap<String, Override>,
    /// How it is divided into units, which are read at once, tried again and made visible on their own.
    pub divide: Option<DivideSpec>,
    /// Which periods of time are read, each of them as units of its own. Rows of others are neither read nor touched.
    pub periods: Option<PeriodsSpec>,
    /// The column by which only rows are read that are new.
    pub cursor: Option<CursorSpec>,
}

/// By what a table is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// By the values of a column: at the multiples of `step`, or at `bounds`.
    Range,
    /// By the values of a column that are listed in `values`, and all others.
    List,
    /// By a hash of columns, into so many `parts`.
    Hash,
    /// By where rows stand in the table's file, into so many `parts`, as they were at one moment.
    Ctid,
    /// By the table's own partitions, as they were at one moment.
    Partition,
}

/// How a table is divided into units.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DivideSpec {
    /// By what.
    pub by: By,
    /// The column, for `range` and `list`.
    #[serde(default)]
    pub column: Option<String>,
    /// The columns, for `hash`; by default those of the key.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// How far a range reaches: a number, or `7 days`, `1 month`, `6 hours`. Ranges begin at its multiples.
    #[serde(default)]
    pub step: Option<String>,
    /// Where one range ends and the next begins: numbers, dates (`2026-11-21`) or times (`2026-11-21T08:00:00Z`).
    #[serde(default)]
    pub bounds: Option<Vec<String>>,
    /// The values, for `list`.
    #[serde(default)]
    pub values: Option<Vec<String>>,
    /// How many parts, for `hash` and `ctid`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub parts: Option<u32>,
}

/// Which periods of time are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeriodsSpec {
    /// The column, of dates or points in time, that says which period a row is of.
    pub column: String,
    /// How long a period is: `1 day`, `1 month`, `6 hours`.
    pub every: String,
    /// The beginning of the first one: `2026-11-21`, or `2026-11-21T08:00:00Z`.
    #[serde(default)]
    pub from: Option<String>,
    /// The end of the last one. By default the present one is the last.
    #[serde(default)]
    pub until: Option<String>,
    /// How many are read, the last ones that have ended, instead of `from` and `until`.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub last: Option<u32>,
}

/// How only new rows are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorSpec {
    /// The column, whose values grow with every new or changed row: it cannot be null.
    pub column: String,
    /// How long after its own time a row may become visible: what is that much older than the newest row that was read is
    /// looked through again. `10m`, `1h`, or a number for a column of numbers. Default: none.
    #[serde(default)]
    pub lag: Option<String>,
}

impl Spec {
    /// Where the database is.
    pub fn place(&self) -> Place<'_> {
        Place {
            connection_string: &self.connection_string,
            password: self.password.as_deref(),
            password_file: self.password_file.as_deref(),
            ca_file: self.ca_file.as_deref(),
            statement_timeout: self.statement_timeout,
        }
    }

    /// Connections at once.
    pub fn connections(&self) -> usize {
        self.connections.unwrap_or(CONNECTIONS).max(1)
    }

    /// What can be told to be wrong without a connection.
    pub fn check(&self) -> Result<()> {
        for (name, table) in &self.tables {
            let wrong = |key: &str, why: &str| Error::fatal(format!("`{key}` of the table {name} {why}"));
            if let Some(divide) = &table.divide {
                divide.check().map_err(|(key, why)| wrong(key, &why))?;
            }
            if let Some(PeriodsSpec { from, until, last, .. }) = &table.periods {
                match (from, until, last) {
                    (None, Some(_), _) => return Err(wrong("until", "needs `from`")),
                    (Some(_), _, Some(_)) => {
                        return Err(wrong("last", "and `from` cannot both be there; leave one out"));
                    }
                    (None, None, None) => return Err(wrong("periods", "needs `from`, or `last: 1`")),
                    _ => {}
                }
            }
            if table.cursor.is_some() && (table.divide.is_some() || table.periods.is_some()) {
                return Err(wrong("cursor", "cannot be together with `divide` or `periods`: what is new is one unit"));
            }
        }
        if let Some(replication) = &self.replication {
            replication.check()?;
            for (name, table) in &self.tables {
                let there = [
                    ("divide", table.divide.is_some()),
                    ("periods", table.periods.is_some()),
                    ("cursor", table.cursor.is_some()),
                    ("where", table.r#where.is_some()),
                ];
                if let Some((key, _)) = there.into_iter().find(|(_, is_there)| *is_there) {
                    let help =
                        if key == "where" { "give the publication a row filter instead" } else { "leave it out" };
                    let why = format!("`{key}` of the table {name} has no meaning with `replication`; {help}");
                    return Err(Error::fatal(why));
                }
            }
        }
        if [self.rows_per_batch, self.bytes_per_batch, self.connections].contains(&Some(0)) {
            return Err(Error::fatal("`rows_per_batch`, `bytes_per_batch` and `connections` must be at least 1"));
        }
        Ok(())
    }
}

impl DivideSpec {
    /// Whether the parts are told by values of the rows' own.
    pub fn is_told(&self) -> bool {
        self.by == By::Range
    }

    /// The key that is wrong, and why.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let there = [
            ("column", self.column.is_some()),
            ("columns", self.columns.is_some()),
            ("step", self.step.is_some()),
            ("bounds", self.bounds.is_some()),
            ("values", self.values.is_some()),
            ("parts", self.parts.is_some()),
        ];
        let (needed, allowed): (&[&str], &[&str]) = match self.by {
            By::Range => (&["column"], &["column", "step", "bounds"]),
            By::List => (&["column", "values"], &["column", "values"]),
            By::Hash => (&["parts"], &["parts", "columns"]),
            By::Ctid => (&["parts"], &["parts"]),
            By::Partition => (&[], &[]),
        };
        let by = format!("{:?}", self.by).to_lowercase();
        for (key, is_there) in there {
            if is_there && !allowed.contains(&key) {
                return Err((key, format!("has no meaning with `by: {by}`; leave it out")));
            }
            if !is_there && needed.contains(&key) {
                return Err(("divide", format!("needs `{key}` with `by: {by}`")));
            }
        }
        if self.by == By::Range && self.step.is_some() == self.bounds.is_some() {
            return Err(("divide", "needs either a `step` or `bounds`".to_owned()));
        }
        if self.parts == Some(0) {
            return Err(("parts", "must be at least 1".to_owned()));
        }
        if self.values.as_ref().is_some_and(Vec::is_empty) || self.bounds.as_ref().is_some_and(Vec::is_empty) {
            return Err(("divide", "lists nothing".to_owned()));
        }
        Ok(())
    }
}
