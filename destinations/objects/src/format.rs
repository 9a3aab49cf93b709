//! The objects' format, as specs say it, and what it means.

use headwater_sdk::spec::without_effect;
use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::template::Template;

/// What the specs of all destinations of objects say about the objects.
#[derive(Debug, Clone, Default)]
pub struct Layout<'a> {
    /// A folder, or a name with placeholders.
    pub path: &'a str,
    /// The format.
    pub format: Format,
    /// Details of the format.
    pub format_spec: FormatSpec,
    /// How objects are compressed.
    pub compression: Compression,
    /// CloudQuery's word for one object per table.
    pub no_rotate: bool,
    /// CloudQuery's sizes of a batch, which have no effect.
    pub batch_sizes: [Option<u64>; 2],
}

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    #[default]
    Parquet,
    /// One JSON object a line.
    Jsonl,
    /// The same as `jsonl`, with file names that end in `.json`, as CloudQuery's do.
    Json,
    /// Comma-separated values (RFC 4180).
    Csv,
}

/// Details of a format.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormatSpec {
    /// CSV: the character between two fields; `,` by default.
    #[serde(default)]
    #[schemars(length(equal = 1))]
    pub delimiter: Option<String>,
    /// CSV: whether the header row is left out; `false` by default.
    #[serde(default)]
    pub skip_header: Option<bool>,
}

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// The format's default.
    #[default]
    #[serde(rename = "")]
    Default,
    /// Not at all.
    None,
    /// gzip, for JSON Lines and CSV.
    Gzip,
    /// Zstandard, for Parquet.
    Zstd,
}

/// How the bytes of a file are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Parquet, with zstd or not.
    Parquet { zstd: bool },
    /// JSON Lines.
    Json { gzip: bool },
    /// CSV.
    Csv { gzip: bool, delimiter: u8, header: bool },
}

/// A layout that has been checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The objects' names.
    pub template: Template,
    /// Their contents.
    pub(crate) encoding: Encoding,
}

impl Settings {
    /// What the objects are to readers of HTTP headers.
    pub fn content_type(&self) -> &'static str {
        match self.encoding {
            Encoding::Json { gzip: true } | Encoding::Csv { gzip: true, .. } => "application/gzip",
            Encoding::Parquet { .. } => "application/vnd.apache.parquet",
            Encoding::Json { .. } => "application/json",
            Encoding::Csv { .. } => "text/csv",
        }
    }
}

impl Layout<'_> {
    /// What the spec means; an error says which value cannot work, and what would.
    pub fn settings(&self) -> Result<Settings> {
        if self.no_rotate {
            return Err(Error::fatal(
                "`no_rotate: true` asks for one file per table, but here every unit is a file, so that it can be \
                 replaced alone; leave `no_rotate` out",
            ));
        }
        let [rows, bytes] = self.batch_sizes;
        without_effect([("batch_size", rows), ("batch_size_bytes", bytes)])?;
        let (encoding, extension) = self.encoding()?;
        Ok(Settings { template: Template::parse(self.path, extension)?, encoding })
    }

    fn encoding(&self) -> Result<(Encoding, &'static str)> {
        let csv = self.format == Format::Csv;
        if !csv && self.format_spec != FormatSpec::default() {
            return Err(Error::fatal("`format_spec` has settings of CSV only; leave it out, or set `format: csv`"));
        }
        let gzip = match (self.compression, self.format) {
            (Compression::Gzip, Format::Parquet) => {
                return Err(Error::fatal(
                    "`compression: gzip` is for jsonl and csv; Parquet files are compressed inside, with `zstd` or `none`",
                ));
            }
            (Compression::Zstd, format) if format != Format::Parquet => {
                return Err(Error::fatal("`compression: zstd` is for parquet; set `gzip` or `none` for jsonl and csv"));
            }
            (compression, _) => compression == Compression::Gzip,
        };
        Ok(match self.format {
            Format::Parquet => (Encoding::Parquet { zstd: self.compression != Compression::None }, "parquet"),
            Format::Jsonl => (Encoding::Json { gzip }, if gzip { "jsonl.gz" } else { "jsonl" }),
            Format::Json => (Encoding::Json { gzip }, if gzip { "json.gz" } else { "json" }),
            Format::Csv => {
                let delimiter = match self.format_spec.delimiter.as_deref().map(str::as_bytes) {
                    None => b',',
                    Some([byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => *byte,
                    Some(_) => {
                        return Err(Error::fatal(
                            "`format_spec.delimiter` must be one ASCII character, and no quote or line break, such as \
                             \";\" or \"\\t\"",
                        ));
                    }
                };
                let header = !self.format_spec.skip_header.unwrap_or(false);
                (Encoding::Csv { gzip, delimiter, header }, if gzip { "csv.gz" } else { "csv" })
            }
        })
    }
}
