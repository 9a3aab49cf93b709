//! JSON Lines and CSV, plain or in gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::sync::Arc;

use arrow_csv::writer::Terminator;
use arrow_json::writer::LineDelimited;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use headwater_sdk::arrow::array::{ArrayRef, RecordBatch};
use headwater_sdk::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use headwater_sdk::{ColumnType, Extension, Result, Stored, plain};

use super::wrong;
use crate::store::Out;

const BUFFER: usize = 1 << 16;

/// Where the text goes.
pub enum Text {
    Plain(BufWriter<Out>),
    Gzip(Box<GzEncoder<BufWriter<Out>>>),
}

impl Text {
    fn new(file: Out, gzip: bool) -> Self {
        let file = BufWriter::with_capacity(BUFFER, file);
        if gzip { Self::Gzip(Box::new(GzEncoder::new(file, Compression::default()))) } else { Self::Plain(file) }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Gzip(gzip) => gzip.finish()?.flush(),
        }
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(gzip) => gzip.write(bytes),
        }
    }

    /// Does nothing: the CSV writer asks for it after every batch, which would cut gzip's blocks short.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text file that is being written.
pub enum Sink {
    Json { writer: Box<arrow_json::Writer<Text, LineDelimited>>, plain: plain::PlainJson },
    Csv { schema: SchemaRef, writer: Box<arrow_csv::Writer<Text>> },
}

/// Whether a column is made text before the CSV writer sees it, which does not know how, or knows another form.
fn is_made_text(field: &Field) -> bool {
    plain::has_own_form(field.data_type()) || Extension::of(field).is_some()
}

impl Sink {
    /// Begins a JSON Lines file.
    pub fn json(file: Out, gzip: bool) -> Self {
        let plain = plain::PlainJson::default();
        let builder =
            arrow_json::WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(plain.clone()));
        Self::Json { writer: Box::new(builder.build(Text::new(file, gzip))), plain }
    }

    /// Begins a CSV file.
    pub fn csv(schema: &SchemaRef, file: Out, gzip: bool, delimiter: u8, header: bool) -> Self {
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .map(|field| {
                let kind = if is_made_text(field) { DataType::Utf8 } else { field.data_type().clone() };
                Field::new(field.name(), kind, field.is_nullable())
            })
            .collect();
        let writer = arrow_csv::WriterBuilder::new()
            .with_delimiter(delimiter)
            .with_header(header)
            .with_line_terminator(Terminator::CRLF)
            .build(Text::new(file, gzip));
        Self::Csv { schema: Arc::new(Schema::new(fields)), writer: Box::new(writer) }
    }

    /// Writes a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Json { writer, plain } => {
                writer.write(batch).map_err(wrong)?;
                plain.check()
            }
            Self::Csv { schema, writer } => {
                let fields = batch.schema();
                let columns = fields.fields().iter().zip(batch.columns());
                let columns = columns
                    .map(|(field, column)| match is_made_text(field) {
                        true => Ok(Arc::new(plain::text(field, column)?) as ArrayRef),
                        false => Ok(Arc::clone(column)),
                    })
                    .collect::<Result<Vec<_>>>()?;
                let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(wrong)?;
                writer.write(&batch).map_err(wrong)
            }
        }
    }

    /// Writes what is still held back.
    pub fn finish(self) -> Result<()> {
        let out = match self {
            Self::Json { mut writer, .. } => {
                writer.finish().map_err(wrong)?;
                writer.into_inner()
            }
            Self::Csv { writer, .. } => writer.into_inner(),
        };
        out.finish().map_err(wrong)
    }
}

/// How a type's values are stored in JSON Lines.
pub fn stored_json(kind: &ColumnType) -> Stored {
    if let Some(extension) = kind.extension {
        return match extension {
            Extension::Json => Stored::losing("any", "JSON's own null is a missing value"),
            _ => Stored::whole("string"),
        };
    }
    match &kind.data_type {
        DataType::Boolean => Stored::whole("boolean"),
        kind if kind.is_integer() => Stored::whole("number"),
        kind if kind.is_floating() => Stored::losing("number", "NaN and infinities become null"),
        kind @ (DataType::Struct(_) | DataType::Map(..)) => plain::stored_as_json("object", kind),
        kind if kind.is_nested() => plain::stored_as_json("array", kind),
        _ => Stored::whole("string"),
    }
}

/// How a type's values are stored in CSV.
pub fn stored_csv(kind: &ColumnType) -> Stored {
    const EMPTY: &str = "an empty value becomes NULL";
    if kind.extension.is_some() {
        return Stored::whole("text");
    }
    match &kind.data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Stored::losing("text", EMPTY),
        DataType::FixedSizeBinary(1..) => Stored::whole("text"),
        kind if plain::is_bytes(kind) => Stored::losing("text", EMPTY),
        kind if kind.is_nested() => plain::stored_as_json("text", kind),
        _ => Stored::whole("text"),
    }
}

/// Copies a file without some rows. A row ends with a line break, in CSV only outside of quotes.
pub fn without(rows: &[u64], mut from: File, to: Out, gzip: bool, quotes: bool, header: bool) -> Result<()> {
    from.rewind().map_err(wrong)?;
    let from = BufReader::with_capacity(BUFFER, from);
    let mut out = Text::new(to, gzip);
    let copied = match gzip {
        true => copy(rows, BufReader::with_capacity(BUFFER, GzDecoder::new(from)), &mut out, quotes, header),
        false => copy(rows, from, &mut out, quotes, header),
    };
    copied.and_then(|()| out.finish()).map_err(wrong)
}

fn copy(rows: &[u64], mut from: impl BufRead, out: &mut Text, quotes: bool, header: bool) -> io::Result<()> {
    // Lines are counted from the header, rows are not.
    let mut gone = rows.iter().map(|row| row + u64::from(header)).peekable();
    let (mut line, mut quoted) = (0, false);
    loop {
        let bytes = from.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let mut length = 0;
        let mut ended = false;
        for byte in bytes {
            length += 1;
            quoted ^= quotes && *byte == b'"';
            if *byte == b'\n' && !quoted {
                ended = true;
                break;
            }
        }
        if gone.peek() != Some(&line) {
            out.write_all(&bytes[..length])?;
        }
        from.consume(length);
        if ended {
            gone.next_if_eq(&line);
            line += 1;
        }
    }
}
