//! Of which source and sync the rows of a finished object are, as a piece of it tells.

use std::io::Read;

use flate2::read::GzDecoder;
use headwater_sdk::TableSchema;
use headwater_sdk::arrow::datatypes::TimeUnit;
use headwater_sdk::plain::{TimeStyle, time_text};
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::statistics::Statistics;
use serde::Deserialize;

use crate::format::Encoding;

/// Where rows come from.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Origin {
    /// `_cq_sync_time` of the latest, as text.
    #[serde(rename = "_cq_sync_time")]
    pub time: String,
    /// `_cq_source_name` of all of them.
    #[serde(rename = "_cq_source_name")]
    pub source: String,
    /// How many they are, where that is told.
    #[serde(skip)]
    pub rows: u64,
}

/// What a piece of an object tells, which is its end in Parquet, and otherwise its beginning: none where it is no object of
/// ours. An error says that a larger piece is needed.
pub fn origin(
    encoding: &Encoding,
    table: &TableSchema,
    piece: &[u8],
    whole: bool,
) -> Result<Option<Origin>, NeedsMore> {
    let text = |gzip: bool| -> (Vec<u8>, bool) {
        if !gzip {
            return (piece.to_vec(), whole);
        }
        let mut text = Vec::new();
        // A piece ends in the middle; what there is before that is good.
        let ended = GzDecoder::new(piece).take(MOST_TEXT).read_to_end(&mut text).is_ok();
        (text, whole && ended)
    };
    match encoding {
        Encoding::Parquet { .. } => parquet(piece, whole),
        Encoding::Json { gzip } => {
            let (text, whole) = text(*gzip);
            match text.iter().position(|byte| *byte == b'\n') {
                None if !whole => Err(NeedsMore),
                end => Ok(serde_json::from_slice(&text[..end.unwrap_or(text.len())]).ok()),
            }
        }
        Encoding::Csv { gzip, delimiter, header } => {
            let (text, whole) = text(*gzip);
            csv(table, &text, *delimiter, *header, whole)
        }
    }
}

/// A larger piece is needed.
#[derive(Debug, PartialEq, Eq)]
pub struct NeedsMore;

/// So much text is looked at.
const MOST_TEXT: u64 = 64 << 20;

fn parquet(piece: &[u8], whole: bool) -> Result<Option<Origin>, NeedsMore> {
    const MAGIC: &[u8] = b"PAR1";
    let Some((rest, length)) = piece.strip_suffix(MAGIC).and_then(|rest| rest.split_last_chunk()) else {
        return Ok(None);
    };
    let Some(first) = rest.len().checked_sub(u32::from_le_bytes(*length) as usize) else {
        return if whole { Ok(None) } else { Err(NeedsMore) };
    };
    let Ok(metadata) = ParquetMetaDataReader::decode_metadata(&rest[first..]) else { return Ok(None) };
    let (mut latest, mut source) = (None, None);
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        match (column.column_path().string().as_str(), column.statistics()) {
            (SYNC_TIME, Some(Statistics::Int64(times))) => latest = latest.max(times.max_opt().copied()),
            (SOURCE_NAME, Some(Statistics::ByteArray(names))) => {
                let name = names.min_opt().filter(|_| names.min_is_exact() && names.max_is_exact());
                let one = name == names.max_opt() && (source.is_none() || source.as_ref() == name);
                let Some(name) = name.filter(|_| one) else { return Ok(None) };
                source = Some(name.clone());
            }
            _ => {}
        }
    }
    let source = source.and_then(|source| String::from_utf8(source.data().to_vec()).ok());
    Ok(latest.zip(source).map(|(time, source)| Origin {
        time: time_text(time, TimeUnit::Microsecond, TimeStyle::Rfc3339),
        source,
        rows: metadata.file_metadata().num_rows().unsigned_abs(),
    }))
}

fn csv(
    table: &TableSchema,
    text: &[u8],
    delimiter: u8,
    header: bool,
    whole: bool,
) -> Result<Option<Origin>, NeedsMore> {
    let needed = if header { 2 } else { 1 };
    let reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
    // That there is something behind a row says that it is whole.
    let Ok(rows) = reader.into_records().take(needed + 1).collect::<Result<Vec<_>, _>>() else { return Ok(None) };
    if rows.len() <= needed && !whole {
        return Err(NeedsMore);
    }
    let Some(row) = rows.get(needed - 1) else { return Ok(None) };
    let place = |name: &str| match header {
        true => rows[0].iter().position(|found| found == name),
        false => table.columns.iter().position(|column| column.name == name),
    };
    let value = |name: &str| row.get(place(name)?).map(str::to_owned);
    Ok(value(SYNC_TIME).zip(value(SOURCE_NAME)).map(|(time, source)| Origin { time, source, rows: 0 }))
}
