//! What a rule makes of a column: another field, and another array from each array.

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, GenericStringArray, MapArray, OffsetSizeTrait, StringViewBuilder,
    StructArray, new_null_array,
};
use headwater_sdk::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use headwater_sdk::text::nearest;
use headwater_sdk::{ColumnType, Error, Extension, Result, plain};

use super::hash::Hasher;
use super::path::Step;
use super::rewrite::{Act, REDACTED, Rewrite, whole};

/// A change of a column, or of something within it.
#[derive(Debug, Clone)]
pub struct Change {
    from: FieldRef,
    /// The field as it becomes.
    pub to: FieldRef,
    plan: Plan,
}

#[derive(Debug, Clone)]
enum Plan {
    /// Text becomes `[redacted]`, anything else becomes a missing value.
    Redact,
    /// The text of the value becomes its hash.
    Hash,
    /// Places within JSON text are replaced.
    Json(Rewrite),
    /// The items of lists, or the values of maps, are changed.
    Items(Box<Change>),
    /// Fields of a struct are changed.
    Fields(Vec<Option<Change>>),
}

/// A path that leads nowhere: why, and which name was most likely meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nowhere {
    /// Why.
    pub message: String,
    /// The name that was most likely meant.
    pub nearest: Option<String>,
    /// Whether something may be there all the same, which such a path cannot reach.
    pub unreached: bool,
}

impl Nowhere {
    /// There is nothing.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), nearest: None, unreached: false }
    }

    /// The same with the name that was most likely meant.
    pub fn nearest(self, nearest: Option<&str>) -> Self {
        Self { nearest: nearest.map(str::to_owned), ..self }
    }

    fn unreached(message: &str) -> Self {
        Self { unreached: true, ..Self::new(message) }
    }
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::fatal(error)
}

impl Change {
    /// Changes a whole column.
    pub fn whole(field: &FieldRef, act: Act) -> Self {
        let (to, plan) = match act {
            Act::Hash => {
                let mut metadata = field.metadata().clone();
                if let Some(extension) = Extension::of(field) {
                    metadata.retain(|key, _| !extension.metadata().contains_key(key));
                }
                let hashed = Field::new(field.name(), DataType::Utf8, field.is_nullable());
                (Arc::new(hashed.with_metadata(metadata)), Plan::Hash)
            }
            Act::Redact if has_text(field) => (Arc::clone(field), Plan::Redact),
            Act::Redact => (Arc::new(field.as_ref().clone().with_nullable(true)), Plan::Redact),
        };
        Self { from: Arc::clone(field), to, plan }
    }

    /// Changes what a path leads to. Paths into JSON are checked by [`super::shape`].
    pub fn within(field: &FieldRef, steps: &[Step], act: Act) -> Result<Self, Nowhere> {
        let Some((step, rest)) = steps.split_first() else { return Ok(Self::whole(field, act)) };
        let changed = |to: DataType, plan: Plan| Self {
            from: Arc::clone(field),
            to: Arc::new(field.as_ref().clone().with_data_type(to)),
            plan,
        };
        if Extension::of(field) == Some(Extension::Json) {
            let mut rewrite = Rewrite::default();
            rewrite.add(steps.to_vec(), act);
            return Ok(changed(field.data_type().clone(), Plan::Json(rewrite)));
        }
        // As in JSON, a key looks into the items, and `[*]` takes one value for its own list.
        let into_items = match step {
            Step::Items => rest,
            _ => steps,
        };
        match field.data_type() {
            list if let Some(item) = plain::list_item(list) => {
                if matches!(step, Step::Item(_)) {
                    return Err(Nowhere::unreached("of a list that is no JSON, only all items can be reached: `[*]`"));
                }
                let inner = Self::within(item, into_items, act)?;
                let to = plain::with_fields(list, &|_| Arc::clone(&inner.to));
                Ok(changed(to, Plan::Items(Box::new(inner))))
            }
            DataType::Struct(fields) => {
                let inner = match step {
                    Step::Key(_) => Self::fields(fields, step, rest, act)?,
                    Step::Items | Step::Item(0) => return Self::within(field, rest, act),
                    Step::Item(_) | Step::Below => {
                        return Err(Nowhere::unreached("in a struct, name its fields: `.field`"));
                    }
                };
                let to = fields.iter().zip(&inner);
                let to: Fields =
                    to.map(|(from, inner)| inner.as_ref().map_or(from, |inner| &inner.to)).cloned().collect();
                Ok(changed(DataType::Struct(to), Plan::Fields(inner)))
            }
            DataType::Map(entries, sorted) => {
                let (DataType::Struct(fields), Step::Key(name)) = (entries.data_type(), step) else {
                    return Err(Nowhere::unreached("of a map, only all values can be reached: `.*`"));
                };
                let ([key, value], "*", true) = (&fields[..], name.text.as_str(), name.pattern) else {
                    return Err(Nowhere::unreached("of a map, only all values can be reached: `.*`"));
                };
                let inner = Self::within(value, rest, act)?;
                let fields = Fields::from(vec![Arc::clone(key), Arc::clone(&inner.to)]);
                let entries = entries.as_ref().clone().with_data_type(DataType::Struct(fields));
                Ok(changed(DataType::Map(Arc::new(entries), *sorted), Plan::Items(Box::new(inner))))
            }
            other => {
                let kind = ColumnType::plain(other.clone()).name();
                Err(Nowhere::new(format!("there is nothing within a value of type {kind}")))
            }
        }
    }

    /// The changes of a struct's fields that fit a key, in so far as the path goes on in them.
    fn fields(fields: &Fields, step: &Step, rest: &[Step], act: Act) -> Result<Vec<Option<Self>>, Nowhere> {
        let Step::Key(name) = step else { return Ok(Vec::new()) };
        let mut inner = Vec::with_capacity(fields.len());
        let mut nowhere = None;
        for field in fields {
            inner.push(match name.fits(field.name()).then(|| Self::within(field, rest, act)) {
                Some(Ok(change)) => Some(change),
                Some(Err(wrong)) if wrong.unreached => return Err(wrong),
                Some(Err(wrong)) => {
                    nowhere.get_or_insert(wrong);
                    None
                }
                None => None,
            });
        }
        if inner.iter().any(Option::is_some) {
            return Ok(inner);
        }
        Err(nowhere.unwrap_or_else(|| {
            let nearest = nearest(&name.text, fields.iter().map(|field| field.name().as_str()));
            Nowhere::new(format!("there is no field `{}`", name.text)).nearest(nearest)
        }))
    }

    /// Adds a path to a change of JSON text; answers false where this is none.
    pub fn add(&mut self, steps: &[Step], act: Act) -> bool {
        match &mut self.plan {
            Plan::Json(rewrite) => rewrite.add(steps.to_vec(), act),
            _ => return false,
        }
        true
    }

    /// The array as it becomes.
    pub fn apply(&self, array: &ArrayRef, hasher: Option<&Hasher>) -> Result<ArrayRef> {
        match &self.plan {
            Plan::Redact => Ok(redacted(&self.from, array)),
            Plan::Hash => hashed(&self.from, array, hasher),
            Plan::Json(rewrite) => rewritten(rewrite, array, hasher),
            Plan::Items(inner) => self.items(inner, array, hasher),
            Plan::Fields(inner) => {
                let (DataType::Struct(fields), Some(array)) = (self.to.data_type(), array.as_struct_opt()) else {
                    return Err(mismatch(array));
                };
                struct_array(fields, inner, array, hasher).map(|array| Arc::new(array) as ArrayRef)
            }
        }
    }

    fn items(&self, inner: &Change, array: &ArrayRef, hasher: Option<&Hasher>) -> Result<ArrayRef> {
        match self.to.data_type() {
            DataType::Map(entries, sorted) => {
                let map = array.as_map_opt().ok_or_else(|| mismatch(array))?;
                let DataType::Struct(fields) = entries.data_type() else { return Err(mismatch(array)) };
                let values = vec![Arc::clone(map.keys()), inner.apply(map.values(), hasher)?];
                let inner = StructArray::try_new(fields.clone(), values, None).map_err(wrong)?;
                let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
                Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, inner, nulls, *sorted).map_err(wrong)?))
            }
            to => {
                let apply = |_: &FieldRef, _: &FieldRef, items: &ArrayRef| inner.apply(items, hasher);
                plain::convert_within(self.from.data_type(), to, array, &apply)
            }
        }
    }
}

fn mismatch(array: &dyn Array) -> Error {
    wrong(format!("a column came as {}, which its table does not say", array.data_type()))
}

fn struct_array(
    fields: &Fields,
    inner: &[Option<Change>],
    array: &StructArray,
    hasher: Option<&Hasher>,
) -> Result<StructArray> {
    let columns = array.columns().iter().zip(inner);
    let columns: Result<Vec<ArrayRef>> = columns
        .map(|(column, inner)| match inner {
            Some(inner) => inner.apply(column, hasher),
            None => Ok(Arc::clone(column)),
        })
        .collect();
    StructArray::try_new(fields.clone(), columns?, array.nulls().cloned()).map_err(wrong)
}

/// Whether a redacted value of a field can be a text that says so.
fn has_text(field: &Field) -> bool {
    match Extension::of(field) {
        Some(extension) => extension == Extension::Json,
        None => matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

/// Offsets and bytes of a column that holds one text wherever there is a value.
fn repeated<O: OffsetSizeTrait>(text: &str, array: &dyn Array) -> (OffsetBuffer<O>, Vec<u8>) {
    let values = array.len() - array.null_count();
    let lengths = (0..array.len()).map(|row| if array.is_valid(row) { text.len() } else { 0 });
    (OffsetBuffer::from_lengths(lengths), text.repeat(values).into_bytes())
}

fn redacted(field: &Field, array: &ArrayRef) -> ArrayRef {
    let nulls = array.nulls().cloned();
    if Extension::of(field) == Some(Extension::Json) {
        let (offsets, bytes) = repeated(&format!("\"{REDACTED}\""), array);
        return Arc::new(BinaryArray::new(offsets, bytes.into(), nulls));
    }
    match array.data_type() {
        DataType::Utf8 if has_text(field) => text_array::<i32>(array, nulls),
        DataType::LargeUtf8 if has_text(field) => text_array::<i64>(array, nulls),
        DataType::Utf8View if has_text(field) => {
            let mut builder = StringViewBuilder::with_capacity(array.len());
            for row in 0..array.len() {
                builder.append_option(array.is_valid(row).then_some(REDACTED));
            }
            Arc::new(builder.finish())
        }
        kind => new_null_array(kind, array.len()),
    }
}

fn text_array<O: OffsetSizeTrait>(array: &ArrayRef, nulls: Option<NullBuffer>) -> ArrayRef {
    let (offsets, bytes) = repeated::<O>(REDACTED, array);
    Arc::new(GenericStringArray::new(offsets, bytes.into(), nulls))
}

/// Cells made one by one in one buffer; what is missing stays missing.
fn cells(
    rows: usize,
    nulls: Option<&NullBuffer>,
    room: usize,
    mut write: impl FnMut(usize, &mut Vec<u8>),
) -> Result<(OffsetBuffer<i32>, Vec<u8>)> {
    let mut offsets = Vec::with_capacity(rows + 1);
    let mut bytes = Vec::with_capacity(room);
    offsets.push(0_i32);
    for row in 0..rows {
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            write(row, &mut bytes);
        }
        offsets.push(i32::try_from(bytes.len()).map_err(|_| wrong("a batch holds more than 2 GiB of one column"))?);
    }
    Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), bytes))
}

fn hashed(field: &FieldRef, array: &ArrayRef, hasher: Option<&Hasher>) -> Result<ArrayRef> {
    let hasher = hasher.ok_or_else(|| wrong("there is no key for hashing"))?;
    if Extension::of(field) == Some(Extension::Json) {
        return hashed_json(array, field.is_nullable(), hasher);
    }
    let texts = plain::text(field, array)?;
    let room = 64 * (texts.len() - texts.null_count());
    let (offsets, bytes) =
        cells(texts.len(), texts.nulls(), room, |row, out| hasher.hex(texts.value(row).as_bytes(), out))?;
    let hashed = GenericStringArray::<i32>::try_new(offsets, bytes.into(), texts.nulls().cloned());
    Ok(Arc::new(hashed.map_err(wrong)?))
}

/// Whole JSON values, hashed as they are within a path: a string is hashed as the text that it stands for, and JSON's
/// null is missing where the column has a place for that.
fn hashed_json(array: &ArrayRef, nullable: bool, hasher: &Hasher) -> Result<ArrayRef> {
    let texts = array.as_binary_opt::<i32>().ok_or_else(|| mismatch(array))?;
    let mut valid: Vec<bool> = (0..texts.len()).map(|row| texts.is_valid(row)).collect();
    let mut text = Vec::new();
    let room = 64 * (texts.len() - texts.null_count());
    let (offsets, bytes) = cells(texts.len(), texts.nulls(), room, |row, out| {
        text.clear();
        match whole(texts.value(row)).and_then(|found| found.write_text(&mut text)) {
            Ok(true) => hasher.hex(&text, out),
            Ok(false) if nullable => valid[row] = false,
            // What is no JSON has a hash too: nothing of it gets through.
            _ => hasher.hex(texts.value(row), out),
        }
    })?;
    let hashed = GenericStringArray::<i32>::try_new(offsets, bytes.into(), Some(NullBuffer::from(valid)));
    Ok(Arc::new(hashed.map_err(wrong)?))
}

fn rewritten(rewrite: &Rewrite, array: &ArrayRef, hasher: Option<&Hasher>) -> Result<ArrayRef> {
    let texts = array.as_binary_opt::<i32>().ok_or_else(|| mismatch(array))?;
    let mut states = Vec::new();
    let (offsets, bytes) = cells(texts.len(), texts.nulls(), texts.value_data().len(), |row, out| {
        rewrite.apply(texts.value(row), hasher, &mut states, out);
    })?;
    Ok(Arc::new(BinaryArray::try_new(offsets, bytes.into(), texts.nulls().cloned()).map_err(wrong)?))
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
