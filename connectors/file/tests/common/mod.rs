//! Runs the source over real folders, without a destination.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use headwater_file_source::{Spec, connector};
use headwater_sdk::arrow::array::{ArrayRef, RecordBatch};
use headwater_sdk::arrow::compute::concat_batches;
use headwater_sdk::connector::all_wanted;
use headwater_sdk::unit::UnitRun;
use headwater_sdk::{
    Budget, Calls, Connector, Error, Found, Message, Selection, TableSchema, Timestamp, Undiscovered, plain,
};
use serde_json::Value;

/// What came of a sync.
#[derive(Default)]
pub struct Synced {
    /// The rows of each table, in the order of its units.
    pub tables: BTreeMap<String, (Arc<TableSchema>, Vec<RecordBatch>)>,
    /// The units.
    pub units: Vec<String>,
    /// The units that failed.
    pub errors: Vec<(String, Error)>,
    /// What could not be opened.
    pub failed: Vec<(String, Error)>,
    /// Whether rows of units that are no more go.
    pub prunes: bool,
}

impl Synced {
    pub fn schema(&self, table: &str) -> &TableSchema {
        &self.tables[table].0
    }

    pub fn rows(&self, table: &str) -> RecordBatch {
        let (schema, batches) = &self.tables[table];
        concat_batches(&schema.arrow(), batches).unwrap()
    }

    pub fn column(&self, table: &str, column: &str) -> ArrayRef {
        Arc::clone(self.rows(table).column_by_name(column).unwrap())
    }

    /// The types of a table's own columns.
    pub fn types(&self, table: &str) -> String {
        let own = self.schema(table).columns.iter().skip(3);
        own.map(|column| format!("{} {}", column.name, column.kind.name())).collect::<Vec<_>>().join(", ")
    }

    /// A column as text.
    pub fn texts(&self, table: &str, column: &str) -> Vec<String> {
        let field = Arc::new(self.schema(table).column(column).unwrap().field());
        let texts = plain::text(&field, &self.column(table, column)).unwrap();
        texts.iter().map(|text| text.unwrap_or("NULL").to_owned()).collect()
    }
}

pub fn spec(spec: Value) -> Spec {
    serde_json::from_value(spec).unwrap()
}

pub async fn found(value: Value) -> Result<Arc<dyn Connector>, Vec<String>> {
    let connector = connector(spec(value)).unwrap();
    match connector.discover(&Selection::all()).await {
        Ok(_) => Ok(connector),
        Err(Undiscovered::Failed(error)) => Err(vec![error.to_string()]),
        Err(Undiscovered::Wrong(wrong)) => {
            let shown = |wrong: headwater_sdk::Wrong| {
                let help = wrong.help.map(|help| format!(" ({help})")).unwrap_or_default();
                format!("{}: {}{help}", wrong.at.join("."), wrong.message)
            };
            Err(wrong.into_iter().map(shown).collect())
        }
    }
}

/// Finds the tables and reads all their units.
pub async fn sync(value: Value) -> Result<Synced, Vec<String>> {
    Ok(read(&found(value).await?).await)
}

/// Reads the units of the tables that were found.
pub async fn read(connector: &Arc<dyn Connector>) -> Synced {
    let mut synced = Synced::default();
    let nodes: Vec<_> = connector.tables().into_iter().map(Arc::new).collect();
    for node in &nodes {
        synced.tables.insert(node.schema.name.clone(), (Arc::clone(&node.schema), Vec::new()));
        synced.prunes = connector.extent(&node.schema.name) == Some(vec![Vec::new()]);
    }
    let mut units = Vec::new();
    let mut plan = Arc::clone(connector).plan(nodes, all_wanted());
    while let Some(found) = plan.next().await {
        match found {
            Found::Places(_) => {}
            Found::Open(open) => units.extend(open),
            Found::Failed(name, error) => synced.failed.push((name, error)),
        }
    }
    let calls = Calls::new(connector.limits(), Budget::default());
    for unit in units {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
        let run = UnitRun::new("files", Timestamp::now(), calls.of_unit(""), sender);
        let (connector, of_unit) = (Arc::clone(connector), unit.clone());
        let running = tokio::spawn(async move { connector.run(&of_unit, run).await });
        synced.units.push(unit.id());
        while let Some(message) = receiver.recv().await {
            match message {
                Message::Batch(table, batch, _lease) => {
                    table.check_columns(&batch).unwrap();
                    synced.tables.get_mut(&table.name).unwrap().1.push(batch);
                }
                Message::Failure(_, error) => synced.errors.push((unit.scope.clone(), error)),
                Message::Removed(..) => panic!("nobody has removed rows"),
                Message::Checkpoint(checkpoint) => panic!("nobody has said {checkpoint}"),
            }
        }
        running.await.unwrap();
    }
    synced
}

pub fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
