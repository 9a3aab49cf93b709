//! The messages of `pgoutput`, version 1 of its protocol.
//!
//! Source: <https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>.

use std::fmt;
use std::str::FromStr;

use headwater_sdk::{Error, Result};
use serde::{Deserialize, Serialize};

/// A place in the server's log of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl FromStr for Lsn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let halves = text
            .split_once('/')
            .and_then(|(high, low)| Some((u32::from_str_radix(high, 16).ok()?, u32::from_str_radix(low, 16).ok()?)));
        let (high, low) = halves.ok_or_else(|| Error::fatal(format!("`{text}` is no place in a log of changes")))?;
        Ok(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

impl TryFrom<String> for Lsn {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// The value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// None.
    Null,
    /// One that is stored apart from its row, and has not changed: it is not told.
    Unchanged,
    /// A value, as text.
    Text(&'a [u8]),
}

/// The values of a row.
pub type Tuple<'a> = Vec<Cell<'a>>;

/// What is told of a row as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Old<'a> {
    /// Whether all its columns are told, and not only those that it is identified by.
    pub whole: bool,
    /// Its values.
    pub values: Tuple<'a>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A transaction begins, which was committed there.
    Begin { commit: Lsn, xid: u32 },
    /// It ends; what comes next is behind that place.
    Commit { end: Lsn },
    /// What a table looks like in what follows: its columns' names.
    Relation { relation: u32, columns: Vec<String> },
    /// A row has come.
    Insert { relation: u32, new: Tuple<'a> },
    /// A row has changed.
    Update { relation: u32, old: Option<Old<'a>>, new: Tuple<'a> },
    /// A row has gone.
    Delete { relation: u32, old: Old<'a> },
    /// All rows of tables have gone.
    Truncate { relations: Vec<u32> },
    /// Something else, that is of no matter.
    Other,
}

/// Bytes that are read from their beginning.
struct Bytes<'a>(&'a [u8]);

fn broken() -> Error {
    Error::fatal("the server sent a change that cannot be read")
}

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn word<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| broken())
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.word()?))
    }

    fn count(&mut self) -> Result<usize> {
        usize::try_from(i16::from_be_bytes(self.word()?)).map_err(|_| broken())
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.word()?))
    }

    fn lsn(&mut self) -> Result<Lsn> {
        Ok(Lsn(u64::from_be_bytes(self.word()?)))
    }

    fn text(&mut self) -> Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(broken)?;
        let text = self.take(end)?;
        self.take(1)?;
        String::from_utf8(text.to_vec()).map_err(|_| broken())
    }

    fn tuple(&mut self) -> Result<Tuple<'a>> {
        (0..self.count()?)
            .map(|_| {
                Ok(match self.byte()? {
                    b'n' => Cell::Null,
                    b'u' => Cell::Unchanged,
                    b't' => {
                        let length = usize::try_from(self.u32()?).map_err(|_| broken())?;
                        Cell::Text(self.take(length)?)
                    }
                    _ => return Err(broken()),
                })
            })
            .collect()
    }
}

/// Reads a message.
///
/// # Errors
/// If it is none.
pub fn parse(bytes: &[u8]) -> Result<Message<'_>> {
    let mut bytes = Bytes(bytes);
    Ok(match bytes.byte()? {
        b'B' => {
            let commit = bytes.lsn()?;
            bytes.take(8)?;
            Message::Begin { commit, xid: bytes.u32()? }
        }
        b'C' => {
            bytes.take(9)?;
            Message::Commit { end: bytes.lsn()? }
        }
        b'R' => {
            let relation = bytes.u32()?;
            bytes.text()?;
            bytes.text()?;
            bytes.byte()?;
            let columns = (0..bytes.count()?).map(|_| {
                bytes.byte()?;
                let name = bytes.text()?;
                bytes.take(8)?;
                Ok(name)
            });
            Message::Relation { relation, columns: columns.collect::<Result<_>>()? }
        }
        b'I' => {
            let relation = bytes.u32()?;
            match bytes.byte()? {
                b'N' => Message::Insert { relation, new: bytes.tuple()? },
                _ => return Err(broken()),
            }
        }
        b'U' => {
            let relation = bytes.u32()?;
            let mut kind = bytes.byte()?;
            let mut old = None;
            if matches!(kind, b'K' | b'O') {
                old = Some(Old { whole: kind == b'O', values: bytes.tuple()? });
                kind = bytes.byte()?;
            }
            match kind {
                b'N' => Message::Update { relation, old, new: bytes.tuple()? },
                _ => return Err(broken()),
            }
        }
        b'D' => {
            let relation = bytes.u32()?;
            match bytes.byte()? {
                kind @ (b'K' | b'O') => {
                    Message::Delete { relation, old: Old { whole: kind == b'O', values: bytes.tuple()? } }
                }
                _ => return Err(broken()),
            }
        }
        b'T' => {
            let count = bytes.u32()?;
            bytes.byte()?;
            Message::Truncate { relations: (0..count).map(|_| bytes.u32()).collect::<Result<_>>()? }
        }
        // Types, origins, and messages of the user's own.
        _ => Message::Other,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places_are_written_as_the_server_writes_them() {
        for text in ["0/0", "16/B374D848", "FFFFFFFF/1"] {
            assert_eq!(text.parse::<Lsn>().unwrap().to_string(), text);
        }
        assert!("0".parse::<Lsn>().is_err() && "x/1".parse::<Lsn>().is_err());
        assert!("0/FFFFFFFF".parse::<Lsn>().unwrap() < "1/0".parse::<Lsn>().unwrap());
    }

    #[test]
    fn what_is_cut_is_refused() {
        let update = b"U\0\0\0\x07K\0\x01t\0\0\0\x021xN\0\x03nut\0\0\0\x01a";
        let Message::Update { relation: 7, old: Some(old), new } = parse(update).unwrap() else { panic!() };
        assert_eq!((old.whole, old.values), (false, vec![Cell::Text(b"1x")]));
        assert_eq!(new, [Cell::Null, Cell::Unchanged, Cell::Text(b"a")]);
        for end in 1..update.len() {
            assert!(parse(&update[..end]).is_err(), "{end}");
        }
        assert!(parse(b"").is_err());
    }
}
