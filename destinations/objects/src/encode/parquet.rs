//! Parquet, with what readers do not know made plain: extension types are text, and JSON says that it is JSON.

use std::fs::File;
use std::io;
use std::sync::Arc;

use headwater_sdk::arrow::array::{ArrayRef, RecordBatch};
use headwater_sdk::arrow::compute::{
    CastOptions, SortColumn, SortOptions, cast_with_options, concat_batches, lexsort_to_indices, take_record_batch,
};
use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, Schema, SchemaRef, TimeUnit};
use headwater_sdk::pool::{Share, batch_bytes};
use headwater_sdk::schema::ID;
use headwater_sdk::{Column, ColumnType, Error, Extension, Result, Stored, plain};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, LogicalType, ZstdLevel};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor, Type, TypePtr};

use super::{Gone, wrong};
use crate::format::Parquet as How;
use crate::in_order::in_order;
use crate::memory::Memory;
use crate::store::Out;

/// What the compressor of a column takes.
const COMPRESSOR: u64 = 2 << 20;
/// What is kept of each column of a row group until the file's end: places, sizes and statistics.
const COLUMN_CHUNK: u64 = 1 << 10;
/// Rows that are read at once at most, where a file is copied.
const MOST_ROWS: usize = 1024;
/// A row group of so many bytes is encoded by several threads where there are free ones.
const LARGE: u64 = 4 << 20;

/// A Parquet file that is being written.
pub struct Sink {
    from: SchemaRef,
    to: SchemaRef,
    writer: SerializedFileWriter<Out>,
    how: Arc<How>,
    memory: Memory,
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

/// Whether a type is an interval of months, days and nanoseconds, or holds some: Parquet's has milliseconds.
fn has_nanosecond_intervals(kind: &DataType) -> bool {
    *kind == DataType::Interval(IntervalUnit::MonthDayNano)
        || plain::fields_within(kind).iter().any(|field| has_nanosecond_intervals(field.data_type()))
}

/// A type in which Parquet's own readers see what it is: they know neither seconds nor dates in milliseconds, and would
/// take them for numbers.
fn known(kind: &DataType) -> DataType {
    match kind {
        DataType::Timestamp(TimeUnit::Second, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        other => {
            plain::with_fields(other, &|field| Arc::new(Field::clone(field).with_data_type(known(field.data_type()))))
        }
    }
}

/// Values in their [`known`] type, or an error where one of them is not there in it: a time too far away for
/// milliseconds, or a date with a time of day.
fn to_known(name: &str, array: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let cast = |array: &ArrayRef, kind: &DataType| {
        cast_with_options(array, kind, &strict).map_err(|error| Error::rejected(format!("column {name}: {error}")))
    };
    let known = cast(array, kind)?;
    if cast(&known, array.data_type())?.as_ref() != array.as_ref() {
        let why = "a date with a time of day, which Parquet's type DATE does not have";
        return Err(Error::rejected(format!("column {name}: {why}")));
    }
    Ok(known)
}

/// A field as it is stored: what Parquet or its readers do not have is text, or a type that they have.
fn plain_field(field: &Field) -> Field {
    if !has_nanosecond_intervals(field.data_type()) {
        let field = plain::text_field(field, &mark);
        let kind = known(field.data_type());
        return field.with_data_type(kind);
    }
    let mut metadata = field.metadata().clone();
    metadata.insert(TYPE.to_owned(), ColumnType::plain(field.data_type().clone()).name());
    field.clone().with_data_type(DataType::Utf8).with_metadata(metadata)
}

/// The column that goes with [`plain_field`].
fn plain_column(from: &FieldRef, to: &FieldRef, array: &ArrayRef) -> Result<ArrayRef> {
    if has_nanosecond_intervals(from.data_type()) {
        return Ok(Arc::new(plain::text(from, array)?));
    }
    let text = Arc::new(plain::text_field(from, &mark));
    let array = plain::text_column(from, &text, array)?;
    match text.data_type() == to.data_type() {
        true => Ok(array),
        false => to_known(from.name(), &array, to.data_type()),
    }
}

fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema.fields().iter().map(|field| plain_field(field)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Whether a table has a column that Parquet cannot hold.
pub fn check(schema: &Schema) -> Result<()> {
    parquet_schema(&plain_schema(schema)).map(|_| ())
}

/// How a type's values are stored: by Parquet's own name of the type.
pub fn stored(kind: &ColumnType) -> Stored {
    let field = Column::new("value", kind.clone(), "").field();
    match parquet_schema(&plain_schema(&Schema::new(vec![field]))) {
        Ok(schema) => Stored::whole(type_name(&schema.root_schema().get_fields()[0])),
        Err(error) => Stored::refusing("none", format!("all of them ({error})")),
    }
}

/// Source of the names: <https://parquet.apache.org/docs/file-format/types/logicaltypes/>.
fn type_name(field: &Type) -> String {
    let utc = |utc: bool| if utc { "UTC" } else { "local" };
    match (field.get_basic_info().logical_type_ref(), field) {
        (Some(LogicalType::Decimal(kind)), _) => format!("DECIMAL({}, {})", kind.precision, kind.scale),
        (Some(LogicalType::Integer(kind)), _) => {
            format!("INT({}, {})", kind.bit_width, if kind.is_signed { "signed" } else { "unsigned" })
        }
        (Some(LogicalType::Timestamp(kind)), _) => {
            format!("TIMESTAMP({:?}, {})", kind.unit, utc(kind.is_adjusted_to_u_t_c))
        }
        (Some(LogicalType::Time(kind)), _) => format!("TIME({:?}, {})", kind.unit, utc(kind.is_adjusted_to_u_t_c)),
        (Some(logical), _) => format!("{logical:?}").to_uppercase(),
        (None, Type::PrimitiveType { physical_type, .. }) => physical_type.to_string(),
        (None, Type::GroupType { .. }) => "group".to_owned(),
    }
}

fn writer(schema: &SchemaRef, file: Out, how: &How) -> Result<SerializedFileWriter<Out>> {
    let compression = match how.zstd {
        Some(level) => Compression::ZSTD(ZstdLevel::try_new(level).map_err(wrong)?),
        None => Compression::UNCOMPRESSED,
    };
    let mut properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(how.dictionary)
        // Every row has another one, so a dictionary would only cost.
        .set_column_dictionary_enabled(ColumnPath::from(ID), false);
    if let Some(bytes) = how.page_bytes {
        properties = properties.set_data_page_size_limit(bytes);
    }
    for name in how.bloom_filter.iter().filter(|name| schema.column_with_name(name).is_some()) {
        properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(name.as_str()), true);
    }
    let sorting: Vec<SortingColumn> = sorting(schema, how)
        .map(|(index, descending)| SortingColumn { column_idx: index as i32, descending, nulls_first: false })
        .collect();
    // Parquet counts leaves, which are the columns as long as none of them is nested.
    let is_flat = schema.fields().iter().all(|field| !field.data_type().is_nested());
    if is_flat && !sorting.is_empty() {
        properties = properties.set_sorting_columns(Some(sorting));
    }
    let mut properties = properties.build();
    add_encoded_arrow_schema_to_metadata(schema, &mut properties);
    let root = parquet_schema(schema)?.root_schema_ptr();
    SerializedFileWriter::new(file, root, Arc::new(properties)).map_err(wrong)
}

/// The columns of a schema that rows are sorted by, and whether descending.
fn sorting<'a>(schema: &'a Schema, how: &'a How) -> impl Iterator<Item = (usize, bool)> + 'a {
    how.sort_by.iter().filter_map(|(name, descending)| Some((schema.column_with_name(name)?.0, *descending)))
}

impl Sink {
    /// Begins a file.
    pub fn new(schema: &SchemaRef, file: Out, how: &Arc<How>, memory: &Memory) -> Result<Self> {
        let to = plain_schema(schema);
        let writer = writer(&to, file, how)?;
        let (how, share) = (Arc::clone(how), memory.share());
        Ok(Self { from: Arc::clone(schema), to, writer, how, memory: memory.clone(), share })
    }

    /// Writes batches as a row group, or as several where that has too many rows.
    pub fn write(&mut self, batches: &[RecordBatch]) -> Result<()> {
        let most = self.how.row_group_rows.unwrap_or(usize::MAX);
        let mut group: Vec<RecordBatch> = Vec::new();
        let mut rows = 0;
        for batch in batches {
            let mut from = 0;
            while from < batch.num_rows() {
                let count = (batch.num_rows() - from).min(most - rows);
                group.push(batch.slice(from, count));
                (from, rows) = (from + count, rows + count);
                if rows == most {
                    self.write_group(&group)?;
                    (group, rows) = (Vec::new(), 0);
                }
            }
        }
        self.write_group(&group)
    }

    /// The rows of a row group in their order.
    fn sorted(&self, batches: &[RecordBatch]) -> Result<Option<RecordBatch>> {
        let by: Vec<(usize, bool)> = sorting(&self.from, &self.how).collect();
        if by.is_empty() {
            return Ok(None);
        }
        let all = concat_batches(&self.from, batches).map_err(wrong)?;
        let columns = by.into_iter().map(|(index, descending)| SortColumn {
            values: Arc::clone(all.column(index)),
            options: Some(SortOptions { descending, nulls_first: false }),
        });
        let order = lexsort_to_indices(&columns.collect::<Vec<_>>(), None).map_err(wrong)?;
        take_record_batch(&all, &order).map(Some).map_err(wrong)
    }

    fn write_group(&mut self, batches: &[RecordBatch]) -> Result<()> {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let sorted = self.sorted(batches)?;
        let batches = sorted.as_ref().map_or(batches, std::slice::from_ref);
        let fields = self.writer.schema_descr().root_schema().get_fields().to_vec();
        let properties = Arc::clone(self.writer.properties());
        let mut row_group = self.writer.next_row_group().map_err(wrong)?;
        let encode = |index: usize| {
            let (from, to) = (&self.from.fields()[index], &self.to.fields()[index]);
            let arrays = batches.iter().map(|batch| plain_column(from, to, batch.column(index)));
            let arrays = arrays.collect::<Result<Vec<_>>>()?;
            let encoder = self.memory.share();
            encode(to, &fields[index], &properties, &arrays, &encoder).map_err(wrong)
        };
        let large = batches.iter().map(batch_bytes).sum::<u64>() >= LARGE;
        let others = if large { self.memory.more_turns(fields.len().saturating_sub(1)) } else { Vec::new() };
        in_order(fields.len(), others.len(), &encode, &mut |chunks: Vec<ArrowColumnChunk>| {
            chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut row_group)).map_err(wrong)
        })?;
        row_group.close().map_err(wrong)?;
        let columns = self.writer.schema_descr().num_columns() as u64;
        self.share.set(self.writer.flushed_row_groups().len() as u64 * columns * COLUMN_CHUNK);
        Ok(())
    }

    /// Writes the footer.
    pub fn finish(self) -> Result<()> {
        self.writer.close().map(|_| ()).map_err(wrong)
    }
}

/// Encodes a column. What makes encoders makes those of a whole file, so it is given one of this column alone.
fn encode(
    field: &FieldRef,
    parquet_field: &TypePtr,
    properties: &WriterPropertiesPtr,
    arrays: &[ArrayRef],
    share: &Share,
) -> parquet::errors::Result<Vec<ArrowColumnChunk>> {
    let root = Type::group_type_builder("column").with_fields(vec![Arc::clone(parquet_field)]).build()?;
    let file = SerializedFileWriter::new(io::sink(), Arc::new(root), Arc::clone(properties))?;
    let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
    let mut leaves = ArrowRowGroupWriterFactory::new(&file, schema).create_column_writers(0)?;
    for array in arrays {
        for (leaf, values) in leaves.iter_mut().zip(compute_leaves(field, array)?) {
            leaf.write(&values)?;
        }
        share.set(COMPRESSOR + leaves.iter().map(|leaf| leaf.memory_size() as u64).sum::<u64>());
    }
    leaves.into_iter().map(ArrowColumnWriter::close).collect()
}

/// How many rows of a file are read at once, so that they are no more than so many bytes, as far as the file tells.
fn rows_at_once(file: &ParquetMetaData, bytes: u64) -> usize {
    let of_group = |group: &RowGroupMetaData| {
        let decoded = group.columns().iter().map(|column| {
            // What is written once in a dictionary is read as often as it is there.
            column.uncompressed_size().max(column.unencoded_byte_array_data_bytes().unwrap_or(0))
        });
        let decoded = decoded.sum::<i64>().unsigned_abs().max(1);
        let rows = u128::from(group.num_rows().unsigned_abs()) * u128::from(bytes) / u128::from(decoded);
        usize::try_from(rows).unwrap_or(usize::MAX)
    };
    file.row_groups().iter().map(of_group).min().unwrap_or(MOST_ROWS).clamp(1, MOST_ROWS)
}

/// Copies a file without some rows.
pub fn without(rows: &[u64], from: File, to: Out, how: &Arc<How>, memory: &Memory) -> Result<()> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(from).map_err(wrong)?;
    let at_once = rows_at_once(reader.metadata(), memory.row_group() / 16);
    let reader = reader.with_batch_size(at_once);
    let schema = Arc::clone(reader.schema());
    let writer = writer(&schema, to, how)?;
    let (how, share) = (Arc::clone(how), memory.share());
    let mut sink = Sink { from: Arc::clone(&schema), to: schema, writer, how, memory: memory.clone(), share };
    let mut gone = Gone::new(rows, 0);
    let share = memory.share();
    let mut group = Vec::new();
    for batch in reader.build().map_err(wrong)? {
        let batch = gone.filter(batch.map_err(wrong)?)?;
        share.set(share.bytes() + headwater_sdk::memory::held(&batch));
        group.push(batch);
        if share.bytes() >= memory.row_group() {
            sink.write(&group)?;
            group.clear();
            share.set(0);
        }
    }
    sink.write(&group)?;
    sink.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::format::{Encoding, Layout};
    use headwater_sdk::Budget;
    use headwater_sdk::arrow::array::StringArray;

    struct Named(tempfile::NamedTempFile);

    impl crate::store::Scratch for Named {
        fn file(&self) -> Result<File> {
            self.0.reopen().map_err(Error::destination)
        }

        fn place(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn a_copy_reads_few_large_rows_at_once() {
        use crate::store::Scratch;
        let Encoding::Parquet(how) = Layout { path: "x", ..Layout::default() }.settings().unwrap().encoding else {
            panic!()
        };
        // The last text is one that a dictionary has once, and each row reads anew.
        for (length, same, expected) in [(10, false, 1024..1025), (50_000, false, 10..42), (50_000, true, 10..42)] {
            let text = |row: usize| format!("{:0length$}", if same { 7 } else { row });
            let array: ArrayRef = Arc::new(StringArray::from_iter_values((0..200).map(text)));
            let batch = RecordBatch::try_from_iter([("text", array)]).unwrap();
            let (file, copy) = [(); 2].map(|()| Named(tempfile::NamedTempFile::new().unwrap())).into();
            let memory = Memory::new(&Budget::new(128 << 20));
            let mut sink = Sink::new(&batch.schema(), file.out().unwrap(), &how, &memory).unwrap();
            sink.write(&[batch]).unwrap();
            sink.finish().unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file.file().unwrap()).unwrap();
            let at_once = rows_at_once(reader.metadata(), memory.row_group() / 16);
            assert!(expected.contains(&at_once), "{at_once} rows of {length} bytes");
            without(&[0, 199], file.file().unwrap(), copy.out().unwrap(), &how, &memory).unwrap();
            let copied = ParquetRecordBatchReaderBuilder::try_new(copy.file().unwrap()).unwrap();
            assert_eq!(copied.metadata().file_metadata().num_rows(), 198);
        }
    }
}
