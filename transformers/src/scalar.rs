//! Values as values of another type, where nothing of them is lost; what does not fit becomes null.

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryBuilder, Scalar, StringArray, make_array,
};
use headwater_sdk::arrow::compute::kernels::cmp::not_distinct;
use headwater_sdk::arrow::compute::{CastOptions, can_cast_types, cast_with_options, not, nullif};
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::{ColumnType, Error, Extension, Result};

/// What does not fit becomes null.
const SAFE: CastOptions<'static> = CastOptions { safe: true, format_options: FORMAT };
const FORMAT: headwater_sdk::arrow::util::display::FormatOptions<'static> =
    headwater_sdk::arrow::util::display::FormatOptions::new();

fn cast(array: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    // Arrow knows UTC only as an offset here.
    let offset = |kind: &DataType| match kind {
        DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => {
            DataType::Timestamp(*unit, Some("+00:00".into()))
        }
        other => other.clone(),
    };
    let named = |array: &dyn Array, kind: DataType| -> Result<ArrayRef> {
        match *array.data_type() == kind {
            true => Ok(make_array(array.to_data())),
            false => array.to_data().into_builder().data_type(kind).build().map(make_array).map_err(Error::fatal),
        }
    };
    let from = named(array, offset(array.data_type()))?;
    let made = cast_with_options(&from, &offset(to), &SAFE).map_err(Error::fatal)?;
    named(&made, to.clone())
}

/// Whether texts can be made values of a type.
pub fn is_read(kind: &ColumnType) -> bool {
    match kind.extension {
        Some(Extension::Uuid | Extension::Json) => true,
        Some(_) => false,
        None => !kind.data_type.is_nested() && can_cast_types(&DataType::Utf8, &kind.data_type),
    }
}

/// Texts as values of a type.
pub fn read(texts: &StringArray, kind: &ColumnType) -> Result<ArrayRef> {
    match (kind.extension, &kind.data_type) {
        (Some(Extension::Uuid), _) => {
            let mut ids = FixedSizeBinaryBuilder::with_capacity(texts.len(), 16);
            for text in texts {
                match text.and_then(|text| uuid::Uuid::parse_str(text).ok()) {
                    Some(id) => ids.append_value(id.as_bytes()).map_err(Error::fatal)?,
                    None => ids.append_null(),
                }
            }
            Ok(Arc::new(ids.finish()))
        }
        (Some(Extension::Json), _) => {
            let json = |text: &&str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            let texts = texts.iter().map(|text| text.filter(json).map(str::as_bytes));
            Ok(Arc::new(texts.collect::<BinaryArray>()))
        }
        (_, DataType::Boolean) => Ok(Arc::new(
            texts
                .iter()
                .map(|text| match text {
                    Some("true") => Some(true),
                    Some("false") => Some(false),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        )),
        (_, to @ (DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale))) => {
            // Arrow rounds; digits that are not zero must not be lost.
            let fits = |text: &&str| {
                let digits = text.split_once('.').map_or("", |(_, digits)| digits).trim_end_matches('0');
                digits.len() <= usize::try_from(*scale).unwrap_or(0) && !text.contains(['e', 'E'])
            };
            let texts: StringArray = texts.iter().map(|text| text.filter(fits)).collect();
            cast(&texts, to)
        }
        (_, to) => cast(texts, to),
    }
}

/// Whether the values of a type can be made values of another.
pub fn converts(from: &ColumnType, to: &ColumnType) -> bool {
    if from == to {
        return true;
    }
    let text = from.extension.is_none() && from.data_type.is_string();
    let plain = from.extension.is_none() && to.extension.is_none();
    (text && is_read(to)) || (plain && !from.data_type.is_nested() && can_cast_types(&from.data_type, &to.data_type))
}

/// Values of a type as values of another.
pub fn convert(array: &ArrayRef, from: &ColumnType, to: &ColumnType) -> Result<ArrayRef> {
    if from == to {
        return Ok(Arc::clone(array));
    }
    if from.data_type.is_string() && !to.data_type.is_string() {
        let texts = cast(array, &DataType::Utf8)?;
        return read(texts.as_string::<i32>(), to);
    }
    let made = cast(array, &to.data_type)?;
    if to.data_type.is_string() || !can_cast_types(&to.data_type, &from.data_type) {
        return Ok(made);
    }
    // What comes back as something else has lost something.
    let back = cast(&made, &from.data_type)?;
    let lost = not(&not_distinct(&back, array).map_err(Error::fatal)?).map_err(Error::fatal)?;
    if lost.true_count() == 0 {
        return Ok(made);
    }
    nullif(&made, &lost).map_err(Error::fatal)
}

/// A text of the configuration as one value of a type.
pub fn one(text: &str, kind: &ColumnType) -> Option<Scalar<ArrayRef>> {
    let texts = StringArray::from_iter_values([text]);
    let made = read(&texts, kind).ok()?;
    made.is_valid(0).then(|| Scalar::new(made))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use headwater_sdk::arrow::array::{Float64Array, Int64Array};
    use headwater_sdk::type_names::parse;

    use super::*;

    fn nulls(array: &ArrayRef) -> Vec<bool> {
        (0..array.len()).map(|row| array.is_null(row)).collect()
    }

    #[test]
    fn what_would_lose_something_becomes_null() {
        let texts = StringArray::from(vec!["1", "1.5", "x", "1.25", "true", "2026-01-02T03:04:05Z"]);
        for (kind, fits) in [
            ("int64", "100000"),
            ("float64", "110100"),
            ("decimal(9, 1)", "110000"),
            ("bool", "000010"),
            ("timestamp[us, UTC]", "000001"),
            ("utf8", "111111"),
            ("json", "110110"),
            ("uuid", "000000"),
        ] {
            let found = nulls(&read(&texts, &parse(kind).unwrap()).unwrap());
            let found: String = found.iter().map(|null| if *null { '0' } else { '1' }).collect();
            assert_eq!(found, fits, "{kind}");
        }
        let float = parse("float64").unwrap();
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1.5, 1e30, f64::NAN]));
        assert_eq!(nulls(&convert(&floats, &float, &parse("int64").unwrap()).unwrap()), [false, true, true, true]);
        assert_eq!(nulls(&convert(&floats, &float, &parse("utf8").unwrap()).unwrap()), [false; 4]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 300, -1]));
        let int = parse("int64").unwrap();
        assert_eq!(nulls(&convert(&numbers, &int, &parse("uint8").unwrap()).unwrap()), [false, true, true]);
    }
}
