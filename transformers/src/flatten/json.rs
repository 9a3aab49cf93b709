//! Places within JSON text. Each text is read once, and only as deep as there are places.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use headwater_sdk::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StringArray, StringBuilder};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::path::Step;
use headwater_sdk::{Column, ColumnType, Error, Extension, Result};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Misfits, Place};
use crate::scalar::read;

/// The places below a place.
#[derive(Default)]
struct Tree {
    /// The columns that are made of the place itself.
    here: Vec<usize>,
    keys: HashMap<String, Tree>,
    items: HashMap<usize, Tree>,
}

/// The places of a column, and the columns that are made of them.
pub struct Paths {
    tree: Tree,
    columns: Vec<(String, ColumnType)>,
}

impl Paths {
    /// The columns are in the places' order.
    pub fn new(places: &[Place], columns: &[Column]) -> Self {
        let mut tree = Tree::default();
        for (index, place) in places.iter().enumerate() {
            let mut at = &mut tree;
            for step in &place.steps {
                at = match step {
                    Step::Key(name) => at.keys.entry(name.text.clone()).or_default(),
                    Step::Item(index) => at.items.entry(*index).or_default(),
                    Step::Items | Step::Below => continue,
                };
            }
            at.here.push(index);
        }
        Self { tree, columns: columns.iter().map(|column| (column.name.clone(), column.kind.clone())).collect() }
    }

    /// The columns of a column, and which values are not of their type.
    pub fn apply(&self, name: &str, array: &ArrayRef) -> Result<(Vec<ArrayRef>, Misfits)> {
        let bytes;
        let array = match array.as_binary_opt::<i32>() {
            Some(bytes) => bytes,
            None => {
                let texts = cast(array, &DataType::Utf8).map_err(Error::fatal)?;
                bytes = BinaryArray::from(texts.as_string::<i32>().clone());
                &bytes
            }
        };
        let mut misfits = Vec::new();
        let mut texts: Vec<StringBuilder> = self.columns.iter().map(|_| StringBuilder::new()).collect();
        let mut found: Vec<Option<&RawValue>> = vec![None; self.columns.len()];
        for row in 0..array.len() {
            found.fill(None);
            if array.is_valid(row) {
                let read = serde_json::from_slice::<&RawValue>(array.value(row));
                if read.and_then(|raw| collect(raw, &self.tree, &mut found)).is_err() {
                    misfits.push((row, format!("`{name}` is not JSON")));
                    found.fill(None);
                }
            }
            for ((at, raw), builder) in found.iter().enumerate().zip(&mut texts) {
                let (column, kind) = &self.columns[at];
                match raw.map(|raw| text(raw.get(), kind)) {
                    None | Some(Ok(None)) => builder.append_null(),
                    Some(Ok(Some(text))) => builder.append_value(text),
                    Some(Err(())) => {
                        builder.append_null();
                        misfits.push((row, format!("`{column}` does not fit {}", kind.name())));
                    }
                }
            }
        }
        let mut made = Vec::with_capacity(texts.len());
        for ((column, kind), mut builder) in self.columns.iter().zip(texts) {
            let texts: StringArray = builder.finish();
            let values = read(&texts, kind)?;
            let lost = (0..texts.len()).filter(|row| texts.is_valid(*row) && values.is_null(*row));
            misfits.extend(lost.map(|row| (row, format!("`{column}` does not fit {}", kind.name()))));
            made.push(values);
        }
        // The columns are read one after the other, and a row is told once.
        misfits.sort_by_key(|(row, _)| *row);
        Ok((made, misfits))
    }
}

/// The text of a value for a type; nothing where it is missing, and an error where a list or an object is no such value.
fn text<'a>(raw: &'a str, kind: &ColumnType) -> Result<Option<Cow<'a, str>>, ()> {
    match raw.as_bytes().first() {
        _ if raw == "null" => Ok(None),
        _ if kind.extension == Some(Extension::Json) => Ok(Some(raw.into())),
        Some(b'"') => serde_json::from_str::<String>(raw).map(|text| Some(text.into())).map_err(drop),
        Some(b'{' | b'[') if !kind.data_type.is_string() => Err(()),
        _ => Ok(Some(raw.into())),
    }
}

/// Finds what is at the places below one.
fn collect<'a>(raw: &'a RawValue, tree: &Tree, found: &mut [Option<&'a RawValue>]) -> serde_json::Result<()> {
    for index in &tree.here {
        found[*index] = Some(raw);
    }
    let text = raw.get();
    if !tree.keys.is_empty() && text.starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(text);
        let members = reader.deserialize_map(Members(&tree.keys))?;
        for (below, raw) in members {
            collect(raw, below, found)?;
        }
    }
    if !tree.items.is_empty() && text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text)?;
        for (index, below) in &tree.items {
            if let Some(raw) = items.get(*index) {
                collect(raw, below, found)?;
            }
        }
    }
    Ok(())
}

/// Reads those members of an object that there are places for.
struct Members<'t>(&'t HashMap<String, Tree>);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, 't> Visitor<'de> for Members<'t> {
    type Value = Vec<(&'t Tree, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            match self.0.get(key.as_ref()) {
                Some(below) => found.push((below, map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}
