//! Rows as the body of an `INSERT`, and which of them have the same key.

use std::sync::Arc;

use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use bytes::Bytes;
use headwater_sdk::arrow::array::{BooleanArray, RecordBatch};
use headwater_sdk::arrow::compute::{concat_batches, filter_record_batch};
use headwater_sdk::arrow::row::{RowConverter, SortField};
use headwater_sdk::{Error, Result, TableSchema};

use crate::ddl::{list, quote};
use crate::server::Statement;
use crate::spec::Compression;

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::destination(error)
}

/// All rows in one batch; of those with the same key, the last one.
pub fn distinct(schema: &TableSchema, batches: &[RecordBatch]) -> Result<Option<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    let all = concat_batches(&first.schema(), batches).map_err(wrong)?;
    let key: Vec<usize> =
        schema.columns.iter().enumerate().filter(|(_, column)| column.key).map(|(index, _)| index).collect();
    if key.is_empty() {
        return Ok(Some(all));
    }
    let sorted = key.iter().map(|index| SortField::new(all.column(*index).data_type().clone()));
    let columns: Vec<_> = key.iter().map(|index| Arc::clone(all.column(*index))).collect();
    let converter = RowConverter::new(sorted.collect()).map_err(wrong)?;
    let keys = converter.convert_columns(&columns).map_err(wrong)?;
    let mut order: Vec<usize> = (0..all.num_rows()).collect();
    order.sort_unstable_by(|a, b| keys.row(*a).cmp(&keys.row(*b)).then(a.cmp(b)));
    let mut kept = vec![true; all.num_rows()];
    let mut doubles = false;
    for pair in order.windows(2) {
        if keys.row(pair[0]) == keys.row(pair[1]) {
            (kept[pair[0]], doubles) = (false, true);
        }
    }
    match doubles {
        true => filter_record_batch(&all, &BooleanArray::from(kept)).map(Some).map_err(wrong),
        false => Ok(Some(all)),
    }
}

/// `INSERT` of batches as one block, which ClickHouse writes as a whole or not at all.
pub fn insert(table: &str, batches: Vec<RecordBatch>, compression: Compression) -> Result<Statement> {
    let Some(first) = batches.first() else { return Err(wrong("nothing to insert")) };
    let schema = first.schema();
    let columns = list(schema.fields().iter().map(|field| field.name().as_str()));
    let mut body = format!("INSERT INTO {} ({columns}) FORMAT ArrowStream\n", quote(table)).into_bytes();
    let head = body.len();
    let options = IpcWriteOptions::default().try_with_compression(match compression {
        Compression::None => None,
        Compression::Zstd => Some(CompressionType::ZSTD),
    });
    let writer = StreamWriter::try_new_with_options(&mut body, &schema, options.map_err(wrong)?);
    let mut writer = writer.map_err(wrong)?;
    // Each batch is given up when it is written, so that rows are in memory once.
    for batch in batches {
        writer.write(&batch).map_err(wrong)?;
    }
    writer.finish().map_err(wrong)?;
    drop(writer);
    let large = (u64::from(u32::MAX)).to_string();
    let settings = [
        // However many batches there are, they are one block.
        ("min_insert_block_size_rows", large.as_str()),
        ("min_insert_block_size_bytes", large.as_str()),
        ("max_insert_threads", "1"),
        // What does not fit is an error, and nothing is made up.
        ("input_format_null_as_default", "0"),
        ("input_format_skip_unknown_fields", "0"),
        ("input_format_arrow_allow_missing_columns", "0"),
        ("input_format_arrow_case_insensitive_column_matching", "0"),
        ("date_time_overflow_behavior", "throw"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    Ok(Statement { sql: Bytes::from(body), head, settings, id: None })
}
