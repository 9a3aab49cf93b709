//! The bytes of `COPY … TO STDOUT (FORMAT binary)` as Arrow columns, without anything in between.
//!
//! Source of the form: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format", and the `*send` functions
//! of PostgreSQL's source.

mod list;
mod number;
mod numeric;
mod text;
mod time;
mod values;

use headwater_sdk::arrow::array::ArrayRef;
use headwater_sdk::{Error, Result};

pub use values::reads;

use self::values::Values;
use crate::types::Mapped;

/// What every stream begins with; flags and the length of an extension come after it.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// The signature, the flags and the length of the extension.
const HEADER: usize = SIGNATURE.len() + 8;
/// The flags that a reader must know; none is known.
const CRITICAL: u32 = 0xffff_0000;

/// One column on its way.
struct Column {
    name: String,
    nullable: bool,
    values: Box<dyn Values>,
}

/// Reads rows into columns.
pub struct Decoder {
    columns: Vec<Column>,
    /// The beginning of a row whose end has not come yet.
    partial: Vec<u8>,
    /// So many bytes at least the row has of which a part is there.
    wanted: usize,
    /// The fields of one row: where each begins, and its length, or less than zero where it is missing.
    fields: Vec<(usize, i32)>,
    rows: usize,
    begun: bool,
    ended: bool,
}

/// A stream that is not what it should be.
fn broken(what: &str) -> Error {
    Error::fatal(format!("the server sent a COPY that cannot be read: {what}"))
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

impl Decoder {
    /// A decoder of columns in the order in which they are selected.
    ///
    /// # Errors
    /// If a column's type is not one that its bytes can be read as.
    pub fn new(columns: &[Mapped]) -> Result<Self> {
        let columns = columns.iter().map(|mapped| {
            let column = &mapped.column;
            let values = values::values(&mapped.wire, &column.kind, mapped.nan_is_null).ok_or_else(|| {
                Error::fatal(format!("column {}: {:?} is not read as {}", column.name, mapped.wire, column.kind.name()))
            })?;
            Ok(Column { name: column.name.clone(), nullable: column.nullable, values })
        });
        let columns: Vec<Column> = columns.collect::<Result<_>>()?;
        let fields = Vec::with_capacity(columns.len());
        Ok(Self { columns, partial: Vec::new(), wanted: 0, fields, rows: 0, begun: false, ended: false })
    }

    /// Takes bytes; they may end anywhere.
    ///
    /// # Errors
    /// If a value is not one of its column's type; what was read is of no use then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        if self.partial.is_empty() {
            let used = self.read(bytes)?;
            self.partial.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut bytes = bytes;
        while !bytes.is_empty() {
            // What is missing of the row that has begun is added to it, and no more than that.
            let more = self.wanted.saturating_sub(self.partial.len()).clamp(1, bytes.len());
            self.partial.extend_from_slice(&bytes[..more]);
            bytes = &bytes[more..];
            if self.partial.len() < self.wanted {
                return Ok(());
            }
            let mut partial = std::mem::take(&mut self.partial);
            let used = self.read(&partial)?;
            partial.drain(..used);
            self.partial = partial;
            if self.partial.is_empty() {
                return self.feed(bytes);
            }
        }
        Ok(())
    }

    /// The rows that wait to be taken.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes of memory they take.
    pub fn size(&self) -> usize {
        self.columns.iter().map(|column| column.values.size()).sum()
    }

    /// Whether the stream has come to its end.
    pub fn is_done(&self) -> bool {
        self.ended && self.partial.is_empty()
    }

    /// Hands over the rows, and begins anew.
    ///
    /// # Errors
    /// If a text is not UTF-8.
    pub fn take(&mut self) -> Result<Vec<ArrayRef>> {
        self.rows = 0;
        self.columns
            .iter_mut()
            .map(|column| column.values.finish().map_err(|why| of_column(&column.name, &why)))
            .collect()
    }

    /// Reads all rows that are there as a whole, and answers how many bytes they were.
    fn read(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut at = 0;
        if !self.begun {
            at = match header(bytes)? {
                Ok(header) => header,
                Err(wanted) => {
                    self.wanted = wanted;
                    return Ok(0);
                }
            };
            self.begun = true;
        }
        while at < bytes.len() {
            match self.row(&bytes[at..])? {
                Ok(used) => at += used,
                Err(wanted) => {
                    self.wanted = wanted;
                    break;
                }
            }
        }
        Ok(at)
    }

    /// Reads one row, and answers its length; where it is not there as a whole, how long it is at least.
    fn row(&mut self, bytes: &[u8]) -> Result<Result<usize, usize>> {
        let Some(count) = word(bytes, 0).map(i16::from_be_bytes) else { return Ok(Err(2)) };
        if self.ended {
            return Err(broken("there is more behind its end"));
        }
        if count == -1 {
            self.ended = true;
            return Ok(Ok(2));
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            return Err(broken(&format!("a row has {count} fields instead of {}", self.columns.len())));
        }
        let mut at = 2;
        self.fields.clear();
        for _ in 0..self.columns.len() {
            let Some(length) = word(bytes, at).map(i32::from_be_bytes) else { return Ok(Err(at + 4)) };
            at += 4;
            self.fields.push((at, length));
            at += usize::try_from(length).unwrap_or(0);
        }
        if at > bytes.len() {
            return Ok(Err(at));
        }
        for (column, (from, length)) in self.columns.iter_mut().zip(&self.fields) {
            let Ok(length) = usize::try_from(*length) else {
                if !column.nullable {
                    return Err(of_column(&column.name, "a value is missing, and it is said never to be"));
                }
                column.values.push_null();
                continue;
            };
            if let Err(why) = column.values.push(&bytes[*from..from + length]) {
                return Err(of_column(&column.name, &why));
            }
        }
        self.rows += 1;
        Ok(Ok(at))
    }
}

fn of_column(name: &str, why: &str) -> Error {
    Error::fatal(format!("column {name}: {why}"))
}

/// The length of what a stream begins with; where it is not there as a whole, how long it is at least.
fn header(bytes: &[u8]) -> Result<Result<usize, usize>> {
    let Some(flags) = word(bytes, SIGNATURE.len()).map(u32::from_be_bytes) else { return Ok(Err(HEADER)) };
    let Some(extension) = word(bytes, SIGNATURE.len() + 4).map(u32::from_be_bytes) else { return Ok(Err(HEADER)) };
    if !bytes.starts_with(SIGNATURE) || flags & CRITICAL != 0 {
        return Err(broken("it does not begin as one in binary form"));
    }
    let length = HEADER + extension as usize;
    Ok(if bytes.len() < length { Err(length) } else { Ok(length) })
}
