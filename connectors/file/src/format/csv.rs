//! CSV: columns of text, by the names in the first row.

use std::io::BufRead;
use std::sync::Arc;

use ::csv::{ByteRecord, Reader, ReaderBuilder};
use headwater_sdk::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use headwater_sdk::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use headwater_sdk::{Error, Result};

use super::{Batches, Inferred, Options, Told, batches, is_made};
use crate::spec::Csv;

/// With what some programs begin a file.
const BOM: &str = "\u{feff}";

type Input = Box<dyn BufRead + Send>;

fn broken(error: impl std::fmt::Display) -> Error {
    Error::fatal(format!("it is no such CSV: {error}"))
}

/// The reader, which begins with the first row that is no header, and the columns' names.
fn begin(input: Input, csv: &Csv, delimiter: u8) -> Result<(Reader<Input>, Vec<String>)> {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(delimiter).quote(csv.quote).has_headers(csv.header);
    let mut reader = builder.from_reader(input);
    let mut names: Vec<String> = match csv.header {
        true => reader.headers().map_err(broken)?.iter().map(str::to_owned).collect(),
        // The first row is looked at, and comes again.
        false => (1..=reader.byte_headers().map_err(broken)?.len()).map(|at| format!("column_{at}")).collect(),
    };
    if let Some(first) = names.first_mut()
        && let Some(rest) = first.strip_prefix(BOM)
    {
        *first = rest.to_owned();
    }
    for (at, name) in names.iter().enumerate() {
        if csv.header && name.is_empty() {
            return Err(Error::fatal(format!(
                "column {} has no name; say `csv: {{ header: false }}` if none has",
                at + 1
            )));
        }
        if names[..at].contains(name) {
            return Err(Error::fatal(format!(
                "two columns are called `{name}`; say `csv: {{ header: false }}` if none has a name"
            )));
        }
    }
    Ok((reader, names))
}

fn own(names: &[String]) -> (Vec<usize>, SchemaRef) {
    let places: Vec<usize> = (0..names.len()).filter(|at| !is_made(&names[*at])).collect();
    let fields: Vec<Field> = places.iter().map(|at| Field::new(&names[*at], DataType::Utf8, true)).collect();
    (places, Arc::new(Schema::new(fields)))
}

fn no_text(bytes: &[u8], record: &ByteRecord) -> Error {
    let line = record.position().map_or(0, |position| position.line());
    Error::fatal(format!("line {line}: {:?} is not UTF-8", String::from_utf8_lossy(bytes)))
}

/// The columns, and what the values of so many rows look like.
///
/// # Errors
/// If it is no CSV.
pub fn look(input: Input, csv: &Csv, delimiter: u8, rows: u64) -> Result<Told> {
    let (mut reader, names) = begin(input, csv, delimiter)?;
    let (places, schema) = own(&names);
    let mut inferred = vec![Inferred::default(); places.len()];
    let mut record = ByteRecord::new();
    let mut seen = 0;
    while seen < rows && reader.read_byte_record(&mut record).map_err(broken)? {
        seen += 1;
        for (inferred, at) in inferred.iter_mut().zip(&places) {
            let bytes = record.get(*at).unwrap_or_default();
            if bytes.is_empty() || bytes == csv.null.as_bytes() {
                continue;
            }
            match std::str::from_utf8(bytes) {
                Ok(text) => inferred.see_text(text),
                Err(_) => return Err(no_text(bytes, &record)),
            }
        }
    }
    Ok(Told { schema, inferred: Some(inferred) })
}

/// The batches.
///
/// # Errors
/// If it has no such header.
pub fn read(input: Input, options: &Options, delimiter: u8) -> Result<(SchemaRef, Batches)> {
    let (mut reader, names) = begin(input, &options.csv, delimiter)?;
    let (places, schema) = own(&names);
    let (null, most_rows, most_bytes) = (options.csv.null.clone(), options.rows, options.bytes);
    let of_batches = Arc::clone(&schema);
    let mut record = ByteRecord::new();
    let next = move || -> Result<Option<RecordBatch>> {
        let mut builders: Vec<StringBuilder> = places.iter().map(|_| StringBuilder::new()).collect();
        let (mut rows, mut bytes) = (0, 0);
        while rows < most_rows && bytes < most_bytes && reader.read_byte_record(&mut record).map_err(broken)? {
            for (builder, at) in builders.iter_mut().zip(&places) {
                let value = record.get(*at).unwrap_or_default();
                match std::str::from_utf8(value) {
                    Ok(text) if text == null => builder.append_null(),
                    Ok(text) => builder.append_value(text),
                    Err(_) => return Err(no_text(value, &record)),
                }
                bytes += value.len() + 4;
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&of_batches), columns, &options).map(Some).map_err(Error::fatal)
    };
    Ok((schema, batches(next)))
}
