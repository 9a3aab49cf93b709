//! Rows that a part removes, in order with those that it writes: their keys have numbers of the same row of numbers, and
//! wait as rows do.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::sql::quote;
use headwater_sdk::{Class, Column, Error, Part, Result, TableSchema, WriteMode};
use tokio_postgres::Client;

use crate::buffer::Buffer;
use crate::copy::stage_rows;
use crate::ddl::{is_numbered, order, stage_columns, staged_key};
use crate::publish::delete_of_unit;
use crate::server::Server;
use crate::sift::Failed;
use crate::waiting::{Waiting, check};

/// The temporary table of keys.
const KEYS: &str = "pg_temp.headwater_removed";

/// What a part removes.
pub struct Removal {
    /// Whether all goes that was there before.
    pub all: bool,
    /// The part as one of keys only.
    part: Part,
    /// Keys that have not been sent yet.
    pub buffer: Buffer,
    /// Where those before them wait.
    pub waiting: Option<Waiting>,
}

impl Removal {
    /// Nothing is removed yet.
    ///
    /// # Errors
    /// If the part's rows are not told by a key, or not in order.
    pub fn new(part: &Part) -> Result<Self> {
        if part.mode != WriteMode::Overwrite || !is_numbered(&part.table) {
            let why = "single rows can be removed in write mode `overwrite` only, from a table with a key and less than 1600 \
                       columns";
            return Err(Error::new(Class::Unsupported, why));
        }
        let key: Vec<Column> = part.table.columns.iter().filter(|column| column.key).cloned().collect();
        let part = Part { table: Arc::new(part.table.with_columns(key)), rejects: None, ..part.clone() };
        Ok(Self { all: false, buffer: Buffer::new(&part), part, waiting: None })
    }

    /// Takes keys; the next row behind them has the number that is answered.
    pub fn add(&mut self, keys: &RecordBatch, number: Option<i64>) -> Result<Option<i64>> {
        self.buffer.number = number;
        // The columns are the same, under the schema of the part.
        let keys =
            RecordBatch::try_new(self.part.table.arrow(), keys.columns().to_vec()).map_err(Error::destination)?;
        self.buffer.add(&keys)?;
        Ok(self.buffer.number)
    }

    /// Sends the keys to where they wait.
    pub async fn send(&mut self, server: &Arc<Server>) -> Result<()> {
        let bundle = self.buffer.take();
        if bundle.count == 0 {
            return Ok(());
        }
        let waiting = match &mut self.waiting {
            Some(waiting) => waiting,
            none => none.insert(Waiting::new(server, &self.part, None).await?),
        };
        waiting.send(bundle, None, None).await
    }

    /// Removes all that is to go, from the table and from the stages of rows that wait to be moved. Answers how many rows of
    /// the table those were, and of each stage.
    pub async fn run(
        &mut self,
        server: &Server,
        client: &Client,
        of: &Part,
        stages: &[&str],
    ) -> Result<(u64, Vec<u64>), Failed> {
        let mut deleted = 0;
        if self.all {
            deleted += delete_of_unit(client, of, None, &[]).await?;
        }
        let bundle = self.buffer.peek();
        let keys = match &self.waiting {
            Some(waiting) => {
                check(server, client, &waiting.table(), waiting.rows).await?;
                waiting.table()
            }
            None if bundle.count == 0 => return Ok((deleted, vec![0; stages.len()])),
            None => {
                let create =
                    format!("CREATE TEMPORARY TABLE {KEYS} ({}) ON COMMIT DROP", stage_columns(&self.part.table));
                client.batch_execute(&create).await?;
                KEYS.to_owned()
            }
        };
        if bundle.count > 0 {
            stage_rows(client, &keys, &bundle, None).await?;
        }
        client.batch_execute(&format!("ANALYZE {keys}")).await?;
        let mut of_stages = Vec::new();
        for stage in stages {
            of_stages.push(client.execute(&overtaken(&of.table, &self.part.table, stage, &keys), &[]).await?);
        }
        deleted += client.execute(&gone(&of.table, &self.part.table, &keys), &[]).await?;
        Ok((deleted, of_stages))
    }
}

/// `DELETE` of the rows of a stage whose keys were removed after they came.
fn overtaken(table: &TableSchema, key: &TableSchema, stage: &str, keys: &str) -> String {
    let pairs = staged_key(table).into_iter().zip(staged_key(key));
    let pairs: Vec<String> = pairs.map(|(row, key)| format!("s.{row} = k.{key}")).collect();
    let number = order(table);
    format!("DELETE FROM {stage} AS s USING {keys} AS k WHERE {} AND k.{number} >= s.{number}", pairs.join(" AND "))
}

/// `DELETE` of the rows of the table that are removed.
fn gone(table: &TableSchema, key: &TableSchema, keys: &str) -> String {
    let pairs = key.columns.iter().zip(staged_key(key));
    let pairs: Vec<String> = pairs.map(|(column, key)| format!("t.{} = k.{key}", quote(&column.name))).collect();
    format!("DELETE FROM {} AS t USING {keys} AS k WHERE {}", quote(&table.name), pairs.join(" AND "))
}
