//! Transformer `contract`: what is agreed about the columns of a table, and what happens to what breaks it.
//!
//! Each row is looked at for itself. That a value is unique among all rows cannot be told so, and is no rule.

mod rule;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_sdk::arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use headwater_sdk::arrow::compute::{filter_record_batch, nullif};
use headwater_sdk::rejects::Rejected;
use headwater_sdk::text::nearest;
use headwater_sdk::transform::wrong;
use headwater_sdk::{
    Column, Error, Extension, Result, TableSchema, TableTransform, Transformed, Transformer, Undiscovered, Wrong,
    type_names,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalar::{convert, converts};
use rule::{Rule, mark};

/// What is agreed about the tables.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What happens to what breaks the contract.
    #[serde(default)]
    pub mode: Mode,
    /// The columns by name. Columns that Headwater needs, `_cq_…`, those of the key and of the scope, may be left out.
    pub columns: BTreeMap<String, ColumnSpec>,
}

/// What happens to what breaks the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A column that is not in the contract, or has another type, is refused before the sync; a value that breaks a rule
    /// fails its unit.
    #[default]
    Freeze,
    /// Columns that are not in the contract pass, and other types do; a value that breaks a rule fails its unit.
    Evolve,
    /// Columns that are not in the contract are left out, and values become the contract's type; a row that breaks a rule is
    /// put aside.
    DiscardRow,
    /// The same, but the row goes on without the value, where it may be missing.
    DiscardValue,
}

/// What is agreed about one column.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// The type, as `headwater tables` writes it: `int64`, `utf8`, `decimal(18, 2)`, `timestamp[us, UTC]`.
    #[serde(default)]
    pub r#type: Option<String>,
    /// Whether a value may be missing; it may by default.
    #[serde(default)]
    pub nullable: Option<bool>,
    /// The least value.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub min: Option<String>,
    /// The largest value.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub max: Option<String>,
    /// A regular expression that is found in the text; `^` and `$` stand for its beginning and its end.
    #[serde(default)]
    pub regex: Option<String>,
    /// All values that there may be.
    #[serde(default)]
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    pub one_of: Option<Vec<String>>,
}

/// The transformer.
pub struct Contract(Spec);

impl Contract {
    pub fn new(spec: Spec) -> Result<Self> {
        if spec.columns.is_empty() {
            return Err(Error::fatal("`columns` agrees on no column"));
        }
        Ok(Self(spec))
    }
}

impl Transformer for Contract {
    fn table(&self, table: &Arc<TableSchema>) -> Result<Option<Arc<dyn TableTransform>>, Undiscovered> {
        let mut wrongs = Vec::new();
        let agreed = Agreed::new(&self.0, table, &mut wrongs);
        match wrongs.is_empty() {
            true => Ok(Some(Arc::new(agreed))),
            false => Err(Undiscovered::Wrong(wrongs)),
        }
    }
}

/// A column that goes on.
struct Kept {
    /// Its place in the table.
    from: usize,
    was: Column,
    column: Column,
    rules: Vec<Rule>,
    /// Whether a value that breaks a rule can be left out.
    may_miss: bool,
}

/// One table.
struct Agreed {
    mode: Mode,
    schema: Arc<TableSchema>,
    kept: Vec<Kept>,
}

impl Agreed {
    fn new(spec: &Spec, table: &TableSchema, wrongs: &mut Vec<Wrong>) -> Self {
        let (mode, name) = (spec.mode, &table.name);
        for said in spec.columns.keys().filter(|said| table.column(said).is_none()) {
            let near = nearest(said, table.columns.iter().map(|column| column.name.as_str()));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            wrongs.push(wrong(&["columns", said], format!("there is no column `{said}` in `{name}`"), help));
        }
        let (mut kept, mut unknown) = (Vec::new(), Vec::new());
        for (from, was) in table.columns.iter().enumerate() {
            let fixed = table.fixed(was);
            let mut column = was.clone();
            let Some(said) = spec.columns.get(&was.name) else {
                match mode {
                    _ if fixed.is_some() => {}
                    Mode::Evolve => {}
                    Mode::DiscardRow | Mode::DiscardValue => continue,
                    Mode::Freeze => unknown.push(format!("`{}`", was.name)),
                }
                kept.push(Kept { from, was: was.clone(), column, rules: Vec::new(), may_miss: false });
                continue;
            };
            if let Some(text) = &said.r#type {
                match type_names::parse(text) {
                    Err(message) => wrongs.push(wrong(&["columns", &was.name, "type"], message, None)),
                    Ok(kind) if kind == was.kind || mode == Mode::Evolve => {}
                    Ok(kind) if mode != Mode::Freeze && fixed.is_none() && converts(&was.kind, &kind) => {
                        column.kind = kind;
                        (column.native, column.shape) = (None, None);
                    }
                    Ok(kind) => {
                        let (is, agreed) = (was.kind.name(), kind.name());
                        let message = format!("`{}` of `{name}` is {is}, and {agreed} is agreed", was.name);
                        let help = match (mode, fixed) {
                            (_, Some(fixed)) => format!("it {}, and keeps its type", fixed.what()),
                            (Mode::Freeze, _) => "change the contract, or say `mode: discard_row` to convert it".into(),
                            _ => format!("{is} cannot be converted to {agreed}"),
                        };
                        wrongs.push(wrong(&["columns", &was.name, "type"], message, Some(help)));
                    }
                }
            }
            let rules = Rule::of(said, &column, wrongs);
            let may_miss = fixed.is_none() && said.nullable != Some(false) && was.nullable;
            // A value that cannot be converted is missing.
            column.nullable |= column.kind != was.kind && mode == Mode::DiscardValue && may_miss;
            kept.push(Kept { from, was: was.clone(), column, rules, may_miss });
        }
        if !unknown.is_empty() {
            let verb = if unknown.len() == 1 { "is" } else { "are" };
            let message = format!("{} of `{name}` {verb} not in the contract", unknown.join(", "));
            let help = "add it, or say `mode: evolve`, or leave it out with the source's `columns`";
            wrongs.push(wrong(&["columns"], message, Some(help.to_owned())));
        }
        let schema = table.with_columns(kept.iter().map(|kept| kept.column.clone()).collect());
        Self { mode, schema: Arc::new(schema), kept }
    }
}

/// What is wrong with the rows of a batch.
#[derive(Default)]
struct Broken {
    /// Of rows that do not go on.
    rows: BTreeMap<usize, String>,
    /// Of rows that go on without a value.
    values: BTreeMap<usize, String>,
}

impl Broken {
    fn note(to: &mut BTreeMap<usize, String>, row: usize, reason: String) {
        let reasons = to.entry(row).or_default();
        if !reasons.is_empty() {
            reasons.push_str("; ");
        }
        reasons.push_str(&reason);
    }
}

impl TableTransform for Agreed {
    fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    fn puts_aside(&self) -> bool {
        matches!(self.mode, Mode::DiscardRow | Mode::DiscardValue)
    }

    fn apply(&self, batch: &RecordBatch) -> Result<Transformed> {
        let mut broken = Broken::default();
        let columns = self.kept.iter().map(|kept| self.column(kept, batch, &mut broken));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        // A row that does not go on is told once, with all that is wrong with it.
        for (row, reason) in &mut broken.rows {
            if let Some(more) = broken.values.remove(row) {
                reason.push_str("; ");
                reason.push_str(&more);
            }
        }
        let pairs = |broken: BTreeMap<usize, String>| broken.into_iter().collect::<Vec<_>>();
        let out: HashSet<usize> = broken.rows.keys().copied().collect();
        let rows = Rejected::of(batch, &pairs(broken.rows))?;
        let values = Rejected::of(batch, &pairs(broken.values))?;
        // The columns may be null where a row goes, which the table's schema does not allow yet.
        let schema = self.schema.arrow();
        let loose = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let loose = Arc::new(headwater_sdk::arrow::datatypes::Schema::new(loose.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let mut made = RecordBatch::try_new_with_options(loose, columns, &options).map_err(Error::fatal)?;
        if !out.is_empty() {
            let stays: BooleanArray = (0..batch.num_rows()).map(|row| Some(!out.contains(&row))).collect();
            made = filter_record_batch(&made, &stays).map_err(Error::fatal)?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(made.num_rows()));
        let made = RecordBatch::try_new_with_options(self.schema.arrow(), made.columns().to_vec(), &options);
        Ok(Transformed { batch: made.map_err(Error::fatal)?, rows, values })
    }
}

impl Agreed {
    /// A column as it goes on; notes what is wrong with it.
    fn column(&self, kept: &Kept, batch: &RecordBatch, broken: &mut Broken) -> Result<ArrayRef> {
        let array = batch.columns().get(kept.from).ok_or_else(|| Error::fatal("a column is missing"))?;
        let name = &kept.column.name;
        if kept.rules.is_empty() && kept.column.kind == kept.was.kind {
            return Ok(Arc::clone(array));
        }
        let mut made = convert(array, &kept.was.kind, &kept.column.kind)?;
        let mut reasons: BTreeMap<usize, String> = BTreeMap::new();
        if kept.column.kind != kept.was.kind {
            let lost: BooleanArray =
                (0..array.len()).map(|row| Some(array.is_valid(row) && made.is_null(row))).collect();
            let kind = kept.column.kind.name();
            mark(&lost, &mut reasons, |_| format!("`{name}` does not fit {kind}"));
        }
        for rule in &kept.rules {
            rule.check(name, array, &made, &mut reasons)?;
        }
        if reasons.is_empty() {
            return Ok(made);
        }
        if !self.puts_aside() {
            let (row, reason) = reasons.pop_first().unwrap_or_default();
            let row = Rejected::of(batch, &[(row, reason)])?;
            let reason = row.into_iter().next().map(|row| row.reason).unwrap_or_default();
            return Err(Error::rejected(format!("{reason}, which breaks the contract")));
        }
        let mut without = vec![false; array.len()];
        for (row, reason) in reasons {
            // What is missing already cannot be left out.
            let leave_out = self.mode == Mode::DiscardValue && kept.may_miss && array.is_valid(row);
            without[row] = leave_out;
            Broken::note(if leave_out { &mut broken.values } else { &mut broken.rows }, row, reason);
        }
        made = nullif(&made, &BooleanArray::from(without)).map_err(Error::fatal)?;
        Ok(made)
    }
}

/// Whether values of a column can be told smaller and larger.
fn is_ordered(column: &Column) -> bool {
    column.kind.extension.is_none_or(|extension| extension == Extension::Uuid) && !column.kind.data_type.is_nested()
}

#[cfg(test)]
mod tests;
