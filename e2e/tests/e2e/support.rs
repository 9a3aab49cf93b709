//! What the tests share: the server, a configuration, and a look into the database.

use std::path::{Path, PathBuf};

use headwater_bench_server::{Config, Kind, Latency, Server};
use headwater_e2e::{Headwater, LocalAws, PYTHON, Run, Settings};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// The database, below the folder that the binary runs in.
pub const DATABASE: &str = "aws.db";

/// What there is in an [`organization`].
const KINDS: [Kind; 4] = [Kind::Instances, Kind::Vpcs, Kind::Users, Kind::UserAccessKeys];

/// The tables of that.
pub const ORGANIZATION_TABLES: [&str; 4] =
    ["aws_ec2_instances", "aws_ec2_vpcs", "aws_iam_users", "aws_iam_user_access_keys"];

/// A fast AWS with so many accounts in two regions, whose calls take differently long.
pub fn organization(accounts: u64) -> Server {
    let config = Config::default()
        .with_accounts(accounts)
        .with_regions(["us-east-1", "eu-west-1"])
        .with(Kind::Instances, 7)
        .with(Kind::Vpcs, 3)
        .with(Kind::Users, 4)
        .with(Kind::UserAccessKeys, 2)
        .with_latency(Latency::Uniform { min_ms: 2.0, max_ms: 40.0 });
    Server::start_blocking(config, 1).unwrap()
}

/// How many rows all of its tables have.
pub fn rows_of(server: &Server) -> u64 {
    let estate = server.estate();
    KINDS.map(|kind| estate.rows(kind)).iter().sum()
}

/// Starts a local AWS with the Python that `cargo xtask test` has prepared.
pub fn local_aws(settings: Settings) -> LocalAws {
    let python = std::env::var_os(PYTHON).map(PathBuf::from);
    let python = python.unwrap_or_else(|| panic!("{PYTHON} names no Python: run the tests with `cargo xtask test`"));
    LocalAws::start(&python, settings).unwrap()
}

/// A configuration to sync: `aws` to `sqlite`, with what is said beyond that.
#[derive(Clone)]
pub struct Configuration {
    pub endpoint: String,
    pub tables: Vec<String>,
    pub skipped: Vec<String>,
    /// What becomes of columns and rows: `columns: …` and `rows: …`, as lines of the document's spec. At first, secrets
    /// are kept, since values are compared with those of an independent client.
    pub rules: String,
    /// More lines of the source's own spec.
    pub spec: String,
    /// Whether the rows go to Parquet files too.
    pub parquet: bool,
}

impl Configuration {
    pub fn new(endpoint: &str, tables: &[&str]) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            tables: tables.iter().map(|name| (*name).to_owned()).collect(),
            skipped: Vec::new(),
            rules: "columns: [{keep: [\"*\"]}]".to_owned(),
            spec: "regions: [us-east-1, eu-west-1]".to_owned(),
            parquet: false,
        }
    }

    pub fn text(&self) -> String {
        let spec = self.spec.replace('\n', "\n    ");
        let rules = self.rules.replace('\n', "\n  ");
        let mut text = format!(
            "kind: source\nspec:\n  name: aws\n  path: cloudquery/aws\n  tables: {}\n  skip_tables: {}\n  \
             skip_dependent_tables: true\n  destinations: {}\n  {rules}\n  spec:\n    custom_endpoint_url: {}\n    \
             max_retries: 2\n    max_backoff: 1\n    {spec}\n---\nkind: destination\nspec:\n  name: sqlite\n  \
             path: cloudquery/sqlite\n  write_mode: overwrite-delete-stale\n  spec:\n    connection_string: {DATABASE}\n",
            Value::from(self.tables.clone()),
            Value::from(self.skipped.clone()),
            if self.parquet { "[sqlite, parquet]" } else { "[sqlite]" },
            self.endpoint,
        );
        if self.parquet {
            text.push_str(
                "---\nkind: destination\nspec:\n  name: parquet\n  path: file\n  \
                 write_mode: overwrite-delete-stale\n  spec:\n    path: parquet\n    format: parquet\n",
            );
        }
        text
    }
}

/// Syncs, and expects an exit code.
pub fn sync(headwater: &Headwater, configuration: &Configuration, code: i32) -> Run {
    let run = headwater.sync(&configuration.text()).unwrap();
    assert_eq!(run.code, Some(code), "{}", run.output());
    run
}

/// The outcomes of a table in a report, one per scope: its name and the errors there.
pub fn errors_of(run: &Run, table: &str) -> Vec<Value> {
    let report = run.report.as_ref().unwrap_or_else(|| panic!("no report was written: {}", run.output()));
    let tables = report["sources"][0]["tables"].as_array().cloned().unwrap_or_default();
    let table = tables.iter().find(|one| one["table"] == table).unwrap_or_else(|| panic!("no {table} in {report:#}"));
    let units = table["units"].as_array().cloned().unwrap_or_default();
    units.iter().flat_map(|unit| unit["errors"].as_array().cloned().unwrap_or_default()).collect()
}

/// The synced database.
pub struct Database(pub Connection);

impl Database {
    pub fn open(folder: &Path) -> Self {
        Self(Connection::open_with_flags(folder.join(DATABASE), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap())
    }

    /// The values of a query's first column as text, in their order.
    pub fn column(&self, sql: &str) -> Vec<String> {
        let mut statement = self.0.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows = statement.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
        rows.map(|value| match value.unwrap() {
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Null => "null".to_owned(),
            other => format!("{other:?}"),
        })
        .collect()
    }

    /// A query's only number.
    pub fn number(&self, sql: &str) -> i64 {
        self.0.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The names of the tables.
    pub fn tables(&self) -> Vec<String> {
        self.column("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'aws_%' ORDER BY name")
    }

    /// Every value of a table as text, for a comparison with a later state of it.
    pub fn snapshot(&self, table: &str) -> Vec<String> {
        let names = self.column(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let row: Vec<String> = names.iter().map(|name| format!("quote(\"{name}\")")).collect();
        self.column(&format!("SELECT {} FROM \"{table}\" ORDER BY 1", row.join(" || ' ' || ")))
    }
}
