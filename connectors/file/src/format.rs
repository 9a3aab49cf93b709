//! Files as batches of their own columns, whatever their format is.

mod binary;
mod csv;
mod infer;
mod json;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::arrow::datatypes::SchemaRef;
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME, UNIT};
use headwater_sdk::{Class, Error, Result};

use crate::spec::{Csv, Format};

pub use infer::Inferred;

const BUFFER: usize = 256 << 10;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its format.
    pub format: Format,
    /// Whether it is compressed as a whole.
    pub gzip: bool,
    /// Whether its name says that fields have tabs between them.
    pub tabs: bool,
}

impl Kind {
    /// What a file's name tells.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (name, gzip) = name.strip_suffix(".gz").map_or((name.as_str(), false), |name| (name, true));
        let (_, extension) = name.rsplit_once('.')?;
        let format = match extension {
            "parquet" | "pq" if !gzip => Format::Parquet,
            "arrow" | "arrows" | "feather" | "ipc" if !gzip => Format::Arrow,
            "csv" | "tsv" => Format::Csv,
            "jsonl" | "ndjson" | "json" => Format::Jsonl,
            _ => return None,
        };
        Some(Self { format, gzip, tabs: extension == "tsv" })
    }

    /// The same, where something else is said.
    pub fn of(name: &str, said: Option<Format>) -> Option<Self> {
        let of_name = Self::of_name(name);
        let Some(format) = said else { return of_name };
        let gzip = name.to_ascii_lowercase().ends_with(".gz") && matches!(format, Format::Csv | Format::Jsonl);
        Some(Self { format, gzip, tabs: of_name.is_some_and(|kind| kind.tabs) })
    }

    /// Whether its values are text, of which the types are not told.
    pub fn is_text(self) -> bool {
        matches!(self.format, Format::Csv | Format::Jsonl)
    }
}

/// How files are read.
#[derive(Debug, Clone)]
pub struct Options {
    /// Details of CSV.
    pub csv: Csv,
    /// How many rows are looked at for their types.
    pub infer_rows: Option<u64>,
    /// Rows of a batch.
    pub rows: usize,
    /// Bytes of a batch, about.
    pub bytes: usize,
}

impl Options {
    fn delimiter(&self, kind: Kind) -> u8 {
        self.csv.delimiter.unwrap_or(if kind.tabs { b'\t' } else { b',' })
    }
}

/// What a file says about its columns.
#[derive(Debug, Clone)]
pub struct Told {
    /// The columns, without those that each sync makes anew.
    pub schema: SchemaRef,
    /// What the texts of each look like, in formats of text.
    pub inferred: Option<Vec<Inferred>>,
}

/// A column of a file of text, as it is read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Whether it stays the text of JSON.
    pub json: bool,
}

/// Batches of a file.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Whether a column is made anew by each sync.
pub fn is_made(name: &str) -> bool {
    [SYNC_TIME, SOURCE_NAME, UNIT].contains(&name)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(Class::NotFound, "the file is not there any more"),
        _ => Error::fatal(format!("it cannot be opened: {error}")),
    })
}

fn text(path: &Path, kind: Kind) -> Result<Box<dyn BufRead + Send>> {
    let file = BufReader::with_capacity(BUFFER, open(path)?);
    Ok(match kind.gzip {
        true => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file))),
        false => Box::new(file),
    })
}

/// Batches until there are no more, or an error.
fn batches(mut next: impl FnMut() -> Result<Option<RecordBatch>> + Send + 'static) -> Batches {
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let batch = next();
        ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }))
}

/// What a file says about its columns.
///
/// # Errors
/// If it cannot be read.
pub fn look(path: &Path, kind: Kind, options: &Options) -> Result<Told> {
    let infer_rows = options.infer_rows.unwrap_or(u64::MAX);
    let schema = match kind.format {
        Format::Parquet => Arc::clone(binary::Parquet::open(open(path)?)?.schema()),
        Format::Arrow => binary::arrow(open(path)?, options.rows)?.0,
        Format::Csv => return csv::look(text(path, kind)?, &options.csv, options.delimiter(kind), infer_rows),
        Format::Jsonl => return json::look(text(path, kind)?, infer_rows),
    };
    let mut names = HashSet::new();
    match schema.fields().iter().find(|field| !names.insert(field.name())) {
        Some(field) => Err(Error::fatal(format!("two columns are called `{}`", field.name()))),
        None => Ok(Told { schema, inferred: None }),
    }
}

/// The batches of a file, and their schema. Of formats of text only what is `wanted` may be in the file.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path, kind: Kind, options: &Options, wanted: &[Wanted]) -> Result<(SchemaRef, Batches)> {
    match kind.format {
        Format::Parquet => binary::Parquet::open(open(path)?)?.read(options.rows, options.bytes),
        Format::Arrow => binary::arrow(open(path)?, options.rows),
        Format::Csv => csv::read(text(path, kind)?, options, options.delimiter(kind)),
        Format::Jsonl => json::read(text(path, kind)?, options, wanted),
    }
}
