//! Arrow columns as the binary form of `COPY`.
//!
//! Source of the forms: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format", and the `*send`
//! functions of PostgreSQL's source.

mod decimal;
mod number;
mod text;

use headwater_sdk::arrow::array::{Array, ArrayRef, RecordBatch};
use headwater_sdk::arrow::buffer::NullBuffer;
use headwater_sdk::arrow::datatypes::{FieldRef, Fields};
use headwater_sdk::plain::{list_item, usual_list};
use headwater_sdk::{Error, Result};

use self::number::{any_numeric, number, oid};
use self::text::{bytes, inet, json, json_as_it_is, mac, plain_text, text};
use crate::native::of_field;
use crate::types::Kind;

/// What every stream begins with: a signature, no flags, no extension.
pub const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What every stream ends with.
pub const TRAILER: [u8; 2] = [0xff, 0xff];

/// Writes the value of a row, which is not null, or says why it cannot be.
type Write = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<(), String> + Send>;

struct Column {
    name: String,
    nulls: Option<NullBuffer>,
    write: Write,
}

/// The columns of a batch, ready to be written.
pub struct Rows {
    columns: Vec<Column>,
    rows: usize,
}

impl Rows {
    /// The rows of a batch, whose columns are `fields`: a batch need not say of which extension they are.
    pub fn new(fields: &Fields, batch: &RecordBatch) -> Result<Self> {
        let columns = fields.iter().zip(batch.columns()).map(|(field, array)| {
            let failed = |error: Error| error.while_doing(format!("column {}", field.name()));
            let write = writer(field, array, &of_field(field)).map_err(failed)?;
            Ok(Column { name: field.name().clone(), nulls: array.logical_nulls(), write })
        });
        Ok(Self { columns: columns.collect::<Result<_>>()?, rows: batch.num_rows() })
    }

    /// Appends all rows; where a number is given for the first of them, each has its number as one more column.
    pub fn write(&self, first: Option<i64>, out: &mut Vec<u8>) -> Result<()> {
        let count = (self.columns.len() as i16 + i16::from(first.is_some())).to_be_bytes();
        for row in 0..self.rows {
            out.extend_from_slice(&count);
            for column in &self.columns {
                let missing = column.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                cell(out, missing, |out| (column.write)(row, out))
                    .map_err(|problem| Error::rejected(format!("column {}: {problem}", column.name)))?;
            }
            if let Some(first) = first {
                out.extend_from_slice(&8_i32.to_be_bytes());
                out.extend_from_slice(&(first + row as i64).to_be_bytes());
            }
        }
        Ok(())
    }
}

/// Writes a value behind its length; a missing one has a length of -1.
fn cell(
    out: &mut Vec<u8>,
    missing: bool,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    if missing {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let length = i32::try_from(out.len() - start - 4).map_err(|_| "a value has more than 2 GiB".to_owned())?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// What writes the values of a column.
fn writer(field: &FieldRef, array: &ArrayRef, kind: &Kind) -> Result<Write> {
    match kind {
        Kind::Array(item) => list(field, array, item),
        Kind::Jsonb => Ok(json(plain_text(field, array)?)),
        Kind::Json => Ok(json_as_it_is(plain_text(field, array)?)),
        Kind::Uuid | Kind::Bytea | Kind::Macaddr8 => bytes(array),
        Kind::Inet => Ok(inet(plain_text(field, array)?)),
        Kind::Macaddr => mac(array),
        Kind::Text | Kind::Cast { .. } => text(field, array),
        Kind::AnyNumeric => Ok(any_numeric(plain_text(field, array)?)),
        Kind::Oid => oid(array),
        Kind::Named { of, .. } => writer(field, array, of),
        _ => number(array),
    }
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::destination(error)
}

fn list(field: &FieldRef, array: &ArrayRef, kind: &Kind) -> Result<Write> {
    let item = list_item(field.data_type()).ok_or_else(|| wrong("an array that is no list"))?;
    let list = usual_list(array)?;
    let write = writer(item, list.values(), kind)?;
    let nulls = list.values().logical_nulls();
    let oid = kind.oid();
    Ok(Box::new(move |row, out| {
        let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
        let missing = |index: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(index));
        // Dimensions, whether an item is missing, the items' type; for each dimension its length and first index.
        out.extend_from_slice(&i32::from(end > start).to_be_bytes());
        out.extend_from_slice(&i32::from((start..end).any(missing)).to_be_bytes());
        out.extend_from_slice(&oid.to_be_bytes());
        if end > start {
            let length = i32::try_from(end - start).map_err(|_| "a list is too long".to_owned())?;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&1_i32.to_be_bytes());
        }
        (start..end).try_for_each(|index| cell(out, missing(index), |out| write(index, out)))
    }))
}
