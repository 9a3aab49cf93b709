//! Types: what a file's field is as a column, which type has the values of two others, and the way from one to another.

use std::sync::Arc;

use headwater_sdk::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options};
use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef};
use headwater_sdk::plain::{convert_within, list_item, with_fields};
use headwater_sdk::{ColumnType, Error, Extension, Result, plain, type_names};

use crate::values;

/// The key under which Headwater's files say which type a field's text is of.
const TYPE: &str = "headwater:type";
/// The key of an Arrow extension type's name.
const EXTENSION: &str = "ARROW:extension:name";

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_binary(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}

/// What a field means beyond its Arrow type, where its values can mean it.
fn meant(field: &Field) -> Option<ColumnType> {
    let stored = without_dictionary(field.data_type());
    if let Some(name) = field.metadata().get(TYPE).filter(|_| is_text(stored)) {
        return type_names::parse(name).ok();
    }
    let extension = match field.metadata().get(EXTENSION).map(String::as_str) {
        Some("arrow.uuid") => Some(Extension::Uuid),
        Some("arrow.json") => Some(Extension::Json),
        _ => Extension::of(field),
    }?;
    let fits = match extension {
        Extension::Uuid => is_text(stored) || *stored == DataType::FixedSizeBinary(16),
        _ => is_text(stored) || is_binary(stored),
    };
    fits.then(|| ColumnType::of(extension))
}

fn without_dictionary(kind: &DataType) -> &DataType {
    match kind {
        DataType::Dictionary(_, values) => without_dictionary(values),
        DataType::RunEndEncoded(_, values) => without_dictionary(values.data_type()),
        other => other,
    }
}

/// A type without dictionaries, views and zones, which say nothing about the values.
fn usual(kind: &DataType) -> DataType {
    match without_dictionary(kind) {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        other => with_fields(other, &|field| Arc::new(field_of(field))),
    }
}

/// A field within another as it becomes.
fn field_of(field: &Field) -> Field {
    let kind = kind_of(field);
    let metadata = kind.extension.map(Extension::metadata).unwrap_or_default();
    Field::new(field.name(), kind.data_type, field.is_nullable()).with_metadata(metadata)
}

/// The type of the column that a field becomes.
pub fn kind_of(field: &Field) -> ColumnType {
    meant(field).unwrap_or_else(|| ColumnType::plain(usual(field.data_type())))
}

/// What no destination has a form for, within a type.
pub fn is_beyond(kind: &DataType) -> bool {
    matches!(kind, DataType::Union(..)) || plain::fields_within(kind).iter().any(|field| is_beyond(field.data_type()))
}

/// How many bits a whole number has, and whether it has a sign.
fn bits(kind: &DataType) -> Option<(u8, bool)> {
    Some(match kind {
        DataType::Int8 => (8, true),
        DataType::Int16 => (16, true),
        DataType::Int32 => (32, true),
        DataType::Int64 => (64, true),
        DataType::UInt8 => (8, false),
        DataType::UInt16 => (16, false),
        DataType::UInt32 => (32, false),
        DataType::UInt64 => (64, false),
        _ => return None,
    })
}

fn signed(bits: u8) -> Option<DataType> {
    Some(match bits {
        8 => DataType::Int8,
        16 => DataType::Int16,
        32 => DataType::Int32,
        64 => DataType::Int64,
        _ => return None,
    })
}

/// The digits of numbers, before the point and behind it.
fn digits(kind: &DataType) -> Option<(u8, i8)> {
    match kind {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => Some((*precision, *scale)),
        _ => bits(kind).map(|(bits, signed)| match (bits, signed) {
            (8, _) => (3, 0),
            (16, _) => (5, 0),
            (32, _) => (10, 0),
            (_, true) => (19, 0),
            (_, false) => (20, 0),
        }),
    }
}

fn decimal(a: (u8, i8), b: (u8, i8)) -> Option<DataType> {
    let scale = a.1.max(b.1);
    let whole = (i16::from(a.0) - i16::from(a.1)).max(i16::from(b.0) - i16::from(b.1));
    match u8::try_from(whole + i16::from(scale)).ok()? {
        precision @ 0..=38 => Some(DataType::Decimal128(precision, scale)),
        precision @ 39..=76 => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

/// The type that has all values of two others, exactly.
pub fn common(a: &ColumnType, b: &ColumnType) -> Option<ColumnType> {
    match (a.extension, b.extension) {
        _ if a == b || b.data_type == DataType::Null => Some(a.clone()),
        _ if a.data_type == DataType::Null => Some(b.clone()),
        (None, None) => {
            wider(&a.data_type, &b.data_type).or_else(|| wider(&b.data_type, &a.data_type)).map(ColumnType::plain)
        }
        _ => None,
    }
}

/// The same for two types, of which one order is looked at.
fn wider(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, Date32, Date64, Decimal128, Decimal256, FixedSizeBinary, Float16, Float32, Float64, LargeBinary,
        LargeList, LargeUtf8, List, Time32, Time64, Timestamp, Utf8,
    };
    if let (Some((a_bits, a_sign)), Some((b_bits, b_sign))) = (bits(a), bits(b)) {
        return match (a_sign, b_sign) {
            _ if a_sign == b_sign => Some(if a_bits > b_bits { a.clone() } else { b.clone() }),
            (true, _) => signed(a_bits.max(b_bits.checked_mul(2)?)),
            _ => None,
        };
    }
    match (a, b) {
        (Float64, Float16 | Float32) => Some(Float64),
        (Float32, Float16) => Some(Float32),
        (Float64, _) if bits(b).is_some_and(|(bits, _)| bits <= 32) => Some(Float64),
        (Float32, _) if bits(b).is_some_and(|(bits, _)| bits <= 16) => Some(Float32),
        (Decimal128(..) | Decimal256(..), _) => decimal(digits(a)?, digits(b)?),
        (LargeUtf8, Utf8) => Some(LargeUtf8),
        (LargeBinary, Binary | FixedSizeBinary(_)) => Some(LargeBinary),
        (Binary, FixedSizeBinary(_)) => Some(Binary),
        (FixedSizeBinary(a), FixedSizeBinary(b)) if a != b => Some(Binary),
        (Date64, Date32) => Some(Date64),
        (Timestamp(a, zone), Timestamp(b, other)) if zone == other => Some(Timestamp(*a.max(b), zone.clone())),
        (Time32(a), Time32(b)) => Some(Time32(*a.max(b))),
        (Time64(a), Time64(b)) => Some(Time64(*a.max(b))),
        (Time64(unit), Time32(_)) => Some(Time64(*unit)),
        (List(a), List(b)) => Some(List(wider_item(a, b)?)),
        (LargeList(a), LargeList(b) | List(b)) => Some(LargeList(wider_item(a, b)?)),
        _ => None,
    }
}

fn wider_item(a: &FieldRef, b: &FieldRef) -> Option<FieldRef> {
    let kind = common(&kind_of(a), &kind_of(b))?;
    let metadata = kind.extension.map(Extension::metadata).unwrap_or_default();
    let nullable = a.is_nullable() || b.is_nullable();
    Some(Arc::new(Field::new(a.name(), kind.data_type, nullable).with_metadata(metadata)))
}

/// Whether values of one type can be read as another's; text is read value by value, and may turn out not to be one.
pub fn reaches(from: &ColumnType, to: &ColumnType) -> bool {
    let is_plain_text = |kind: &ColumnType| kind.extension.is_none() && is_text(&kind.data_type);
    is_plain_text(from) || is_plain_text(to) || common(from, to).as_ref() == Some(to)
}

/// A column of one field as one of another; an error has the number of the row where that is known.
pub fn convert(from: &FieldRef, to: &FieldRef, array: &ArrayRef) -> Result<ArrayRef> {
    let stored = without_dictionary(array.data_type());
    if stored != array.data_type() {
        let from = Arc::new(Field::clone(from).with_data_type(stored.clone()));
        return convert(&from, to, &strict(array, stored)?);
    }
    let source = kind_of(from);
    let target = Extension::of(to);
    let same = source.extension == target;
    if same && array.data_type() == to.data_type() {
        return Ok(Arc::clone(array));
    }
    match target {
        Some(Extension::Json | Extension::Inet) if same => return strict(array, to.data_type()),
        Some(_) if same && is_binary(stored) => return strict(array, to.data_type()),
        _ => {}
    }
    if is_text(stored) && !(target.is_none() && is_text(to.data_type())) {
        let kind = ColumnType { data_type: to.data_type().clone(), extension: target };
        return values::parse(text(array)?, &kind);
    }
    if target.is_none() && is_text(to.data_type()) && !is_text(stored) && *stored != DataType::Null {
        // In the usual layouts, of which the text is that of the documentation.
        let usual = Arc::new(field_of(from));
        let texts: ArrayRef = Arc::new(plain::text(&usual, &convert(from, &usual, array)?)?);
        return strict(&texts, to.data_type());
    }
    if array.data_type().is_nested() && to.data_type().is_nested() {
        return convert_within(from.data_type(), to.data_type(), array, &convert);
    }
    if let (Some(_), Some(_)) = (list_item(stored), list_item(to.data_type())) {
        return convert_within(from.data_type(), to.data_type(), array, &convert);
    }
    strict(array, to.data_type())
}

fn text(array: &ArrayRef) -> Result<StringArray> {
    let array = strict(array, &DataType::Utf8)?;
    array.as_string_opt().cloned().ok_or_else(|| Error::fatal("text is not text; this is a bug"))
}

/// A value that the type does not have is an error.
fn strict(array: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, kind, &options).map_err(Error::fatal)
}
