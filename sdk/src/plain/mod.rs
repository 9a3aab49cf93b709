//! Columns in plain forms, for targets that lack Arrow's types: as text, and as JSON.
//!
//! Both forms agree: a UUID is hyphenated lower-case text, a hardware address is `aa:bb:…`, an `inet` is its CIDR
//! text, bytes are base64 (RFC 4648, padded), a point in time is RFC 3339 in UTC with as many digits as its unit has, a
//! decimal is its digits (in JSON a string), and a `json` column is its own text.

mod encode;
mod nested;
mod time;

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, FixedSizeBinaryArray, StringArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

pub use encode::PlainJson;
pub use nested::{convert_within, fields_within, list_item, text_column, text_field, usual_list, with_fields};
pub use time::{TimeStyle, date_text, time_text, write_date, write_time};

use crate::error::{Error, Result};
use crate::fidelity::Stored;
use crate::schema::Extension;

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::fatal(error)
}

/// Appends bytes as base64, without quotes.
pub fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            out.push(if digit <= chunk.len() { DIGITS[(bits >> (18 - 6 * digit)) as usize & 63] } else { b'=' });
        }
    }
}

/// Appends bytes as pairs of hexadecimal digits, with `separator` before each byte whose index is in `before`.
fn write_hex(bytes: &[u8], separator: u8, before: impl Fn(usize) -> bool, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (index, byte) in bytes.iter().enumerate() {
        if before(index) {
            out.push(separator);
        }
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Appends a UUID's 16 bytes as hyphenated text.
pub fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    write_hex(bytes, b'-', |index| matches!(index, 4 | 6 | 8 | 10), out);
}

/// Appends a hardware address as text: `0a:1b:2c:3d:4e:5f`.
pub fn write_mac(bytes: &[u8], out: &mut Vec<u8>) {
    write_hex(bytes, b':', |index| index > 0, out);
}

/// A text column made cell by cell in one buffer.
fn texts(array: &dyn Array, mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<()>) -> Result<StringArray> {
    let nulls = array.logical_nulls();
    let mut offsets = Vec::with_capacity(array.len() + 1);
    let mut bytes = Vec::new();
    offsets.push(0_i32);
    for row in 0..array.len() {
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            write(row, &mut bytes)?;
        }
        offsets.push(i32::try_from(bytes.len()).map_err(|_| wrong("a batch holds more than 2 GiB of one column"))?);
    }
    StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), bytes.into(), nulls).map_err(wrong)
}

fn binary(array: &dyn Array) -> Result<&BinaryArray> {
    array.as_binary_opt().ok_or_else(|| wrong(format!("{} where binary was expected", array.data_type())))
}

fn fixed(array: &dyn Array) -> Result<&FixedSizeBinaryArray> {
    array.as_fixed_size_binary_opt().ok_or_else(|| wrong(format!("{} where 16 bytes were expected", array.data_type())))
}

/// A column of an extension type as text. JSON and CIDR texts are taken over without a copy.
pub fn extension_text(extension: Extension, array: &dyn Array) -> Result<StringArray> {
    match extension {
        Extension::Uuid => {
            let array = fixed(array)?;
            texts(array, |row, out| {
                write_uuid(array.value(row), out);
                Ok(())
            })
        }
        Extension::Mac => {
            let array = binary(array)?;
            texts(array, |row, out| {
                write_mac(array.value(row), out);
                Ok(())
            })
        }
        Extension::Json | Extension::Inet => {
            StringArray::try_from_binary(binary(array)?.clone()).map_err(|error| wrong(format!("not UTF-8: {error}")))
        }
    }
}

/// Any column as text; what is nested is JSON.
///
/// # Errors
/// Of the class [`Rejected`](crate::error::Class::Rejected) where a value has no text.
pub fn text(field: &FieldRef, array: &ArrayRef) -> Result<StringArray> {
    let json = PlainJson::default();
    let texts = readable(field, array, &json)?;
    json.check().map(|()| texts)
}

/// The same, for people: `json` is told what has no text, in whose place there is something else.
pub(crate) fn readable(field: &FieldRef, array: &ArrayRef, json: &PlainJson) -> Result<StringArray> {
    if let Some(extension) = Extension::of(field) {
        return extension_text(extension, array);
    }
    let kind = array.data_type();
    if has_own_form(kind) {
        let options = json.options();
        let mut encoder = arrow_json::writer::make_encoder(field, array, &options).map_err(wrong)?;
        // What is not nested is a JSON string of characters that need no escape, and loses its quotes.
        let quotes = !kind.is_nested();
        return texts(array, |row, out| {
            let start = out.len();
            encoder.encode(row, out);
            if quotes {
                out.pop();
                out.remove(start);
            }
            Ok(())
        });
    }
    if let Some(array) = array.as_string_opt::<i32>() {
        return Ok(array.clone());
    }
    let options = FormatOptions::new().with_display_error(false);
    let formatter = ArrayFormatter::try_new(array, &options).map_err(wrong)?;
    texts(array, |row, out| {
        use std::io::Write;
        let shown = formatter.value(row).try_to_string().map_err(Error::rejected)?;
        out.write_all(shown.as_bytes()).map_err(wrong)
    })
}

/// Whether the text of a type that is no extension's is a form of ours, and not Arrow's: what is nested, bytes, and times
/// of all kinds.
pub fn has_own_form(kind: &DataType) -> bool {
    kind.is_nested() || is_bytes(kind) || (kind.is_temporal() && !matches!(kind, DataType::Interval(_)))
}

/// What is lost of a nested type's values when they are JSON, as a part of a sentence.
pub fn lost_in_json(kind: &DataType) -> Option<&'static str> {
    let (floats, json) =
        (holds(kind, &|_, kind| kind.is_floating()), holds(kind, &|of, _| of == Some(Extension::Json)));
    match (floats, json) {
        (false, false) => None,
        (true, false) => Some("NaN and infinities become null"),
        (false, true) => Some("JSON's own null becomes a missing value"),
        (true, true) => Some("NaN and infinities become null, and JSON's own null a missing value"),
    }
}

/// How a nested type's values are stored where they are JSON.
pub fn stored_as_json(name: impl Into<Cow<'static, str>>, kind: &DataType) -> Stored {
    Stored { lost: lost_in_json(kind).map(Cow::Borrowed), ..Stored::whole(name) }
}

/// Whether there is such a value in a nested type. The keys of maps are text in JSON, which loses nothing.
fn holds(kind: &DataType, wanted: &dyn Fn(Option<Extension>, &DataType) -> bool) -> bool {
    let of = |field: &FieldRef| {
        let (extension, kind) = (Extension::of(field), field.data_type());
        wanted(extension, kind) || (extension.is_none() && holds(kind, wanted))
    };
    match kind {
        DataType::Dictionary(_, kind) => wanted(None, kind) || holds(kind, wanted),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields.get(1).is_some_and(of),
            _ => false,
        },
        _ => fields_within(kind).iter().any(of),
    }
}

/// Whether there may be text with U+0000 in a type's values: also in JSON, but in no other extension's.
pub fn has_text(kind: &DataType) -> bool {
    let of = |field: &FieldRef| match Extension::of(field) {
        Some(extension) => extension == Extension::Json,
        None => has_text(field.data_type()),
    };
    match kind {
        DataType::Dictionary(_, kind) => has_text(kind),
        _ => kind.is_string() || fields_within(kind).iter().any(of),
    }
}

/// Whether a type is bytes, in any of Arrow's layouts.
pub fn is_bytes(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;

    use arrow::array::GenericListArray;

    use crate::types::{Binary, Inet, Mac, RawJson, Timestamp};
    use crate::value::Value;
    use arrow::array::{
        ArrayBuilder, Date32Array, Date64Array, Decimal128Array, DurationSecondArray, MapArray, StructArray,
        Time64MicrosecondArray, TimestampNanosecondArray,
    };
    use arrow::datatypes::{Field, Fields};
    use uuid::Uuid;

    fn column<T: Value>(values: &[Option<T>]) -> (FieldRef, ArrayRef) {
        let kind = T::column_type();
        let field = crate::schema::Column::new("column", kind, "").field();
        let mut builder = T::builder(0);
        for value in values {
            match value {
                Some(value) => drop(value.append(&mut builder)),
                None => T::append_null(&mut builder),
            }
        }
        (Arc::new(field), builder.finish())
    }

    fn shown<T: Value>(values: &[Option<T>]) -> Vec<Option<String>> {
        let (field, array) = column(values);
        text(&field, &array).unwrap().iter().map(|cell| cell.map(str::to_owned)).collect()
    }

    #[test]
    fn every_type_has_a_text() {
        let uuid = Uuid::parse_str("730a216f-19d7-51f5-9aa7-de5dc4e93108").unwrap();
        assert_eq!(shown(&[Some(uuid), None]), [Some("730a216f-19d7-51f5-9aa7-de5dc4e93108".to_owned()), None]);
        assert_eq!(
            shown(&[Some(vec![Some(uuid), None])]),
            [Some("[\"730a216f-19d7-51f5-9aa7-de5dc4e93108\",null]".to_owned())]
        );
        assert_eq!(shown(&[Some(Mac::parse("0A-1b-2c-3d-4e-ff").unwrap())]), [Some("0a:1b:2c:3d:4e:ff".to_owned())]);
        assert_eq!(shown(&[Some(Inet::parse("::1").unwrap())]), [Some("::1/128".to_owned())]);
        assert_eq!(shown(&[Some(RawJson::parse("{\"a\": 1}").unwrap())]), [Some("{\"a\": 1}".to_owned())]);
        let bytes: Vec<Option<Binary>> = [&b""[..], b"f", b"fo", b"foo"].map(|b| Some(Binary(b.to_vec()))).into();
        assert_eq!(shown(&bytes), ["", "Zg==", "Zm8=", "Zm9v"].map(|text| Some(text.to_owned())), "RFC 4648, 10");
        assert_eq!(shown(&[Some(Timestamp(-1))]), [Some("1969-12-31T23:59:59.999999Z".to_owned())]);
        assert_eq!(shown(&[Some(vec!["a\"b".to_owned()])]), [Some("[\"a\\\"b\"]".to_owned())]);
        assert_eq!(shown(&[Some(vec![f64::NAN, 0.5])]), [Some("[null,0.5]".to_owned())], "JSON has no NaN");
        assert_eq!(shown(&[Some(true)]), [Some("true".to_owned())]);
        assert_eq!(shown(&[Some(u64::MAX)]), [Some(u64::MAX.to_string())]);
    }

    #[test]
    fn types_of_other_connectors_have_a_text_too() {
        let show = |array: ArrayRef| {
            let field = Arc::new(Field::new("column", array.data_type().clone(), true));
            text(&field, &array).unwrap().value(0).to_owned()
        };
        let decimal = Decimal128Array::from(vec![712_345_678_901_234_567_890_123_400]).with_precision_and_scale(38, 6);
        assert_eq!(show(Arc::new(decimal.unwrap())), "712345678901234567890.123400");
        assert_eq!(show(Arc::new(Date32Array::from(vec![-1]))), "1969-12-31");
        assert_eq!(show(Arc::new(TimestampNanosecondArray::from(vec![1]))), "1970-01-01T00:00:00.000000001");
    }

    fn of(array: impl Array + 'static) -> (FieldRef, ArrayRef) {
        (Arc::new(Field::new("column", array.data_type().clone(), true)), Arc::new(array))
    }

    #[test]
    fn every_time_has_a_text_also_within_json() {
        let texts = |values: ArrayRef| {
            let field = Arc::new(Field::new("column", values.data_type().clone(), true));
            let item = Arc::new(Field::new("item", values.data_type().clone(), true));
            let list = GenericListArray::<i32>::new(item, OffsetBuffer::from_lengths([1]), Arc::clone(&values), None);
            let (list_field, list) = of(list);
            let alone = text(&field, &values).unwrap().value(0).to_owned();
            assert_eq!(text(&list_field, &list).unwrap().value(0), format!("[\"{alone}\"]"));
            alone
        };
        // Arrow's own forms of these are an error, which its JSON has as text, and `<invalid>`.
        assert_eq!(texts(Arc::new(Time64MicrosecondArray::from(vec![86_400_000_000]))), "24:00:00");
        assert_eq!(texts(Arc::new(Date32Array::from(vec![i32::MAX]))), "+5881580-07-11");
        assert_eq!(texts(Arc::new(Date64Array::from(vec![i64::MIN]))), "-292275055-05-16T16:47:04.192");
        assert_eq!(texts(Arc::new(DurationSecondArray::from(vec![i64::MAX]))), "PT9223372036854775807S");
        // A reader whose numbers are floats would lose digits.
        let decimal = Decimal128Array::from(vec![712_345_678_901_234_567_890_123_400]).with_precision_and_scale(38, 6);
        assert_eq!(texts(Arc::new(decimal.unwrap())), "712345678901234567890.123400");
    }

    #[test]
    fn text_that_is_not_json_is_refused_by_its_row() {
        let json = |texts: Vec<Option<&[u8]>>| {
            let field = Field::new("tags", DataType::Binary, true).with_metadata(Extension::Json.metadata());
            let array: ArrayRef = Arc::new(BinaryArray::from(texts));
            let array = StructArray::new(vec![field].into(), vec![array], None);
            (Arc::new(Field::new("row", array.data_type().clone(), false)), Arc::new(array) as ArrayRef)
        };
        for bad in ["{\"a\":", "", "{} {}", "nul", "\"a\nb\"", "{'a': 1}"] {
            let (field, array) = json(vec![Some(b"[1,\n2]"), Some(bad.as_bytes()), None]);
            let error = text(&field, &array).unwrap_err();
            assert_eq!(error.class, crate::error::Class::Rejected);
            assert!(error.message.contains("`tags` has text that is not JSON"), "{error}");
            // Rows beside it are not concerned, though they share its buffers.
            assert_eq!(text(&field, &array.slice(0, 1)).unwrap().value(0), "{\"tags\":[1, 2]}");
            let shown = readable(&field, &array.slice(1, 1), &PlainJson::default()).unwrap().value(0).to_owned();
            let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(shown["tags"], bad, "a row that is put aside shows what it is");
        }
    }

    #[test]
    fn maps_are_objects_by_the_texts_of_their_keys() {
        let uuid = Extension::Uuid;
        let values = Field::new("values", uuid.storage(), true).with_metadata(uuid.metadata());
        let fields = Fields::from(vec![Field::new("keys", DataType::Date32, false), values]);
        let uuids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(vec![Some([0; 16]), None].into_iter(), 16);
        let arrays: Vec<ArrayRef> = vec![Arc::new(Date32Array::from(vec![0, 1])), Arc::new(uuids.unwrap())];
        let entries = Arc::new(Field::new("entries", DataType::Struct(fields.clone()), false));
        let map = MapArray::new(
            entries,
            OffsetBuffer::from_lengths([0, 2]),
            StructArray::new(fields, arrays, None),
            None,
            false,
        );
        let (field, map) = of(map);
        let expected = "{\"1970-01-01\":\"00000000-0000-0000-0000-000000000000\",\"1970-01-02\":null}";
        assert_eq!(text(&field, &map).unwrap().iter().flatten().collect::<Vec<_>>(), ["{}", expected]);
        assert_eq!(text(&field, &map.slice(1, 1)).unwrap().value(0), expected);
    }

    #[test]
    fn what_json_loses_is_known_at_any_depth() {
        let field = |kind: DataType| Arc::new(Field::new("item", kind, true));
        let wrappers: [fn(FieldRef) -> DataType; 6] = [
            DataType::List,
            DataType::LargeList,
            |item| DataType::FixedSizeList(item, 1),
            DataType::ListView,
            |item| DataType::Struct(vec![Arc::new(Field::new("other", DataType::Utf8, true)), item].into()),
            |item| {
                let key = Arc::new(Field::new("keys", DataType::Float64, false));
                let entries = DataType::Struct(vec![key, item].into());
                DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
            },
        ];
        let json = Field::new("item", DataType::Binary, true).with_metadata(Extension::Json.metadata());
        for outer in &wrappers {
            for inner in &wrappers {
                let lost = |item: FieldRef| lost_in_json(&outer(field(inner(item)))).unwrap_or_default();
                assert_eq!(lost(field(DataType::Float32)), "NaN and infinities become null");
                assert_eq!(lost(Arc::new(json.clone())), "JSON's own null becomes a missing value");
                assert_eq!(lost(field(DataType::Decimal128(38, 9))), "");
            }
        }
        assert_eq!(lost_in_json(&DataType::Float64), None, "which is not nested");
    }

    #[test]
    fn lists_of_extensions_become_lists_of_text() {
        let uuid = Uuid::nil();
        let (from, array) = column(&[Some(vec![Some(uuid), None]), None]);
        let to = Arc::new(text_field(&from, &|_, field| field));
        let plain = text_column(&from, &to, &array).unwrap();
        assert_eq!(plain.data_type(), to.data_type());
        let (_, expected) = column(&[Some(vec![Some(uuid.to_string()), None]), None]);
        assert_eq!(plain.as_ref(), expected.as_ref());
    }
}
