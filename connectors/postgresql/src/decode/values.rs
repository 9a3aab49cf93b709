//! What collects the values of one column, and which types each form on the wire can be read as.

use headwater_sdk::arrow::array::{ArrayRef, BooleanBuilder};
use headwater_sdk::arrow::datatypes::{DataType, IntervalUnit};
use headwater_sdk::{ColumnType, Extension};

use super::list::List;
use super::number::{decimal128, decimal256, float, float_of_4, int, oid};
use super::text::{Form, Uuids, Varying};
use super::time::{date, interval, time, timestamp};
use crate::types::Wire;

/// Why a value cannot be read.
pub type Why = Box<str>;

/// The values of a column.
pub trait Values: Send {
    /// Adds a value.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Why>;
    /// Adds a missing one.
    fn push_null(&mut self);
    /// How many there are.
    fn len(&self) -> usize;
    /// About how many bytes of memory they take.
    fn size(&self) -> usize;
    /// Hands them over, and begins anew.
    fn finish(&mut self) -> Result<ArrayRef, Why>;
}

/// The bytes of a value of a fixed length.
pub fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Why> {
    bytes.try_into().map_err(|_| format!("a value of {} bytes, where {N} were expected", bytes.len()).into())
}

/// Whether values of a form on the wire can be read as a type.
pub fn reads(wire: &Wire, kind: &ColumnType) -> bool {
    values(wire, kind, false).is_some()
}

/// What collects values of a form on the wire as a type, where that is possible.
pub fn values(wire: &Wire, kind: &ColumnType, nan_is_null: bool) -> Option<Box<dyn Values>> {
    use DataType as D;
    let data_type = &kind.data_type;
    Some(match (wire, kind.extension, data_type) {
        (Wire::Bool, None, D::Boolean) => Box::new(Bools(BooleanBuilder::new())),
        (Wire::Int(width), None, to) => return int(*width, to),
        (Wire::Oid, None, to) => return oid(to),
        (Wire::Float4, None, to) => return float_of_4(to),
        (Wire::Float8, None, D::Float64) => float(),
        (Wire::Numeric, None, D::Decimal128(precision, scale)) => decimal128(*precision, *scale, nan_is_null),
        (Wire::Numeric, None, D::Decimal256(precision, scale)) => decimal256(*precision, *scale, nan_is_null),
        (Wire::Numeric, None, to) => return super::number::int_of_numeric(to, nan_is_null),
        (Wire::Text, None, D::Utf8) => Box::new(Varying::<i32>::new(Form::Plain, D::Utf8)),
        (Wire::Text, None, D::LargeUtf8) => Box::new(Varying::<i64>::new(Form::Plain, D::LargeUtf8)),
        (Wire::Text, Some(Extension::Json), _) | (Wire::Text | Wire::Bytes, None, D::Binary) => {
            Box::new(Varying::<i32>::new(Form::Plain, D::Binary))
        }
        (Wire::Bytes, None, D::LargeBinary) => Box::new(Varying::<i64>::new(Form::Plain, D::LargeBinary)),
        (Wire::Jsonb, Some(Extension::Json), _) => Box::new(Varying::<i32>::new(Form::Jsonb, D::Binary)),
        (Wire::Inet, Some(Extension::Inet), _) => Box::new(Varying::<i32>::new(Form::Inet, D::Binary)),
        (Wire::Mac, Some(Extension::Mac), _) => Box::new(Varying::<i32>::new(Form::Plain, D::Binary)),
        (Wire::Uuid, Some(Extension::Uuid), _) | (Wire::Uuid, None, D::FixedSizeBinary(16)) => {
            Box::new(Uuids::default())
        }
        (Wire::Date, None, D::Date32) => date(),
        (Wire::Time, None, to) => return time(to),
        (Wire::Timestamp, None, D::Timestamp(unit, zone)) => timestamp(*unit, zone.clone()),
        (Wire::Interval, None, D::Interval(IntervalUnit::MonthDayNano)) => interval(),
        (Wire::Array(item), None, D::List(field)) => {
            let kind = ColumnType { data_type: field.data_type().clone(), extension: Extension::of(field) };
            Box::new(List::new(field.clone(), values(item, &kind, nan_is_null)?))
        }
        _ => return None,
    })
}

struct Bools(BooleanBuilder);

impl Values for Bools {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Why> {
        let [value] = fixed(bytes)?;
        self.0.append_value(value != 0);
        Ok(())
    }

    fn push_null(&mut self) {
        self.0.append_null();
    }

    fn len(&self) -> usize {
        headwater_sdk::arrow::array::ArrayBuilder::len(&self.0)
    }

    fn size(&self) -> usize {
        self.len() / 4
    }

    fn finish(&mut self) -> Result<ArrayRef, Why> {
        Ok(std::sync::Arc::new(self.0.finish()))
    }
}
