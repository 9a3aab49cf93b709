//! A destination that keeps what it is given, as JSON.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_json::writer::{LineDelimited, WriterBuilder};
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::plain::PlainJson;
use headwater_sdk::{
    ColumnType, Committed, Destination, Error, Outcome, Part, PartWriter, Result, Stored, TableSchema, async_trait,
};
use serde_json::Value;

/// Rows by table.
pub type Rows = BTreeMap<String, Vec<Value>>;

/// The destination.
#[derive(Default)]
pub struct Collect(Arc<Mutex<Rows>>);

impl Collect {
    /// What it was given.
    pub fn rows(&self) -> Rows {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Destination for Collect {
    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn stores(&self, kind: &ColumnType) -> Stored {
        Stored::whole(kind.name())
    }

    async fn migrate(&self, _: &[Arc<TableSchema>], _: MigrateMode) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>> {
        Ok(Box::new(Writer { into: Arc::clone(&self.0), table: part.table.name.clone(), rows: Vec::new() }))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

struct Writer {
    into: Arc<Mutex<Rows>>,
    table: String,
    rows: Vec<Value>,
}

#[async_trait]
impl PartWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows.extend(rows_of(&batch)?);
        Ok(())
    }

    async fn commit(self: Box<Self>, _: Outcome) -> Result<Committed> {
        let written = self.rows.len() as u64;
        let mut into = self.into.lock().unwrap_or_else(PoisonError::into_inner);
        into.entry(self.table).or_default().extend(self.rows);
        Ok(Committed { written, ..Committed::default() })
    }
}

/// The rows of a batch, in the JSON that destination `file` writes.
fn rows_of(batch: &RecordBatch) -> Result<Vec<Value>> {
    let plain = PlainJson::default();
    let builder = WriterBuilder::new().with_encoder_factory(Arc::new(plain.clone()));
    let mut writer = builder.build::<_, LineDelimited>(Vec::new());
    writer.write(batch).map_err(Error::destination)?;
    writer.finish().map_err(Error::destination)?;
    plain.check()?;
    let text = writer.into_inner();
    serde_json::Deserializer::from_slice(&text).into_iter().collect::<Result<_, _>>().map_err(Error::destination)
}
