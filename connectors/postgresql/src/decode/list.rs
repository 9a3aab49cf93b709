//! Columns of arrays of one dimension.

use std::sync::Arc;

use headwater_sdk::arrow::array::{ArrayRef, ListArray, NullBufferBuilder};
use headwater_sdk::arrow::buffer::{OffsetBuffer, ScalarBuffer};
use headwater_sdk::arrow::datatypes::FieldRef;

use super::values::{Values, Why};
use super::word;

/// Lists of values.
pub struct List {
    field: FieldRef,
    items: Box<dyn Values>,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl List {
    /// Without values.
    pub fn new(field: FieldRef, items: Box<dyn Values>) -> Self {
        Self { field, items, offsets: vec![0], nulls: NullBufferBuilder::new(0) }
    }
}

impl Values for List {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Why> {
        let short = || Why::from("an array is shorter than it says");
        let number = |at: usize| word(bytes, at).map(i32::from_be_bytes).ok_or_else(short);
        // The dimensions, whether items are missing, the items' type; then each dimension's length and first number.
        let length = match number(0)? {
            0 => 0,
            1 => number(12)?,
            dimensions => {
                return Err(format!(
                    "an array has {dimensions} dimensions, where a list has one; say `type: text` or `type: json` for the \
                     column"
                )
                .into());
            }
        };
        let mut at = 20;
        for _ in 0..length {
            let size = number(at)?;
            at += 4;
            match usize::try_from(size) {
                Ok(size) => {
                    self.items.push(bytes.get(at..at + size).ok_or_else(short)?)?;
                    at += size;
                }
                Err(_) => self.items.push_null(),
            }
        }
        self.offsets.push(i32::try_from(self.items.len()).map_err(|_| "more than 2^31 items in one batch")?);
        self.nulls.append_non_null();
        Ok(())
    }

    fn push_null(&mut self) {
        self.offsets.push(self.offsets[self.offsets.len() - 1]);
        self.nulls.append_null();
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    fn size(&self) -> usize {
        self.items.size() + self.offsets.len() * 4
    }

    fn finish(&mut self) -> Result<ArrayRef, Why> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(&mut self.offsets, vec![0])));
        let (items, nulls) = (self.items.finish()?, self.nulls.finish());
        let array = ListArray::try_new(Arc::clone(&self.field), offsets, items, nulls);
        Ok(Arc::new(array.map_err(|error| error.to_string())?))
    }
}
