//! Parquet and Arrow IPC, which tell their types.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

use arrow_ipc::reader::{FileReader, StreamReader};
use headwater_sdk::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use headwater_sdk::arrow::error::ArrowError;
use headwater_sdk::arrow::record_batch::RecordBatch;
use headwater_sdk::{Error, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Type as Physical;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::{BUFFER, Batches, is_made};

/// With what a file of Arrow IPC begins, where it is no stream.
const ARROW: &[u8] = b"ARROW1";

fn broken(error: impl std::fmt::Display) -> Error {
    Error::fatal(format!("the file cannot be read: {error}"))
}

/// The columns that are no sync's own, by their places.
fn own(schema: &Schema) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    fields.filter(|(_, field)| !is_made(field.name())).map(|(at, _)| at).collect()
}

/// A Parquet file whose footer was read.
pub struct Parquet {
    file: File,
    metadata: ArrowReaderMetadata,
    schema: SchemaRef,
}

impl Parquet {
    /// Reads the footer.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(file: File) -> Result<Self> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(broken)?;
        let metadata = match usual(&metadata) {
            // Where the library does not take another schema for the file's own, columns are converted later.
            Some(usual) => {
                let options = ArrowReaderOptions::new().with_schema(usual);
                ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).unwrap_or(metadata)
            }
            None => metadata,
        };
        let schema = metadata.schema().project(&own(metadata.schema())).map_err(broken)?;
        Ok(Self { file, metadata, schema: Arc::new(schema) })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batches, of so many rows, and about so many bytes, at most.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(self, rows: usize, bytes: usize) -> Result<(SchemaRef, Batches)> {
        let columns = own(self.metadata.schema());
        let rows = rows_at_once(self.metadata.metadata(), bytes as u64).clamp(1, rows);
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), columns);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file, self.metadata);
        let reader = builder.with_projection(mask).with_batch_size(rows).build().map_err(broken)?;
        Ok((self.schema, Box::new(reader.map(|batch| batch.map_err(broken)))))
    }
}

/// The schema by which values are read as what they are: no dictionaries and views, which would be made only to be taken
/// apart, and times of 96 bits in microseconds, because nanoseconds end in the year 2262.
fn usual(metadata: &ArrowReaderMetadata) -> Option<SchemaRef> {
    let roots = metadata.parquet_schema().root_schema().get_fields();
    let field = |(field, root): (&Arc<Field>, &Arc<parquet::schema::types::Type>)| {
        let kind = match field.data_type() {
            DataType::Dictionary(_, values) => (**values).clone(),
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            DataType::Timestamp(TimeUnit::Nanosecond, zone)
                if root.is_primitive() && root.get_physical_type() == Physical::INT96 =>
            {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            other => other.clone(),
        };
        Field::clone(field).with_data_type(kind)
    };
    let fields: Vec<Field> = metadata.schema().fields().iter().zip(roots).map(field).collect();
    let changed = metadata.schema().fields().iter().zip(&fields).any(|(a, b)| a.data_type() != b.data_type());
    changed.then(|| Arc::new(Schema::new_with_metadata(fields, metadata.schema().metadata().clone())))
}

/// How many rows are about so many bytes, as far as the file tells.
fn rows_at_once(file: &ParquetMetaData, bytes: u64) -> usize {
    let of_group = |group: &RowGroupMetaData| {
        // What is written once in a dictionary is read as often as it is there.
        let decoded = group
            .columns()
            .iter()
            .map(|column| column.uncompressed_size().max(column.unencoded_byte_array_data_bytes().unwrap_or(0)));
        let decoded = u128::from(decoded.sum::<i64>().unsigned_abs().max(1));
        let rows = u128::from(group.num_rows().unsigned_abs()) * u128::from(bytes) / decoded;
        usize::try_from(rows).unwrap_or(usize::MAX)
    };
    file.row_groups().iter().filter(|group| group.num_rows() > 0).map(of_group).min().unwrap_or(1)
}

/// The schema and the batches of Arrow IPC, of so many rows at most.
///
/// # Errors
/// If it is none.
pub fn arrow(mut file: File, rows: usize) -> Result<(SchemaRef, Batches)> {
    let mut start = Vec::new();
    (&mut file).take(ARROW.len() as u64).read_to_end(&mut start).map_err(broken)?;
    file.rewind().map_err(broken)?;
    let file = BufReader::with_capacity(BUFFER, file);
    if start == ARROW {
        let reader = FileReader::try_new(file, None).map_err(broken)?;
        let schema = reader.schema();
        Ok(without_made(&schema, reader, rows))
    } else {
        let reader = StreamReader::try_new(file, None).map_err(broken)?;
        let schema = reader.schema();
        Ok(without_made(&schema, reader, rows))
    }
}

fn without_made(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'static,
    rows: usize,
) -> (SchemaRef, Batches) {
    let columns = own(schema);
    let own = Arc::new(schema.project(&columns).unwrap_or_else(|_| Schema::clone(schema)));
    let parts = batches.flat_map(move |batch| {
        let parts: Vec<Result<RecordBatch>> = match batch.and_then(|batch| batch.project(&columns)) {
            Ok(batch) => {
                let starts = (0..batch.num_rows()).step_by(rows);
                starts.map(|from| Ok(batch.slice(from, rows.min(batch.num_rows() - from)))).collect()
            }
            Err(error) => vec![Err(broken(error))],
        };
        parts
    });
    (own, Box::new(parts))
}
