//! Transformer `flatten`: columns of what is within a column of JSON, or within a struct.
//!
//! Which columns come of it is known before a row is read: from the declared paths of JSON, and from the type of a struct.
//! What is a list or a map there, or lies deeper than asked for, stays JSON text.

mod json;
mod structs;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_sdk::arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use headwater_sdk::arrow::compute::filter_record_batch;
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::path::{Step, Target};
use headwater_sdk::rejects::Rejected;
use headwater_sdk::text::nearest;
use headwater_sdk::transform::wrong;
use headwater_sdk::{
    Column, ColumnType, Error, Extension, Result, TableSchema, TableTransform, Transformed, Transformer, Undiscovered,
    Wrong, type_names,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalar::is_read;
use json::Paths;
use structs::Members;

/// Which columns are made into several.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The columns by name: of JSON, of text that is JSON, or structs.
    pub columns: BTreeMap<String, ColumnSpec>,
}

/// What becomes of one column.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// What the new columns' names begin with; the column's name and `_` by default.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Of a struct: how many levels become columns; all by default. What lies deeper is JSON.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_depth: Option<u8>,
    /// The places that become columns. Of JSON there are no others; of a struct all members are by default.
    #[serde(default)]
    pub paths: Option<Vec<PathSpec>>,
    /// Whether the column itself stays.
    #[serde(default)]
    pub keep: bool,
    /// What happens where a value is not of its column's type.
    #[serde(default)]
    pub mismatch: Mismatch,
}

/// A place that becomes a column.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathSpec {
    /// The place: `$.a.b`, `$.list[0]`, `$."a key"`.
    pub path: String,
    /// The column's whole name; the prefix and the path's keys by default.
    #[serde(default)]
    pub name: Option<String>,
    /// The type, as `headwater tables` writes it; of a struct's member its own by default.
    #[serde(default)]
    pub r#type: Option<String>,
}

/// What happens where a value is not of its column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mismatch {
    /// The unit fails.
    #[default]
    Fail,
    /// The row is put aside.
    DiscardRow,
    /// The row goes on without the value, and is put aside as it was.
    DiscardValue,
    /// The row goes on without the value.
    Ignore,
}

/// The transformer.
pub struct Flatten(Spec);

impl Flatten {
    pub fn new(spec: Spec) -> Result<Self> {
        if spec.columns.is_empty() {
            return Err(Error::fatal("`columns` names no column"));
        }
        Ok(Self(spec))
    }
}

/// A place, read from the configuration.
struct Place {
    /// Its number in the list.
    at: usize,
    steps: Vec<Step>,
    name: Option<String>,
    kind: Option<ColumnType>,
}

impl Place {
    fn read(column: &str, at: usize, said: &PathSpec) -> Result<Self, Wrong> {
        let number = at.to_string();
        let tell = |key: &str, message: String, help: &str| {
            Err(wrong(&["columns", column, "paths", &number, key], message, Some(help.to_owned())))
        };
        let steps = match Target::parse(&said.path) {
            Ok(target) if target.column.text == "$" => target.steps,
            Ok(_) => return tell("path", format!("`{}` does not begin with `$`", said.path), "such as `$.a.b`"),
            Err(wrong) => return tell("path", format!("`{}`: {}", said.path, wrong.message), "such as `$.a.b`"),
        };
        let one = |step: &Step| match step {
            Step::Key(name) => !name.pattern,
            Step::Item(_) => true,
            Step::Items | Step::Below => false,
        };
        if steps.is_empty() || !steps.iter().all(one) {
            return tell(
                "path",
                format!("`{}` does not lead to one value", said.path),
                "name keys, or items by number",
            );
        }
        let kind = said.r#type.as_deref().map(type_names::parse).transpose();
        match kind {
            Err(message) => tell("type", message, "leave it out to have JSON"),
            Ok(Some(kind)) if !is_read(&kind) => {
                tell("type", format!("{} cannot be read from JSON here", kind.name()), "say `json` instead")
            }
            Ok(kind) => Ok(Self { at, steps, name: said.name.clone(), kind }),
        }
    }

    fn name(&self, prefix: &str) -> String {
        let part = |step: &Step| match step {
            Step::Key(name) => name.text.clone(),
            Step::Item(index) => index.to_string(),
            Step::Items | Step::Below => String::new(),
        };
        let path = || self.steps.iter().map(part).collect::<Vec<_>>().join("_");
        self.name.clone().unwrap_or_else(|| format!("{prefix}{}", path()))
    }
}

/// How the new columns are made of one.
enum Made {
    Json(Paths),
    Struct(Members),
}

/// A column of the table that is made into others.
struct Flat {
    from: usize,
    keep: bool,
    mismatch: Mismatch,
    made: Made,
}

struct Flattened {
    schema: Arc<TableSchema>,
    width: usize,
    flat: Vec<Flat>,
}

impl Transformer for Flatten {
    fn table(&self, table: &Arc<TableSchema>) -> Result<Option<Arc<dyn TableTransform>>, Undiscovered> {
        let mut wrongs = Vec::new();
        let named = |name: &String| table.columns.iter().any(|column| column.name == *name);
        for missing in self.0.columns.keys().filter(|name| !named(name)) {
            let near = nearest(missing, table.columns.iter().map(|column| column.name.as_str()));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let message = format!("there is no column `{missing}` in `{}`", table.name);
            wrongs.push(wrong(&["columns", missing], message, help));
        }
        let (mut columns, mut flat) = (Vec::new(), Vec::new());
        for (from, column) in table.columns.iter().enumerate() {
            let Some(said) = self.0.columns.get(&column.name) else {
                columns.push(column.clone());
                continue;
            };
            if said.keep {
                columns.push(column.clone());
            }
            match plan(table, column, said) {
                Ok((made, new)) => {
                    columns.extend(new);
                    flat.push(Flat { from, keep: said.keep, mismatch: said.mismatch, made });
                }
                Err(found) => wrongs.extend(found),
            }
        }
        if !wrongs.is_empty() {
            return Err(Undiscovered::Wrong(wrongs));
        }
        let schema = Arc::new(table.with_columns(columns));
        Ok(Some(Arc::new(Flattened { schema, width: table.columns.len(), flat })))
    }
}

/// How a column is made into others, and these.
fn plan(table: &TableSchema, column: &Column, said: &ColumnSpec) -> Result<(Made, Vec<Column>), Vec<Wrong>> {
    let name = &column.name;
    let prefix = said.prefix.clone().unwrap_or_else(|| format!("{name}_"));
    let tell = |key: &str, message: String, help: &str| {
        Err(vec![wrong(&["columns", name, key], message, Some(help.to_owned()))])
    };
    let (mut places, mut wrongs) = (Vec::new(), Vec::new());
    for (at, said) in said.paths.iter().flatten().enumerate() {
        match Place::read(name, at, said) {
            Ok(place) => places.push(place),
            Err(wrong) => wrongs.push(wrong),
        }
    }
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    let is_text = column.kind.extension.is_none() && column.kind.data_type.is_string();
    let new = |name: String, kind: ColumnType| {
        let mut new = Column::new(name, kind, format!("Of `{}`.", column.name));
        (new.origin, new.sensitive) = (column.name.clone(), column.sensitive);
        new
    };
    match &column.kind.data_type {
        DataType::Struct(fields) => {
            let depth = said.max_depth.map_or(usize::MAX, usize::from);
            if depth == 0 {
                return tell("max_depth", "`max_depth` is at least 1".to_owned(), "leave it out for all levels");
            }
            let places = said.paths.is_some().then_some(places);
            let (members, columns) = Members::plan(name, fields, places, &prefix, depth)?;
            Ok((Made::Struct(members), columns.into_iter().map(|(name, kind)| new(name, kind)).collect()))
        }
        _ if is_text || column.kind.extension == Some(Extension::Json) => {
            if said.max_depth.is_some() {
                let help = "the paths tell how deep";
                return tell("max_depth", format!("`max_depth` is for structs, and `{name}` is JSON"), help);
            }
            if places.is_empty() {
                let help = "such as `paths: [{ path: $.a.b, type: int64 }]`";
                return tell("paths", format!("`{name}` is JSON, whose `paths` must be declared"), help);
            }
            let columns = places.iter().map(|place| {
                let kind = place.kind.clone().unwrap_or_else(|| ColumnType::of(Extension::Json));
                new(place.name(&prefix), kind)
            });
            let columns: Vec<Column> = columns.collect();
            Ok((Made::Json(Paths::new(&places, &columns)), columns))
        }
        _ => {
            let (kind, table) = (column.kind.name(), &table.name);
            let message = format!("`{name}` of `{table}` is {kind}, and there is nothing within it");
            Err(vec![wrong(&["columns", name], message, Some("name a column of JSON, or a struct".to_owned()))])
        }
    }
}

/// The places of values that are not of their column's type, each with the reason.
type Misfits = Vec<(usize, String)>;

impl TableTransform for Flattened {
    fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    fn puts_aside(&self) -> bool {
        self.flat.iter().any(|flat| matches!(flat.mismatch, Mismatch::DiscardRow | Mismatch::DiscardValue))
    }

    fn apply(&self, batch: &RecordBatch) -> Result<Transformed> {
        if batch.num_columns() != self.width {
            return Err(Error::fatal("a batch has other columns than its table"));
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.columns.len());
        let (mut rows, mut values): (BTreeMap<usize, String>, BTreeMap<usize, String>) = Default::default();
        for (from, array) in batch.columns().iter().enumerate() {
            let Some(flat) = self.flat.iter().find(|flat| flat.from == from) else {
                columns.push(Arc::clone(array));
                continue;
            };
            if flat.keep {
                columns.push(Arc::clone(array));
            }
            let (made, misfits) = match &flat.made {
                Made::Json(paths) => paths.apply(batch.schema_ref().field(from).name(), array)?,
                Made::Struct(members) => members.apply(array)?,
            };
            columns.extend(made);
            let to = match flat.mismatch {
                Mismatch::Ignore => continue,
                Mismatch::DiscardRow => &mut rows,
                Mismatch::DiscardValue => &mut values,
                Mismatch::Fail => match misfits.into_iter().next() {
                    Some((_, reason)) => return Err(Error::rejected(reason)),
                    None => continue,
                },
            };
            for (row, reason) in misfits {
                let reasons = to.entry(row).or_default();
                let between = if reasons.is_empty() { "" } else { "; " };
                reasons.push_str(&format!("{between}{reason}"));
            }
        }
        let out: HashSet<usize> = rows.keys().copied().collect();
        values.retain(|row, _| !out.contains(row));
        let pairs = |all: BTreeMap<usize, String>| all.into_iter().collect::<Vec<_>>();
        let rows = Rejected::of(batch, &pairs(rows))?;
        let values = Rejected::of(batch, &pairs(values))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let made = RecordBatch::try_new_with_options(self.schema.arrow(), columns, &options).map_err(Error::fatal)?;
        let batch = match out.is_empty() {
            true => made,
            false => {
                let stays: BooleanArray = (0..made.num_rows()).map(|row| Some(!out.contains(&row))).collect();
                filter_record_batch(&made, &stays).map_err(Error::fatal)?
            }
        };
        Ok(Transformed { batch, rows, values })
    }
}

#[cfg(test)]
mod tests;
