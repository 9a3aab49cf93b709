//! The objects' format, as specs say it, and what it means.

use std::sync::Arc;

use headwater_sdk::spec::without_effect;
use headwater_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::template::Template;

/// As hard as zstd tries where nothing else is said.
const ZSTD_LEVEL: i32 = 3;

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
    /// Parquet: how many rows a row group has at most. By default as many as fit into this destination's share of the memory.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub row_group_rows: Option<usize>,
    /// Parquet: how many bytes a page has at most; 1 MiB by default.
    #[serde(default)]
    #[schemars(range(min = 1024))]
    pub page_bytes: Option<usize>,
    /// Parquet: how hard zstd tries, from 1 to 22; 3 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 22))]
    pub zstd_level: Option<i32>,
    /// Parquet: whether values that come often are written once; `true` by default.
    #[serde(default)]
    pub dictionary: Option<bool>,
    /// Parquet: the columns for which there is a Bloom filter, by which readers leave out row groups.
    #[serde(default)]
    pub bloom_filter: Vec<String>,
    /// Parquet: the columns that the rows of each row group are sorted by, the first one first; `-NAME` is descending.
    #[serde(default)]
    pub sort_by: Vec<String>,
}

/// How Parquet files are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parquet {
    /// Zstandard's level; none where nothing is compressed.
    pub zstd: Option<i32>,
    /// Rows of a row group at most.
    pub row_group_rows: Option<usize>,
    /// Bytes of a page at most.
    pub page_bytes: Option<usize>,
    /// Whether there are dictionaries.
    pub dictionary: bool,
    /// The columns that have a Bloom filter.
    pub bloom_filter: Vec<String>,
    /// The columns that rows are sorted by, and whether descending.
    pub sort_by: Vec<(String, bool)>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Parquet.
    Parquet(Arc<Parquet>),
    /// JSON Lines.
    Json { gzip: bool },
    /// CSV.
    Csv { gzip: bool, delimiter: u8, header: bool },
}

impl Encoding {
    /// Whether rows are written in another order than they come in.
    pub fn is_sorted(&self) -> bool {
        matches!(self, Encoding::Parquet(how) if !how.sort_by.is_empty())
    }
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
            Encoding::Parquet(_) => "application/vnd.apache.parquet",
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

    /// Whether all settings are of the format.
    fn check_format_spec(&self) -> Result<()> {
        let spec = &self.format_spec;
        let of_csv = [("delimiter", spec.delimiter.is_some()), ("skip_header", spec.skip_header.is_some())];
        let of_parquet = [
            ("row_group_rows", spec.row_group_rows.is_some()),
            ("page_bytes", spec.page_bytes.is_some()),
            ("zstd_level", spec.zstd_level.is_some()),
            ("dictionary", spec.dictionary.is_some()),
            ("bloom_filter", !spec.bloom_filter.is_empty()),
            ("sort_by", !spec.sort_by.is_empty()),
        ];
        for (format, settings) in [(Format::Csv, &of_csv[..]), (Format::Parquet, &of_parquet[..])] {
            if let Some((name, _)) = settings.iter().find(|(_, is_there)| *is_there && self.format != format) {
                let format = if format == Format::Csv { "csv" } else { "parquet" };
                return Err(Error::fatal(format!(
                    "`format_spec.{name}` is a setting of {format} only; leave it out, or set `format: {format}`"
                )));
            }
        }
        if spec.zstd_level.is_some_and(|level| !(1..=22).contains(&level)) {
            return Err(Error::fatal("`format_spec.zstd_level` must be from 1 to 22"));
        }
        if spec.zstd_level.is_some() && self.compression == Compression::None {
            return Err(Error::fatal("`format_spec.zstd_level` has no meaning with `compression: none`"));
        }
        if spec.row_group_rows == Some(0) || spec.page_bytes.is_some_and(|bytes| bytes < 1024) {
            return Err(Error::fatal(
                "`format_spec.row_group_rows` must be at least 1, and `format_spec.page_bytes` at least 1024",
            ));
        }
        Ok(())
    }

    fn parquet(&self) -> Parquet {
        let spec = &self.format_spec;
        let sorted = |name: &String| match name.strip_prefix('-') {
            Some(name) => (name.to_owned(), true),
            None => (name.clone(), false),
        };
        Parquet {
            zstd: (self.compression != Compression::None).then(|| spec.zstd_level.unwrap_or(ZSTD_LEVEL)),
            row_group_rows: spec.row_group_rows,
            page_bytes: spec.page_bytes,
            dictionary: spec.dictionary.unwrap_or(true),
            bloom_filter: spec.bloom_filter.clone(),
            sort_by: spec.sort_by.iter().map(sorted).collect(),
        }
    }

    fn encoding(&self) -> Result<(Encoding, &'static str)> {
        self.check_format_spec()?;
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
            Format::Parquet => (Encoding::Parquet(Arc::new(self.parquet())), "parquet"),
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
