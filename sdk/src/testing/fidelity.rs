//! What becomes of values of every type: each is written and read back, and what is not the same is compared with what
//! the destination declares. The results are a file, of which the documentation is made.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};
use serde::Serialize;

use super::Subject;
use super::samples::samples;
use super::things::{HERE, at, batch_of, part, table};
use crate::destination::{Destination, MigrateMode, Outcome, WriteMode};
use crate::error::Result;
use crate::plain;
use crate::schema::{Column, ColumnType, TableSchema};

/// The seed of the values that the documentation is made of.
const SEED: u64 = 20_261_121;
/// How many values that are not the same are told of a type.
const TOLD: usize = 4;
/// The longest value that is told.
const LONGEST: usize = 40;

/// What a destination makes of the types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fidelity {
    /// What the destination is called.
    pub destination: String,
    /// Each type.
    pub types: Vec<OfType>,
}

/// What becomes of the values of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfType {
    /// The type.
    pub name: String,
    /// The type in the target.
    pub stored: String,
    /// What is declared to be lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// Values that were read back as others: what was written, and what was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<(String, String)>,
    /// What is declared to be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuses: Option<String>,
    /// Values that were refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// Writes and reads values of every type, and compares what is lost with what is declared.
pub async fn fidelity_of(subject: &dyn Subject) -> Fidelity {
    let mut types = Vec::new();
    for (number, (kind, values)) in samples(SEED).into_iter().enumerate() {
        types.push(of_type(subject, number, &kind, &values).await);
    }
    let differs =
        |of: &&OfType| of.lost.is_none() != of.changed.is_empty() || of.refuses.is_none() != of.refused.is_empty();
    let silent: Vec<&OfType> = types.iter().filter(differs).collect();
    assert!(silent.is_empty(), "what is lost is not what is declared: {silent:#?}");
    Fidelity { destination: subject.name().to_owned(), types }
}

/// Finds out what becomes of every type, and compares it with the file of the results, below `docs/fidelity` of the
/// workspace that the package in `folder` is of. With `INSTA_UPDATE=always` the file is written instead.
pub async fn every_type(subject: &dyn Subject, folder: &str) {
    let fidelity = fidelity_of(subject).await;
    let mut text = serde_json::to_string_pretty(&fidelity).unwrap_or_default();
    text.push('\n');
    let Some(root) = Path::new(folder).ancestors().find(|folder| folder.join("Cargo.lock").is_file()) else {
        panic!("{folder} is in no workspace");
    };
    let file = root.join("docs/fidelity").join(format!("{}.json", subject.name().replace(' ', "-")));
    if std::env::var_os("INSTA_UPDATE").is_some_and(|how| how == "always") {
        let written = std::fs::create_dir_all(root.join("docs/fidelity")).and_then(|()| std::fs::write(&file, &text));
        assert!(written.is_ok(), "{} cannot be written", file.display());
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == text, "{} is not what this destination does; run again with INSTA_UPDATE=always", file.display());
}

async fn of_type(subject: &dyn Subject, number: usize, kind: &ColumnType, values: &ArrayRef) -> OfType {
    let destination = subject.open();
    let stored = destination.stores(kind);
    let mut of = OfType {
        name: kind.name(),
        stored: stored.name.into_owned(),
        lost: stored.lost.map(std::borrow::Cow::into_owned),
        changed: Vec::new(),
        refuses: stored.refused.map(std::borrow::Cow::into_owned),
        refused: Vec::new(),
    };
    let schema = table(&format!("type_{number}"), vec![Column::new("value", kind.clone(), "A value.")]);
    let field = Arc::new(Column::new("value", kind.clone(), "").field());
    let written = match texts(&field, values) {
        Ok(written) => written,
        Err(error) => panic!("{} has no text: {error}", kind.name()),
    };
    if let Err(error) = destination.migrate(&[Arc::new(schema.clone())], MigrateMode::Safe).await {
        of.refused.push(short(&format!("all: {error}")));
        return of;
    }
    // All at once, and where that is refused one by one.
    let all: Vec<usize> = (0..values.len()).collect();
    if write(&*destination, &schema, values, &all).await.is_err() {
        let mut good = Vec::new();
        for row in all {
            match write(&*destination, &schema, values, &[row]).await {
                Ok(()) => good.push(row),
                Err(_) => of.refused.push(shown(&written, row)),
            }
        }
        if let Err(error) = write(&*destination, &schema, values, &good).await {
            panic!("{}: values that were written one by one cannot be written together: {error}", kind.name());
        }
    }
    if let Err(error) = destination.close().await {
        panic!("{}: {error}", kind.name());
    }
    let rows = subject.rows(&schema).await;
    let name = schema.columns.iter().position(|column| column.name == "name").unwrap_or_default();
    assert_eq!(rows.len() + of.refused.len(), values.len(), "{}: rows are missing or doubled", kind.name());
    let mut read: Vec<(usize, Option<String>)> =
        rows.into_iter().filter_map(|mut row| Some((row.get(name)?.as_ref()?.parse().ok()?, row.pop()?))).collect();
    read.sort();
    for (row, read) in read {
        let expected = written[row].as_deref();
        if same(&kind.data_type, expected, read.as_deref()) {
            continue;
        }
        let changed = match floats(values, row) {
            Some(_) => ("[NaN]".to_owned(), "[null]".to_owned()),
            None => (shown(&written, row), short(read.as_deref().unwrap_or("NULL"))),
        };
        if !of.changed.contains(&changed) {
            of.changed.push(changed);
        }
    }
    of.changed.truncate(TOLD);
    of.refused.truncate(TOLD);
    of
}

fn shown(written: &[Option<String>], row: usize) -> String {
    short(written[row].as_deref().unwrap_or("NULL"))
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}

async fn write(destination: &dyn Destination, schema: &TableSchema, values: &ArrayRef, rows: &[usize]) -> Result<()> {
    let names: Vec<String> = rows.iter().map(|row| format!("{row:04}")).collect();
    let indices = arrow::array::UInt64Array::from_iter_values(rows.iter().map(|row| *row as u64));
    let values = take(values, &indices, None).map_err(crate::Error::fatal)?;
    let mode = WriteMode::OverwriteDeleteStale;
    let mut writer = destination.begin(part(schema, HERE, at(0), mode)).await?;
    writer.write(batch_of(schema, HERE, at(0), &names, vec![values])).await?;
    writer.commit(Outcome::Complete).await.map(|_| ())
}

/// Whether a value is the one that was written: the same text, the same float in other digits, or the same JSON with
/// other spaces.
pub(super) fn same(kind: &DataType, written: Option<&str>, read: Option<&str>) -> bool {
    let (Some(written), Some(read)) = (written, read) else { return written == read };
    if written == read {
        return true;
    }
    if kind.is_floating() {
        return match (written.parse::<f64>(), read.parse::<f64>()) {
            (Ok(written), Ok(read)) => written.to_bits() == read.to_bits(),
            _ => false,
        };
    }
    let nested = |text: &str| text.starts_with(['{', '[']);
    nested(written)
        && nested(read)
        && match (serde_json::from_str::<serde_json::Value>(written), serde_json::from_str::<serde_json::Value>(read)) {
            (Ok(written), Ok(read)) => written == read,
            _ => false,
        }
}

/// The items of a list of floats, where the column is one.
fn floats(values: &ArrayRef, row: usize) -> Option<ArrayRef> {
    let items = values.as_list_opt::<i32>().filter(|list| list.is_valid(row))?.value(row);
    items.data_type().is_floating().then_some(items)
}

/// Every value as text, as [`plain::text`] has it, but that lists of floats tell NaN and infinities, for which JSON has
/// no word.
pub fn texts(field: &FieldRef, values: &ArrayRef) -> Result<Vec<Option<String>>> {
    let texts = plain::text(field, values)?;
    let mut all: Vec<Option<String>> = texts.iter().map(|text| text.map(str::to_owned)).collect();
    for (row, text) in all.iter_mut().enumerate() {
        let Some(items) = floats(values, row) else { continue };
        let item = Arc::new(Field::new("item", items.data_type().clone(), true));
        let items = plain::text(&item, &items)?;
        let items: Vec<&str> = items.iter().map(|item| item.unwrap_or("null")).collect();
        *text = Some(format!("[{}]", items.join(",")));
    }
    Ok(all)
}
