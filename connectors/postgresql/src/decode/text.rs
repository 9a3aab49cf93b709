//! Columns of text and of bytes.

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, GenericBinaryArray, GenericStringArray, NullBufferBuilder, OffsetSizeTrait,
};
use headwater_sdk::arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use headwater_sdk::arrow::datatypes::DataType;

use super::values::{Values, Why, fixed};

/// How the bytes of a value stand on the wire.
#[derive(Clone, Copy)]
pub enum Form {
    /// As they are.
    Plain,
    /// JSON behind the version of the form.
    Jsonb,
    /// An address and the bits of its prefix.
    Inet,
}

/// Values of any length.
pub struct Varying<O> {
    offsets: Vec<O>,
    data: Vec<u8>,
    nulls: NullBufferBuilder,
    form: Form,
    data_type: DataType,
}

impl<O: OffsetSizeTrait> Varying<O> {
    /// Of a type of text or of bytes, whose offsets are of `O`.
    pub fn new(form: Form, data_type: DataType) -> Self {
        Self { offsets: vec![O::zero()], data: Vec::new(), nulls: NullBufferBuilder::new(0), form, data_type }
    }
}

/// Writes an address as text.
fn inet(bytes: &[u8], data: &mut Vec<u8>) -> Result<(), Why> {
    let unread = || Why::from("an address that cannot be read");
    let [_, bits, _, _, address @ ..] = bytes else { return Err(unread()) };
    let address = match address.len() {
        4 => IpAddr::from(fixed::<4>(address)?),
        16 => IpAddr::from(fixed::<16>(address)?),
        _ => return Err(unread()),
    };
    // Writing into a vector does not fail.
    write!(data, "{address}/{bits}").map_err(|_| unread())
}

impl<O: OffsetSizeTrait> Values for Varying<O> {
    #[inline]
    fn push(&mut self, bytes: &[u8]) -> Result<(), Why> {
        match self.form {
            Form::Plain => self.data.extend_from_slice(bytes),
            Form::Jsonb => match bytes {
                [1, json @ ..] => self.data.extend_from_slice(json),
                _ => return Err("a `jsonb` of an unknown version".into()),
            },
            Form::Inet => inet(bytes, &mut self.data)?,
        }
        self.offsets.push(O::from_usize(self.data.len()).ok_or("more than 2 GiB in one batch")?);
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
        self.data.len() + self.offsets.len() * size_of::<O>()
    }

    fn finish(&mut self) -> Result<ArrayRef, Why> {
        // The next batch is likely to be like this one.
        let mut offsets = Vec::with_capacity(self.offsets.len());
        offsets.push(O::zero());
        let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(&mut self.offsets, offsets)));
        let next = Vec::with_capacity(self.data.len());
        let data = Buffer::from_vec(std::mem::replace(&mut self.data, next));
        let nulls = self.nulls.finish();
        let array: ArrayRef = match self.data_type {
            DataType::Utf8 | DataType::LargeUtf8 => {
                // It is made sure once for all values that they are UTF-8.
                Arc::new(GenericStringArray::<O>::try_new(offsets, data, nulls).map_err(
                    |_| "a text is not UTF-8, which a database in SQL_ASCII may hold; read it as `type: binary`",
                )?)
            }
            _ => Arc::new(GenericBinaryArray::<O>::new(offsets, data, nulls)),
        };
        debug_assert_eq!(array.data_type(), &self.data_type);
        Ok(array)
    }
}

/// Values of 16 bytes.
pub struct Uuids {
    data: Vec<u8>,
    nulls: NullBufferBuilder,
}

impl Default for Uuids {
    fn default() -> Self {
        Self { data: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }
}

impl Values for Uuids {
    #[inline]
    fn push(&mut self, bytes: &[u8]) -> Result<(), Why> {
        self.data.extend_from_slice(&fixed::<16>(bytes)?);
        self.nulls.append_non_null();
        Ok(())
    }

    fn push_null(&mut self) {
        self.data.extend_from_slice(&[0; 16]);
        self.nulls.append_null();
    }

    fn len(&self) -> usize {
        self.data.len() / 16
    }

    fn size(&self) -> usize {
        self.data.len()
    }

    fn finish(&mut self) -> Result<ArrayRef, Why> {
        let next = Vec::with_capacity(self.data.len());
        let data = Buffer::from_vec(std::mem::replace(&mut self.data, next));
        Ok(Arc::new(FixedSizeBinaryArray::new(16, data, self.nulls.finish())))
    }
}
