//! Columns of numbers.

use std::sync::Arc;

use headwater_sdk::arrow::array::{ArrayRef, ArrowPrimitiveType, NullBufferBuilder, PrimitiveArray};
use headwater_sdk::arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::numeric::{unscaled, unscaled_wide};
use super::values::{Values, Why, fixed};
use crate::types::Width;

/// Values of one length each.
struct Numbers<T: ArrowPrimitiveType, F> {
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
    data_type: DataType,
    read: F,
}

/// A column whose values are read one by one; what is read as nothing is missing.
pub fn numbers<T: ArrowPrimitiveType>(
    data_type: DataType,
    read: impl Fn(&[u8]) -> Result<Option<T::Native>, Why> + Send + 'static,
) -> Box<dyn Values> {
    Box::new(Numbers::<T, _> { values: Vec::new(), nulls: NullBufferBuilder::new(0), data_type, read })
}

impl<T: ArrowPrimitiveType, F: Fn(&[u8]) -> Result<Option<T::Native>, Why> + Send> Values for Numbers<T, F> {
    #[inline]
    fn push(&mut self, bytes: &[u8]) -> Result<(), Why> {
        match (self.read)(bytes)? {
            Some(value) => {
                self.values.push(value);
                self.nulls.append_non_null();
            }
            None => self.push_null(),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        self.values.push(T::default_value());
        self.nulls.append_null();
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn size(&self) -> usize {
        self.values.len() * size_of::<T::Native>()
    }

    fn finish(&mut self) -> Result<ArrayRef, Why> {
        // The next batch is likely to be like this one.
        let next = Vec::with_capacity(self.values.len());
        let values = std::mem::replace(&mut self.values, next);
        let array = PrimitiveArray::<T>::new(values.into(), self.nulls.finish());
        Ok(Arc::new(array.with_data_type(self.data_type.clone())))
    }
}

/// For each type of whole numbers, an expression in which it is `$type`.
macro_rules! of_integers {
    ($to:expr, $type:ident => $value:expr) => {
        match $to {
            DataType::Int8 => {
                type $type = Int8Type;
                Some($value)
            }
            DataType::Int16 => {
                type $type = Int16Type;
                Some($value)
            }
            DataType::Int32 => {
                type $type = Int32Type;
                Some($value)
            }
            DataType::Int64 => {
                type $type = Int64Type;
                Some($value)
            }
            DataType::UInt8 => {
                type $type = UInt8Type;
                Some($value)
            }
            DataType::UInt16 => {
                type $type = UInt16Type;
                Some($value)
            }
            DataType::UInt32 => {
                type $type = UInt32Type;
                Some($value)
            }
            DataType::UInt64 => {
                type $type = UInt64Type;
                Some($value)
            }
            _ => None,
        }
    };
}

/// A number as one of another type, if it is one of that.
fn checked<N: TryFrom<I>, I: Copy + std::fmt::Display>(value: I, name: &DataType) -> Result<Option<N>, Why> {
    match N::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(format!("{value} is beyond {}", name.to_string().to_lowercase()).into()),
    }
}

/// Whole numbers.
pub fn int(width: Width, to: &DataType) -> Option<Box<dyn Values>> {
    Some(match (width, to) {
        (Width::Two, DataType::Int16) => {
            numbers::<Int16Type>(DataType::Int16, |v| Ok(Some(i16::from_be_bytes(fixed(v)?))))
        }
        (Width::Four, DataType::Int32) => {
            numbers::<Int32Type>(DataType::Int32, |v| Ok(Some(i32::from_be_bytes(fixed(v)?))))
        }
        (Width::Eight, DataType::Int64) => {
            numbers::<Int64Type>(DataType::Int64, |v| Ok(Some(i64::from_be_bytes(fixed(v)?))))
        }
        (width, to) => {
            let read = move |bytes: &[u8]| -> Result<i64, Why> {
                Ok(match width {
                    Width::Two => i16::from_be_bytes(fixed(bytes)?).into(),
                    Width::Four => i32::from_be_bytes(fixed(bytes)?).into(),
                    Width::Eight => i64::from_be_bytes(fixed(bytes)?),
                })
            };
            return of_integers!(to, T => numbers::<T>(to.clone(), move |v| checked(read(v)?, &T::DATA_TYPE)));
        }
    })
}

/// Numbers of the system's objects.
pub fn oid(to: &DataType) -> Option<Box<dyn Values>> {
    match to {
        DataType::Int64 => Some(numbers::<Int64Type>(to.clone(), |v| Ok(Some(u32::from_be_bytes(fixed(v)?).into())))),
        DataType::UInt32 => Some(numbers::<UInt32Type>(to.clone(), |v| Ok(Some(u32::from_be_bytes(fixed(v)?))))),
        DataType::UInt64 => Some(numbers::<UInt64Type>(to.clone(), |v| Ok(Some(u32::from_be_bytes(fixed(v)?).into())))),
        _ => None,
    }
}

/// Floating-point numbers of four bytes.
pub fn float_of_4(to: &DataType) -> Option<Box<dyn Values>> {
    match to {
        DataType::Float32 => Some(numbers::<Float32Type>(to.clone(), |v| Ok(Some(f32::from_be_bytes(fixed(v)?))))),
        DataType::Float64 => {
            Some(numbers::<Float64Type>(to.clone(), |v| Ok(Some(f32::from_be_bytes(fixed(v)?).into()))))
        }
        _ => None,
    }
}

/// Those of eight.
pub fn float() -> Box<dyn Values> {
    numbers::<Float64Type>(DataType::Float64, |v| Ok(Some(f64::from_be_bytes(fixed(v)?))))
}

/// Decimal numbers of up to 38 digits.
pub fn decimal128(precision: u8, scale: i8, nan_is_null: bool) -> Box<dyn Values> {
    let kind = DataType::Decimal128(precision, scale);
    numbers::<Decimal128Type>(kind, move |bytes| unscaled(bytes, precision, scale, nan_is_null))
}

/// Those of up to 76.
pub fn decimal256(precision: u8, scale: i8, nan_is_null: bool) -> Box<dyn Values> {
    let kind = DataType::Decimal256(precision, scale);
    numbers::<Decimal256Type>(kind, move |bytes| unscaled_wide(bytes, precision, scale, nan_is_null))
}

/// Decimal numbers that have to be whole.
pub fn int_of_numeric(to: &DataType, nan_is_null: bool) -> Option<Box<dyn Values>> {
    of_integers!(to, T => numbers::<T>(to.clone(), move |bytes| match unscaled(bytes, 38, 0, nan_is_null)? {
        Some(value) => checked(value, &T::DATA_TYPE),
        None => Ok(None),
    }))
}
