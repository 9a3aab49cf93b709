//! Rows to Arrow record batches: one writer per column, with the scope's and the sync's columns added.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::DataType;
use uuid::Uuid;

use crate::column::{ColumnDef, ColumnWriter};
use crate::cq_id::CqId;
use crate::error::{Error, Result};
use crate::schema::{self, TableSchema};
use crate::scope::Scope;
use crate::table::{Row, Table};
use crate::types::Timestamp;

/// When a batch is handed on.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Rows.
    pub rows: usize,
    /// Bytes of collected values, about.
    pub bytes: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { rows: 8192, bytes: 8 << 20 }
    }
}

/// Columns of missing values; those of one type in a batch are one array.
#[derive(Default)]
struct Nulls(Vec<ArrayRef>);

impl Nulls {
    fn of(&mut self, kind: &DataType, rows: usize) -> ArrayRef {
        if let Some(array) = self.0.iter().find(|array| array.data_type() == kind) {
            return Arc::clone(array);
        }
        let array = new_null_array(kind, rows);
        self.0.push(Arc::clone(&array));
        array
    }
}

/// A key column: its name and where its text comes from.
enum KeyPart {
    Scope(Vec<u8>),
    Column(usize),
}

/// The columns of a table, shared by all builders of it.
pub type Columns<T> = Arc<[ColumnDef<Row<T>>]>;

/// Collects rows of one table and one scope.
pub struct BatchBuilder<T: Table> {
    schema: Arc<TableSchema>,
    source: String,
    sync_time: Timestamp,
    scope: Vec<String>,
    /// In the order of the names, as the identifier needs them.
    key: Vec<(&'static str, KeyPart)>,
    columns: Columns<T>,
    /// None until the first page, when it is known how many rows there are at least.
    writers: Vec<Box<dyn ColumnWriter<Row<T>>>>,
    ids: FixedSizeBinaryBuilder,
    parents: FixedSizeBinaryBuilder,
    rows: usize,
    bytes: usize,
    scratch: Vec<u8>,
    limits: BatchLimits,
}

impl<T: Table> BatchBuilder<T> {
    /// An empty builder.
    pub fn new(
        schema: Arc<TableSchema>,
        columns: &Columns<T>,
        (source, sync_time): (&str, Timestamp),
        scope: &T::Scope,
        limits: BatchLimits,
    ) -> Self {
        let value = |name: &str| scope.value(name).unwrap_or_default().to_owned();
        let mut key: Vec<(&'static str, KeyPart)> = Vec::new();
        for name in T::KEY {
            match columns.iter().position(|column| column.column.name == *name) {
                Some(index) => key.push((name, KeyPart::Column(index))),
                None => key.push((name, KeyPart::Scope(value(name).into_bytes()))),
            }
        }
        key.sort_unstable_by_key(|(name, _)| *name);
        Self {
            schema,
            source: source.to_owned(),
            sync_time,
            scope: T::SCOPES.columns.iter().map(|column| value(column.name)).collect(),
            key,
            columns: Arc::clone(columns),
            writers: Vec::new(),
            ids: FixedSizeBinaryBuilder::with_capacity(0, 16),
            parents: FixedSizeBinaryBuilder::with_capacity(0, 16),
            rows: 0,
            bytes: 0,
            scratch: Vec::new(),
            limits,
        }
    }

    /// Makes room for the rows of a page, before the first of them.
    pub fn expect(&mut self, rows: usize) {
        if self.writers.is_empty() {
            let rows = rows.min(self.limits.rows);
            self.writers = self.columns.iter().map(|column| column.writer(rows)).collect();
            self.ids = FixedSizeBinaryBuilder::with_capacity(rows, 16);
            self.parents = FixedSizeBinaryBuilder::with_capacity(rows, 16);
        }
    }

    /// Appends a row and answers its `_cq_id`. A row whose key is incomplete is refused.
    pub fn push(&mut self, row: &Row<T>, parent: Option<Uuid>) -> Result<Uuid> {
        self.expect(0);
        let id = self.identify(row)?;
        // The builder refuses only another width than its own.
        let _ = self.ids.append_value(id.as_bytes());
        match parent {
            Some(parent) => drop(self.parents.append_value(parent.as_bytes())),
            None => self.parents.append_null(),
        }
        for writer in &mut self.writers {
            self.bytes += writer.push(row);
        }
        self.rows += 1;
        Ok(id)
    }

    fn identify(&mut self, row: &Row<T>) -> Result<Uuid> {
        if self.key.is_empty() {
            return Ok(Uuid::new_v4());
        }
        let mut id = CqId::default();
        for (name, part) in &self.key {
            match part {
                KeyPart::Scope(text) => id.add(name, text),
                KeyPart::Column(index) => {
                    self.scratch.clear();
                    if !self.writers[*index].key_text(row, &mut self.scratch) {
                        return Err(Error::fatal(format!("a row came without `{name}`, which is part of the key")));
                    }
                    id.add(name, &self.scratch);
                }
            }
        }
        Ok(id.finish())
    }

    /// Bytes of the values collected, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the batch is as large as it should become.
    pub fn is_full(&self) -> bool {
        self.rows >= self.limits.rows || self.bytes >= self.limits.bytes
    }

    /// The rows collected, if any, as a batch of the table's schema.
    pub fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let same = |text: &str| -> ArrayRef { Arc::new(StringArray::new_repeated(text, rows)) };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.columns.len());
        for column in schema::sync_columns() {
            arrays.push(match column.name.as_str() {
                schema::SYNC_TIME => {
                    Arc::new(TimestampMicrosecondArray::from_value(self.sync_time.0, rows).with_timezone("UTC"))
                }
                schema::SOURCE_NAME => same(&self.source),
                schema::ID => Arc::new(self.ids.finish()),
                _ => Arc::new(self.parents.finish()),
            });
        }
        arrays.extend(self.scope.iter().map(|value| same(value)));
        let mut nulls = Nulls::default();
        for (writer, column) in self.writers.iter_mut().zip(&*self.columns) {
            let array = writer.finish();
            arrays.push(array.unwrap_or_else(|| nulls.of(&column.column.kind.data_type, rows)));
        }
        RecordBatch::try_new(self.schema.arrow(), arrays)
            .map(Some)
            .map_err(|error| Error::fatal(format!("table {}: {error}", self.schema.name)))
    }
}
