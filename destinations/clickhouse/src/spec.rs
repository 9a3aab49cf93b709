//! What the configuration says about the database.

use std::collections::BTreeMap;
use std::path::PathBuf;

use headwater_sdk::selection::matches;
use headwater_sdk::spec::{self, without_effect};
use headwater_sdk::{Error, Result, TableSchema};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

/// Connections at once, where the spec does not say it.
const CONNECTIONS: usize = 4;

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

/// How rows are compressed on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all, which is best in one's own network.
    #[default]
    None,
    /// By Zstandard.
    Zstd,
}

/// What is needed to connect and to create tables.
#[derive(Clone)]
pub struct Settings {
    /// The address of the HTTP interface, without user and password.
    pub url: Url,
    pub user: String,
    pub password: SecretString,
    pub database: String,
    /// Settings of ClickHouse for all statements.
    pub settings: BTreeMap<String, String>,
    /// Whether the server's certificate is of no matter.
    pub skip_verify: bool,
    pub ca_file: Option<PathBuf>,
    pub ca_cert: Option<String>,
    pub compression: Compression,
    /// Connections at once.
    pub connections: usize,
    /// The place without the password.
    pub shown: String,
    partition: Vec<Partition>,
    order: Vec<Order>,
}

/// What clickhouse-go takes in a connection string and is no setting of ClickHouse.
const OF_THE_CLIENT: [&str; 14] = [
    "block_buffer_size",
    "client_info_product",
    "compress",
    "compress_level",
    "conn_max_lifetime",
    "connection_open_strategy",
    "debug",
    "dial_timeout",
    "http_proxy",
    "max_compression_buffer",
    "max_idle_conns",
    "max_open_conns",
    "read_timeout",
    "write_timeout",
];

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn is_true(text: &str) -> bool {
    matches!(text, "" | "1" | "true" | "True" | "TRUE")
}

/// What a connection string says.
struct Address {
    /// The scheme, host and port of the HTTP interface.
    url: Url,
    /// The host and port, as they are shown.
    place: String,
    user: String,
    password: Option<String>,
    database: String,
    /// Settings of ClickHouse.
    settings: BTreeMap<String, String>,
    skip_verify: bool,
}

impl Address {
    fn parse(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Error::fatal(
                "`connection_string` is no address; name the HTTP interface, such as http://user@localhost:8123/inventory",
            ));
        };
        let mut secure = match scheme {
            "http" | "clickhouse" => false,
            "https" => true,
            _ => {
                return Err(Error::fatal("`connection_string` must begin with http://, https:// or clickhouse://"));
            }
        };
        // Under its own scheme an address keeps the port that it says. The parser's error may quote the password.
        let parsed = Url::parse(&format!("clickhouse://{rest}")).ok().filter(Url::has_host);
        let Some(parsed) = parsed.filter(|url| !url.host_str().unwrap_or_default().contains(',')) else {
            return Err(Error::fatal(
                "`connection_string` cannot be read; write http://user@host:8123/database, with one host, and %XX for \
                 what is not a letter or a digit",
            ));
        };
        let mut user = decoded(parsed.username());
        let mut password = parsed.password().map(decoded);
        let mut database = decoded(parsed.path().trim_matches('/'));
        let (mut settings, mut skip_verify) = (BTreeMap::new(), false);
        for (name, value) in parsed.query_pairs() {
            match name.as_ref() {
                "secure" => secure = is_true(&value),
                "skip_verify" => skip_verify = is_true(&value),
                "user" | "username" => user = value.into_owned(),
                "password" => password = Some(value.into_owned()),
                "database" => database = value.into_owned(),
                name if OF_THE_CLIENT.contains(&name) => {}
                name if name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') => {
                    settings.insert(name.to_owned(), value.into_owned());
                }
                _ => return Err(Error::fatal("`connection_string` names a setting that cannot be one")),
            }
        }
        let place = format!("{}:{}", parsed.host_str().unwrap_or_default(), port(&parsed, secure)?);
        let url = Url::parse(&format!("{}://{place}/", if secure { "https" } else { "http" }));
        let url = url.map_err(|_| Error::fatal("`connection_string` names no host that can be one"))?;
        let or_default = |text: String| if text.is_empty() { "default".to_owned() } else { text };
        let (user, database) = (or_default(user), or_default(database));
        Ok(Self { url, place, user, password, database, settings, skip_verify })
    }
}

/// The port of the HTTP interface.
fn port(url: &Url, secure: bool) -> Result<u16> {
    match url.port() {
        Some(port @ (9000 | 9440)) => Err(Error::fatal(format!(
            "`connection_string` names port {port} of ClickHouse's own protocol; name the HTTP interface's, which is {}",
            if port == 9000 { "mostly 8123" } else { "mostly 8443, with https://" }
        ))),
        Some(port) => Ok(port),
        None => Ok(if secure { 8443 } else { 8123 }),
    }
}

impl Spec {
    /// Reads the spec; nothing is connected to.
    pub fn settings(&self) -> Result<Settings> {
        without_effect([("batch_size", self.batch_size), ("batch_size_bytes", self.batch_size_bytes)])?;
        self.check()?;
        let of = Address::parse(self.connection_string.trim())?;
        Ok(Settings {
            url: of.url,
            user: of.user,
            password: self.password(of.password)?.into(),
            shown: format!("ClickHouse at {}, database {}", of.place, of.database),
            database: of.database,
            settings: of.settings,
            skip_verify: of.skip_verify,
            ca_file: self.ca_file.clone(),
            ca_cert: self.ca_cert.clone().filter(|text| !text.trim().is_empty()),
            compression: self.compression,
            connections: self.connections.unwrap_or(CONNECTIONS),
            partition: self.partition.clone().unwrap_or_default(),
            order: self.order.clone().unwrap_or_default(),
        })
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

    /// The password; `other` is that of the connection string.
    fn password(&self, other: Option<String>) -> Result<String> {
        let own = spec::password(self.password.as_deref(), self.password_file.as_deref())?;
        // As ClickHouse's own client does.
        Ok(own.or(other).or_else(|| std::env::var("CLICKHOUSE_PASSWORD").ok()).unwrap_or_default())
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

impl Settings {
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
    fn an_address_is_the_http_interfaces() {
        for (text, url, user, database) in [
            ("http://h", "http://h:8123/", "default", "default"),
            ("http://h:80/d", "http://h/", "default", "d"),
            ("https://me:p%2Fw@h/a%20b", "https://h:8443/", "me", "a b"),
            ("clickhouse://me@[::1]:8124/d?secure=true&dial_timeout=1s", "https://[::1]:8124/", "me", "d"),
            ("clickhouse://h?username=me&database=d&secure=false", "http://h:8123/", "me", "d"),
        ] {
            let settings = spec(text).settings().map(|of| (of.url.to_string(), of.user, of.database));
            let expected = (url.to_owned(), user.to_owned(), database.to_owned());
            assert_eq!(settings.map_err(|error| error.to_string()), Ok(expected), "{text}");
        }
        let settings = spec("http://h?max_execution_time=60").settings().map(|of| of.settings);
        assert_eq!(settings.ok().and_then(|of| of.get("max_execution_time").cloned()).as_deref(), Some("60"));
    }

    #[test]
    fn what_cannot_be_taken_is_said_without_the_password() {
        for (text, part) in [
            ("u:secret@h", "no address"),
            ("mysql://u:secret@h", "must begin with"),
            ("clickhouse://u:secret@h:9000/d", "HTTP interface's, which is mostly 8123"),
            ("http://u:secret@h:port/d", "cannot be read"),
            ("clickhouse://u:secret@one:8123,two:8123/d", "one host"),
            ("http://u:secret@", "cannot be read"),
        ] {
            let error = spec(text).settings().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        }
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
