//! Cells as JSON: what `arrow-json` does, with our own forms of bytes, extension types and points in time.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayAccessor, AsArray, MapArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Field, FieldRef, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_json::writer::{NullableEncoder, make_encoder};
use arrow_json::{Encoder, EncoderFactory, EncoderOptions};
use serde::de::IgnoredAny;

use super::time::{TimeStyle, write_date, write_date_ms, write_duration, write_time, write_time_of_day};
use super::{extension_text, list_item, text, write_base64, write_mac, write_uuid};
use crate::error::{Error, Result};
use crate::json::write_str;
use crate::schema::Extension;

/// Encodes bytes as base64, extension types as what they mean, points in time as RFC 3339, and decimals as strings, which
/// lose no digit in a reader whose numbers are floats. A `json` cell is put in as it is, and a map is an object by the
/// texts of its keys.
///
/// An encoder cannot fail, so what has no JSON is noted: ask [`PlainJson::check`] before what was written is used.
#[derive(Debug, Clone, Default)]
pub struct PlainJson(Failed);

/// The first cell that had no JSON, and why.
#[derive(Debug, Clone, Default)]
struct Failed(Arc<OnceLock<String>>);

impl Failed {
    fn set(&self, why: impl FnOnce() -> String) {
        let _ = self.0.get_or_init(why);
    }
}

impl PlainJson {
    /// Options that encode with this and write nulls.
    pub fn options(&self) -> EncoderOptions {
        EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(self.clone()))
    }

    /// Whether all that was encoded has JSON.
    ///
    /// # Errors
    /// If a cell has none: what was written instead of it must not be taken for data.
    pub fn check(&self) -> Result<()> {
        self.0.0.get().map_or(Ok(()), |why| Err(Error::rejected(why)))
    }
}

/// The extension that the array's values have. The encoder of a list hands on the list's own field for its items.
fn extension_of(field: &Field, array: &dyn Array) -> Option<Extension> {
    if field.data_type() == array.data_type() {
        return Extension::of(field);
    }
    extension_of(list_item(field.data_type())?, array)
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
struct Embedded<'a> {
    texts: StringArray,
    field: &'a Field,
    failed: Failed,
}

impl Encoder for Embedded<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = self.texts.value(row);
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            self.failed.set(|| format!("`{}` has text that is not JSON: {error}", self.field.name()));
            return write_str(text, out);
        }
        let start = out.len();
        out.extend_from_slice(text.as_bytes());
        for byte in &mut out[start..] {
            if matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
}

/// What Arrow shows of a cell between quotes; it has nothing that needs an escape.
struct Shown<'a> {
    formatter: ArrayFormatter<'a>,
    field: &'a Field,
    failed: Failed,
}

impl Encoder for Shown<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        use std::io::Write;
        let start = out.len();
        if write!(out, "\"{}\"", self.formatter.value(row)).is_err() {
            out.truncate(start);
            out.extend_from_slice(b"null");
            self.failed.set(|| format!("`{}` has a value that has no text", self.field.name()));
        }
    }
}

/// A map as an object.
struct Object<'a> {
    offsets: OffsetBuffer<i32>,
    keys: StringArray,
    values: NullableEncoder<'a>,
}

impl<'a> Object<'a> {
    fn of(map: &'a MapArray, options: &'a EncoderOptions) -> Result<Self, ArrowError> {
        // Arrow's own encoder hands on the map's field, so that values of extension types are not known as such.
        let (DataType::Map(entries, _), offsets) = (map.data_type(), map.offsets().clone()) else {
            return Err(ArrowError::JsonError(format!("{} where a map was expected", map.data_type())));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(ArrowError::JsonError(format!("{} where a map's entries were expected", entries.data_type())));
        };
        let keys = text(&fields[0], map.keys()).map_err(wrong)?;
        Ok(Self { offsets, keys, values: make_encoder(&fields[1], map.values(), options)? })
    }
}

impl Encoder for Object<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        let (first, end) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        for entry in first..end {
            if entry > first {
                out.push(b',');
            }
            write_str(self.keys.value(entry), out);
            out.push(b':');
            if self.values.is_null(entry) {
                out.extend_from_slice(b"null");
            } else {
                self.values.encode(entry, out);
            }
        }
        out.push(b'}');
    }
}

fn wrong(error: Error) -> ArrowError {
    ArrowError::JsonError(error.to_string())
}

struct Text(StringArray);

impl Encoder for Text {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        write_str(self.0.value(row), out);
    }
}

impl PlainJson {
    fn extension<'a>(
        &self,
        extension: Extension,
        field: &'a Field,
        array: &'a dyn Array,
    ) -> Result<NullableEncoder<'a>, ArrowError> {
        Ok(match extension {
            Extension::Uuid if matches!(array.data_type(), DataType::FixedSizeBinary(16)) => {
                quoted(array.as_fixed_size_binary(), write_uuid)
            }
            Extension::Mac if matches!(array.data_type(), DataType::Binary) => {
                quoted(array.as_binary::<i32>(), write_mac)
            }
            Extension::Json => {
                let texts = extension_text(extension, array).map_err(wrong)?;
                let nulls = texts.nulls().cloned();
                NullableEncoder::new(Box::new(Embedded { texts, field, failed: self.0.clone() }), nulls)
            }
            // An address is made of digits, letters, dots, colons and a slash.
            Extension::Inet => {
                let texts = extension_text(extension, array).map_err(wrong)?;
                let nulls = texts.nulls().cloned();
                NullableEncoder::new(Box::new(Text(texts)), nulls)
            }
            _ => {
                let (kind, expected) = (array.data_type(), extension.name());
                return Err(ArrowError::JsonError(format!("{kind} where a {expected} was expected")));
            }
        })
    }

    fn shown<'a>(&self, field: &'a Field, array: &'a dyn Array) -> Result<NullableEncoder<'a>, ArrowError> {
        const OPTIONS: FormatOptions<'_> = FormatOptions::new().with_display_error(false);
        let formatter = ArrayFormatter::try_new(array, &OPTIONS)?;
        let shown = Shown { formatter, field, failed: self.0.clone() };
        Ok(NullableEncoder::new(Box::new(shown), array.nulls().cloned()))
    }
}

impl EncoderFactory for PlainJson {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if let Some(extension) = extension_of(field, array) {
            return self.extension(extension, field, array).map(Some);
        }
        macro_rules! of {
            ($kind:ty, $write:expr) => {
                quoted(array.as_primitive::<$kind>(), $write)
            };
        }
        macro_rules! by_unit {
            ($unit:expr, $second:ty, $milli:ty, $micro:ty, $nano:ty, $write:expr) => {{
                let write = $write;
                match $unit {
                    unit @ TimeUnit::Second => of!($second, move |value, out| write(i64::from(value), unit, out)),
                    unit @ TimeUnit::Millisecond => of!($milli, move |value, out| write(i64::from(value), unit, out)),
                    unit @ TimeUnit::Microsecond => of!($micro, move |value, out| write(i64::from(value), unit, out)),
                    unit @ TimeUnit::Nanosecond => of!($nano, move |value, out| write(i64::from(value), unit, out)),
                }
            }};
        }
        Ok(Some(match array.data_type() {
            DataType::Binary => quoted(array.as_binary::<i32>(), write_base64),
            DataType::LargeBinary => quoted(array.as_binary::<i64>(), write_base64),
            DataType::BinaryView => quoted(array.as_binary_view(), write_base64),
            DataType::FixedSizeBinary(_) => quoted(array.as_fixed_size_binary(), write_base64),
            DataType::Timestamp(unit, zone) => {
                let style = if zone.is_some() { TimeStyle::Rfc3339 } else { TimeStyle::Local };
                by_unit!(
                    *unit,
                    TimestampSecondType,
                    TimestampMillisecondType,
                    TimestampMicrosecondType,
                    TimestampNanosecondType,
                    move |value, unit, out: &mut _| write_time(value, unit, style, out)
                )
            }
            DataType::Duration(unit) => by_unit!(
                *unit,
                DurationSecondType,
                DurationMillisecondType,
                DurationMicrosecondType,
                DurationNanosecondType,
                write_duration
            ),
            DataType::Time32(unit) | DataType::Time64(unit) => by_unit!(
                *unit,
                Time32SecondType,
                Time32MillisecondType,
                Time64MicrosecondType,
                Time64NanosecondType,
                write_time_of_day
            ),
            DataType::Date32 => of!(Date32Type, |days, out| write_date(days.into(), out)),
            DataType::Date64 => of!(Date64Type, write_date_ms),
            DataType::Interval(_) => self.shown(field, array)?,
            kind if kind.is_decimal() => self.shown(field, array)?,
            DataType::Map(..) => {
                let object = Object::of(array.as_map(), options)?;
                NullableEncoder::new(Box::new(object), array.nulls().cloned())
            }
            _ => return Ok(None),
        }))
    }
}
