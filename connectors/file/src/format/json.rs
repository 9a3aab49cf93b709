//! JSON Lines: columns of text, each value the text of its JSON, or a string without its quotes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::sync::Arc;

use headwater_sdk::arrow::array::{ArrayBuilder, ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use headwater_sdk::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use headwater_sdk::{Error, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Batches, Inferred, Options, Told, Wanted, batches, is_made};
use crate::values::json_text;

type Input = Box<dyn BufRead + Send>;

/// The members of an object, in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The lines of a file that are not empty.
struct Lines {
    input: Input,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn new(input: Input) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    fn wrong(&self, why: impl fmt::Display) -> Error {
        Error::fatal(format!("line {}: {why}", self.number))
    }

    /// Goes to the next line, or answers that there is none.
    fn advance(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.input.read_until(b'\n', &mut self.line);
            if read.map_err(|error| self.wrong(format_args!("the file cannot be read: {error}")))? == 0 {
                return Ok(false);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn members(&self) -> Result<Members<'_>> {
        serde_json::from_slice(&self.line).map_err(|error| self.wrong(format_args!("it is no JSON object: {error}")))
    }
}

/// The columns, and what the values of so many rows are.
///
/// # Errors
/// If a line is no object.
pub fn look(input: Input, rows: u64) -> Result<Told> {
    let mut lines = Lines::new(input);
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut columns: Vec<(String, Inferred)> = Vec::new();
    let mut seen = 0;
    while seen < rows && lines.advance()? {
        seen += 1;
        for (key, value) in lines.members()?.0 {
            if is_made(&key) {
                continue;
            }
            let at = match places.get(&*key) {
                Some(at) => *at,
                None => {
                    places.insert(key.clone().into_owned(), columns.len());
                    columns.push((key.into_owned(), Inferred::default()));
                    columns.len() - 1
                }
            };
            columns[at].1.see_json(value.get());
        }
    }
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(name, DataType::Utf8, true)).collect();
    let inferred = columns.into_iter().map(|(_, inferred)| inferred).collect();
    Ok(Told { schema: Arc::new(Schema::new(fields)), inferred: Some(inferred) })
}

/// The batches, of the columns that are wanted.
///
/// # Errors
/// Never before the first batch.
pub fn read(input: Input, options: &Options, wanted: &[Wanted]) -> Result<(SchemaRef, Batches)> {
    let fields: Vec<Field> = wanted.iter().map(|column| Field::new(&column.name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let of_batches = Arc::clone(&schema);
    let places: HashMap<String, usize> =
        wanted.iter().enumerate().map(|(at, column)| (column.name.clone(), at)).collect();
    let json: Vec<bool> = wanted.iter().map(|column| column.json).collect();
    let (most_rows, most_bytes) = (options.rows, options.bytes);
    let mut lines = Lines::new(input);
    let next = move || -> Result<Option<RecordBatch>> {
        let mut builders: Vec<StringBuilder> = json.iter().map(|_| StringBuilder::new()).collect();
        let (mut rows, mut bytes) = (0, 0);
        while rows < most_rows && bytes < most_bytes && lines.advance()? {
            for (key, value) in lines.members()?.0 {
                let Some(at) = places.get(&*key).copied() else {
                    if is_made(&key) {
                        continue;
                    }
                    let why = format!(
                        "there is a key `{key}` that was not there when the columns were found; sync again, or leave out or \
                         raise `infer_rows`"
                    );
                    return Err(lines.wrong(why));
                };
                let builder = &mut builders[at];
                let text = value.get();
                if filled(builder, rows) {
                    return Err(lines.wrong(format_args!("the key `{key}` comes twice")));
                }
                match text.as_bytes() {
                    [b'"', inner @ .., b'"'] if !json[at] && !inner.contains(&b'\\') => {
                        builder.append_value(&text[1..text.len() - 1]);
                    }
                    _ => builder.append_option(json_text(value, json[at])),
                }
            }
            rows += 1;
            bytes += lines.line.len();
            builders.iter_mut().filter(|builder| !filled(builder, rows - 1)).for_each(StringBuilder::append_null);
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

/// Whether a column has a value of a row already.
fn filled(builder: &StringBuilder, rows: usize) -> bool {
    builder.len() > rows
}
