//! Rows that a destination did not take: they stand with the reason in a table of the destination, or in files.

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    ArrayRef, FixedSizeBinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::rejects::{Rejected, Taken};
use headwater_sdk::{
    Class, Column, ColumnType, Destination, Error, Outcome, Part, Rejects, Result, Scopes, TableSchema, Uuid, WriteMode,
};

use super::target::PartBase;

/// The table's name.
pub const TABLE: &str = "headwater_rejected_rows";

/// Where the rows go that a destination does not take.
#[derive(Clone)]
pub struct Quarantine {
    /// The destination itself, or files.
    pub destination: Arc<dyn Destination>,
    /// Whether it is the destination itself.
    pub in_table: bool,
    /// With more rows in one part, the part fails.
    pub most: usize,
    table: Arc<TableSchema>,
}

/// The table of rows that were not taken. It has no key: each sync adds what it has met.
fn table() -> TableSchema {
    let text = |name: &str, description: &str| {
        let mut column = Column::new(name, ColumnType::plain(DataType::Utf8), description);
        column.nullable = false;
        column
    };
    let columns = vec![
        text("destination", "The destination that did not take the row."),
        text("table_name", "The row's table."),
        text("scope", "The scope that the row was read for."),
        text("reason", "Why it was not taken, in the destination's words."),
        // Text, since what was not taken may be JSON that a database has no place for either.
        text("row", "The row as JSON text, as far as it could be read."),
    ];
    TableSchema::new(TABLE, "Rows that a destination did not take.", None, Scopes::SINGLE, columns).without_key()
}

impl Quarantine {
    /// In a destination, which is the one that does not take the rows where `in_table` says so.
    pub fn new(destination: Arc<dyn Destination>, in_table: bool, most: usize) -> Self {
        Self { destination, in_table, most, table: Arc::new(table()) }
    }

    /// The table.
    pub fn table(&self) -> &Arc<TableSchema> {
        &self.table
    }

    /// An error of it, told from those of the destination.
    pub fn named(mut error: Error) -> Error {
        error.class = Class::Destination;
        error.while_doing(format_args!("rows that were not taken, to {TABLE}"))
    }

    /// For the rows of one part.
    pub fn rejects(&self) -> Rejects {
        Rejects::new(self.most)
    }

    /// Writes the rows of one part, and answers how many are not written, and how many are without a value. Those that an earlier attempt of a resumed sync has
    /// left are replaced, also where none are put aside any more.
    pub async fn keep(&self, base: &PartBase, destination: &str, table: &str, rejects: &Rejects) -> Result<(u64, u64)> {
        let Taken { mut rows, values } = rejects.take_all();
        let counts = (rows.len() as u64, values.len() as u64);
        rows.extend(values);
        if rows.is_empty() && !base.resumed {
            return Ok(counts);
        }
        let part = Part {
            table: Arc::clone(&self.table),
            source: base.source.to_string(),
            // A part of its own for each table, so that one that is run again replaces its own rows.
            scope: format!("{destination}/{table}/{}", base.scope),
            ranges: Vec::new(),
            predicate: vec![
                ("destination".to_owned(), destination.to_owned()),
                ("table_name".to_owned(), table.to_owned()),
                ("scope".to_owned(), base.scope.to_string()),
            ],
            sync_time: base.sync_time,
            mode: WriteMode::Append,
            resumed: base.resumed,
            rejects: None,
        };
        let mut writer = self.destination.begin(part).await?;
        if !rows.is_empty() {
            writer.write(self.batch(base, destination, table, &rows)?).await?;
        }
        writer.commit(Outcome::Complete).await?;
        Ok(counts)
    }

    fn batch(&self, base: &PartBase, destination: &str, table: &str, rows: &[Rejected]) -> Result<RecordBatch> {
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(|_| text))) };
        let ids = FixedSizeBinaryArray::try_from_iter(rows.iter().map(|_| Uuid::new_v4().into_bytes()));
        let ids = ids.map_err(Error::fatal)?;
        let times = TimestampMicrosecondArray::from_value(base.sync_time.0, rows.len()).with_timezone("UTC");
        // The one character that not every database has in its texts.
        let plain = |text: &str| text.replace('\0', "\u{fffd}");
        let reasons = StringArray::from_iter_values(rows.iter().map(|row| plain(&row.reason)));
        let texts = StringArray::from_iter_values(rows.iter().map(|row| plain(&row.row)));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(times),
            text(&base.source),
            Arc::new(ids),
            new_null_array(&DataType::FixedSizeBinary(16), rows.len()),
            text(destination),
            text(table),
            text(&base.scope),
            Arc::new(reasons),
            Arc::new(texts),
        ];
        RecordBatch::try_new(self.table.arrow(), columns).map_err(Error::fatal)
    }
}
