//! A server for each test, and what a source reads of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_clickhouse_source::{Spec, TableSpec, connector};
use headwater_e2e::LocalClickhouse;
use headwater_e2e::local_clickhouse::PASSWORD;
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::connector::all_wanted;
use headwater_sdk::futures::StreamExt;
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::unit::UnitRun;
use headwater_sdk::{
    Budget, Calls, Connector, Error, Found, Message, Selection, TableSchema, Timestamp, Undiscovered, Unit, Wrong,
    plain,
};

pub const TIME: Timestamp = Timestamp(1_795_251_542_000_000);

pub struct Clickhouse(pub LocalClickhouse);

impl Clickhouse {
    pub fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self(LocalClickhouse::start().unwrap())
    }

    pub fn spec(&self) -> Spec {
        Spec { connection_string: self.0.url(), ..Spec::default() }
    }

    /// A spec that says something about a table.
    pub fn spec_of(&self, table: &str, said: TableSpec) -> Spec {
        Spec { tables: BTreeMap::from([(table.to_owned(), said)]), ..self.spec() }
    }

    /// Carries out a statement, and answers with its text.
    pub async fn run(&self, sql: &str) -> String {
        let request = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!(
            "http://127.0.0.1:{}/?database=inventory&enable_time_time64_type=1&flatten_nested=0&\
             allow_suspicious_low_cardinality_types=1",
            self.0.port()
        );
        let request = request.post(url).body(sql.to_owned());
        let request = request.header("X-ClickHouse-User", "headwater").header("X-ClickHouse-Key", PASSWORD);
        let answer = request.send().await.unwrap();
        let good = answer.status().is_success();
        let body = answer.text().await.unwrap();
        assert!(good, "{sql}: {body}");
        body.trim_end().to_owned()
    }
}

/// What a unit said.
pub struct Read {
    pub unit: Unit,
    pub batches: Vec<RecordBatch>,
    pub failures: Vec<Error>,
}

impl Read {
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// All rows as texts, without the columns that every table has here.
    pub fn texts(&self) -> Vec<Vec<Option<String>>> {
        let mut all = Vec::new();
        for batch in &self.batches {
            let mut rows = vec![Vec::new(); batch.num_rows()];
            for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
                if [SYNC_TIME, SOURCE_NAME].contains(&field.name().as_str()) {
                    continue;
                }
                let texts = plain::text(field, array).unwrap();
                rows.iter_mut().zip(texts.iter()).for_each(|(row, text)| row.push(text.map(str::to_owned)));
            }
            all.extend(rows);
        }
        all
    }
}

pub fn selection(patterns: &[&str]) -> Selection {
    Selection { tables: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(), ..Selection::all() }
}

/// The tables that a spec finds.
pub async fn discover(spec: Spec, patterns: &[&str]) -> Result<Vec<Arc<TableSchema>>, Undiscovered> {
    let selection = selection(patterns);
    let connector = connector(spec).unwrap();
    let nodes = connector.discover(&selection).await?;
    Ok(selection.apply(nodes).into_iter().map(|node| node.schema).collect())
}

/// What is wrong with a spec.
pub async fn wrong(spec: Spec) -> Vec<Wrong> {
    match discover(spec, &["*"]).await {
        Err(Undiscovered::Wrong(wrong)) => wrong,
        Err(Undiscovered::Failed(error)) => panic!("{error}"),
        Ok(_) => Vec::new(),
    }
}

/// Reads all units of the tables that patterns select, in their order.
pub async fn read(spec: Spec, patterns: &[&str]) -> Vec<Read> {
    let selection = selection(patterns);
    let connector: Arc<dyn Connector> = connector(spec).unwrap().into();
    let nodes = connector.discover(&selection).await.unwrap();
    let nodes = selection.apply(nodes).into_iter().map(Arc::new).collect();
    let mut found = Arc::clone(&connector).plan(nodes, all_wanted());
    let mut all = Vec::new();
    while let Some(found) = found.next().await {
        match found {
            Found::Places(_) => {}
            Found::Failed(what, error) => panic!("{what}: {error}"),
            Found::Open(units) => {
                for unit in units {
                    all.push(read_unit(&connector, unit).await);
                }
            }
        }
    }
    all
}

pub async fn read_unit(connector: &Arc<dyn Connector>, unit: Unit) -> Read {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
    let calls = Calls::new(connector.limits(), Budget::new(1 << 30)).of_unit(&unit.scope);
    let run = UnitRun::new("source", TIME, calls, sender);
    let (connector, of) = (Arc::clone(connector), unit.clone());
    let running = tokio::spawn(async move { connector.run(&of, run).await });
    let (mut batches, mut failures) = (Vec::new(), Vec::new());
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Batch(table, batch, _) => {
                table.check_columns(&batch).unwrap();
                batches.push(batch);
            }
            Message::Failure(_, error) => failures.push(error),
            Message::Removed(..) | Message::Checkpoint(_) => {}
        }
    }
    running.await.unwrap();
    Read { unit, batches, failures }
}

/// The one unit of one table, which must not fail.
pub async fn read_one(spec: Spec, table: &str) -> Read {
    let mut all = read(spec, &[table]).await;
    assert_eq!(all.len(), 1);
    let read = all.remove(0);
    assert!(read.failures.is_empty(), "{:?}", read.failures);
    read
}
