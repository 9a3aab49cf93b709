//! Cells as JSON: what `arrow-json` does, with our own forms of bytes, extension types and points in time.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, AsArray, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use arrow::error::ArrowError;
use arrow_json::writer::NullableEncoder;
use arrow_json::{Encoder, EncoderFactory, EncoderOptions};

use super::time::{TimeStyle, write_time};
use super::{extension_text, write_base64, write_mac, write_uuid};
use crate::schema::Extension;

/// Encodes bytes as base64, extension types as what they mean, and points in time as RFC 3339. A `json` cell is put in
/// as it is: its text must be JSON.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainJson;

/// Options that encode with [`PlainJson`] and write nulls.
pub fn json_options() -> EncoderOptions {
    EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(PlainJson))
}

/// The extension that the array's values have. The encoder of a list hands on the list's own field for its items.
fn extension_of(field: &Field, array: &dyn Array) -> Option<Extension> {
    if field.data_type() == array.data_type() {
        return Extension::of(field);
    }
    match field.data_type() {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => extension_of(item, array),
        _ => None,
    }
}

/// Writes what `write` makes of a cell between quotes. It must make nothing that needs an escape.
struct Quoted<A, W> {
    array: A,
    write: W,
}

impl<A: ArrayAccessor, W: Fn(A::Item, &mut Vec<u8>)> Encoder for Quoted<A, W> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        (self.write)(self.array.value(row), out);
        out.push(b'"');
    }
}

fn quoted<'a, A, W>(array: A, write: W) -> NullableEncoder<'a>
where
    A: ArrayAccessor + 'a,
    W: Fn(A::Item, &mut Vec<u8>) + 'a,
{
    let nulls = array.nulls().cloned();
    NullableEncoder::new(Box::new(Quoted { array, write }), nulls)
}

/// JSON text within JSON. Line breaks stand only between its tokens, and would end the line of a JSON Lines file.
struct Embedded(StringArray);

impl Encoder for Embedded {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(self.0.value(row).as_bytes());
        for byte in &mut out[start..] {
            if matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
}

fn extension_encoder<'a>(extension: Extension, array: &'a dyn Array) -> Result<NullableEncoder<'a>, ArrowError> {
    let wrong = |error: crate::Error| ArrowError::JsonError(error.to_string());
    Ok(match extension {
        Extension::Uuid if matches!(array.data_type(), DataType::FixedSizeBinary(16)) => {
            quoted(array.as_fixed_size_binary(), write_uuid)
        }
        Extension::Mac if matches!(array.data_type(), DataType::Binary) => quoted(array.as_binary::<i32>(), write_mac),
        Extension::Json => {
            let texts = extension_text(extension, array).map_err(wrong)?;
            let nulls = texts.nulls().cloned();
            NullableEncoder::new(Box::new(Embedded(texts)), nulls)
        }
        // An address is made of digits, letters, dots, colons and a slash.
        Extension::Inet => {
            let texts = extension_text(extension, array).map_err(wrong)?;
            let nulls = texts.nulls().cloned();
            NullableEncoder::new(Box::new(Text(texts)), nulls)
        }
        _ => {
            return Err(ArrowError::JsonError(format!(
                "{} where a {} was expected",
                array.data_type(),
                extension.name()
            )));
        }
    })
}

struct Text(StringArray);

impl Encoder for Text {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        crate::json::write_str(self.0.value(row), out);
    }
}

impl EncoderFactory for PlainJson {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if let Some(extension) = extension_of(field, array) {
            return extension_encoder(extension, array).map(Some);
        }
        macro_rules! time {
            ($array:ty, $unit:expr, $zone:expr) => {{
                let Some(array) = array.as_any().downcast_ref::<$array>() else { return Ok(None) };
                let style = if $zone.is_some() { TimeStyle::Rfc3339 } else { TimeStyle::Local };
                quoted(array, move |value, out| write_time(value, $unit, style, out))
            }};
        }
        Ok(Some(match array.data_type() {
            DataType::Binary => quoted(array.as_binary::<i32>(), write_base64),
            DataType::LargeBinary => quoted(array.as_binary::<i64>(), write_base64),
            DataType::BinaryView => quoted(array.as_binary_view(), write_base64),
            DataType::FixedSizeBinary(_) => quoted(array.as_fixed_size_binary(), write_base64),
            DataType::Timestamp(TimeUnit::Second, zone) => time!(TimestampSecondArray, TimeUnit::Second, zone),
            DataType::Timestamp(TimeUnit::Millisecond, zone) => {
                time!(TimestampMillisecondArray, TimeUnit::Millisecond, zone)
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                time!(TimestampMicrosecondArray, TimeUnit::Microsecond, zone)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
                time!(TimestampNanosecondArray, TimeUnit::Nanosecond, zone)
            }
            _ => return Ok(None),
        }))
    }
}
