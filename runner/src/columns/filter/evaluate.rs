//! A filter on a batch: which of its rows stay.

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, BooleanBuilder, Datum, Float64Builder, RecordBatch,
    StringArray,
};
use headwater_sdk::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use headwater_sdk::arrow::compute::kernels::cmp;
use headwater_sdk::arrow::compute::{and_kleene, is_null, like, not, or_kleene};
use headwater_sdk::arrow::datatypes::{ArrowPrimitiveType, DataType, Float16Type, Float32Type, Float64Type};
use headwater_sdk::arrow::error::ArrowError;
use headwater_sdk::{Error, Result};

use super::super::path::Step;
use super::super::rewrite::{Found, NotJson, find};
use super::bind::{Bound, Constant, Form, Source};
use super::{Compare, number};

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::fatal(error).while_doing("row filter")
}

/// For each row whether the filter holds; missing where that is not known.
pub fn evaluate(bound: &Bound, batch: &RecordBatch) -> Result<BooleanArray> {
    match bound {
        Bound::And(all) => fold(all, batch, and_kleene),
        Bound::Or(all) => fold(all, batch, or_kleene),
        Bound::Not(inner) => not(&evaluate(inner, batch)?).map_err(wrong),
        Bound::Compare(source, compare, constant) => by(*compare, &values(source, batch)?, constant).map_err(wrong),
        Bound::Columns(left, compare, right) => {
            by(*compare, &values(left, batch)?, &values(right, batch)?).map_err(wrong)
        }
        Bound::In(source, constants) => is_one_of(&values(source, batch)?, constants).map_err(wrong),
        Bound::Like(source, pattern) => like(&values(source, batch)?, pattern).map_err(wrong),
        Bound::IsNull(source) => is_null(&values(source, batch)?).map_err(wrong),
        Bound::Is(source) => {
            let values = values(source, batch)?;
            values.as_boolean_opt().cloned().ok_or_else(|| wrong("a column is not of truth values"))
        }
    }
}

fn fold(
    all: &[Bound],
    batch: &RecordBatch,
    join: fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, ArrowError>,
) -> Result<BooleanArray> {
    let mut joined: Option<BooleanArray> = None;
    for bound in all {
        let next = evaluate(bound, batch)?;
        joined = Some(match joined {
            Some(before) => join(&before, &next).map_err(wrong)?,
            None => next,
        });
    }
    joined.ok_or_else(|| wrong("an empty filter"))
}

fn by(compare: Compare, left: &dyn Datum, right: &dyn Datum) -> Result<BooleanArray, ArrowError> {
    match compare {
        Compare::Equal => cmp::eq(left, right),
        Compare::NotEqual => cmp::neq(left, right),
        Compare::Less => cmp::lt(left, right),
        Compare::AtMost => cmp::lt_eq(left, right),
        Compare::Greater => cmp::gt(left, right),
        Compare::AtLeast => cmp::gt_eq(left, right),
    }
}

fn is_one_of(values: &ArrayRef, constants: &[Constant]) -> Result<BooleanArray, ArrowError> {
    let mut found =
        BooleanArray::new(headwater_sdk::arrow::buffer::BooleanBuffer::new_unset(values.len()), values.logical_nulls());
    for constant in constants {
        found = or_kleene(&found, &cmp::eq(values, constant)?)?;
    }
    Ok(found)
}

/// The values of a source in all rows.
fn values(source: &Source, batch: &RecordBatch) -> Result<ArrayRef> {
    let array = batch.columns().get(source.column).ok_or_else(|| wrong("a column is missing"))?;
    if source.steps.is_empty() {
        return Ok(positive_zeros(array));
    }
    let texts = array.as_binary_opt::<i32>().ok_or_else(|| wrong("a column is not JSON"))?;
    let cells = (0..texts.len()).map(|row| texts.is_valid(row).then(|| texts.value(row)));
    Ok(match source.form {
        Form::Text => Arc::new(texts_within(cells, texts.len(), &source.steps)?),
        Form::Number => {
            let mut builder = BinaryBuilder::new();
            for cell in cells {
                builder.append_option(plain(cell, &source.steps)?.and_then(number::sortable));
            }
            Arc::new(builder.finish())
        }
        Form::Float => {
            let mut builder = Float64Builder::with_capacity(texts.len());
            for cell in cells {
                builder.append_option(plain(cell, &source.steps)?.and_then(|text| text.parse().ok()));
            }
            let numbers: ArrayRef = Arc::new(builder.finish());
            positive_zeros(&numbers)
        }
        Form::Truth => {
            let mut builder = BooleanBuilder::with_capacity(texts.len());
            for cell in cells {
                builder.append_option(plain(cell, &source.steps)?.and_then(|text| text.parse().ok()));
            }
            Arc::new(builder.finish())
        }
    })
}

fn texts_within<'a>(cells: impl Iterator<Item = Option<&'a [u8]>>, rows: usize, steps: &[Step]) -> Result<StringArray> {
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0_i32);
    let mut bytes = Vec::new();
    let mut valid = Vec::with_capacity(rows);
    for cell in cells {
        let found = match cell {
            Some(text) => find(text, steps).and_then(|found| found.write_text(&mut bytes)).map_err(no_json)?,
            None => false,
        };
        valid.push(found);
        offsets.push(i32::try_from(bytes.len()).map_err(|_| wrong("a batch holds more than 2 GiB of one column"))?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    StringArray::try_new(offsets, bytes.into(), Some(NullBuffer::from(valid))).map_err(wrong)
}

/// The text of a number or truth value within JSON text.
fn plain<'a>(cell: Option<&'a [u8]>, steps: &[Step]) -> Result<Option<&'a str>> {
    let Some(text) = cell else { return Ok(None) };
    match find(text, steps).map_err(no_json)? {
        Found::Plain(text) => Ok(std::str::from_utf8(text).ok()),
        _ => Ok(None),
    }
}

fn no_json(_: NotJson) -> Error {
    wrong("a value of a json column is not JSON")
}

/// Floats compare in their total order, in which -0 is below 0 and a NaN may be below all; as numbers they are not.
pub fn positive_zeros(array: &ArrayRef) -> ArrayRef {
    macro_rules! positive {
        ($type:ty) => {{
            type Number = <$type as ArrowPrimitiveType>::Native;
            let positive = |number: Number| if number.is_nan() { Number::NAN } else { number + Number::default() };
            Arc::new(array.as_primitive::<$type>().unary::<_, $type>(positive))
        }};
    }
    match array.data_type() {
        DataType::Float64 => positive!(Float64Type),
        DataType::Float32 => positive!(Float32Type),
        DataType::Float16 => positive!(Float16Type),
        _ => Arc::clone(array),
    }
}
