//! Parquet, with what readers do not know made plain: extension types are text, and JSON says that it is JSON.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater_sdk::arrow::array::{BooleanArray, RecordBatch};
use headwater_sdk::arrow::compute::filter_record_batch;
use headwater_sdk::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use headwater_sdk::schema::ID;
use headwater_sdk::{Extension, Result, plain};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::wrong;

/// A row group is written when it holds this much, or a million rows.
const ROW_GROUP: usize = 64 << 20;
/// When all open row groups together hold this much, the larger ones are written.
const ALL_ROW_GROUPS: usize = 128 << 20;
const ZSTD_LEVEL: i32 = 3;

/// What all open files hold in memory.
#[derive(Debug, Clone, Default)]
pub struct Buffers(Arc<Totals>);

#[derive(Debug, Default)]
struct Totals {
    bytes: AtomicUsize,
    files: AtomicUsize,
}

/// One file's share of [`Buffers`].
struct Share {
    all: Buffers,
    bytes: usize,
}

impl Share {
    fn new(all: &Buffers) -> Self {
        all.0.files.fetch_add(1, Ordering::Relaxed);
        Self { all: all.clone(), bytes: 0 }
    }

    fn set(&mut self, bytes: usize) {
        self.all.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }

    /// Whether the row group must be written now. When memory is short, a file with an average share or more gives
    /// its up, so that small row groups come only where very many files are open.
    fn is_full(&self) -> bool {
        let all = self.all.0.bytes.load(Ordering::Relaxed);
        let files = self.all.0.files.load(Ordering::Relaxed).max(1);
        self.bytes >= ROW_GROUP || (all >= ALL_ROW_GROUPS && self.bytes >= all / files)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
        self.all.0.files.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A Parquet file that is being written.
pub struct Sink {
    from: SchemaRef,
    to: SchemaRef,
    writer: ArrowWriter<File>,
    share: Share,
}

/// The key under which a field says which extension type its text is of.
const TYPE: &str = "headwater:type";
/// Arrow's extension type for JSON: the metadata keys of a field, and their values.
const ARROW_JSON: [(&str, &str); 2] = [("ARROW:extension:name", "arrow.json"), ("ARROW:extension:metadata", "")];

fn mark(extension: Extension, field: Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(TYPE.to_owned(), extension.name().to_owned());
    field.with_metadata(metadata)
}

/// Parquet's schema, in which JSON has the logical type JSON. Arrow's extension type, which leads to it, is not in the
/// Arrow schema that the file keeps, because there it would turn the column into something else than text for Polars.
fn parquet_schema(schema: &Schema) -> Result<SchemaDescriptor> {
    let json = |field: &FieldRef| {
        if field.metadata().get(TYPE).is_none_or(|name| name != Extension::Json.name()) {
            return Field::clone(field);
        }
        let mut metadata = field.metadata().clone();
        for (key, value) in ARROW_JSON {
            metadata.insert(key.to_owned(), value.to_owned());
        }
        Field::clone(field).with_metadata(metadata)
    };
    let schema = Schema::new(schema.fields().iter().map(json).collect::<Vec<_>>());
    ArrowSchemaConverter::new().convert(&schema).map_err(wrong)
}

fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema.fields().iter().map(|field| plain::text_field(field, &mark)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Whether a table has a column that Parquet cannot hold.
pub fn check(schema: &Schema) -> Result<()> {
    parquet_schema(&plain_schema(schema)).map(|_| ())
}

fn writer(schema: &SchemaRef, file: File, zstd: bool) -> Result<ArrowWriter<File>> {
    let compression = match zstd {
        true => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).map_err(wrong)?),
        false => Compression::UNCOMPRESSED,
    };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        // Every row has another one, so a dictionary would only cost.
        .set_column_dictionary_enabled(ColumnPath::from(ID), false)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_parquet_schema(parquet_schema(schema)?);
    ArrowWriter::try_new_with_options(file, Arc::clone(schema), options).map_err(wrong)
}

impl Sink {
    /// Begins a file.
    pub fn new(schema: &SchemaRef, file: File, zstd: bool, buffers: &Buffers) -> Result<Self> {
        let to = plain_schema(schema);
        let writer = writer(&to, file, zstd)?;
        Ok(Self { from: Arc::clone(schema), to, writer, share: Share::new(buffers) })
    }

    /// Writes a batch, and a row group where enough has come together.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = self.from.fields().iter().zip(self.to.fields()).zip(batch.columns());
        let columns =
            columns.map(|((from, to), column)| plain::text_column(from, to, column)).collect::<Result<Vec<_>>>()?;
        self.write_plain(&RecordBatch::try_new(Arc::clone(&self.to), columns).map_err(wrong)?)
    }

    fn write_plain(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(wrong)?;
        self.share.set(self.writer.memory_size());
        if self.share.is_full() {
            self.writer.flush().map_err(wrong)?;
            self.share.set(self.writer.memory_size());
        }
        Ok(())
    }

    /// Writes the last row group and the footer.
    pub fn finish(self) -> Result<()> {
        self.writer.close().map(|_| ()).map_err(wrong)
    }
}

/// Copies a file without some rows.
pub fn without(rows: &[u64], from: File, to: File, zstd: bool, buffers: &Buffers) -> Result<()> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(from).map_err(wrong)?;
    let schema = Arc::clone(reader.schema());
    let writer = writer(&schema, to, zstd)?;
    let mut sink = Sink { from: Arc::clone(&schema), to: schema, writer, share: Share::new(buffers) };
    let mut gone = rows.iter().copied().peekable();
    let mut number = 0;
    for batch in reader.build().map_err(wrong)? {
        let batch = batch.map_err(wrong)?;
        let mut keep = Vec::with_capacity(batch.num_rows());
        for _ in 0..batch.num_rows() {
            keep.push(gone.next_if_eq(&number).is_none());
            number += 1;
        }
        sink.write_plain(&filter_record_batch(&batch, &BooleanArray::from(keep)).map_err(wrong)?)?;
    }
    sink.finish()
}
