//! What is within nested types, in all of Arrow's layouts: fields of other types, and the columns that go with them.

use std::mem::discriminant;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, ListArray, MapArray, OffsetSizeTrait, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};

use super::{extension_text, wrong};
use crate::error::Result;
use crate::schema::Extension;

/// The fields right within a type: the items of a list, the entries of a map, the members of a struct.
pub fn fields_within(kind: &DataType) -> &[FieldRef] {
    match kind {
        DataType::Struct(fields) => fields,
        DataType::Map(inner, _) | DataType::RunEndEncoded(_, inner) => std::slice::from_ref(inner),
        _ => list_item(kind).map_or(&[], std::slice::from_ref),
    }
}

/// The items of a list in any layout.
pub fn list_item(kind: &DataType) -> Option<&FieldRef> {
    match kind {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Some(item),
        _ => None,
    }
}

/// A type with other fields right within it. Views of lists, which few readers know, become lists.
pub fn with_fields(kind: &DataType, change: &dyn Fn(&FieldRef) -> FieldRef) -> DataType {
    match kind {
        DataType::List(item) | DataType::ListView(item) => DataType::List(change(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(change(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(change(item), *length),
        DataType::Map(entries, sorted) => DataType::Map(change(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(change).collect()),
        other => other.clone(),
    }
}

/// Makes a column of one field one of another.
pub type Convert<'a> = &'a dyn Fn(&FieldRef, &FieldRef, &ArrayRef) -> Result<ArrayRef>;

/// A nested column as one of another type of the same structure, whose lists may have another layout, but are no views.
/// Columns of fields within are made by `convert`; it sees no values of other rows.
pub fn convert_within(from: &DataType, to: &DataType, array: &ArrayRef, convert: Convert<'_>) -> Result<ArrayRef> {
    match (from, to) {
        (DataType::Struct(from), DataType::Struct(to)) => {
            let array = array.as_struct_opt().ok_or_else(|| unexpected(array, "a struct"))?;
            Ok(Arc::new(structure(from, to, array, convert)?))
        }
        (DataType::Map(from, _), DataType::Map(to, sorted)) => map(from, to, *sorted, array, convert),
        _ => {
            let (Some(from_item), Some(to_item)) = (list_item(from), list_item(to)) else {
                return Err(wrong(format!("there is no way from {from} to {to}")));
            };
            let array = match discriminant(array.data_type()) == discriminant(to) {
                true => Arc::clone(array),
                false => cast(array, &with_fields(to, &|_| Arc::clone(from_item))).map_err(wrong)?,
            };
            match to {
                DataType::List(_) => list::<i32>(from_item, to_item, &array, convert),
                DataType::LargeList(_) => list::<i64>(from_item, to_item, &array, convert),
                DataType::FixedSizeList(_, length) => {
                    let list = array.as_fixed_size_list_opt().ok_or_else(|| unexpected(&array, "a list"))?;
                    let (values, nulls) = (convert(from_item, to_item, list.values())?, list.nulls().cloned());
                    let rows = list.len();
                    let list =
                        FixedSizeListArray::try_new_with_length(Arc::clone(to_item), *length, values, nulls, rows);
                    Ok(Arc::new(list.map_err(wrong)?))
                }
                _ => Err(wrong(format!("there is no way from {from} to {to}"))),
            }
        }
    }
}

/// A list of any layout as the usual one.
pub fn usual_list(array: &ArrayRef) -> Result<ListArray> {
    let item = list_item(array.data_type()).ok_or_else(|| unexpected(array, "a list"))?;
    let list = match array.as_list_opt::<i32>() {
        Some(list) => return Ok(list.clone()),
        None => cast(array, &DataType::List(Arc::clone(item))).map_err(wrong)?,
    };
    Ok(list.as_list_opt::<i32>().ok_or_else(|| unexpected(array, "a list"))?.clone())
}

fn unexpected(array: &dyn Array, expected: &str) -> crate::Error {
    wrong(format!("{} where {expected} was expected", array.data_type()))
}

fn structure(from: &Fields, to: &Fields, array: &StructArray, convert: Convert<'_>) -> Result<StructArray> {
    let columns = from.iter().zip(to).zip(array.columns()).map(|((from, to), column)| convert(from, to, column));
    let (columns, nulls) = (columns.collect::<Result<_>>()?, array.nulls().cloned());
    StructArray::try_new_with_length(to.clone(), columns, nulls, array.len()).map_err(wrong)
}

fn map(from: &FieldRef, to: &FieldRef, sorted: bool, array: &ArrayRef, convert: Convert<'_>) -> Result<ArrayRef> {
    let array = array.as_map_opt().ok_or_else(|| unexpected(array, "a map"))?;
    let (DataType::Struct(from), DataType::Struct(fields)) = (from.data_type(), to.data_type()) else {
        return Err(unexpected(array, "a map whose entries are pairs"));
    };
    // A slice has all entries of what it is a slice of.
    let (first, last) = (array.value_offsets()[0], array.value_offsets()[array.len()]);
    let entries = structure(from, fields, &array.entries().slice(first as usize, (last - first) as usize), convert)?;
    let offsets = OffsetBuffer::from_lengths(array.offsets().lengths());
    let map = MapArray::try_new(Arc::clone(to), offsets, entries, array.nulls().cloned(), sorted);
    Ok(Arc::new(map.map_err(wrong)?))
}

fn list<O: OffsetSizeTrait>(
    from: &FieldRef,
    to: &FieldRef,
    array: &ArrayRef,
    convert: Convert<'_>,
) -> Result<ArrayRef> {
    let list: &GenericListArray<O> = array.as_list_opt().ok_or_else(|| unexpected(array, "a list"))?;
    let (first, last) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
    let values = convert(from, to, &list.values().slice(first.as_usize(), (last - first).as_usize()))?;
    let offsets = OffsetBuffer::from_lengths(list.offsets().lengths());
    let list = GenericListArray::<O>::try_new(Arc::clone(to), offsets, values, list.nulls().cloned());
    Ok(Arc::new(list.map_err(wrong)?))
}

/// A field with the extension types, also those within others, replaced by text, and views of lists by lists. `mark` may
/// add metadata that says what the text is.
pub fn text_field(field: &Field, mark: &dyn Fn(Extension, Field) -> Field) -> Field {
    if let Some(extension) = Extension::of(field) {
        let mut metadata = field.metadata().clone();
        for key in extension.metadata().keys() {
            metadata.remove(key);
        }
        let plain = Field::new(field.name(), DataType::Utf8, field.is_nullable()).with_metadata(metadata);
        return mark(extension, plain);
    }
    field.clone().with_data_type(with_fields(field.data_type(), &|inner| Arc::new(text_field(inner, mark))))
}

/// The column that goes with [`text_field`]: `from` is the field as it was, `to` as it is now.
pub fn text_column(from: &FieldRef, to: &FieldRef, array: &ArrayRef) -> Result<ArrayRef> {
    if from.data_type() == to.data_type() {
        return Ok(Arc::clone(array));
    }
    match Extension::of(from) {
        Some(extension) => Ok(Arc::new(extension_text(extension, array)?)),
        None => convert_within(from.data_type(), to.data_type(), array, &text_column),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::samples;

    #[test]
    fn what_is_within_becomes_text_in_every_layout() {
        for (kind, array) in samples::samples(7) {
            let from = Arc::new(crate::schema::Column::new("column", kind.clone(), "").field());
            let to = Arc::new(text_field(&from, &|_, field| field));
            let texts = |field: &FieldRef, array: &ArrayRef| super::super::text(field, array).unwrap();
            for array in [Arc::clone(&array), array.slice(1, array.len() - 1)] {
                let plain = text_column(&from, &to, &array).unwrap();
                assert_eq!(plain.data_type(), to.data_type(), "{}", kind.name());
                if kind.extension != Some(Extension::Json) {
                    assert_eq!(texts(&to, &plain), texts(&from, &array), "{}", kind.name());
                }
            }
        }
    }
}
