//! `columns` and `rows` of a source, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of columns. All names are those of the source; `*` stands for any text.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    /// The tables that the rule is for; without it, all tables of the source.
    #[serde(default)]
    pub tables: Option<Vec<String>>,
    /// Only these columns are written, with the key, those of the scope, and `_cq_…`.
    #[serde(default)]
    pub select: Option<Vec<String>>,
    /// These columns are left out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// New names of columns.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Columns, or places within them such as `tags.Owner`, whose values become keyed hashes (HMAC-SHA-256 with
    /// `hash_key`, 64 hexadecimal digits).
    #[serde(default)]
    pub hash: Vec<String>,
    /// Columns, or places within them such as `spec.env[*].value`, whose values are hidden: text becomes `[redacted]`,
    /// other values are missing.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Columns, or places within them, that are written though they are known to hold secrets.
    #[serde(default)]
    pub keep: Vec<String>,
}

/// Which rows are written.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowRule {
    /// The tables that the rule is for; without it, all tables of the source.
    #[serde(default)]
    pub tables: Option<Vec<String>>,
    /// Only rows for which this holds are written: `state.Name = 'running' and launch_time >= '2026-01-01'`. Tables that
    /// hang from this one are read all the same.
    pub r#where: String,
}
