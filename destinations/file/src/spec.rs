//! The destination's part of the configuration.

use headwater_objects::{Compression, Format, FormatSpec, Layout};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where and how the file destination writes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// A folder such as `./cloud`, or a file name with placeholders such as `./cloud/{{TABLE}}/{{UNIT}}.{{FORMAT}}`.
    /// A folder FOLDER means `FOLDER/{{TABLE}}/{{UNIT}}.{{FORMAT}}`, and in write mode `append`
    /// `FOLDER/{{TABLE}}/{{SYNC_ID}}.{{UNIT}}.{{FORMAT}}`. The placeholders: `{{TABLE}}`, `{{TABLE_HYPHEN}}`
    /// (with hyphens for underscores); `{{UNIT}}` (source and scope, such as `aws.123456789012.eu-west-1`); `{{SOURCE}}`; `{{FORMAT}}` (the file name's extension); and only in
    /// `append` `{{SYNC_ID}}` (the sync's start), `{{YEAR}}`, `{{MONTH}}`, `{{DAY}}`, `{{HOUR}}`, `{{MINUTE}}` (the
    /// same start, in UTC) and `{{UUID}}` (another one for each file).
    #[schemars(length(min = 1))]
    pub path: String,
    /// The files' format.
    #[serde(default)]
    pub format: Format,
    /// Details of the format.
    #[serde(default)]
    pub format_spec: FormatSpec,
    /// How the files are compressed. Parquet: `zstd` (the default) or `none`. JSON Lines and CSV: `none` (the default)
    /// or `gzip`.
    #[serde(default)]
    pub compression: Compression,
    /// Accepted from CloudQuery's configurations as `false`: a unit is one file, whatever its size.
    #[serde(default)]
    pub no_rotate: bool,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is one file, whatever its size.
    #[serde(default)]
    pub batch_size: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is one file, whatever its size.
    #[serde(default)]
    pub batch_size_bytes: Option<u64>,
    /// Accepted from CloudQuery's configurations; it has no effect, because a unit is one file, whatever its size.
    #[serde(default)]
    pub batch_timeout: Option<String>,
}

impl Spec {
    /// What it says about the files.
    pub fn layout(&self) -> Layout<'_> {
        Layout {
            path: &self.path,
            format: self.format,
            format_spec: self.format_spec.clone(),
            compression: self.compression,
            no_rotate: self.no_rotate,
            batch_sizes: [self.batch_size, self.batch_size_bytes],
        }
    }
}
